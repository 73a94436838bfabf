package wal

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/telemdb/telemdb/storage/vfs"
)

// RecordInfo is a record as Inspect sees it.
type RecordInfo struct {
	Record
	Offset int64
	Size   int64  // in the file, with header and padding
	Synced uint64 // the record shows that everything up to here had been synced when it was written
}

// Inspect verifies one file of a log and calls visit, which may be nil, for each record of data; the payload is valid
// during the call. It changes nothing, so the log may be open. What a writer is writing at the moment looks like damage
// at the end.
func Inspect(fsys vfs.FS, name string, visit func(RecordInfo)) (FileInfo, []Damage, error) {
	var s scanner
	info, scan, err := inspect(fsys, name, &s, visit)
	return info, scan.report(name), err
}

// Check verifies all files of a log and that no LSN is missing between them. It changes nothing.
func Check(fsys vfs.FS, dir string) ([]FileInfo, []Damage, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { _, ok := parseFileName(n); return !ok })
	slices.Sort(names)
	var s scanner
	var infos []FileInfo
	var damage []Damage
	for _, n := range names {
		info, scan, err := inspect(fsys, path.Join(dir, n), &s, nil)
		if err != nil {
			return infos, damage, err
		}
		infos = append(infos, info)
		damage = append(damage, scan.report(n)...)
	}
	return infos, damage, nil
}

func inspect(fsys vfs.FS, name string, s *scanner, visit func(RecordInfo)) (FileInfo, fileScan, error) {
	data, err := vfs.ReadFile(fsys, name)
	info := FileInfo{Name: path.Base(name), Bytes: int64(len(data))}
	if err != nil || len(data) < headBytes {
		return info, fileScan{garbage: int64(len(data))}, err
	}
	h, whole, err := parseHead(data)
	if errors.Is(err, errVersion) {
		return info, fileScan{}, fmt.Errorf("%s: %w", name, err)
	}
	if err != nil { // without the id in the header no record can be verified
		return info, fileScan{holes: []hole{{end: info.Bytes, from: 1}}}, nil
	}
	info.Number, info.ID, info.Time = h.number, h.id, h.created
	scan := s.file(data, h.id, func(off int64, h header, payload []byte) {
		if visit != nil {
			visit(RecordInfo{
				Record: Record{LSN: h.lsn, Kind: h.kind, Payload: payload},
				Offset: off, Size: int64(recordSize(int(h.length))), Synced: h.proven(),
			})
		}
	})
	if !whole {
		scan.holes = append(scan.holes, hole{end: headBytes, from: 1})
	}
	info.First, info.Last = scan.first, scan.last
	return info, scan, nil
}

// report lists what is wrong in the file name.
func (f *fileScan) report(name string) []Damage {
	var out []Damage
	for _, h := range f.holes {
		out = append(out, Damage{path.Base(name), h.off, h.end - h.off, h.from, h.to})
	}
	if f.garbage > 0 {
		out = append(out, Damage{File: path.Base(name), Offset: f.end, Length: f.garbage, From: 1})
	}
	return out
}

// IsFile reports whether a file begins as those of a log do. One whose first page is damaged is still told by the second
// copy of its header. It verifies nothing else.
func IsFile(fsys vfs.FS, name string) (bool, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return false, err
	}
	b := make([]byte, headBytes)
	_, err = f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	is := string(b[:len(fileMagic)]) == fileMagic || string(b[headCopy:headCopy+len(fileMagic)]) == fileMagic
	return is, errors.Join(err, f.Close())
}

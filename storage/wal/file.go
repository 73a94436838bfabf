package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/telemdb/telemdb/storage/vfs"
)

// Layout of a file: a head of headBytes with two copies of the file header, then records.
const (
	headBytes   = 4096
	headCopy    = 2048 // where the second copy is
	headerBytes = 64
	fileMagic   = "TELEMWAL"
	fileVersion = 1
)

const fileSuffix = ".wal"

func fileName(number uint64) string { return fmt.Sprintf("%016d%s", number, fileSuffix) }

// parseFileName returns the number in a file's name.
func parseFileName(name string) (number uint64, ok bool) {
	digits, found := strings.CutSuffix(name, fileSuffix)
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, found && err == nil && fileName(number) == name
}

// fileHeader is what a file says about itself.
type fileHeader struct {
	number  uint64 // as in its name
	id      uint64 // random; part of every record's checksum
	created time.Time
}

// head returns the first headBytes of a file.
func (h fileHeader) head() []byte {
	b := make([]byte, headBytes)
	le := binary.LittleEndian
	copy(b, fileMagic)
	le.PutUint32(b[8:], fileVersion)
	le.PutUint64(b[16:], h.number)
	le.PutUint64(b[24:], h.id)
	le.PutUint64(b[32:], uint64(h.created.UnixMicro()))
	le.PutUint32(b[12:], crc32.Checksum(b[:headerBytes], castagnoli))
	copy(b[headCopy:], b[:headerBytes])
	return b
}

// errVersion is a file of a version that this program does not know.
var errVersion = errors.New("log file of another version")

// parseHead reads the file header from the first headBytes. whole is false if one of the two copies is bad.
func parseHead(b []byte) (h fileHeader, whole bool, err error) {
	first, err1 := parseHeaderCopy(b[:headerBytes])
	second, err2 := parseHeaderCopy(b[headCopy : headCopy+headerBytes])
	switch {
	case err1 == nil:
		return first, err2 == nil && first == second, nil
	case err2 == nil:
		return second, false, nil
	}
	return h, false, err1
}

func parseHeaderCopy(b []byte) (h fileHeader, err error) {
	var zeroed [headerBytes]byte
	copy(zeroed[:], b)
	clear(zeroed[12:16])
	le := binary.LittleEndian
	if crc32.Checksum(zeroed[:], castagnoli) != le.Uint32(b[12:]) || string(b[:len(fileMagic)]) != fileMagic {
		return h, errors.New("file header is malformed")
	}
	if v := le.Uint32(b[8:]); v != fileVersion {
		return h, fmt.Errorf("%w: %d, this program writes %d", errVersion, v, fileVersion)
	}
	return fileHeader{number: le.Uint64(b[16:]), id: le.Uint64(b[24:]), created: time.UnixMicro(int64(le.Uint64(b[32:])))}, nil
}

// indexEvery is how many bytes lie between the entries of a file's index.
const indexEvery = 256 << 10

// indexEntry says where the record of an LSN starts.
type indexEntry struct {
	lsn uint64
	off int64
}

// file is what the log knows of one of its files. Log.mu guards the fields below the line.
type file struct {
	number, id uint64
	created    time.Time
	path       string
	unreadable bool // its header is lost, so its records cannot be verified

	first, last uint64 // LSNs of its records; 0, 0 if it has none
	used        int64  // end of what is synced and valid
	active      bool   // records still go into it
	changed     time.Time
	index       []indexEntry // ascending; sparse; nil for files that recovery had no need to scan
	holes       []hole       // damaged ranges that recovery reported
	pins        int          // readers in it
}

// note takes records [first, last], which start at off and end at end, into the file's description.
func (f *file) note(first, last uint64, off, end int64) {
	if f.first == 0 {
		f.first = first
	}
	f.last, f.used = last, end
	if n := len(f.index); n == 0 || off-f.index[n-1].off >= indexEvery {
		f.index = append(f.index, indexEntry{first, off})
	}
}

// seek returns an offset at or before the record lsn.
func (f *file) seek(lsn uint64) int64 {
	off := int64(headBytes)
	for _, e := range f.index {
		if e.lsn > lsn {
			break
		}
		off = e.off
	}
	return off
}

// unsealed returns about how many of the file's bytes hold records above mark.
func (f *file) unsealed(mark uint64) int64 {
	if f.last <= mark {
		return 0
	}
	return f.used - f.seek(mark+1)
}

// createFile makes a file of size bytes whose head and directory entry are durable.
func createFile(fsys vfs.FS, dir string, h fileHeader, size int64) (vfs.File, error) {
	name := path.Join(dir, fileName(h.number))
	f, err := fsys.Create(name)
	if err != nil {
		return nil, err
	}
	err = f.Preallocate(size)
	if err == nil {
		_, err = f.WriteAt(h.head(), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), fsys.Remove(name))
	}
	return f, nil
}

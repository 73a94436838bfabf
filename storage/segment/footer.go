package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/telemdb/telemdb/storage/vfs"
)

// The format's version. A reader takes every older major and refuses newer ones; a minor adds what older readers may
// ignore.
const (
	magic        = "TLMSEG"
	versionMajor = 1
	versionMinor = 3
)

// Feature bits. A reader that does not know a required bit refuses the file, an optional one it ignores.
const (
	requiredEncodings2 = uint32(1) // chunks may have the encodings 8 to 13 (../codec/FORMAT.md)
	requiredEncodings3 = uint32(2) // and what ../codec/FORMAT.md says came with version 1.3
	optionalIndex      = uint32(1) // the footer says where the index area is, if there is one

	knownRequired = requiredEncodings2 | requiredEncodings3
)

const (
	headerBytes  = 64
	footerBytes  = 128
	trailerBytes = 12
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// ErrNewerVersion is returned for files of a format this build does not know.
var ErrNewerVersion = errors.New("written by a newer telemdb; upgrade to read it")

// header is what a file begins with: magic, major u8, minor u8, required u32, optional u32, id u64, table u32, zeros,
// CRC-32C of all before it u32.
type header struct {
	major, minor       uint8
	required, optional uint32
	id                 uint64
	table              uint32
}

func (h *header) append(dst []byte) []byte {
	at := len(dst)
	dst = append(append(dst, magic...), h.major, h.minor)
	dst = binary.LittleEndian.AppendUint32(dst, h.required)
	dst = binary.LittleEndian.AppendUint32(dst, h.optional)
	dst = binary.LittleEndian.AppendUint64(dst, h.id)
	dst = binary.LittleEndian.AppendUint32(dst, h.table)
	dst = append(dst, make([]byte, at+headerBytes-4-len(dst))...)
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[at:]))
}

func parseHeader(file string, b []byte) (h header, err error) {
	bad := func(expected, found string) error {
		return &CorruptError{File: file, Section: "header", Expected: expected, Found: found}
	}
	if string(b[:6]) != magic {
		return h, bad(fmt.Sprintf("%q", magic), fmt.Sprintf("%q: not a segment file", b[:6]))
	}
	if want, got := checksum(b[:headerBytes-4]), binary.LittleEndian.Uint32(b[headerBytes-4:]); want != got {
		return h, bad(fmt.Sprintf("checksum %08x", got), fmt.Sprintf("%08x", want))
	}
	h = header{major: b[6], minor: b[7], required: binary.LittleEndian.Uint32(b[8:]), optional: binary.LittleEndian.Uint32(b[12:]),
		id: binary.LittleEndian.Uint64(b[16:]), table: binary.LittleEndian.Uint32(b[24:])}
	if h.major > versionMajor || h.required&^knownRequired != 0 {
		return h, fmt.Errorf("segment %s has version %d.%d and features %#x: %w", file, h.major, h.minor, h.required, ErrNewerVersion)
	}
	return h, nil
}

const footerHasPartition = 1

// footer sums the file up and says where the directory is. All fields little endian, in this order.
type footer struct {
	id             uint64
	table          uint32
	flags          uint32
	partition      int64
	rows           uint64
	valueBytes     uint64
	minLSN, maxLSN uint64
	dirOffset      uint64
	dirStored      uint32 // length in the file
	dirRaw         uint32 // length after decompression; equal to dirStored: stored as it is
	dirCRC         uint32
	groups         uint32
	columns        uint32
	levelHint      uint32
	// The index area ends where the directory begins, and its table where the area ends. All 0: there is none.
	indexBytes, indexTable, indexCRC uint32
}

func (f *footer) append(dst []byte) []byte {
	at := len(dst)
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, f.id)
	dst = le.AppendUint32(dst, f.table)
	dst = le.AppendUint32(dst, f.flags)
	for _, x := range []uint64{uint64(f.partition), f.rows, f.valueBytes, f.minLSN, f.maxLSN, f.dirOffset} {
		dst = le.AppendUint64(dst, x)
	}
	for _, x := range []uint32{f.dirStored, f.dirRaw, f.dirCRC, f.groups, f.columns, f.levelHint, f.indexBytes, f.indexTable, f.indexCRC} {
		dst = le.AppendUint32(dst, x)
	}
	dst = append(dst, make([]byte, at+footerBytes-4-len(dst))...)
	return le.AppendUint32(dst, checksum(dst[at:]))
}

// appendTrailer appends what the file ends with: length of the footer u32, magic, major u8, minor u8.
func appendTrailer(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, footerBytes)
	return append(append(dst, magic...), versionMajor, versionMinor)
}

// readEnds reads and verifies header, footer and trailer.
func readEnds(file vfs.File, path string) (h header, f footer, size int64, err error) {
	size, err = file.Size()
	if err != nil {
		return h, f, 0, fmt.Errorf("segment %s: %w", path, err)
	}
	if size < headerBytes+footerBytes+trailerBytes {
		return h, f, size, &CorruptError{File: path, Section: "file", Expected: "a whole segment", Found: fmt.Sprintf("%d bytes", size)}
	}
	var head [headerBytes]byte
	var end [footerBytes + trailerBytes]byte
	if err := readFull(file, head[:], 0); err != nil {
		return h, f, size, fmt.Errorf("segment %s: header: %w", path, err)
	}
	if h, err = parseHeader(path, head[:]); err != nil {
		return h, f, size, err
	}
	at := size - int64(len(end))
	if err := readFull(file, end[:], at); err != nil {
		return h, f, size, fmt.Errorf("segment %s: footer: %w", path, err)
	}
	f, err = parseFooter(path, end[:], at, h)
	return h, f, size, err
}

func parseFooter(path string, b []byte, at int64, h header) (f footer, err error) {
	bad := func(expected, found string) error {
		return &CorruptError{File: path, Offset: at, Section: "footer", Expected: expected, Found: found}
	}
	want := binary.LittleEndian.AppendUint32(nil, footerBytes)
	want = append(append(want, magic...), h.major, h.minor)
	if got := b[footerBytes:]; string(got) != string(want) {
		return f, bad(fmt.Sprintf("trailer %x", want), fmt.Sprintf("%x", got))
	}
	le := binary.LittleEndian
	if stored, now := le.Uint32(b[footerBytes-4:]), checksum(b[:footerBytes-4]); stored != now {
		return f, bad(fmt.Sprintf("checksum %08x", stored), fmt.Sprintf("%08x", now))
	}
	f = footer{
		id: le.Uint64(b), table: le.Uint32(b[8:]), flags: le.Uint32(b[12:]), partition: int64(le.Uint64(b[16:])),
		rows: le.Uint64(b[24:]), valueBytes: le.Uint64(b[32:]), minLSN: le.Uint64(b[40:]), maxLSN: le.Uint64(b[48:]),
		dirOffset: le.Uint64(b[56:]), dirStored: le.Uint32(b[64:]), dirRaw: le.Uint32(b[68:]), dirCRC: le.Uint32(b[72:]),
		groups: le.Uint32(b[76:]), columns: le.Uint32(b[80:]), levelHint: le.Uint32(b[84:]),
	}
	if h.optional&optionalIndex != 0 {
		f.indexBytes, f.indexTable, f.indexCRC = le.Uint32(b[88:]), le.Uint32(b[92:]), le.Uint32(b[96:])
	}
	switch {
	case f.id != h.id || f.table != h.table:
		return f, bad(fmt.Sprintf("segment %d of table %d", h.id, h.table), fmt.Sprintf("%d of %d", f.id, f.table))
	case f.dirOffset < headerBytes || f.dirOffset+uint64(f.dirStored) != uint64(at):
		return f, bad("a directory that ends where the footer begins", fmt.Sprintf("%d bytes at %d", f.dirStored, f.dirOffset))
	case f.indexTable > f.indexBytes || uint64(f.indexBytes) > f.dirOffset-headerBytes || f.indexBytes > 0 && f.groups == 0:
		return f, bad("an index area within the file", fmt.Sprintf("%d bytes, %d of them its table", f.indexBytes, f.indexTable))
	}
	return f, nil
}

// readFull reads exactly len(b) bytes; a short file is an error even if the reader reports none.
func readFull(file vfs.File, b []byte, at int64) error {
	n, err := file.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil {
		err = errors.New("short read")
	}
	return fmt.Errorf("read of %d bytes at %d gave %d: %w", len(b), at, n, err)
}

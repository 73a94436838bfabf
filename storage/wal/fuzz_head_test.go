package wal

import (
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// FuzzHead: no head of a file, its checksums made right, makes the parser panic, and one of its copies is enough.
func FuzzHead(f *testing.F) {
	f.Add([]byte(fileMagic), uint32(fileVersion), uint64(3), uint64(9), uint8(0))
	f.Add([]byte(fileMagic), uint32(fileVersion+1), uint64(3), uint64(9), uint8(1))
	f.Fuzz(func(t *testing.T, magic []byte, version uint32, number, id uint64, damaged uint8) {
		var b [headBytes]byte
		for _, at := range []int{0, headCopy} {
			c := b[at : at+headerBytes]
			copy(c, magic)
			clear(c[12:16])
			binary.LittleEndian.PutUint32(c[8:], version)
			binary.LittleEndian.PutUint64(c[16:], number)
			binary.LittleEndian.PutUint64(c[24:], id)
			binary.LittleEndian.PutUint32(c[12:], crc32.Checksum(c, castagnoli))
		}
		if damaged > 0 {
			b[int(damaged)%headerBytes] ^= damaged
		}
		h, whole, err := parseHead(b[:])
		if err == nil && (h.number != number || h.id != id || version != fileVersion) {
			t.Errorf("%+v of %d, %d, version %d", h, number, id, version)
		}
		if err == nil && whole && damaged > 0 {
			t.Errorf("byte %d is damaged, and the head passes for whole", int(damaged)%headerBytes)
		}
	})
}

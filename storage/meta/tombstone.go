package meta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/RoaringBitmap/roaring/v2"
)

// Tombstone is the deleted rows of a segment. A row's number counts through all row groups of the file, from 0.
type Tombstone struct {
	Table   uint32
	Segment uint64
	Rows    *roaring.Bitmap // not empty, not to be changed
}

// tombstoneV1 opens every stored tombstone.
const tombstoneV1 = 1

// tombstoneHead is what stands before the bitmap: version, number of rows, checksum of the bitmap.
const tombstoneHead = 1 + 4 + 4

var errTombstone = errors.New("malformed tombstone")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// PutTombstone sets the deleted rows of a segment that the manifest has.
func (b *Batch) PutTombstone(t Tombstone) {
	v, err := appendTombstone(nil, t.Rows)
	if err != nil {
		if b.err == nil {
			b.err = fmt.Errorf("catalog batch: tombstone of segment %d: %w", t.Segment, err)
		}
		return
	}
	b.set(tombstoneKey(t.Table, t.Segment), v)
}

// DropTombstone forgets the deleted rows of a segment, which is dropped too.
func (b *Batch) DropTombstone(table uint32, segment uint64) { b.delete(tombstoneKey(table, segment)) }

func appendTombstone(dst []byte, rows *roaring.Bitmap) ([]byte, error) {
	n := rows.GetCardinality()
	if n == 0 || n > math.MaxUint32 {
		return nil, fmt.Errorf("%w: %d rows", errTombstone, n)
	}
	raw, err := rows.ToBytes()
	if err != nil {
		return nil, err
	}
	dst = append(dst, tombstoneV1)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(raw, castagnoli))
	return append(dst, raw...), nil
}

// parseTombstone reads what appendTombstone wrote. The bitmap shares nothing with v.
func parseTombstone(v []byte) (*roaring.Bitmap, error) {
	if len(v) < tombstoneHead {
		return nil, fmt.Errorf("%w: %d bytes", errTombstone, len(v))
	}
	if v[0] != tombstoneV1 {
		return nil, fmt.Errorf("%w: version %d, this program knows %d", errTombstone, v[0], tombstoneV1)
	}
	raw := v[tombstoneHead:]
	if want, got := binary.LittleEndian.Uint32(v[5:]), crc32.Checksum(raw, castagnoli); want != got {
		return nil, fmt.Errorf("%w: checksum %08x, want %08x", errTombstone, got, want)
	}
	rows := roaring.New()
	n, err := rows.ReadFrom(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTombstone, err)
	}
	if n != int64(len(raw)) {
		return nil, fmt.Errorf("%w: the bitmap ends after %d of %d bytes", errTombstone, n, len(raw))
	}
	if err := rows.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", errTombstone, err)
	}
	if want, got := uint64(binary.LittleEndian.Uint32(v[1:])), rows.GetCardinality(); want != got || got == 0 {
		return nil, fmt.Errorf("%w: %d rows, want %d", errTombstone, got, want)
	}
	return rows, nil
}

func (s *State) loadTombstone(k, v []byte) error {
	if len(k) != 12 {
		return fmt.Errorf("key has %d bytes, want 12", len(k))
	}
	rows, err := parseTombstone(v)
	if err != nil {
		return err
	}
	s.Tombstones = append(s.Tombstones, Tombstone{
		Table: binary.BigEndian.Uint32(k), Segment: binary.BigEndian.Uint64(k[4:]), Rows: rows,
	})
	return nil
}

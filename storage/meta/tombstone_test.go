package meta

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"log/slog"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/vfs"
)

func TestATombstoneIsWrittenAsDocumented(t *testing.T) {
	v, err := appendTombstone(nil, roaring.BitmapOf(3, 65536+1))
	if err != nil {
		t.Fatal(err)
	}
	rows := "3a3000000200000000000000010000001800000" + "01a00000003000100"
	raw, err := hex.DecodeString(rows)
	if err != nil {
		t.Fatal(err)
	}
	want := binary.LittleEndian.AppendUint32([]byte{1, 2, 0, 0, 0}, crc32.Checksum(raw, castagnoli))
	if want = append(want, raw...); !bytes.Equal(v, want) {
		t.Errorf("%x, want %x", v, want)
	}
}

func TestTombstonesAreLoadedUntilTheyAreDropped(t *testing.T) {
	db, err := Open(Options{FS: vfs.NewMem(), Dir: "/meta", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	commit := func(f func(*Batch)) {
		t.Helper()
		b := db.NewBatch()
		f(b)
		if err := db.Commit(b); err != nil {
			t.Fatal(err)
		}
	}
	commit(func(b *Batch) {
		b.PutSegment(&Segment{ID: 7, Table: 3, Meta: segment.Meta{Rows: 10}})
		b.PutTombstone(Tombstone{Table: 3, Segment: 7, Rows: roaring.BitmapOf(9)})
	})
	commit(func(b *Batch) { b.PutTombstone(Tombstone{Table: 3, Segment: 7, Rows: roaring.BitmapOf(0, 9)}) })
	s, err := db.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Tombstones) != 1 || s.Tombstones[0].Table != 3 || s.Tombstones[0].Segment != 7 ||
		!s.Tombstones[0].Rows.Equals(roaring.BitmapOf(0, 9)) {
		t.Errorf("loaded %+v", s.Tombstones)
	}
	commit(func(b *Batch) { b.DropTombstone(3, 7) })
	if s, err = db.Load(); err != nil || len(s.Tombstones) != 0 {
		t.Errorf("loaded %+v, %v", s.Tombstones, err)
	}
	b := db.NewBatch()
	b.PutTombstone(Tombstone{Table: 3, Segment: 7, Rows: roaring.New()})
	if err := db.Commit(b); !errors.Is(err, errTombstone) {
		t.Errorf("an empty tombstone: %v", err)
	}
}

func TestEveryChangedByteOfATombstoneIsFound(t *testing.T) {
	v, err := appendTombstone(nil, roaring.BitmapOf(1, 2, 3, 70000))
	if err != nil {
		t.Fatal(err)
	}
	for i := range v {
		for bit := range 8 {
			w := bytes.Clone(v)
			w[i] ^= 1 << bit
			if _, err := parseTombstone(w); !errors.Is(err, errTombstone) {
				t.Errorf("byte %d, bit %d: %v", i, bit, err)
			}
		}
		if _, err := parseTombstone(v[:i]); !errors.Is(err, errTombstone) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}

// FuzzTombstone reads any bytes; those that are read are read again as written. The checksum is made to fit, so that the
// bitmap is met.
func FuzzTombstone(f *testing.F) {
	for _, rows := range []*roaring.Bitmap{roaring.BitmapOf(3, 65537), roaring.BitmapOf(0)} {
		v, err := appendTombstone(nil, rows)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(v)
	}
	long := roaring.New()
	long.AddRange(5, 100_000)
	long.RunOptimize()
	v, err := appendTombstone(nil, long)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(v)
	f.Fuzz(func(t *testing.T, v []byte) {
		if len(v) >= tombstoneHead {
			binary.LittleEndian.PutUint32(v[5:], crc32.Checksum(v[tombstoneHead:], castagnoli))
		}
		rows, err := parseTombstone(v)
		if err != nil {
			return
		}
		again, err := appendTombstone(nil, rows)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseTombstone(again)
		if err != nil || !back.Equals(rows) {
			t.Fatalf("%v: %v, want %v", err, back, rows)
		}
	})
}

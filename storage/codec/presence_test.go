package codec

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestPresenceTakesTheSmallestForm: the form written is the smallest of bitmap, positions and roaring bitmap, by the sizes
// that the library itself says.
func TestPresenceTakesTheSmallestForm(t *testing.T) {
	r := newRand(11)
	seen := map[uint8]int{}
	var e Encoder
	for range 400 {
		rows := 1 + r.IntN(MaxRows)
		if r.IntN(2) == 0 {
			rows = 1 + r.IntN(300)
		}
		var pos []uint16
		for row := 0; row < rows; { // runs and gaps, each of a scale of its own
			to := min(rows, row+1+r.IntN(1<<r.IntN(12)))
			for ; row < to; row++ {
				pos = append(pos, uint16(row))
			}
			row += 1 + r.IntN(1<<r.IntN(14))
		}
		if len(pos) == 0 || len(pos) == rows {
			continue
		}
		got, kind, err := e.appendPresence(nil, &Values{Rows: rows, Pos: pos})
		if err != nil {
			t.Fatal(err)
		}
		seen[kind]++
		set := roaring.New()
		for _, p := range pos {
			set.Add(uint32(p))
		}
		set.RunOptimize()
		if want := min(2*len(pos), 8*vec.Words(rows), int(set.GetSerializedSizeInBytes())); len(got) != want {
			t.Fatalf("seed 11: kind %d of %d rows in %d takes %d bytes, want %d", kind, len(pos), rows, len(got), want)
		}
		cur := &cursor{data: got}
		p, err := parsePresence(cur, kind, rows, len(pos))
		if err != nil || cur.bad || cur.left() != 0 {
			t.Fatalf("seed 11: kind %d: %v, %d bytes left", kind, err, cur.left())
		}
		for range 50 {
			row := r.IntN(rows + 1)
			want, _ := slices.BinarySearch(pos, uint16(row))
			if row > int(pos[len(pos)-1]) {
				want = len(pos)
			}
			if n := p.before(got, row); n != want {
				t.Fatalf("seed 11: kind %d: %d values before row %d, want %d", kind, n, row, want)
			}
		}
	}
	if seen[presentSparse] == 0 || seen[presentBitmap] == 0 || seen[presentRuns] == 0 {
		t.Fatalf("seed 11: some form was never the smallest: %v", seen)
	}
}

// TestForeignRoaringPresenceIsCheckedNotTrusted: what the library takes but the chunk does not mean is refused.
func TestForeignRoaringPresenceIsCheckedNotTrusted(t *testing.T) {
	runs := func(key uint16, at ...uint16) []byte {
		b := binary.LittleEndian.AppendUint32(nil, 12347)
		b = append(b, 1)
		b = binary.LittleEndian.AppendUint16(b, key)
		b = binary.LittleEndian.AppendUint16(b, 9)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(at)/2))
		for _, x := range at {
			b = binary.LittleEndian.AppendUint16(b, x)
		}
		return b
	}
	array := func(rows ...uint32) []byte {
		b, err := roaring.BitmapOf(rows...).ToBytes()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name    string
		data    []byte
		present int
		ok      bool
	}{
		{"two runs", runs(0, 5, 9, 50, 9), 20, true},
		{"an array container", array(1, 7, 99), 3, true},
		{"fewer rows than values", runs(0, 5, 9), 20, false},
		{"more rows than values", runs(0, 5, 9, 50, 9), 10, false},
		{"a run beyond the last row", runs(0, 95, 9), 10, false},
		{"a run around the end of the container", runs(0, 65530, 20), 21, false},
		{"runs out of order", runs(0, 50, 9, 5, 9), 20, false},
		{"a container of other rows", runs(1, 5, 9), 10, false},
		{"no run", runs(0), 1, false},
		{"cut short", runs(0, 5, 9, 50, 9)[:15], 20, false},
		{"another cookie", []byte{1, 2, 3, 4, 5, 6, 7, 8}, 3, false},
		{"nothing", nil, 3, false},
	} {
		cur := &cursor{data: c.data}
		_, err := parsePresence(cur, presentRuns, 100, c.present)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && !isCorrupt(err) {
			t.Errorf("%s: error %T is none of this package", c.name, err)
		}
	}
}

func isCorrupt(err error) bool { _, ok := err.(*Error); return ok }

func BenchmarkOpenRoaringPresence(b *testing.B) {
	r := newRand(3)
	v := (&shapes[0]).build(r, MaxRows, -500)
	var e Encoder
	data, err := e.Encode(nil, v, Options{})
	if err != nil {
		b.Fatal(err)
	}
	if data[0]>>6 != presentRuns {
		b.Fatalf("presence kind %d", data[0]>>6)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open(types.LeafBool, v.Rows, v.Present(), data); err != nil {
			b.Fatal(err)
		}
	}
}

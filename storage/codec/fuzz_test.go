package codec

import (
	"math"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// FuzzChunk: no bytes make Open, Read or Filter panic; what Read gives is a well-formed vector.
func FuzzChunk(f *testing.F) {
	var e Encoder
	for i := range shapes {
		for _, density := range []int{1000, 300, 20, -300} {
			v := shapes[i].build(newRand(uint64(i)), 300, density)
			data, err := e.Encode(nil, v, Options{})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(v.Leaf), uint16(v.Rows-1), uint16(v.Present()-1), data)
		}
	}
	f.Fuzz(func(t *testing.T, leaf uint8, rows, present uint16, data []byte) {
		useChunk(t, types.Leaf(leaf), int(rows)+1, int(present)+1, data)
	})
}

func useChunk(t *testing.T, leaf types.Leaf, rows, present int, data []byte) {
	c, err := Open(leaf, rows, present, data)
	if err != nil {
		return
	}
	_ = c.Describe(data)
	var v vec.Vector
	for from := 0; from < rows; from += blockValues {
		to := min(rows, from+blockValues)
		if err := c.Read(data, from, to, &v); err == nil {
			walk(t, &v, to-from)
		}
		filterAll(t, c, data, from, to)
	}
	if _, _, release, _, _ := c.Codes(data, 0, rows); release != nil {
		release()
	}
	if runs, release, ok, _ := c.Runs(data, 0, rows); ok {
		if int(runs.Ends[len(runs.Ends)-1]) != rows || len(runs.Ends) != len(runs.Codes) {
			t.Fatalf("%d runs and %d codes, up to %d of %d rows", len(runs.Ends), len(runs.Codes), runs.Ends[len(runs.Ends)-1], rows)
		}
		release()
	}
	_, _, _ = c.SumRange(data, -1000, 1<<50)
}

// walk touches every value.
func walk(t *testing.T, v *vec.Vector, n int) {
	if v.N != n {
		t.Fatalf("%d rows, want %d", v.N, n)
	}
	for i := range v.N {
		if v.Null(i) {
			continue
		}
		switch v.Type.Phys() {
		case types.PhysBool:
			v.Bool(i)
		case types.PhysInt64:
			v.Int(i)
		case types.PhysFloat64:
			v.Float(i)
		default:
			v.Bytes(i)
		}
	}
}

func filterAll(t *testing.T, c *Chunk, data []byte, from, to int) {
	for op := column.OpEq; op <= column.OpGe; op++ {
		f, err := c.NewFilter(&column.Pred{Op: op, Leaf: c.leaf, I: 5, F: 5, B: []byte("00000000-0000-0000-0000-000000000005")})
		if err != nil {
			t.Fatal(err)
		}
		sel := vec.MakeBitmap(to - from)
		sel.Fill(to - from)
		_ = f.Filter(data, from, to, sel) // an error is fine, a panic is not
	}
}

// FuzzIntsRoundTrip: any numbers come back from any form.
func FuzzIntsRoundTrip(f *testing.F) {
	f.Add([]byte{1, 2, 3, 250}, uint8(3), uint16(2000))
	f.Fuzz(func(t *testing.T, seed []byte, shift uint8, n uint16) {
		if len(seed) == 0 || n == 0 {
			return
		}
		vals := make([]int64, n)
		x := int64(0)
		for i := range vals {
			x = x*31 + int64(int8(seed[i%len(seed)]))
			vals[i] = x >> (shift & 63)
		}
		var w intsWriter
		data := w.appendWhole(nil, vals)
		c := &cursor{data: data}
		s, err := parseInts(c, len(vals))
		if err != nil || c.left() != 0 {
			t.Fatalf("%v, %d bytes left", err, c.left())
		}
		got := make([]int64, blockValues)
		for a := 0; a < len(vals); a += 300 {
			b := min(a+1000, len(vals))
			if err := s.read(data, a, b, got); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got[:b-a], vals[a:b]) {
				t.Fatalf("kind %d: values [%d, %d) differ", s.kind, a, b)
			}
		}
	})
}

// FuzzSymbols: any texts come back from any table, and equal texts have equal codes.
func FuzzSymbols(f *testing.F) {
	f.Add([]byte("abcabcabc\x00\xffabcd"), uint8(3), []byte("abc"))
	f.Fuzz(func(t *testing.T, text []byte, step uint8, literal []byte) {
		v := &Values{Leaf: types.LeafText}
		v.Vec.Reset(types.LeafText.Type())
		for rest := text; len(rest) > 0 && v.Rows < blockValues; v.Rows++ {
			n := min(len(rest), 1+int(step)%17+v.Rows%5)
			v.Vec.AppendBytes(rest[:n])
			rest = rest[n:]
		}
		if v.Rows == 0 {
			return
		}
		var e Encoder
		e.fsst.take(&v.Vec)
		e.fsst.train()
		data := e.appendFSST([]byte{presentAll<<6 | encFSST}, &v.Vec)
		c, err := Open(v.Leaf, v.Rows, v.Rows, data)
		if err != nil {
			t.Fatal(err)
		}
		requireRoundTrip(t, v, data, c)
		p := &column.Pred{Op: column.OpNe, Leaf: v.Leaf, B: literal}
		flt, err := c.NewFilter(p)
		if err != nil {
			t.Fatal(err)
		}
		requireFilterAgrees(t, newRand(1), flt, p, data, &v.Vec, &vec.Vector{}, [2]int{0, v.Rows})
	})
}

// FuzzTimes: a text that is taken for a time prints back.
func FuzzTimes(f *testing.F) {
	for _, s := range []string{"2026-03-02T09:41:07.250Z", "0000-01-01 00:00:00", "9999-12-31T23:59:59.9-23:59", "2026-02-29T00:00:00+00:00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		shape, ok := shapeOf(text)
		if !ok {
			return
		}
		moment, offset, ok := shape.parse(text)
		if !ok {
			return
		}
		if got, ok := shape.append(nil, moment, offset); !ok || string(got) != string(text) {
			t.Fatalf("%q comes back as %q", text, got)
		}
	})
}

// FuzzDecimals: any doubles come back from any number of digits, and from ratios.
func FuzzDecimals(f *testing.F) {
	f.Add(uint64(0x3ff8000000000000), uint64(1), uint8(2))
	f.Fuzz(func(t *testing.T, first, step uint64, digits uint8) {
		v := &Values{Leaf: types.LeafFloat, Rows: 1100}
		v.Vec.Reset(types.LeafFloat.Type())
		for i := range v.Rows {
			x := math.Float64frombits(first + uint64(i)*step)
			if i%3 == 0 {
				x = float64(int64(first>>12)+int64(i)) / pow10[i/3%len(pow10)]
			}
			v.Vec.AppendFloat(x)
		}
		var e Encoder
		data := e.appendALP([]byte{presentAll<<6 | encALP}, v.Vec.F64, int(digits)%len(pow10))
		c, err := Open(v.Leaf, v.Rows, v.Rows, data)
		if err != nil {
			t.Fatal(err)
		}
		requireRoundTrip(t, v, data, c)
		data = e.appendRatio([]byte{presentAll<<6 | encRatio}, v.Vec.F64)
		if c, err = Open(v.Leaf, v.Rows, v.Rows, data); err != nil {
			t.Fatal(err)
		}
		requireRoundTrip(t, v, data, c)
	})
}

// FuzzZones: no bytes make the zone map panic.
func FuzzZones(f *testing.F) {
	var e Encoder
	for i := range shapes {
		v := shapes[i].build(newRand(uint64(i)), 2100, 500)
		z, _ := e.AppendZones(nil, v)
		f.Add(uint8(v.Leaf), uint16(v.Rows-1), uint16(v.Present()-1), z)
	}
	f.Fuzz(func(t *testing.T, leaf uint8, rows, present uint16, data []byte) {
		if leaf < 1 || leaf > 6 || present > rows {
			return
		}
		z, _, err := OpenZones(types.Leaf(leaf), int(rows)+1, int(present)+1, data)
		if err != nil {
			return
		}
		for b := range blocksOf(int(rows) + 1) {
			if s := z.Block(b); s.Present > s.Rows {
				t.Fatalf("block %d: %+v", b, s)
			}
		}
	})
}

// FuzzFragment: no bytes make a page of the rest area panic.
func FuzzFragment(f *testing.F) {
	for i := range shapes {
		v := shapes[i].build(newRand(uint64(i)), 1000, 50)
		page, _ := AppendFragment(nil, v, 0, 1<<16)
		f.Add(uint8(v.Leaf), uint16(999), page)
	}
	f.Fuzz(func(t *testing.T, leaf uint8, rows uint16, data []byte) {
		if leaf < 1 || leaf > 6 {
			return
		}
		var v vec.Vector
		to := min(int(rows)+1, blockValues)
		r := NewRows(types.Leaf(leaf), 0, to, &v)
		if _, size, err := r.Add(data, int(rows)+1); err != nil || size > len(data) {
			return
		}
		r.Finish()
		walk(t, &v, to)
	})
}

// TestDamagedChunksNeverPanic does what FuzzChunk does, with some thousand damaged copies of chunks of every shape.
func TestDamagedChunksNeverPanic(t *testing.T) {
	var e Encoder
	for i := range shapes {
		r := newRand(uint64(i))
		for _, rows := range []int{60, 1500, 1501} {
			v := shapes[i].build(r, rows, []int{1000, 400, -400}[(i+rows)%3])
			data, err := e.Encode(nil, v, Options{})
			if err != nil {
				t.Fatal(err)
			}
			for range 150 {
				bad := slices.Clone(data)
				for range 1 + r.IntN(3) {
					bad[min(r.IntN(len(bad)), r.IntN(len(bad)))] = byte(r.Uint32()) >> r.IntN(8)
				}
				if r.IntN(5) == 0 {
					bad = bad[:r.IntN(len(bad))]
				}
				useChunk(t, v.Leaf, v.Rows, v.Present(), bad)
			}
		}
	}
}

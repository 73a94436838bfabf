package codec

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func eachChunk(t *testing.T, sizes []int, f func(t *testing.T, s *shape, v *Values, data []byte, c *Chunk, r *rand.Rand)) {
	for si := range shapes {
		s := &shapes[si]
		t.Run(s.name, func(t *testing.T) {
			seed := uint64(si + 1)
			r := newRand(seed)
			var e Encoder
			for _, rows := range sizes {
				for _, density := range densities {
					v := s.build(r, rows, density)
					data, err := e.Encode(nil, v, Options{AlignCodes: rows%2 == 0})
					if err != nil {
						t.Fatalf("seed %d: encode: %v", seed, err)
					}
					c, err := Open(v.Leaf, v.Rows, v.Present(), data)
					if err != nil {
						t.Fatalf("seed %d, %d rows, density %d: open: %v", seed, rows, density, err)
					}
					t.Logf("seed %d: %d rows, %d values, %d bytes: %s", seed, rows, v.Present(), len(data), c.Describe(data))
					f(t, s, v, data, c, r)
				}
			}
		})
	}
}

func TestLargeDenseChunkGetsTheEncodingMeantForIt(t *testing.T) {
	eachChunk(t, []int{10000}, func(t *testing.T, s *shape, v *Values, data []byte, c *Chunk, r *rand.Rand) {
		if got := c.name(); v.Pos == nil && s.want != "" && got != s.want {
			t.Errorf("encoding %s, want %s", got, s.want)
		}
	})
}

func TestReadGivesBackEveryRowRange(t *testing.T) {
	eachChunk(t, []int{1, 3, 64, 1000, 1024, 1025, 5000}, func(t *testing.T, s *shape, v *Values, data []byte, c *Chunk, r *rand.Rand) {
		ref := v.flat()
		var got vec.Vector
		for _, rg := range ranges(r, v.Rows) {
			if err := c.Read(data, rg[0], rg[1], &got); err != nil {
				t.Fatalf("read %v: %v", rg, err)
			}
			requireSameRows(t, ref, rg[0], rg[1], &got)
		}
	})
}

// ranges lists all whole blocks and some parts of blocks.
func ranges(r *rand.Rand, rows int) [][2]int {
	var out [][2]int
	for at := 0; at < rows; at += blockValues {
		end := min(rows, at+blockValues)
		out = append(out, [2]int{at, end})
		for range 3 {
			from := at + r.IntN(end-at)
			out = append(out, [2]int{from, from + 1 + r.IntN(end-from)})
		}
	}
	return out
}

func requireSameRows(t *testing.T, ref *vec.Vector, from, to int, got *vec.Vector) {
	t.Helper()
	if got.N != to-from || got.Type != ref.Type {
		t.Fatalf("rows [%d, %d): %d values of %v", from, to, got.N, got.Type)
	}
	for i := range got.N {
		row := from + i
		if got.Null(i) != ref.Null(row) {
			t.Fatalf("row %d: null is %v", row, got.Null(i))
		}
		if !sameValue(ref, row, got, i) {
			t.Fatalf("row %d of [%d, %d) differs", row, from, to)
		}
	}
	if got.Valid != nil && got.Form != vec.Const && got.N&63 != 0 && got.Valid[got.N>>6]>>(got.N&63) != 0 {
		t.Fatal("validity bits behind the last row")
	}
}

// sameValue compares to the last bit; a NULL's slot must be zero or empty.
func sameValue(a *vec.Vector, i int, b *vec.Vector, k int) bool {
	if b.Form == vec.Const && b.Null(k) {
		return true
	}
	if b.Form == vec.Dict && b.Null(k) {
		return b.Codes[k] == 0
	}
	switch a.Type.Phys() {
	case types.PhysBool:
		return a.Bool(i) == b.Bool(k)
	case types.PhysInt64:
		return a.Int(i) == b.Int(k)
	case types.PhysFloat64:
		return math.Float64bits(a.Float(i)) == math.Float64bits(b.Float(k))
	}
	return bytes.Equal(a.Bytes(i), b.Bytes(k))
}

func TestFilterAgreesWithApply(t *testing.T) {
	eachChunk(t, []int{3, 2500}, func(t *testing.T, s *shape, v *Values, data []byte, c *Chunk, r *rand.Rand) {
		ref, part := v.flat(), &vec.Vector{}
		for _, p := range predicates(r, v) {
			f, err := c.NewFilter(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, rg := range ranges(r, v.Rows) {
				requireFilterAgrees(t, r, f, p, data, ref, part, rg)
			}
		}
	})
}

func requireFilterAgrees(t *testing.T, r *rand.Rand, f *Filter, p *column.Pred, data []byte, ref, part *vec.Vector, rg [2]int) {
	t.Helper()
	n := rg[1] - rg[0]
	sel := vec.MakeBitmap(n)
	dense := r.IntN(2) == 0
	for i := range n {
		sel.SetTo(i, r.IntN(4) > 0 && (dense || r.IntN(8) == 0))
	}
	want := slices.Clone(sel)
	part.Reset(ref.Type)
	for i := rg[0]; i < rg[1]; i++ {
		part.AppendFrom(ref, i)
	}
	if err := p.Apply(part, want); err != nil {
		t.Fatal(err)
	}
	if err := f.Filter(data, rg[0], rg[1], sel); err != nil {
		t.Fatalf("op %d rows %v: %v", p.Op, rg, err)
	}
	if !slices.Equal(sel, want) {
		t.Fatalf("op %d I=%d F=%v B=%q rows %v: got %x want %x", p.Op, p.I, p.F, p.B, rg, sel, want)
	}
}

// predicates returns every operation with constants that occur, nearly occur and do not occur.
func predicates(r *rand.Rand, v *Values) []*column.Pred {
	var out []*column.Pred
	consts := &vec.Vector{}
	consts.Reset(v.Leaf.Type())
	for range 3 {
		consts.AppendFrom(&v.Vec, r.IntN(v.Vec.N))
	}
	switch v.Leaf.Phys() {
	case types.PhysBool:
		consts.AppendBool(r.IntN(2) == 0)
	case types.PhysInt64:
		for _, x := range []int64{math.MinInt64, math.MaxInt64, consts.I64[0] + 1, consts.I64[1] - 1} {
			consts.AppendInt(x)
		}
	case types.PhysFloat64:
		for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), consts.F64[0] + 0.5} {
			consts.AppendFloat(x)
		}
	default:
		consts.AppendString("")
		consts.AppendString("zzz")
		consts.AppendString("00000000-0000-0000-0000-000000000000")
		consts.AppendString(string(consts.Bytes(0)) + "!")
	}
	for i := range consts.N {
		for op := column.OpEq; op <= column.OpGe; op++ {
			out = append(out, predicate(v.Leaf, op, consts, i))
		}
	}
	out = append(out, inPredicate(v.Leaf, consts), &column.Pred{Op: column.OpIn, Leaf: v.Leaf, List: emptyOf(v.Leaf)})
	return append(out, matchPredicate(v.Leaf))
}

func predicate(leaf types.Leaf, op column.Op, consts *vec.Vector, i int) *column.Pred {
	p := &column.Pred{Op: op, Leaf: leaf}
	switch leaf.Phys() {
	case types.PhysBool:
		p.I = boolInt(consts.Bool(i))
	case types.PhysInt64:
		p.I = consts.Int(i)
	case types.PhysFloat64:
		p.F = consts.Float(i)
	default:
		p.B = consts.Bytes(i)
	}
	return p
}

func emptyOf(leaf types.Leaf) *vec.Vector {
	v := &vec.Vector{}
	v.Reset(leaf.Type())
	return v
}

func inPredicate(leaf types.Leaf, consts *vec.Vector) *column.Pred {
	idx := make([]int, consts.N)
	for i := range idx {
		idx[i] = i
	}
	slices.SortFunc(idx, func(a, b int) int {
		switch leaf.Phys() {
		case types.PhysBool:
			return cmp.Compare(boolInt(consts.Bool(a)), boolInt(consts.Bool(b)))
		case types.PhysInt64:
			return cmp.Compare(consts.Int(a), consts.Int(b))
		case types.PhysFloat64:
			return column.CompareFloat(consts.Float(a), consts.Float(b))
		}
		return bytes.Compare(consts.Bytes(a), consts.Bytes(b))
	})
	list := emptyOf(leaf)
	for _, i := range idx {
		list.AppendFrom(consts, i)
	}
	return &column.Pred{Op: column.OpIn, Leaf: leaf, List: list}
}

// matchPredicate holds for values whose printed form has an even last byte.
func matchPredicate(leaf types.Leaf) *column.Pred {
	return &column.Pred{Op: column.OpMatch, Leaf: leaf, Match: func(vals *vec.Vector, pass vec.Bitmap) error {
		if vals.Form != vec.Flat || vals.HasNulls() {
			return errors.New("Match wants a flat vector without NULLs")
		}
		for i := range vals.N {
			var s string
			switch leaf.Phys() {
			case types.PhysBool:
				s = fmt.Sprint(vals.Bool(i))
			case types.PhysInt64:
				s = fmt.Sprint(vals.Int(i))
			case types.PhysFloat64:
				s = fmt.Sprint(vals.Float(i))
			default:
				s = string(vals.Bytes(i))
			}
			if s != "" && s[len(s)-1]&1 == 0 {
				pass.Set(i)
			}
		}
		return nil
	}}
}

func TestZoneMapBoundsEveryValue(t *testing.T) {
	eachChunk(t, []int{1, 1000, 9000}, func(t *testing.T, s *shape, v *Values, data []byte, c *Chunk, r *rand.Rand) {
		var e Encoder
		raw, constant := e.AppendZones(nil, v)
		z, size, err := OpenZones(v.Leaf, v.Rows, v.Present(), append(slices.Clone(raw), 1, 2, 3))
		if err != nil || size != len(raw) {
			t.Fatalf("open: %v, %d of %d bytes", err, size, len(raw))
		}
		st, err := ZoneStats(v.Leaf, v.Rows, v.Present(), raw)
		full := z.Stats()
		if alike := (st.Dict == nil) == (full.Dict == nil); err != nil || !alike {
			t.Fatalf("%v alone, %v with the blocks: %v", st, full, err)
		}
		if st.Dict, full.Dict = nil, nil; fmt.Sprint(st) != fmt.Sprint(full) {
			t.Fatalf("%v alone, %v with the blocks", st, full)
		}
		ref := v.flat()
		whole := column.StatsOf(ref, v.Leaf, 0, v.Rows)
		_, short := cutHigh(whole.MaxB)
		unbounded := !short
		requireStats(t, whole, z.Stats(), unbounded)
		for b := range blocksOf(v.Rows) {
			requireStats(t, column.StatsOf(ref, v.Leaf, b*blockValues, min((b+1)*blockValues, v.Rows)), z.Block(b), unbounded)
		}
		if value, ok := z.Constant(); constant && !ok {
			t.Fatal("constant column without a value")
		} else if constant {
			var got vec.Vector
			if err := Constant(v.Leaf, v.Rows, value).Read(nil, 0, min(v.Rows, blockValues), &got); err != nil {
				t.Fatal(err)
			}
			requireSameRows(t, ref, 0, min(v.Rows, blockValues), &got)
		}
	})
}

// requireStats checks that got knows the counts exactly and bounds what want attains.
func requireStats(t *testing.T, want, got column.Stats, unbounded bool) {
	t.Helper()
	if got.Rows != want.Rows || got.Present != want.Present || (want.HasNaN && !got.HasNaN) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	if !got.Bounded {
		if want.Bounded && !unbounded {
			t.Fatalf("no bounds for %+v", want)
		}
		return
	}
	if !want.Bounded {
		if want.HasNaN || want.Present == 0 {
			return // a block of NaNs has the column's bounds, which say nothing about NaN
		}
		t.Fatalf("bounds %+v for values that have none", got)
	}
	if got.MinI > want.MinI || got.MaxI < want.MaxI || got.MinF > want.MinF || got.MaxF < want.MaxF {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	if bytes.Compare(got.MinB, want.MinB) > 0 || bytes.Compare(got.MaxB, want.MaxB) < 0 || len(got.MaxB) > boundBytes {
		t.Fatalf("got %q..%q, want %q..%q", got.MinB, got.MaxB, want.MinB, want.MaxB)
	}
}

// TestTinyChunkIsTiny is also the example of FORMAT.md.
func TestTinyChunkIsTiny(t *testing.T) {
	v := &Values{Leaf: types.LeafInt, Rows: 2000, Pos: []uint16{7, 300, 1999}}
	v.Vec.Reset(types.Of(types.Int64))
	for _, x := range []int64{120, 4711, 99} {
		v.Vec.AppendInt(x)
	}
	var e Encoder
	data, err := e.Encode(nil, v, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%x", data), "8107002c01cf0702c601000d0000001580400200"; got != want {
		t.Errorf("3 integers in 2,000 rows are %s, want %s", got, want)
	}
	zones, _ := e.AppendZones(nil, v)
	if got, want := fmt.Sprintf("%x", zones), "11c601842402000100"; got != want {
		t.Errorf("their zone map is %s, want %s", got, want)
	}
	v.Rows = MaxRows
	if zones, _ = e.AppendZones(nil, v); len(zones) > 12 {
		t.Errorf("in 65,536 rows the zone map takes %d bytes", len(zones))
	}
}

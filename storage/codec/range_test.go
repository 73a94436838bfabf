package codec

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// spans lists ranges that begin with a block, most of them of several.
func spans(r *rand.Rand, rows int) [][2]int {
	out := [][2]int{{0, rows}}
	for range 6 {
		from := r.IntN(blocksOf(rows)) * blockValues
		out = append(out, [2]int{from, from + 1 + r.IntN(rows-from)})
	}
	return out
}

// TestManyBlocksAreReadAsTheyAreOneByOne: whatever a range of blocks gives is what its rows are.
func TestManyBlocksAreReadAsTheyAreOneByOne(t *testing.T) {
	eachChunk(t, []int{3, 5000}, func(t *testing.T, s *shape, v *Values, data []byte, c *Chunk, r *rand.Rand) {
		ref := v.flat()
		var got vec.Vector
		for _, rg := range spans(r, v.Rows) {
			if err := c.Read(data, rg[0], rg[1], &got); err != nil {
				t.Fatal(err)
			}
			requireSameRows(t, ref, rg[0], rg[1], &got)
			requireCodes(t, data, c, ref, rg)
			requireRuns(t, data, c, ref, rg)
		}
	})
}

// requireCodes checks that lent codes stand for the rows, and that they are lent where a range has no NULL.
func requireCodes(t *testing.T, data []byte, c *Chunk, ref *vec.Vector, rg [2]int) {
	t.Helper()
	c8, c16, release, ok, err := c.Codes(data, rg[0], rg[1])
	if err != nil {
		t.Fatal(err)
	}
	whole := c.Dict() != nil
	for i := rg[0]; i < rg[1] && whole; i++ {
		whole = !ref.Null(i)
	}
	if ok != whole {
		t.Fatalf("codes of rows %v: lent is %v", rg, ok)
	}
	if !ok {
		return
	}
	got := vec.Vector{Type: ref.Type, Form: vec.Dict, Dict: c.Dict(), N: rg[1] - rg[0]}
	for i := range got.N {
		if c8 != nil {
			got.Codes = append(got.Codes, uint32(c8[i]))
		} else {
			got.Codes = append(got.Codes, uint32(c16[i]))
		}
	}
	if len(c8)+len(c16) != got.N {
		t.Fatalf("%d and %d codes for %d rows", len(c8), len(c16), got.N)
	}
	requireSameRows(t, ref, rg[0], rg[1], &got)
	if release != nil {
		release()
	}
}

// requireRuns checks that lent runs stand for the rows, those without a value too, and that they are lent of codes that are
// stored so.
func requireRuns(t *testing.T, data []byte, c *Chunk, ref *vec.Vector, rg [2]int) {
	t.Helper()
	runs, release, ok, err := c.Runs(data, rg[0], rg[1])
	if err != nil {
		t.Fatal(err)
	}
	if inRuns := c.enc == encConst || c.code.width == runWidth; ok != (inRuns && c.pres.kind != presentBitmap && c.pres.kind != presentSparse) {
		t.Fatalf("runs of rows %v of %s: lent is %v", rg, c.Describe(data), ok)
	}
	if !ok {
		return
	}
	got := &vec.Vector{}
	got.Reset(ref.Type)
	for i, end := range runs.Ends {
		if int(end) <= got.N || int(end) > rg[1]-rg[0] {
			t.Fatalf("rows %v: run %d ends at %d behind %d", rg, i, end, got.N)
		}
		for got.N < int(end) {
			if code := runs.Codes[i]; code == column.NoCode {
				got.AppendNull()
			} else {
				got.AppendFrom(runs.Dict, int(code))
			}
		}
	}
	requireSameRows(t, ref, rg[0], rg[1], got)
	release()
}

// TestManyBlocksAreFilteredAsTheirRowsAre compares with the plain form, for full, thin and nearly empty selections.
func TestManyBlocksAreFilteredAsTheirRowsAre(t *testing.T) {
	both := 0
	eachChunk(t, []int{5000}, func(t *testing.T, s *shape, v *Values, data []byte, c *Chunk, r *rand.Rand) {
		ref, part := v.flat(), &vec.Vector{}
		var last *Filter
		for _, p := range predicates(r, v) {
			f, err := c.NewFilter(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, rg := range spans(r, v.Rows) {
				requireRangeAgrees(t, r, f, p, data, ref, part, rg)
				if last != nil {
					both += requireBothAgree(t, r, f, last, data, rg)
				}
			}
			last = f
		}
	})
	if both < 50 {
		t.Errorf("only %d times two filters in one pass", both)
	}
}

// requireBothAgree compares two filters in one pass with one behind the other; it returns how many passes there were.
func requireBothAgree(t *testing.T, r *rand.Rand, f, g *Filter, data []byte, rg [2]int) int {
	t.Helper()
	n := rg[1] - rg[0]
	want, got := vec.MakeBitmap(n), vec.MakeBitmap(n)
	want.Fill(n)
	for i := range got {
		got[i] = r.Uint64()
	}
	before := slices.Clone(got)
	alive, ok := FilterBoth(f, data, g, data, rg[0], rg[1], got)
	if !ok {
		if !slices.Equal(before, got) {
			t.Fatalf("%v: not done, and done", rg)
		}
		return 0
	}
	for _, x := range []*Filter{f, g} {
		if err := x.FilterRange(data, rg[0], rg[1], want); err != nil {
			t.Fatal(err)
		}
	}
	if alive != want.Count() || !slices.Equal(want, got) {
		t.Fatalf("rows %v, %+v and %+v: %d pass, not %d", rg, f.p, g.p, alive, want.Count())
	}
	return 1
}

func requireRangeAgrees(t *testing.T, r *rand.Rand, f *Filter, p *column.Pred, data []byte, ref, part *vec.Vector, rg [2]int) {
	t.Helper()
	n := rg[1] - rg[0]
	sel := vec.MakeBitmap(n)
	sel.Fill(n)
	switch r.IntN(3) {
	case 1:
		for i := range n {
			sel.SetTo(i, r.IntN(3) > 0)
		}
	case 2:
		clear(sel)
		sel.Set(r.IntN(n))
	}
	if n&63 != 0 {
		sel[n>>6] |= ^uint64(0) << (n & 63) // rows behind the range: not to be touched
	}
	part.Reset(ref.Type)
	part.AppendRange(ref, rg[0], rg[1])
	want := append(vec.Bitmap(nil), sel...)
	if n&63 != 0 {
		want[n>>6] &= 1<<(n&63) - 1
	}
	if err := p.Apply(part, want); err != nil {
		t.Fatal(err)
	}
	if n&63 != 0 {
		want[n>>6] |= ^uint64(0) << (n & 63)
	}
	if err := f.FilterRange(data, rg[0], rg[1], sel); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if sel[i] != want[i] {
			t.Fatalf("%+v, rows %v: word %d is %016x, want %016x", *p, rg, i, sel[i], want[i])
		}
	}
}

// TestSumsAreThoseOfTheValues: whatever the encoding, a sum over a range is that of the values in it.
func TestSumsAreThoseOfTheValues(t *testing.T) {
	eachChunk(t, []int{3, 5000}, func(t *testing.T, s *shape, v *Values, data []byte, c *Chunk, r *rand.Rand) {
		if v.Leaf != types.LeafInt {
			return
		}
		for range 8 {
			lo, hi := v.Vec.I64[r.IntN(v.Vec.N)], v.Vec.I64[r.IntN(v.Vec.N)]
			if r.IntN(4) == 0 {
				lo, hi = math.MinInt64, math.MaxInt64
			}
			got, ok, err := c.SumRange(data, lo, hi)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				continue
			}
			want, n := new(big.Int), 0
			for _, x := range v.Vec.I64[:v.Vec.N] {
				if x >= lo && x <= hi {
					want.Add(want, big.NewInt(x))
					n++
				}
			}
			sum := new(big.Int).Lsh(big.NewInt(got.Hi), 32)
			sum.Add(sum, new(big.Int).SetUint64(got.Lo))
			if got.N != n || sum.Cmp(want) != 0 {
				t.Fatalf("[%d, %d]: %d values, %s; want %d, %s", lo, hi, got.N, sum, n, want)
			}
		}
	})
}

// TestPlainNumbersAreStoredAtFullWidth: what is asked to be plain is, and comes back.
func TestPlainNumbersAreStoredAtFullWidth(t *testing.T) {
	eachChunk(t, []int{3000}, func(t *testing.T, s *shape, v *Values, _ []byte, _ *Chunk, r *rand.Rand) {
		if v.Leaf != types.LeafInt && v.Leaf != types.LeafFloat || constant(&v.Vec) {
			return
		}
		data, c := mustOpen(t, v, Options{Plain: true})
		if c.Encoding() != "plain" {
			t.Fatalf("stored as %s", c.Encoding())
		}
		requireRoundTrip(t, v, data, c)
	})
}

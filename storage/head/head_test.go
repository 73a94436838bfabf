package head

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

var leaves = []types.Leaf{types.LeafBool, types.LeafInt, types.LeafFloat, types.LeafText, types.LeafJSON}

// model is the naive form of a generation: a vector per path and leaf kind.
type model struct {
	rows int
	cols map[string]*vec.Vector
}

func (m *model) col(p types.Path, l types.Leaf) *vec.Vector {
	k := fmt.Sprint(p, "/", l)
	v := m.cols[k]
	if v == nil {
		v = &vec.Vector{}
		v.Reset(l.Type())
		m.cols[k] = v
	}
	for v.N < m.rows {
		v.AppendNull()
	}
	return v
}

// addRow appends the same random row to both.
func addRow(rng *rand.Rand, in *column.Interner, g *Generation, m *model) {
	var row column.RowBuf
	for i := range 12 {
		if rng.IntN(3) == 0 {
			continue
		}
		p := types.MakePath("c", fmt.Sprint(i%7), fmt.Sprint(i))
		leaf := leaves[rng.IntN(len(leaves))]
		if i == 3 {
			leaf = types.LeafInt // dense more often than not
		}
		id, v := in.Intern(p), m.col(p, leaf)
		switch leaf.Phys() {
		case types.PhysBool:
			x := rng.IntN(2) == 0
			row.Bool(id, x)
			v.AppendBool(x)
		case types.PhysInt64:
			x := int64(rng.IntN(9)) - 4
			row.Int(id, x)
			v.AppendInt(x)
		case types.PhysFloat64:
			x := rng.Float64()
			row.Float(id, x)
			v.AppendFloat(x)
		default:
			x := fmt.Appendf(nil, "%d", rng.IntN(5))
			row.Bytes(id, leaf, x)
			v.AppendBytes(x)
		}
	}
	g.Append(&row, int64(rng.IntN(2)))
	m.rows++
}

func TestGroupsEqualTheModelAtEveryCut(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		in := column.NewInterner()
		g, m := NewGeneration(in), &model{cols: map[string]*vec.Vector{}}
		if seed%2 == 1 { // columns that are given their room at once answer the same
			full := &model{cols: map[string]*vec.Vector{}}
			for range 100 + 300*int(seed) {
				addRow(rng, in, g, full)
			}
			g = g.Next()
		}
		var cuts []column.Group
		for range 2500 {
			addRow(rng, in, g, m)
			if rng.IntN(300) == 0 {
				cuts = append(cuts, g.Cut(g.Rows()))
			}
		}
		cuts = append(cuts, g.Cut(g.Rows()), g.Cut(0), g.Cut(1))
		for _, cut := range cuts {
			compareGroup(t, seed, rng, cut, m)
		}
	}
}

func compareGroup(t *testing.T, seed uint64, rng *rand.Rand, g column.Group, m *model) {
	t.Helper()
	last := types.Path("")
	for _, c := range g.Under("") {
		if c.Path() < last {
			t.Fatalf("seed %d: Under is not in order: %q after %q", seed, c.Path(), last)
		}
		last = c.Path()
		if found, ok := g.Find(c.Path(), c.Leaf()); !ok || found.Path() != c.Path() || found.Leaf() != c.Leaf() {
			t.Fatalf("seed %d: Find(%s, %s) = %v", seed, c.Path(), c.Leaf(), ok)
		}
		want := m.col(c.Path(), c.Leaf())
		present := 0
		for from := 0; from < g.Rows(); from += vec.BlockRows {
			a := from + rng.IntN(min(vec.BlockRows, g.Rows()-from))
			b := a + 1 + rng.IntN(min(from+vec.BlockRows, g.Rows())-a)
			compareRange(t, seed, rng, c, want, a, b)
			present += c.BlockStats(from / vec.BlockRows).Present
		}
		n := 0
		for r := range g.Rows() {
			if !want.Null(r) {
				n++
			}
		}
		if s := c.Stats(); s.Present != n || s.Rows != g.Rows() || present != n {
			t.Fatalf("seed %d: %s: Stats %+v, blocks %d, want %d present of %d", seed, c.Path(), s, present, n, g.Rows())
		}
	}
	have := map[string]bool{}
	for _, c := range g.Under("") {
		have[fmt.Sprint(c.Path(), "/", c.Leaf())] = true
	}
	for k, v := range m.cols {
		any := false
		for r := range min(g.Rows(), v.N) {
			any = any || !v.Null(r)
		}
		if any != have[k] {
			t.Fatalf("seed %d: column %q: in the group %v, in the model %v", seed, k, have[k], any)
		}
	}
}

func compareRange(t *testing.T, seed uint64, rng *rand.Rand, c column.Column, want *vec.Vector, a, b int) {
	t.Helper()
	var got vec.Vector
	if err := c.Read(a, b, &got); err != nil {
		t.Fatal(err)
	}
	if got.N != b-a {
		t.Fatalf("seed %d: %s [%d, %d): %d rows", seed, c.Path(), a, b, got.N)
	}
	part := vec.Vector{}
	part.Reset(c.Leaf().Type())
	for i := range b - a {
		part.AppendFrom(want, a+i)
		if got.Null(i) != want.Null(a+i) || !got.Null(i) && text(&got, i) != text(want, a+i) {
			t.Fatalf("seed %d: %s row %d: got %s, want %s", seed, c.Path(), a+i, text(&got, i), text(want, a+i))
		}
	}
	p := randomPred(rng, c.Leaf())
	sel, wantSel := vec.MakeBitmap(b-a), vec.MakeBitmap(b-a)
	for i := range b - a {
		if rng.IntN(4) > 0 {
			sel.Set(i)
			wantSel.Set(i)
		}
	}
	if err := c.Filter(a, b, p, sel); err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(&part, wantSel); err != nil {
		t.Fatal(err)
	}
	for i := range b - a {
		if sel.Get(i) != wantSel.Get(i) {
			t.Fatalf("seed %d: %s row %d value %s: filter %+v says %v", seed, c.Path(), a+i, text(want, a+i), p, sel.Get(i))
		}
	}
}

func randomPred(rng *rand.Rand, leaf types.Leaf) *column.Pred {
	p := &column.Pred{Op: column.Op(rng.IntN(int(column.OpIn))), Leaf: leaf, I: int64(rng.IntN(11)) - 5, F: rng.Float64(), B: fmt.Appendf(nil, "%d", rng.IntN(6))}
	if rng.IntN(5) == 0 {
		p.Op = column.OpIn
		p.List = &vec.Vector{}
		p.List.Reset(leaf.Type())
		for i := range 3 {
			switch leaf.Phys() {
			case types.PhysBool:
				p.List.AppendBool(i > 1)
			case types.PhysInt64:
				p.List.AppendInt(int64(i))
			case types.PhysFloat64:
				p.List.AppendFloat(float64(i) / 3)
			default:
				p.List.AppendString(fmt.Sprint(i))
			}
		}
	}
	return p
}

func text(v *vec.Vector, i int) string {
	if v.Null(i) {
		return "NULL"
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		return fmt.Sprint(v.Bool(i))
	case types.PhysInt64:
		return fmt.Sprint(v.Int(i))
	case types.PhysFloat64:
		return fmt.Sprint(v.Float(i))
	}
	return string(v.Bytes(i))
}

// TestExtremesOfIntegerComparisons holds the range form of comparisons against the plain one where ranges end.
func TestExtremesOfIntegerComparisons(t *testing.T) {
	const least, most = -1 << 63, 1<<63 - 1
	for op := column.OpEq; op <= column.OpGe; op++ {
		for _, x := range []int64{least, least + 1, 0, most - 1, most} {
			for _, v := range []int64{least, least + 1, -1, 0, 1, most - 1, most} {
				lo, hi, not := bounds(x, op)
				sign := 0
				if v < x {
					sign = -1
				} else if v > x {
					sign = 1
				}
				if got := (v >= lo && v <= hi) != not; got != op.Holds(sign) {
					t.Errorf("op %d: %d against %d: %v", op, v, x, got)
				}
			}
		}
	}
}

func TestReadersSeeWhatTheirCutSawWhileRowsAreAppended(t *testing.T) {
	in := column.NewInterner()
	g := NewGeneration(in)
	id, late := in.Intern("n"), in.Intern("late")
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			<-start
			for {
				n := g.Rows()
				cut := g.Cut(n)
				sum, rows := int64(0), 0
				if c, ok := cut.Find("n", types.LeafInt); ok {
					var v vec.Vector
					for from := 0; from < n; from += vec.BlockRows {
						to := min(from+vec.BlockRows, n)
						if err := c.Read(from, to, &v); err != nil {
							t.Error(err)
							return
						}
						for i := range v.N {
							sum += v.Int(i)
							rows++
						}
					}
				}
				if want := int64(n) * int64(n-1) / 2; sum != want || rows != n {
					t.Errorf("cut at %d: sum %d of %d rows, want %d", n, sum, rows, want)
					return
				}
				if got := len(cut.Under("")); n > 0 && (got < 1 || got > 2) {
					t.Errorf("cut at %d has %d columns", n, got)
				}
				if n == 20000 {
					return
				}
			}
		})
	}
	close(start)
	var row column.RowBuf
	for i := range 20000 {
		row.Reset()
		row.Int(id, int64(i))
		if i%100 == 7 {
			row.Text(late, "x")
		}
		g.Append(&row, 3)
	}
	wg.Wait()
	if p, ok := g.Partition(); !ok || p != 3 {
		t.Errorf("partition %d, %v", p, ok)
	}
}

func TestTheLastOfTwoValuesOfAPathStays(t *testing.T) {
	in := column.NewInterner()
	g := NewGeneration(in)
	var row column.RowBuf
	row.Text(in.Intern("a"), "first")
	row.Text(in.Intern("a"), "last")
	g.Append(&row, NoPartition)
	c, ok := g.Cut(1).Find("a", types.LeafText)
	if !ok {
		t.Fatal("no column")
	}
	var v vec.Vector
	if err := c.Read(0, 1, &v); err != nil || string(v.Bytes(0)) != "last" {
		t.Errorf("got %q, %v", v.Bytes(0), err)
	}
	if _, ok := g.Partition(); ok {
		t.Error("a row without a partition gave its generation one")
	}
}

func TestAGenerationClosesAtItsBounds(t *testing.T) {
	in := column.NewInterner()
	g := NewGeneration(in)
	if !g.Fits(BytesMax + 1) {
		t.Error("an empty generation refuses a large row")
	}
	var row column.RowBuf
	for range RowsMax {
		if !g.Fits(0) {
			t.Fatal("full too early")
		}
		g.Append(&row, 0)
	}
	if g.Fits(0) {
		t.Error("more than RowsMax rows fit")
	}
}

// BenchmarkAppend appends rows of 12,000 leaves, as a main ping has.
func BenchmarkAppend(b *testing.B) {
	in := column.NewInterner()
	var row column.RowBuf
	for i := range 12000 {
		id := in.Intern(types.MakePath("payload", fmt.Sprint(i)))
		if i%2 == 0 {
			row.Int(id, int64(i))
		} else {
			row.Bytes(id, types.LeafHistogram, make([]byte, 12))
		}
	}
	g := NewGeneration(in)
	b.SetBytes(SizeOf(&row))
	for b.Loop() {
		if !g.Fits(SizeOf(&row)) {
			g = g.Next()
		}
		g.Append(&row, 0)
	}
}

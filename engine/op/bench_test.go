package op

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// benchGroup is a group whose columns are read without copying, as a segment's cached blocks are: so that the bench
// measures the engine and not the source.
type benchGroup struct {
	rows int
	cols map[types.Path]*benchColumn
}

func (g *benchGroup) Rows() int { return g.rows }
func (g *benchGroup) Find(p types.Path, leaf types.Leaf) (column.Column, bool) {
	c, ok := g.cols[p]
	if !ok || c.leaf != leaf {
		return nil, false
	}
	return c, true
}
func (g *benchGroup) Under(types.Path) []column.Column           { return nil }
func (g *benchGroup) Origin() string                             { return "bench" }
func (g *benchGroup) Partition() (int64, bool)                   { return 0, false }
func (g *benchGroup) Deleted() vec.Bitmap                        { return nil }
func (g *benchGroup) MayHold(string, *column.Pred) (bool, error) { return true, nil }
func (g *benchGroup) Stats(string) (column.Stats, bool)          { return column.Stats{}, false }
func (g *benchGroup) Open() (column.Group, error)                { return g, nil }
func (g *benchGroup) Table() *types.Table                        { return benchTable }
func (g *benchGroup) Morsels() []column.Morsel                   { return []column.Morsel{g} }

type benchColumn struct {
	leaf  types.Leaf
	ints  []int64
	codes []uint32
	small []uint8 // the same
	dict  *vec.Vector
}

func (c *benchColumn) Path() types.Path { return "" }
func (c *benchColumn) Leaf() types.Leaf { return c.leaf }
func (c *benchColumn) Stats() column.Stats {
	return column.Stats{Rows: 1, Present: 1, Dict: c.dict, Bounded: c.dict == nil, MaxI: 1 << 40}
}
func (c *benchColumn) Codes(from, to int) ([]uint8, []uint16, *vec.Vector, func(), bool, error) {
	return c.small[from:min(to, len(c.small))], nil, c.dict, func() {}, c.dict != nil, nil
}
func (c *benchColumn) BlockStats(int) column.Stats { return column.Stats{Rows: 1, Present: 1} }
func (c *benchColumn) Read(from, to int, dst *vec.Vector) error {
	dst.Reset(c.leaf.Type())
	dst.N = to - from
	if c.dict != nil {
		dst.Form, dst.Dict = vec.Dict, c.dict
		dst.Codes = append(dst.Codes, c.codes[from:to]...)
		return nil
	}
	dst.I64 = append(dst.I64, c.ints[from:to]...)
	return nil
}
func (c *benchColumn) Filter(from, to int, p *column.Pred, sel vec.Bitmap) error {
	if p.Op != column.OpLt || c.dict != nil {
		var v vec.Vector
		if err := c.Read(from, to, &v); err != nil {
			return err
		}
		return p.Apply(&v, sel)
	}
	var pass [16]uint64
	kernel.Lt(c.ints[from:to], p.I, pass[:len(sel)])
	sel.And(pass[:])
	return nil
}

type benchSource struct{ morsels []column.Morsel }

func (s *benchSource) Table() *types.Table      { return benchTable }
func (s *benchSource) Morsels() []column.Morsel { return s.morsels }

var benchTable = newTable(types.Column{Name: "channel", Type: tText}, types.Column{Name: "country", Type: tText},
	types.Column{Name: "client", Type: tInt}, types.Column{Name: "x", Type: tInt})

// newBenchSource makes 64 groups of 65,536 rows.
func newBenchSource() *benchSource {
	rng := rand.New(rand.NewPCG(1, 2))
	dict := func(n int) *vec.Vector {
		v := &vec.Vector{}
		v.Reset(tText)
		for i := range n {
			v.AppendString(fmt.Sprint("value-", i))
		}
		return v
	}
	s := &benchSource{}
	for range 64 {
		g := &benchGroup{rows: 65536, cols: map[types.Path]*benchColumn{}}
		channels, countries := dict(5), dict(240)
		a, b := &benchColumn{leaf: types.LeafText, dict: channels}, &benchColumn{leaf: types.LeafText, dict: countries}
		c, x := &benchColumn{leaf: types.LeafInt}, &benchColumn{leaf: types.LeafInt}
		for range g.rows {
			a.codes = append(a.codes, uint32(rng.IntN(5)))
			b.codes = append(b.codes, uint32(rng.IntN(240)))
			c.ints = append(c.ints, rng.Int64N(1<<40)%500000*7919)
			x.ints = append(x.ints, rng.Int64N(1000))
		}
		for _, d := range []*benchColumn{a, b} {
			for _, code := range d.codes {
				d.small = append(d.small, uint8(code))
			}
		}
		g.cols["channel"], g.cols["country"], g.cols["client"], g.cols["x"] = a, b, c, x
		s.morsels = append(s.morsels, g)
	}
	return s
}

var benchSrc *benchSource

func drain(b *testing.B, n plan.Node, general bool) { drainOn(b, 0, n, general) }

func drainOn(b *testing.B, workers int, n plan.Node, general bool) {
	r, err := Run(&Env{Workers: workers, NoFused: general, Source: func(*types.Table) (column.Source, error) { return benchSrc, nil }}, n)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for {
		rows, err := r.Next()
		if err != nil {
			b.Fatal(err)
		}
		if rows == nil {
			return
		}
	}
}

// cpuTime is what the process has used: what a benchmark says on a machine that others use too.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkQueries(b *testing.B) {
	if benchSrc == nil {
		benchSrc = newBenchSource()
	}
	scan := func(filter []expr.Expr, cols ...string) *plan.Scan {
		n := &plan.Scan{Table: benchTable, Out: len(cols), Filter: filter}
		for _, c := range cols {
			n.Read = append(n.Read, plan.ScanCol{Column: c, Type: benchTable.Columns[benchTable.Col(c)].Type})
		}
		return n
	}
	numeric := types.Of(types.Numeric)
	below := func(i int, x int64) []expr.Expr { return []expr.Expr{cmpCall("<", col(i, tInt), lit(tInt, x))} }
	for _, q := range []struct {
		name string
		n    plan.Node
	}{
		{"count", aggOut(&plan.Agg{In: scan(nil), Aggs: []plan.AggCall{countCall()}})},
		{"sum", aggOut(&plan.Agg{In: scan(nil, "x"), Aggs: []plan.AggCall{aggCall("sum", numeric, col(0, tInt))}})},
		{"filtered sum 50%", aggOut(&plan.Agg{In: scan(below(0, 500), "x"), Aggs: []plan.AggCall{aggCall("sum", numeric, col(0, tInt))}})},
		{"filtered sum 1%", aggOut(&plan.Agg{In: scan(below(0, 10), "x"), Aggs: []plan.AggCall{aggCall("sum", numeric, col(0, tInt))}})},
		{"group by 5 codes", aggOut(&plan.Agg{In: scan(nil, "channel", "x"), Keys: []expr.Expr{col(0, tText)},
			Aggs: []plan.AggCall{countCall(), aggCall("sum", numeric, col(1, tInt))}})},
		{"group by 240 codes", aggOut(&plan.Agg{In: scan(nil, "country", "x"), Keys: []expr.Expr{col(0, tText)},
			Aggs: []plan.AggCall{countCall(), aggCall("sum", numeric, col(1, tInt))}})},
		{"group by 5x240 codes", aggOut(&plan.Agg{In: scan(nil, "channel", "country", "x"),
			Keys: []expr.Expr{col(0, tText), col(1, tText)},
			Aggs: []plan.AggCall{countCall(), aggCall("sum", numeric, col(2, tInt))}})},
		{"group by 500k ints", aggOut(&plan.Agg{In: scan(nil, "client", "x"), Keys: []expr.Expr{col(0, tInt)},
			Aggs: []plan.AggCall{countCall(), aggCall("sum", numeric, col(1, tInt))}})},
		{"count distinct 500k", aggOut(&plan.Agg{In: scan(nil, "client"), Aggs: []plan.AggCall{{Fn: &plan.AggFunc{Name: "count", Ret: tInt},
			Args: []expr.Expr{col(0, tInt)}, Distinct: true, T: tInt}}})},
		{"top 10", &plan.Sort{In: scan(nil, "x", "channel"), Keys: []plan.SortKey{{Expr: col(0, tInt), Desc: true}}, Limit: 10}},
	} {
		for _, general := range []bool{false, true} {
			name := q.name
			if general {
				name += ", general path"
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				rows, began := 0, cpuTime(b)
				for b.Loop() {
					drain(b, q.n, general)
					rows += 64 * 65536
				}
				b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
				b.ReportMetric(float64((cpuTime(b)-began).Nanoseconds())/float64(rows), "cpu-ns/row")
			})
		}
	}
}

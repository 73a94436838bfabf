package op

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// sortBenchSource is 64 groups of 65,536 rows: random words, texts, partitions and two kinds of join key.
var sortBenchSource *sortBench

type sortBench struct{ benchSource }

func (s *sortBench) Table() *types.Table { return sortBenchTable }

var sortBenchTable = newTable(types.Column{Name: "n", Type: tInt}, types.Column{Name: "s", Type: tText},
	types.Column{Name: "part", Type: tInt}, types.Column{Name: "dim", Type: tInt})

func newSortBenchSource() *sortBench {
	rng := rand.New(rand.NewPCG(3, 4))
	s := &sortBench{}
	for range 64 {
		g := &benchGroup{rows: 65536, cols: map[types.Path]*benchColumn{}}
		n, part, dim := &benchColumn{leaf: types.LeafInt}, &benchColumn{leaf: types.LeafInt}, &benchColumn{leaf: types.LeafInt}
		text := &benchColumn{leaf: types.LeafText, dict: &vec.Vector{}}
		text.dict.Reset(tText)
		for i := range g.rows {
			n.ints = append(n.ints, rng.Int64())
			part.ints = append(part.ints, rng.Int64N(100_000))
			dim.ints = append(dim.ints, rng.Int64N(4000))
			text.dict.AppendString(fmt.Sprintf("%s-%08x", []string{"client", "session", "x"}[rng.IntN(3)], rng.Uint32()))
			text.codes = append(text.codes, uint32(i))
		}
		g.cols["n"], g.cols["s"], g.cols["part"], g.cols["dim"] = n, text, part, dim
		s.morsels = append(s.morsels, g)
	}
	return s
}

// BenchmarkSort covers 4 Mi rows each.
func BenchmarkSort(b *testing.B) {
	if sortBenchSource == nil {
		sortBenchSource = newSortBenchSource()
	}
	scan := func(cols ...string) *plan.Scan {
		n := &plan.Scan{Table: sortBenchTable, Out: len(cols)}
		for _, c := range cols {
			n.Read = append(n.Read, plan.ScanCol{Column: c, Type: sortBenchTable.Columns[sortBenchTable.Col(c)].Type})
		}
		return n
	}
	rowNumber := plan.WindowCall{Fn: &plan.WindowFunc{Name: "row_number"}, T: tInt, Frame: plan.DefaultFrame()}
	dims := &plan.Values{Out: []plan.Col{{Name: "k", Type: tInt}, {Name: "v", Type: tText}}}
	for i := range 1000 {
		dims.Rows = append(dims.Rows, []expr.Expr{lit(tInt, int64(i*4)), lit(tText, fmt.Sprint("dimension ", i))})
	}
	join := func(kind plan.JoinKind) plan.Node {
		j := &plan.Join{Kind: kind, L: scan("dim", "n"), R: dims, LeftKeys: []expr.Expr{col(0, tInt)}, RightKeys: []expr.Expr{col(0, tInt)}}
		return aggOut(&plan.Agg{In: j, Aggs: []plan.AggCall{countCall(), aggCall("max", tInt, col(1, tInt))}})
	}
	for _, q := range []struct {
		name string
		n    plan.Node
	}{
		{"order by int", &plan.Sort{In: scan("n"), Keys: []plan.SortKey{{Expr: col(0, tInt)}}}},
		{"order by text", &plan.Sort{In: scan("s"), Keys: []plan.SortKey{{Expr: col(0, tText)}}}},
		{"order by two ints", &plan.Sort{In: scan("dim", "n"), Keys: []plan.SortKey{{Expr: col(0, tInt), Desc: true}, {Expr: col(1, tInt)}}}},
		{"top 100 ints", &plan.Sort{In: scan("n", "s"), Keys: []plan.SortKey{{Expr: col(0, tInt)}}, Limit: 100}},
		{"top 100 texts", &plan.Sort{In: scan("s", "n"), Keys: []plan.SortKey{{Expr: col(0, tText), Desc: true}}, Limit: 100}},
		{"top 10 of few", &plan.Sort{In: scan("dim", "n", "s"), Keys: []plan.SortKey{{Expr: col(0, tInt)}, {Expr: col(1, tInt)}}, Limit: 10}},
		{"row_number of 100k partitions", &plan.Window{In: scan("part", "n"), Partition: []expr.Expr{col(0, tInt)},
			Order: []plan.SortKey{{Expr: col(1, tInt)}}, Calls: []plan.WindowCall{rowNumber}, Out: []plan.Col{{Name: "r", Type: tInt}}}},
		{"inner join with 1k", join(plan.Inner)},
		{"left join with 1k", join(plan.Left)},
		{"semi join with 1k", join(plan.Semi)},
	} {
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				r, err := Run(&Env{Source: func(*types.Table) (column.Source, error) { return sortBenchSource, nil }}, q.n)
				if err != nil {
					b.Fatal(err)
				}
				for {
					x, err := r.Next()
					if err != nil {
						b.Fatal(err)
					}
					if x == nil {
						break
					}
				}
				r.Close()
				rows += 64 * 65536
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

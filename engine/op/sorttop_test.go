package op

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// knownMorsel is a row group of which a manifest tells the bounds, and some rows of which have been deleted.
type knownMorsel struct {
	memMorsel
	dead vec.Bitmap
}

func (m knownMorsel) Deleted() vec.Bitmap { return m.dead }

func (m knownMorsel) Stats(name string) (column.Stats, bool) {
	for _, leaf := range []types.Leaf{types.LeafInt, types.LeafFloat, types.LeafText} {
		if c, ok := m.g.Find(types.Path(name), leaf); ok {
			return c.Stats(), true
		}
	}
	return column.Stats{}, false
}

// known gives some of a source's groups bounds, and some of their rows to deletion.
func known(rng *rand.Rand, s *memSource) {
	for i, m := range s.morsels {
		k := knownMorsel{memMorsel: m.(memMorsel)}
		if rng.IntN(2) == 0 {
			k.dead = vec.MakeBitmap(m.Rows())
			for r := range m.Rows() {
				k.dead.SetTo(r, rng.IntN(4) == 0)
			}
		}
		if rng.IntN(5) > 0 {
			s.morsels[i] = k
		}
	}
}

// TestTopOfAScanIsTheTopOfAllItsRows: what the scan is told, and what is read late, does not change which rows come, nor
// their order where keys are equal.
func TestTopOfAScanIsTheTopOfAllItsRows(t *testing.T) {
	rng := seeded(t)
	table := newTable(types.Column{Name: "day", Type: types.Of(types.Date)}, types.Column{Name: "client", Type: tText}, types.Column{Name: "x", Type: tInt},
		types.Column{Name: "y", Type: tFloat}, types.Column{Name: "url", Type: tText}, types.Column{Name: "id", Type: tInt})
	pruned := int64(0)
	for round := range 10 {
		n := 2000 + rng.IntN(30000)
		rows := make([]row, n)
		trend := rng.IntN(3)
		prunes := round == 0 // by day, and days ascend: whatever the seed, row groups are left out
		if prunes {
			n, trend = 30000, 1
			rows = make([]row, n)
		}
		for i := range rows {
			day := int64(rng.ExpFloat64() * 4) // the last days are rare, and in groups anywhere
			switch trend {
			case 1:
				day = int64(i*40/n) + rng.Int64N(3)
			case 2:
				day = int64((n-i)*40/n) + rng.Int64N(3)
			}
			rows[i] = row{day, fmt.Sprint("client-", rng.IntN(300)), rng.Int64N(1000) - 500, float64(rng.IntN(50)) / 4, fmt.Sprint("https://", rng.Uint32()), int64(i)}
			for c := range 5 {
				if rng.IntN(100) < 3*(round%3) {
					rows[i][c] = nil
				}
			}
		}
		src := newSource(table, rows, []int{700, 1024, 5000}[rng.IntN(3)])
		known(rng, src)
		s := scanOf(table)
		if rng.IntN(2) == 0 {
			s.Filter = []expr.Expr{cmpCall("<", col(2, tInt), lit(tInt, int64(rng.IntN(900)-400)))}
		}
		if rng.IntN(3) == 0 {
			s.Filter = append(s.Filter, &expr.Logic{Or: true, Args: []expr.Expr{
				cmpCall("<", col(1, tText), lit(tText, "client-2")), cmpCall(">", col(1, tText), lit(tText, "client-7"))}})
		}
		var in plan.Node = s
		if rng.IntN(2) == 0 { // other columns in another order, one twice
			p := &plan.Project{In: s}
			for _, c := range []int{0, 1, 2, 3, 5, 4, 1} {
				p.Exprs = append(p.Exprs, col(c, table.Columns[c].Type))
				p.Out = append(p.Out, plan.Col{Name: table.Columns[c].Name, Type: table.Columns[c].Type})
			}
			in = p
		}
		if rng.IntN(3) == 0 {
			in = &plan.Filter{In: in, Cond: cmpCall(">", col(2, tInt), lit(tInt, int64(-450)))}
		}
		sort := &plan.Sort{In: in}
		for range 1 + rng.IntN(2) {
			c := rng.IntN(4)
			sort.Keys = append(sort.Keys, plan.SortKey{Expr: col(c, table.Columns[c].Type), Desc: rng.IntN(2) == 0, NullsFirst: rng.IntN(2) == 0})
		}
		if prunes {
			sort.Keys = []plan.SortKey{{Expr: col(0, table.Columns[0].Type)}}
		}
		for _, limit := range []int64{1, 10, 300, 2000} {
			sort.Limit = limit
			want := ""
			for _, mode := range []struct {
				off, spill, late bool
				workers          int
			}{{true, false, false, 1}, {false, false, false, 1}, {false, false, false, 3}, {true, false, false, 3}, {false, true, false, 2}, {false, false, true, 2}} {
				a := &Analysis{}
				env := &Env{Ctx: &expr.Ctx{}, Workers: mode.workers, NoTopPush: mode.off, ForceSpill: mode.spill, Analyze: a,
					Scan: scan.Without{TopFirst: mode.late}, Spill: spill.New(vfs.NewMem(), "spill", 0),
					Source: func(*types.Table) (column.Source, error) { return src, nil }}
				got := shown(t, env, sort)
				if want == "" {
					want = got
				}
				if got != want {
					t.Fatalf("round %d, keys %v, limit %d, %+v:\n%s\nwant\n%s", round, sort.Keys, limit, mode, got, want)
				}
				if st := a.Node(s); st == nil || st.Scan() == nil {
					t.Fatal("the scan was not measured")
				} else if !mode.off {
					pruned += st.Scan().MorselsPruned
				}
			}
		}
	}
	if pruned == 0 {
		t.Error("no row group was left out")
	}
}

// shown runs a plan and prints its rows, cut to a sort's limit.
func shown(t *testing.T, env *Env, n *plan.Sort) string {
	t.Helper()
	r, err := Run(env, n)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []row
	for {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return show(out[:min(len(out), int(n.Limit))])
		}
		for i := range b.N {
			x := make(row, len(b.Cols))
			for c, v := range b.Cols {
				x[c] = valueAt(v, i)
			}
			out = append(out, x)
		}
	}
}

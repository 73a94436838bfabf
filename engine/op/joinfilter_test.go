package op

import (
	"fmt"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// TestJoinsThatTellTheScanFindTheSameRows: with keys of integers, days and texts, one or two of them, some NULL, under other
// joins, over few and many gathered rows, whose texts come as codes or copied.
func TestJoinsThatTellTheScanFindTheSameRows(t *testing.T) {
	rng := seeded(t)
	tDate := types.Of(types.Date)
	table := newTable(types.Column{Name: "day", Type: tDate}, types.Column{Name: "country", Type: tText}, types.Column{Name: "x", Type: tInt}, types.Column{Name: "id", Type: tInt})
	ts := []types.Type{tDate, tText, tInt}
	less := 0
	for round := range 20 {
		nulls := func(x any) any {
			if rng.IntN(12) == 0 {
				return nil
			}
			return x
		}
		make3 := func(spread int64) row {
			return row{nulls(rng.Int64N(spread) + 10), nulls(fmt.Sprint("country-", rng.Int64N(3*spread))), nulls(rng.Int64N(spread*10) - 50)}
		}
		rows := make([]row, 1000+rng.IntN(9000))
		for i := range rows {
			rows[i] = append(make3(60), int64(i))
		}
		src := newSource(table, rows, 1024)
		known(rng, src)
		dims := make([]row, []int{0, 1, 5, 30, 5000}[rng.IntN(5)])
		for i := range dims {
			dims[i] = append(make3(20), fmt.Sprint("name-", i%7))
			if round%2 == 0 {
				dims[i][3] = nulls(dims[i][3])
			}
		}
		s := scanOf(table)
		kind := []plan.JoinKind{plan.Inner, plan.Semi, plan.Anti, plan.Left, plan.Right}[rng.IntN(5)]
		j := &plan.Join{Kind: kind, L: s, R: valuesOf([]types.Type{tDate, tText, tInt, tText}, dims)}
		if rng.IntN(3) == 0 { // the key comes through another join
			few := []row{{int64(15), "a"}, {int64(20), "b"}, {int64(70), "c"}}
			j.L = &plan.Join{Kind: plan.Left, L: s, R: valuesOf([]types.Type{tDate, tText}, few), LeftKeys: []expr.Expr{col(0, tDate)}, RightKeys: []expr.Expr{col(0, tDate)}}
		}
		first := rng.IntN(3)
		for k := range 1 + rng.IntN(2) {
			c := (first + k) % 3
			j.LeftKeys, j.RightKeys = append(j.LeftKeys, col(c, ts[c])), append(j.RightKeys, col(c, ts[c]))
		}
		want, read := "", int64(0)
		for _, off := range []bool{true, false} {
			for _, workers := range []int{1, 3} {
				a := &Analysis{}
				env := &Env{Ctx: &expr.Ctx{}, Workers: workers, NoJoinFilter: off, NoJoinKeys: off, Analyze: a, Source: func(*types.Table) (column.Source, error) { return src, nil }}
				var keys []plan.SortKey
				for i, c := range j.Cols() {
					keys = append(keys, plan.SortKey{Expr: col(i, c.Type)})
				}
				got := shown(t, env, &plan.Sort{In: j, Keys: keys, Limit: 1 << 30})
				if want == "" {
					want = got
				}
				if got != want {
					t.Fatalf("round %d, join %v on %v with %d rows, told %v, %d workers: got\n%.2000s\nwant\n%.2000s", round, kind, j.LeftKeys, len(dims), !off, workers, got, want)
				}
				if out := a.Node(s).Scan().RowsOut; off {
					read = out
				} else if out < read {
					less++
				}
			}
		}
	}
	if less == 0 {
		t.Error("no scan left a row out")
	}
}

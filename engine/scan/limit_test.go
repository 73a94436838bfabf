package scan

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestALimitedScanHasTheFirstRows: whatever the last batch is cut to, over encoded columns, conditions on decoded ones, deleted
// rows, and nothing is decoded for thousands of rows where one is wanted.
func TestALimitedScanHasTheFirstRows(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 12))
	for _, dead := range []int{0, 9} {
		mem, seg := newFlat(t, rng, 2, 6000, dead)
		for range 20 {
			n := &plan.Scan{Table: flatTable}
			for _, c := range rng.Perm(len(flatTable.Columns))[:4] {
				n.Read = append(n.Read, flatCol(flatTable.Columns[c].Name))
			}
			n.Out = 1 + rng.IntN(4)
			for range rng.IntN(3) {
				c, d := rng.IntN(4), rng.IntN(4)
				e := flatConjunct(rng, c, n.Read[c])
				if rng.IntN(2) == 0 {
					e = &expr.Logic{Or: true, Args: []expr.Expr{e, flatConjunct(rng, d, n.Read[d])}}
				}
				n.Filter = append(n.Filter, e)
			}
			all := mustRead(t, mem, n)
			for _, limit := range []int{1, 63, 64, 65, 200, 4096, 4200, 7000} {
				some := *n
				some.Limit = int64(limit)
				for _, src := range []column.Source{mem, seg} {
					if got := mustRead(t, src, &some); !slices.Equal(got, all[:min(limit, len(all))]) {
						t.Fatalf("read %v, filter %v, limit %d: %d rows %v", n.Read, n.Filter, limit, len(got), got[:min(5, len(got))])
					}
				}
			}
		}
	}
	_, seg := newFlat(t, rng, 1, 6000, 0)
	s, err := New(&expr.Ctx{}, seg, &plan.Scan{Table: flatTable, Read: []plan.ScanCol{flatCol("wide")}, Out: 1, Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	s.Measure()
	w := s.NewWorker(&expr.Ctx{})
	if err := w.Morsel(0, func(*vec.Batch, vec.Bitmap) error { return nil }); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if got := s.Detail().Decoded; got == 0 || got > 64*8 {
		t.Errorf("%d bytes were decoded for 3 integers", got)
	}
}

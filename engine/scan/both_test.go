package scan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// readWithout is read with what the scan is to do without, by one worker. paired is how many row groups two conjuncts were decided
// of in one pass.
func readWithout(t *testing.T, src column.Source, n *plan.Scan, without Without) (rows []string, paired int) {
	t.Helper()
	ctx := &expr.Ctx{}
	s, err := New(ctx, src, n)
	if err != nil {
		t.Fatal(err)
	}
	s.Without(without)
	w := s.NewWorker(ctx)
	defer w.Close()
	for i := range s.Morsels() {
		w.pair.both = [2]int{}
		err := w.Morsel(i, func(b *vec.Batch, sel vec.Bitmap) error {
			for r := range b.N {
				if sel == nil || sel.Get(r) {
					rows = append(rows, fmt.Sprint(i, b.Cols[0].I64[r]))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if w.pair.both != [2]int{} {
			paired++
		}
	}
	return rows, paired
}

// TestTwoConjunctsInOnePassPassTheRowsThatTheyPassOneByOne: over dictionaries and columns that are none, values that no row has,
// deleted rows, limits and further conjuncts.
func TestTwoConjunctsInOnePassPassTheRowsThatTheyPassOneByOne(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	names := []string{"channel", "os", "os", "channel", "city", "country", "x"}
	for _, dead := range []int{0, 9} {
		_, seg := newFlat(t, rng, 7, 2500, dead)
		for round := range 40 {
			n := &plan.Scan{Table: flatTable, Read: []plan.ScanCol{{Column: types.ColRow, Type: tInt}}, Out: 1}
			if round == 0 { // these can, and one row group in sixteen does not
				for c, e := range map[string]string{"channel": "beta", "os": "os 07"} {
					n.Read = append(n.Read, flatCol(c))
					n.Filter = append(n.Filter, compareCall("<>", &expr.Col{Idx: len(n.Read) - 1, T: tText, Name: c}, constOf(tText, e)))
				}
				if got, k := readWithout(t, seg, n, Without{}); k != 6 || len(got) == 0 {
					t.Errorf("%d of 7 row groups in one pass, and %d rows", k, len(got))
				}
			}
			if rng.IntN(4) == 0 {
				n.Limit = int64(1 + rng.IntN(3000))
			}
			for range 2 + rng.IntN(2) {
				col := flatCol(names[rng.IntN(len(names))])
				n.Read = append(n.Read, col)
				n.Filter = append(n.Filter, flatConjunct(rng, len(n.Read)-1, col))
			}
			got, _ := readWithout(t, seg, n, Without{})
			want, none := readWithout(t, seg, n, Without{Both: true})
			if !slices.Equal(got, want) || none != 0 {
				t.Fatalf("filter %v, limit %d: %d rows, and %d one by one", describe(n.Filter), n.Limit, len(got), len(want))
			}
			if n.Limit == 0 {
				requireSelect(t, seg, n, len(want))
			}
		}
	}
}

// TestAThinFirstConjunctKeepsTheSecondColumnUnread: where most blocks have no row left, the second column is not read for them.
func TestAThinFirstConjunctKeepsTheSecondColumnUnread(t *testing.T) {
	p := pair{}
	sel := vec.MakeBitmap(10 * vec.BlockRows)
	sel.Set(5 * vec.BlockRows)
	if p.left(sel); p.on {
		t.Error("one block of ten is enough")
	}
	for b := range 6 {
		sel.Set(b * vec.BlockRows)
	}
	if p.left(sel); !p.on {
		t.Error("six blocks of ten are not")
	}
}

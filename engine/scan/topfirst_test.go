package scan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// holding is a condition on a text: that it holds part. It counts the values it is asked about, and fails for one that holds fail.
func holding(c int, col plan.ScanCol, part, fail string, asked *int) expr.Expr {
	f := &expr.Func{Name: "holds", Args: []types.Type{tText}, Ret: types.Of(types.Bool),
		Eval: func(_ *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) (err error) {
			out.SetFlat(types.Of(types.Bool), n)
			sel.All(func(i int) {
				*asked++
				s := string(a[0].Bytes(i))
				if fail != "" && strings.Contains(s, fail) {
					err = fmt.Errorf("%q is not to be asked about", s)
				}
				out.Bits.SetTo(i, strings.Contains(s, part))
			})
			return err
		}}
	return &expr.Call{Fn: f, T: types.Of(types.Bool), Args: []expr.Expr{&expr.Col{Idx: c, T: col.Type, Name: col.Column}}}
}

// firstRows returns the first rows of an order by column 0, with the values of the others, as whoever tells the scan finds them.
func firstRows(t *testing.T, src column.Source, n *plan.Scan, limit int, desc bool, without Without) (rows []string, err error) {
	t.Helper()
	ctx := &expr.Ctx{}
	s, err := New(ctx, src, n)
	if err != nil {
		t.Fatal(err)
	}
	s.Without(without)
	top, ok := s.TopBy(0, desc, false)
	if !ok {
		t.Fatal("no order")
	}
	keys := &vec.Vector{}
	keys.Reset(n.Read[0].Type)
	var shown []string
	w := s.NewWorker(ctx)
	defer w.Close()
	order := func() []int {
		at := make([]int, keys.N)
		for i := range at {
			at[i] = i
		}
		slices.SortFunc(at, func(a, b int) int {
			if c := ordered(keys, a, keys, b, desc, false); c != 0 {
				return c
			}
			return strings.Compare(shown[a], shown[b])
		})
		return at[:min(limit, len(at))]
	}
	for i := range s.Morsels() {
		if err := w.Morsel(s.Nth(i), func(b *vec.Batch, sel vec.Bitmap) error {
			for r := range b.N {
				if sel == nil || sel.Get(r) {
					keys.AppendFrom(b.Cols[0], r)
					row := ""
					for _, c := range b.Cols {
						row += show(c, r) + " "
					}
					shown = append(shown, row)
				}
			}
			if at := order(); len(at) == limit {
				top.Tighten(keys, at[limit-1])
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	for _, i := range order() {
		rows = append(rows, shown[i])
	}
	return rows, nil
}

// TestFirstRowsDoNotDependOnWhenTheOthersAreLeftOut: before the conditions are decided or after, over dictionaries and plain
// values, NULLs, deleted rows, several conditions.
func TestFirstRowsDoNotDependOnWhenTheOthersAreLeftOut(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 8))
	for _, dead := range []int{0, 9} {
		mem, seg := newFlat(t, rng, 4, 6000, dead)
		for range 6 {
			n := &plan.Scan{Table: flatTable}
			for _, name := range []string{[]string{"x", "at", "some", "y", "wide"}[rng.IntN(5)], "city", "url", "country", "channel"} {
				n.Read = append(n.Read, flatCol(name))
			}
			n.Out = 1 + rng.IntN(len(n.Read))
			calls := 0
			for range 1 + rng.IntN(2) {
				c := 1 + rng.IntN(3)
				n.Filter = append(n.Filter, holding(c, n.Read[c], fmt.Sprint(rng.IntN(40)), "", &calls))
			}
			if rng.IntN(2) == 0 {
				c := rng.IntN(len(n.Read))
				n.Filter = append(n.Filter, flatConjunct(rng, c, n.Read[c]))
			}
			if rng.IntN(4) == 0 {
				n.Filter = append(n.Filter, &expr.Logic{Or: true, Args: []expr.Expr{flatConjunct(rng, 0, n.Read[0]), flatConjunct(rng, 2, n.Read[2])}})
			}
			limit, desc := []int{1, 7, 60}[rng.IntN(3)], rng.IntN(2) == 0
			want, err := firstRows(t, mem, n, limit, desc, Without{TopFirst: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, src := range []column.Source{mem, seg} {
				for _, off := range []bool{false, true} {
					got, err := firstRows(t, src, n, limit, desc, Without{TopFirst: off})
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(got, want) {
						t.Fatalf("read %v, limit %d, desc %v, last %v: %v, want %v", n.Read, limit, desc, off, got, want)
					}
				}
			}
		}
	}
}

// TestOnlyValuesOfRowsThatMayBeFirstAreTested: of a dictionary in each row group, and of plain values.
func TestOnlyValuesOfRowsThatMayBeFirstAreTested(t *testing.T) {
	_, seg := newFlat(t, rand.New(rand.NewPCG(3, 9)), 6, 6000, 0)
	for _, name := range []string{"city", "url"} {
		asked := [2]int{}
		for k := range asked {
			n := &plan.Scan{Table: flatTable, Out: 2, Read: []plan.ScanCol{flatCol("wide"), flatCol(name)}}
			n.Filter = []expr.Expr{holding(1, n.Read[1], "1", "", &asked[k])}
			if _, err := firstRows(t, seg, n, 3, false, Without{TopFirst: k == 1}); err != nil {
				t.Fatal(err)
			}
		}
		if 3*asked[0] > asked[1] {
			t.Errorf("%s: %d values were tested, %d where the rows behind are left out last", name, asked[0], asked[1])
		}
	}
}

// TestAConditionThatFailsForAnyOfTheFirstRowsFails: testing a few values fails for a row as testing all does, and not for a value
// that no row in question has.
func TestAConditionThatFailsForAnyOfTheFirstRowsFails(t *testing.T) {
	_, seg := newFlat(t, rand.New(rand.NewPCG(3, 9)), 3, 6000, 0)
	asked := 0
	n := &plan.Scan{Table: flatTable, Out: 2, Read: []plan.ScanCol{flatCol("at"), flatCol("city")}}
	n.Filter = []expr.Expr{holding(1, n.Read[1], "city", "7", &asked)}
	if _, err := firstRows(t, seg, n, 5, false, Without{}); err == nil {
		t.Error("a row's value fails, and the scan did not")
	}
	n.Filter = append(n.Filter, compareCall("<", &expr.Col{Idx: 1, T: tText}, constOf(tText, "city 7")), compareCall(">", &expr.Col{Idx: 1, T: tText}, constOf(tText, "city 69999")))
	if _, err := firstRows(t, seg, n, 5, false, Without{}); err != nil {
		t.Errorf("no row is asked about, and the scan fails: %v", err)
	}
}

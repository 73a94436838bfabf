package op

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestASetOfIdentifiersHoldsWhatWasPutIntoIt: of any number, that of zeros too.
func TestASetOfIdentifiersHoldsWhatWasPutIntoIt(t *testing.T) {
	rng := seeded(t)
	for _, n := range []int{0, 1, 7, 63, 64, 1000, 40000} {
		id := func() [16]byte {
			var b [16]byte
			binary.LittleEndian.PutUint64(b[:], rng.Uint64N(uint64(n)*2+2))
			binary.LittleEndian.PutUint64(b[8:], rng.Uint64N(3))
			return b
		}
		in := map[[16]byte]bool{}
		var data []byte
		for range n {
			b := id()
			in[b] = true
			data = append(data, b[:]...)
		}
		s := newIDSet(data, n)
		asked := &vec.Vector{}
		asked.Reset(types.Of(types.UUID))
		var want, got []int
		alive := vec.MakeBitmap(3000)
		for i := range 3000 {
			b := id()
			asked.AppendBytes(b[:])
			if rng.IntN(3) > 0 {
				alive.Set(i)
				if in[b] {
					want = append(want, i)
				}
			}
		}
		out := vec.MakeBitmap(3000)
		if !s.among(asked, alive, out) {
			t.Fatal("the set does not judge identifiers")
		}
		out.All(func(i int) { got = append(got, i) })
		if !slices.Equal(got, want) {
			t.Fatalf("%d identifiers: %d rows are in it, want %d", n, len(got), len(want))
		}
	}
}

// TestSemiJoinsByIdentifier: of few and many, NULLs on both sides, in and against the set.
func TestSemiJoinsByIdentifier(t *testing.T) {
	rng := seeded(t)
	tUUID := types.Of(types.UUID)
	table := newTable(types.Column{Name: "id", Type: tUUID}, types.Column{Name: "x", Type: tInt})
	for round := range 12 {
		spread := []int64{1, 50, 4000}[round%3]
		id := func() any {
			if rng.IntN(9) == 0 {
				return nil
			}
			return fmt.Sprintf("%08d%08d", rng.Int64N(spread), 0)
		}
		rows := make([]row, 4000)
		for i := range rows {
			rows[i] = row{id(), int64(i)}
		}
		dims := make([]row, []int{0, 1, 2000}[rng.IntN(3)])
		for i := range dims {
			dims[i] = row{id()}
		}
		src := newSource(table, rows, 700)
		n := &plan.Join{Kind: []plan.JoinKind{plan.Semi, plan.Anti}[round%2], L: scanOf(table), R: valuesOf([]types.Type{tUUID}, dims),
			LeftKeys: []expr.Expr{col(0, tUUID)}, RightKeys: []expr.Expr{col(0, tUUID)}}
		want, err := runEnv(t, src, n, Env{Workers: 1, NoJoinFilter: true, NoJoinKeys: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, env := range []Env{{Workers: 1}, {Workers: 3}, {Workers: 1, NoJoinKeys: true}, {Workers: 2, NoJoinFilter: true}, {Workers: 2, BatchRows: 2}, {Workers: 2, HashEqual: true}} {
			got, err := runEnv(t, src, n, env)
			if err != nil {
				t.Fatal(err)
			}
			wantRows(t, fmt.Sprintf("round %d, %v of %d, %+v", round, n.Kind, len(dims), env), got, want)
		}
	}
}

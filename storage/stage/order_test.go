package stage

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestOrderIsThatOfTheRowsWhateverTheWorkers compares with a stable sort of the values.
func TestOrderIsThatOfTheRowsWhateverTheWorkers(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		cols := []Col{{Path: "u", Leaf: types.LeafText, UUID: true}, {Path: "n", Leaf: types.LeafInt}, {Path: "c", Leaf: types.LeafText}}
		s := New(cols, -1, Col{Path: "_lsn", Leaf: types.LeafInt}, 1)
		type row struct {
			u    []byte
			n    int64
			c    string
			null bool
		}
		var all []row
		var rows []Row
		spread := []int64{1, 3, 1000, 1 << 40, 1 << 62, 2}[seed]
		for g := range 3 {
			b := &vec.Batch{N: 40_000}
			u, n, c := &vec.Vector{}, &vec.Vector{}, &vec.Vector{}
			u.Reset(types.Of(types.UUID))
			n.Reset(types.Of(types.Int64))
			c.Reset(types.Of(types.Text))
			for i := range b.N {
				r := row{u: make([]byte, 16), n: rng.Int64N(spread), c: string(rune('a' + rng.IntN(3))), null: seed == 5 && rng.IntN(9) == 0}
				binary.BigEndian.PutUint64(r.u[rng.IntN(2)*8:], uint64(rng.Int64N(spread)))
				u.AppendBytes(r.u)
				c.AppendString(r.c)
				if r.null {
					n.AppendNull()
				} else {
					n.AppendInt(r.n)
				}
				all, rows = append(all, r), append(rows, Row{uint32(g), uint16(i)})
			}
			b.Cols = []*vec.Vector{u, n, c}
			s.Add(b)
		}
		groups := s.Take()
		key := []Col{cols[2], cols[1], cols[0]}
		number := func(r Row) int { return int(r.Group)*40_000 + int(r.Row) }
		nulls := func(x bool) int {
			if x {
				return 1
			}
			return 0
		}
		want := slices.Clone(rows)
		slices.SortStableFunc(want, func(x, y Row) int {
			a, b := all[number(x)], all[number(y)]
			if a.null && b.null {
				a.n, b.n = 0, 0
			}
			return cmp.Or(cmp.Compare(a.c, b.c), nulls(a.null)-nulls(b.null), cmp.Compare(a.n, b.n), bytes.Compare(a.u, b.u))
		})
		for _, workers := range []int{1, 2, 3} {
			got := slices.Clone(rows)
			if !Order(groups, got, key, workers) {
				t.Fatal("the columns have no short key")
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, %d workers: another order", seed, workers)
			}
		}
	}
}

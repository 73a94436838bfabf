package stage

import (
	"bytes"
	"cmp"
	"context"
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
			if ok, err := Order(t.Context(), groups, got, key, workers); !ok || err != nil {
				t.Fatal("the columns have no short key", err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, %d workers: another order", seed, workers)
			}
		}
	}
}

// A load that is cancelled while its rows are sorted stops at the next look, and the rows are as they were.
func TestOrderStopsWhenItIsCancelled(t *testing.T) {
	cols := []Col{{Path: "n", Leaf: types.LeafInt}}
	s := New(cols, -1, Col{Path: "_lsn", Leaf: types.LeafInt}, 1)
	b := &vec.Batch{N: 60_000}
	n := &vec.Vector{}
	n.Reset(types.Of(types.Int64))
	var rows []Row
	for i := range b.N {
		n.AppendInt(int64(i * 7919 % 60_000))
		rows = append(rows, Row{0, uint16(i)})
	}
	b.Cols = []*vec.Vector{n}
	s.Add(b)
	groups := s.Take()
	for looks := range 12 { // the first so many looks find it wanted
		got := slices.Clone(rows)
		ctx := &endsAfter{Context: t.Context(), looks: int64(looks)}
		ok, err := Order(ctx, groups, got, cols, 1)
		if ctx.ended() != (err != nil) || ok != (err == nil) {
			t.Fatalf("after %d looks: %v, %v", looks, ok, err)
		}
		if err != nil && !slices.Equal(got, rows) {
			t.Fatalf("after %d looks the rows are in another order", looks)
		}
		if looks == 0 && err == nil || looks == 11 && err != nil {
			t.Fatalf("after %d looks: %v: the test does not test", looks, err)
		}
	}
}

// endsAfter is a context that ends when it has been asked a number of times.
type endsAfter struct {
	context.Context
	looks, asked int64
}

func (c *endsAfter) ended() bool { return c.asked > c.looks }

func (c *endsAfter) Err() error {
	if c.asked++; c.ended() {
		return context.Canceled
	}
	return nil
}

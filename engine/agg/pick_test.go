package agg

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func TestPickedRowsAreThoseOfAPassOverAllAndHoldNoOthers(t *testing.T) {
	const groups, rows = 50, 40000
	rng := rand.New(rand.NewPCG(3, 9))
	type row struct {
		g    uint32
		x    string
		y    int64
		none bool
	}
	all := make([]row, rows)
	for i := range all {
		all[i] = row{uint32(rng.IntN(groups)), fmt.Sprint("x", i), int64(i) + rng.Int64N(1000), rng.IntN(9) == 0}
	}
	for _, name := range []string{"min_by", "max_by", "last", "first"} {
		c := call(name, tText, tText, types.Of(types.Int64))
		var states []State
		for part := range 2 { // two workers, the second's rows behind the first's
			s, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			s.Grow(groups)
			for from := part * rows / 2; from < (part+1)*rows/2; from += 1000 {
				in := Input{N: 1000, Args: []*vec.Vector{{}, {}}, Keyed: true}
				in.Args[0].Reset(tText)
				in.Args[1].Reset(types.Of(types.Int64))
				for _, r := range all[from : from+1000] {
					in.Args[0].AppendString(r.x)
					if r.none {
						in.Args[1].AppendNull()
					} else {
						in.Args[1].AppendInt(r.y)
					}
					in.Groups = append(in.Groups, r.g)
				}
				if err := s.Add(&in); err != nil {
					t.Fatal(err)
				}
			}
			if s.Bytes() > 200<<10 {
				t.Fatalf("%s of %d groups holds %d bytes", name, groups, s.Bytes())
			}
			states = append(states, s)
		}
		to := make([]uint32, groups)
		for g := range to {
			to[g] = uint32(g)
		}
		if err := states[0].Merge(states[1], nil, to); err != nil {
			t.Fatal(err)
		}
		var out vec.Vector
		out.Reset(tText)
		if err := states[0].Result(0, groups, &out); err != nil {
			t.Fatal(err)
		}
		for g := range groups {
			best := -1
			for i, r := range all {
				if int(r.g) != g || r.none {
					continue
				}
				up := name == "max_by" || name == "last"
				if best < 0 || up && r.y > all[best].y || !up && r.y < all[best].y {
					best = i
				}
			}
			if got := string(out.Bytes(g)); got != all[best].x {
				t.Fatalf("%s of group %d: %s, want %s", name, g, got, all[best].x)
			}
		}
	}
}

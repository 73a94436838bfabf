package agg

import (
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/storage/vec"
)

func TestWideNumbersAreWrittenAsTheyAre(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		var w [3]uint64
		for i := range 1 + rng.IntN(3) {
			w[i] = rng.Uint64() >> rng.IntN(64)
		}
		if got, want := string(appendWide(nil, w)), big192(w).String(); got != want {
			t.Fatalf("%x: %s, want %s", w, got, want)
		}
	}
	if got := string(appendWide(nil, [3]uint64{0, 1})); got != "18446744073709551616" {
		t.Error(got)
	}
}

// BenchmarkVarianceOfIntegers is stddev(bigint) of a million rows in 20,000 groups: adding them, then the results.
func BenchmarkVarianceOfIntegers(b *testing.B) {
	const rows, groups = 1 << 20, 20_000
	rng := rand.New(rand.NewPCG(1, 2))
	var in []Input
	for from := 0; from < rows; from += vec.BatchRows {
		v := &vec.Vector{}
		v.Reset(tInt)
		gs := make([]uint32, vec.BatchRows)
		for i := range gs {
			v.AppendInt(rng.Int64N(1 << 30))
			gs[i] = uint32(rng.IntN(groups))
		}
		in = append(in, Input{Args: []*vec.Vector{v}, N: vec.BatchRows, Groups: gs, Keyed: true})
	}
	fill := func() State {
		s, err := New(call("stddev", tNumeric, tInt))
		if err != nil {
			b.Fatal(err)
		}
		s.Grow(groups)
		for i := range in {
			if err := s.Add(&in[i]); err != nil {
				b.Fatal(err)
			}
		}
		return s
	}
	b.Run("add", func(b *testing.B) {
		for b.Loop() {
			fill()
		}
	})
	b.Run("result", func(b *testing.B) {
		s := fill()
		for b.Loop() {
			var out vec.Vector
			out.Reset(tNumeric)
			if err := s.Result(0, groups, &out); err != nil {
				b.Fatal(err)
			}
		}
	})
}

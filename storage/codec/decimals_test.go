package codec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestDecimalsAreTheirIntegersOverAPowerOfTen reads chunks of decimals in all encodings that floats have, as both.
func TestDecimalsAreTheirIntegersOverAPowerOfTen(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	met := map[string]bool{}
	for range 200 {
		n := 1 + rng.IntN(3000)
		v := &Values{Leaf: types.LeafFloat, Rows: n}
		v.Vec.Reset(types.LeafFloat.Type())
		few, div := 1+rng.IntN(2000), []float64{1, 10, 1000, 1e6}[rng.IntN(4)]
		if rng.IntN(3) == 0 {
			few = 1 + rng.IntN(3)
		}
		sparse := rng.IntN(3) == 0
		for i := range n {
			if sparse && rng.IntN(3) > 0 {
				continue
			}
			v.Vec.AppendFloat(float64(rng.IntN(few)-few/2) / div)
			if sparse {
				v.Pos = append(v.Pos, uint16(i))
			}
		}
		if v.Vec.N == 0 {
			continue
		}
		if len(v.Pos) == n {
			v.Pos = nil
		}
		odd := rng.IntN(4) == 0
		if odd {
			v.Vec.F64[rng.IntN(v.Vec.N)] = []float64{math.NaN(), math.Copysign(0, -1), 0.30000000000000004, math.Inf(1)}[rng.IntN(4)]
		}
		data, err := new(Encoder).Encode(nil, v, Options{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := Open(v.Leaf, n, v.Present(), data)
		if err != nil {
			t.Fatal(err)
		}
		ints, by := c.Decimals()
		if odd {
			if ints != nil {
				t.Fatalf("%s: what is no decimal is one", c.Describe(data))
			}
			continue
		}
		if ints == nil {
			if c.enc != encPlain && c.alp.exc == 0 {
				t.Fatalf("%s has no decimals", c.Describe(data))
			}
			continue
		}
		met[c.name()] = true
		var floats, whole vec.Vector
		sum := int64(0)
		for from := 0; from < n; from += blockValues {
			to := min(n, from+blockValues)
			if err := c.Read(data, from, to, &floats); err != nil {
				t.Fatal(err)
			}
			if err := ints.Read(data, from, to, &whole); err != nil {
				t.Fatal(err)
			}
			for i := range to - from {
				if floats.Null(i) != whole.Null(i) || !floats.Null(i) && math.Float64bits(float64(whole.Int(i))/by) != math.Float64bits(floats.Float(i)) {
					t.Fatalf("%s: row %d is %v and %v over %v", c.Describe(data), from+i, floats.Float(i), whole.Int(i), by)
				}
				if !whole.Null(i) {
					sum += whole.Int(i)
				}
			}
		}
		if s, ok, err := ints.SumRange(data, math.MinInt64, math.MaxInt64); err != nil || ok && s.Hi<<32+int64(s.Lo) != sum {
			t.Fatalf("%s: sum %v, %v, want %d", c.Describe(data), s, err, sum)
		}
	}
	for _, name := range []string{"const", "dict", "alp", "for"} {
		if !met[name] {
			t.Errorf("no chunk was encoded as %s", name)
		}
	}
}

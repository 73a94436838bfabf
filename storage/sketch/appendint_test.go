package sketch

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestAppendIntIsThatOfStrconv(t *testing.T) {
	const seed = 5
	r := rand.New(rand.NewPCG(seed, 1))
	vals := []int64{math.MinInt64, math.MaxInt64, -1, 0}
	for p := int64(1); p <= 1e18/10; p *= 10 {
		vals = append(vals, p-1, p, p+1, -p)
	}
	for range 2000 {
		vals = append(vals, r.Int64()>>r.IntN(63))
	}
	for _, v := range vals {
		if got, want := string(appendInt([]byte("x"), v)), "x"+strconv.FormatInt(v, 10); got != want {
			t.Fatalf("seed %d: %s, want %s", seed, got, want)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	h := Histogram{Layout: Layout{Type: TypeExponential, Buckets: 50, Low: 1, High: 10000}, Sum: 123456}
	for i := range 25 {
		h.Buckets = append(h.Buckets, Bucket{Bound: int64(1) << (i / 2) * 3, Count: int64(i * i % 70)})
	}
	var buf []byte
	for b.Loop() {
		buf = h.AppendJSON(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}

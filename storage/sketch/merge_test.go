package sketch

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestMergeAddsBucketByBucket merges random histograms of one layout and compares with sums in a map.
func TestMergeAddsBucketByBucket(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 500 {
		var h Histogram
		want, sum := map[int64]int64{}, int64(0)
		for range rng.IntN(8) {
			o := &Histogram{Sum: int64(rng.IntN(100))}
			sum += o.Sum
			for bound := int64(rng.IntN(4)); bound < 30; bound += int64(1 + rng.IntN(12)) {
				c := int64(rng.IntN(5))
				o.Buckets = append(o.Buckets, Bucket{bound, c})
				want[bound] += c
			}
			before := o.Clone()
			if err := h.Merge(o); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(before.Buckets, o.Buckets) {
				t.Fatal("the argument was changed")
			}
		}
		var buckets []Bucket
		for _, b := range slices.Sorted(maps.Keys(want)) {
			buckets = append(buckets, Bucket{b, want[b]})
		}
		if h.Sum != sum || !slices.Equal(h.Buckets, buckets) {
			t.Fatalf("got %v want %v", h.Buckets, buckets)
		}
	}
}

func TestMergeSaturatesAndRefusesOtherLayouts(t *testing.T) {
	h := &Histogram{Sum: math.MaxInt64, Buckets: []Bucket{{1, math.MaxInt64 - 1}}}
	if err := h.Merge(&Histogram{Sum: 1, Buckets: []Bucket{{1, 5}, {2, 1}}}); err != nil {
		t.Fatal(err)
	}
	if h.Sum != math.MaxInt64 || !slices.Equal(h.Buckets, []Bucket{{1, math.MaxInt64}, {2, 1}}) {
		t.Fatal(h)
	}
	if err := h.Merge(&Histogram{Layout: Layout{Type: TypeLinear}}); err != ErrLayout {
		t.Fatal(err)
	}
}

func BenchmarkMergeKnownBuckets(b *testing.B) {
	h, o := &Histogram{}, &Histogram{}
	for i := range int64(50) {
		h.Buckets = append(h.Buckets, Bucket{i * 10, 1})
		if i%6 == 0 {
			o.Buckets = append(o.Buckets, Bucket{i * 10, 1})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Merge(o); err != nil {
			b.Fatal(err)
		}
	}
}

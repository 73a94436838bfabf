package rollups

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/valyala/fastjson"

	"github.com/telemdb/telemdb/storage/sketch"
)

// acceptHistogram reads a histogram object as the reference aggregator does, which is more lenient than the histogram
// type: "values" must be an object, "sum" a whole number >= 0 and "histogram_type" a whole number; a bucket whose key is
// no whole number is skipped, one whose count is none counts as 0 (rollups.md 1.3). Negative counts are corruption and
// refuse the histogram (ingestion.md 18.3).
func acceptHistogram(v *fastjson.Value) (*sketch.Histogram, bool) {
	values := v.Get("values")
	if values == nil || values.Type() != fastjson.TypeObject {
		return nil, false
	}
	sum, ok := whole(v.Get("sum"))
	if !ok || sum < 0 {
		return nil, false
	}
	typ, ok := whole(v.Get("histogram_type"))
	if !ok || typ < math.MinInt32 || typ > math.MaxInt32 {
		return nil, false
	}
	h := &sketch.Histogram{Sum: sum, Layout: sketch.Layout{Type: int32(typ)}}
	if n, ok := whole(v.Get("bucket_count")); ok && n >= 0 && n <= math.MaxInt32 {
		h.Layout.Buckets = int32(n)
	}
	if r := v.GetArray("range"); len(r) == 2 {
		h.Layout.Low, _ = whole(r[0])
		h.Layout.High, _ = whole(r[1])
	}
	negative := false
	visit(values, func(key string, v *fastjson.Value) {
		bound, err := strconv.ParseInt(key, 10, 64)
		if err != nil || bound < 0 {
			return
		}
		count, _ := whole(v)
		negative = negative || count < 0
		h.Buckets = append(h.Buckets, sketch.Bucket{Bound: bound, Count: count})
	})
	slices.SortStableFunc(h.Buckets, func(a, b sketch.Bucket) int { return cmp.Compare(a.Bound, b.Bound) })
	h.Buckets = foldBounds(h.Buckets)
	return h, !negative
}

// foldBounds adds up the counts of bounds that are written in several ways ("1" and "01").
func foldBounds(bs []sketch.Bucket) []sketch.Bucket {
	out := bs[:0]
	for _, b := range bs {
		if n := len(out); n > 0 && out[n-1].Bound == b.Bound {
			out[n-1].Count = clampedAdd(out[n-1].Count, b.Count)
		} else {
			out = append(out, b)
		}
	}
	return out
}

// whole returns a JSON number that is an int64.
func whole(v *fastjson.Value) (int64, bool) {
	if v == nil || v.Type() != fastjson.TypeNumber {
		return 0, false
	}
	n, err := v.Int64()
	return n, err == nil
}

package sketch

import "math"

// LinearBounds returns the n ascending lower bounds of a linear layout (ingestion.md 18.2); nil if the arguments give none.
func LinearBounds(low, high int64, n int) []int64 {
	if n < 3 || n > maxBuckets || low < 1 || high < low {
		return nil
	}
	b := make([]int64, n)
	for i := 1; i < n; i++ {
		x := (float64(low)*float64(n-1-i) + float64(high)*float64(i-1)) / float64(n-2)
		b[i] = int64(x + 0.5)
		if i > 1 && b[i] <= b[i-1] {
			return nil // more buckets than whole numbers: no layout a client can report by bound
		}
	}
	return b
}

// ExponentialBounds returns the n ascending lower bounds of an exponential layout (ingestion.md 18.2): each step aims
// anew at high from the rounded bound before it, so no closed formula gives the same bounds. nil if the arguments give none.
func ExponentialBounds(low, high int64, n int) []int64 {
	if n < 3 || n > maxBuckets || high < 1 || high < low {
		return nil
	}
	b := make([]int64, n)
	cur := max(low, 1)
	b[1] = cur
	logHigh := math.Log(float64(high))
	for i := 2; i < n; i++ {
		logCur := math.Log(float64(cur))
		next := int64(math.Floor(math.Exp(logCur+(logHigh-logCur)/float64(n-i)) + 0.5))
		if next <= cur {
			next = cur + 1
		}
		cur = next
		b[i] = cur
	}
	return b
}

// Bounds returns the lower bounds of l, or nil for a layout that follows no formula (hang statistics, old oddities).
func (l Layout) Bounds() []int64 {
	switch l.Type {
	case TypeExponential:
		return ExponentialBounds(l.Low, l.High, int(l.Buckets))
	case TypeLinear, TypeBoolean, TypeFlag, TypeCount, TypeCategorical:
		return LinearBounds(l.Low, l.High, int(l.Buckets))
	}
	return nil
}

// BucketOf returns the index of the greatest bound <= v, or 0 for a value below the first.
func BucketOf(bounds []int64, v int64) int {
	lo, hi := 0, len(bounds)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if bounds[m] <= v {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return max(lo-1, 0)
}

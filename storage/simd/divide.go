package simd

// DivideI64 sets dst[i] to float64(num[i]) / div, for each of dst.
func DivideI64(dst []float64, num []int64, div float64) {
	num = num[:len(dst)]
	n := divideI64(dst, num, div)
	for i, x := range num[n:] {
		dst[n+i] = float64(x) / div
	}
}

// RatioI64 sets dst[i] to float64(num[i]) / float64(den[i]), for each of dst.
func RatioI64(dst []float64, num, den []int64) {
	num, den = num[:len(dst)], den[:len(dst)]
	n := ratioI64(dst, num, den)
	for i, x := range num[n:] {
		dst[n+i] = float64(x) / float64(den[n+i])
	}
}

package simd

// The kernels multiply by an inverse r of the divisor d instead of dividing, and correct the product q: q + r*(x - d*q), with
// fused operations. For an integer d of at most 40 bits that is x/d rounded once, as the twins have it (Markstein,
// "Computation of elementary functions on the IBM RISC System/6000 processor", 1990). r is right but for its last bits, so q
// is off by a few units, and x - d*q, a multiple of q's unit, is exact. What is rounded last differs from x/d by less than
// one in 2^100. And x/d is never that near to the middle m of two doubles, an odd number of 54 bits over a power of two: x*2^k - m*d is an integer, not 0
// because x has no 54 bits, so the two are at least one in m*d apart, more than one in 2^94.

// fastDivisors are the divisors of which that holds.
const fastDivisors = 1 << 40

// DivideI64 sets dst[i] to float64(num[i]) / div, for each of dst.
func DivideI64(dst []float64, num []int64, div float64) {
	num = num[:len(dst)]
	n := 0
	if div >= 1 && div < fastDivisors && div == float64(int64(div)) {
		n = divideBy(dst, num, div, 1/div)
	}
	for i, x := range num[n:] {
		dst[n+i] = float64(x) / div
	}
}

// RatioI64 sets dst[i] to float64(num[i]) / float64(den[i]), for each of dst.
func RatioI64(dst []float64, num, den []int64) {
	num, den = num[:len(dst)], den[:len(dst)]
	n := 0
	if len(den) > 0 {
		if least, most := MinMaxI64(den); least > 0 && most < fastDivisors {
			n = ratioSmall(dst, num, den)
		} else {
			n = ratioI64(dst, num, den)
		}
	}
	for i, x := range num[n:] {
		dst[n+i] = float64(x) / float64(den[n+i])
	}
}

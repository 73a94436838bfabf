package gen

import (
	"math/bits"
)

// rng is splitmix64: a nanosecond per number, and any seed gives a stream of its own.
type rng struct{ state uint64 }

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

const golden = 0x9e3779b97f4a7c15

func newRNG(seed, stream uint64) rng { return rng{mix(seed+golden) ^ mix(stream*golden+1)} }

func (r *rng) next() uint64 {
	r.state += golden
	return mix(r.state)
}

// below returns a number in [0, n).
func (r *rng) below(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int(hi)
}

// between returns a number in [lo, hi].
func (r *rng) between(lo, hi int) int { return lo + r.below(hi-lo+1) }

// unit returns a number in [0, 1).
func (r *rng) unit() float64 { return float64(r.next()>>11) / (1 << 53) }

// permille is true with probability n in 1,000.
func (r *rng) permille(n int) bool { return r.below(1000) < n }

// skewed returns an index in [0, n) of which small ones are more likely: density falls as 1/sqrt.
func (r *rng) skewed(n int) int {
	u := r.unit()
	return int(u * u * float64(n))
}

// pick returns an index of weights, by weight. total is their sum.
func (r *rng) pick(weights []int, total int) int {
	x := r.below(total)
	for i, w := range weights {
		if x < w {
			return i
		}
		x -= w
	}
	return len(weights) - 1
}

func sum(weights []int) int {
	n := 0
	for _, w := range weights {
		n += w
	}
	return n
}

// uuid is a random UUID.
type uuid [16]byte

func (r *rng) uuid() uuid {
	var u uuid
	a, b := r.next(), r.next()
	for i := range 8 {
		u[i], u[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

const hexDigits = "0123456789abcdef"

func appendHex(dst []byte, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

func (u *uuid) append(dst []byte) []byte {
	dst = append(appendHex(dst, u[0:4]), '-')
	dst = append(appendHex(dst, u[4:6]), '-')
	dst = append(appendHex(dst, u[6:8]), '-')
	dst = append(appendHex(dst, u[8:10]), '-')
	return appendHex(dst, u[10:])
}

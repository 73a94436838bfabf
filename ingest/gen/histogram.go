package gen

import (
	"math"
	"strconv"

	"github.com/telemdb/telemdb/storage/sketch"
)

// shapeHalf is how many buckets to each side of its centre a histogram's values reach, but for outliers.
const shapeHalf = 24

// shapes are the shares of the buckets around the centre, of 1<<20, for several widths. The right side falls slower than
// the left: latencies and sizes have long tails.
var shapes = makeShapes()

func makeShapes() (out [10][2*shapeHalf + 1]uint32) {
	for i := range out {
		width := 1.3 * math.Pow(1.37, float64(i))
		total := 0.0
		var w [2*shapeHalf + 1]float64
		for j := range w {
			x := float64(j-shapeHalf) / width
			if x > 0 {
				x *= 0.6
			}
			w[j] = math.Exp(-x * x / 2)
			total += w[j]
		}
		for j := range w {
			out[i][j] = uint32(w[j] / total * (1 << 20))
		}
	}
	return out
}

// jitter holds factors of a heavy-tailed distribution around 1, by its quantiles: 8.8 fixed point.
var jitter = makeJitter()

func makeJitter() (out [256]uint32) {
	r := newRNG(1, 99)
	for i := range out {
		out[i] = uint32(256*math.Exp2(r.normal()*1.3)) + 1
	}
	return out
}

// counts is scratch memory for one histogram: counts of the buckets [lo, lo+n).
type counts struct {
	lo int
	n  int
	c  [2*shapeHalf + 64]uint64
}

func (c *counts) window(lo, hi int) {
	c.lo, c.n = lo, hi-lo+1
	clear(c.c[:c.n])
}

// fill draws a histogram of about volume samples, scaled by the ping's factor (8.8 fixed point), into c, and returns its
// sum.
func (p *probe) fill(c *counts, r *rng, scale uint64) (total uint64) {
	x := r.next()
	samples := uint64(p.volume*float64(jitter[x&255]))*scale>>16 + 1
	switch {
	case p.layout.Type == sketch.TypeFlag:
		c.window(0, 1)
		set := x >> 8 & x >> 9 & 1
		c.c[set] = 1
		return set
	case int(x>>48&255) < p.quiet:
		c.window(0, 0)
		c.c[0] = 1 + samples&7&(x>>56)
		if p.layout.Type == sketch.TypeCount {
			return c.c[0]
		}
		return 0
	case p.layout.Type == sketch.TypeCount:
		c.window(0, 0)
		c.c[0] = samples
		return samples
	case p.layout.Type == sketch.TypeBoolean:
		c.window(0, 1)
		c.c[1] = samples * (x >> 8 & 255) >> 8
		c.c[0] = samples - c.c[1]
		return c.c[1]
	case p.labels > 0:
		return p.fillChoices(c, x>>8, samples)
	}
	return p.fillShape(c, r, samples, int(x>>40&3)-1)
}

// fillChoices gives the first choice most of the samples, the second most of the rest, and so on.
func (p *probe) fillChoices(c *counts, x, samples uint64) (total uint64) {
	c.window(0, p.labels-1)
	for i := range p.labels {
		n := samples
		if i < p.labels-1 {
			n = samples * (128 + x&127) >> 8
		}
		x = x>>7 | x<<57
		c.c[i] = n
		samples -= n
		total += uint64(i) * n
	}
	return total
}

// fillShape spreads the samples around the probe's centre, moved a little.
func (p *probe) fillShape(c *counts, r *rng, samples uint64, move int) (total uint64) {
	center := min(max(p.center+move, 0), len(p.bounds)-1)
	lo, hi := max(center-shapeHalf, 0), min(center+shapeHalf, len(p.bounds)-1)
	c.window(lo, hi)
	shape := &shapes[p.spread]
	bits := r.next()
	for i := lo; i <= hi; i++ {
		expect := samples * uint64(shape[i-center+shapeHalf])
		if expect < 1<<10 {
			continue
		}
		bits = bits*6364136223846793005 + 1442695040888963407
		var n uint64
		if noise := bits >> 44; expect < 8<<20 {
			n = (expect + noise) >> 20
		} else {
			n = (expect>>10*(768+noise>>11) + noise) >> 20
		}
		if n == 0 {
			continue
		}
		c.c[i-lo] = n
		total += n*uint64(p.bounds[i]) + n*p.width(i)*(bits>>36&255)>>8
	}
	if total == 0 && c.empty() {
		c.c[center-lo] = 1
		total = uint64(p.bounds[center])
	}
	return total
}

func (c *counts) empty() bool {
	for _, n := range c.c[:c.n] {
		if n != 0 {
			return false
		}
	}
	return true
}

// width is how far values of a bucket reach above its bound; the last bucket is open.
func (p *probe) width(i int) uint64 {
	if i+1 < len(p.bounds) {
		return uint64(p.bounds[i+1] - p.bounds[i])
	}
	return uint64(p.bounds[i] / 4)
}

// append appends the histogram as a member of an object: head, sum, layout, buckets.
func (p *probe) append(dst []byte, head string, r *rng, c *counts, scale uint64) []byte {
	total := p.fill(c, r, scale)
	dst = append(dst, head...)
	dst = strconv.AppendUint(dst, total, 10)
	dst = append(dst, p.mid...)
	return append(p.appendBuckets(dst, c), '}', '}')
}

// appendBuckets lists the buckets as clients do: those with samples, and the empty one below the first and above the last.
func (p *probe) appendBuckets(dst []byte, c *counts) []byte {
	first, last := 0, c.n-1
	for c.c[first] == 0 {
		first++
	}
	for c.c[last] == 0 {
		last--
	}
	if i := c.lo + first; i > 0 {
		dst = append(append(dst, p.keys[i-1]...), '0', ',')
	}
	keys := p.keys[c.lo+first : c.lo+last+1]
	for i, n := range c.c[first : last+1] {
		if n == 0 {
			continue
		}
		dst = append(dst, keys[i]...)
		dst = strconv.AppendUint(dst, n, 10)
		dst = append(dst, ',')
	}
	if i := c.lo + last + 1; i < len(p.keys) {
		return append(append(dst, p.keys[i]...), '0')
	}
	return dst[:len(dst)-1]
}

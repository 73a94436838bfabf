package codec

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/telemdb/telemdb/storage/column"
)

// Times in seconds kept as microseconds, or prices in whole dollars kept as cents, are all a multiple of one step away from
// each other. They are stored as how many steps they are above the least: a stream of any other kind.

// scaled is where such a stream says so: value = base + step times number, modulo 2^64.
type scaled struct {
	step uint64
	of   *ints // the numbers
}

// parseScaled reads: base varint, step uvarint, numbers.
func (s *ints) parseScaled(c *cursor) (err error) {
	s.base = c.varint()
	s.scale = &scaled{step: c.uvarint()}
	if c.bad || s.scale.step < 2 {
		return corrupt("steps of %d", s.scale.step)
	}
	if c.left() > 0 && c.data[c.at] == intsScaled {
		return corrupt("steps of steps")
	}
	s.scale.of, err = parseInts(c, s.n)
	return err
}

// times makes numbers values.
func (s *ints) times(vals []int64) {
	base, step := s.base, int64(s.scale.step)
	for i, v := range vals {
		vals[i] = base + step*v
	}
}

// within translates bounds of values to those of the numbers: of a writer they are not negative, and none of their values
// overflows.
func (s *ints) within(lo, hi int64) (from, to int64) {
	if hi < s.base || lo > hi {
		return 1, 0
	}
	step := s.scale.step
	low, high := uint64(max(lo, s.base))-uint64(s.base), uint64(hi)-uint64(s.base)
	return int64(low/step + uint64(boolInt(low%step != 0))), int64(high / step)
}

// sumScaled adds up the numbers, where the sum times the step is sure not to overflow.
func (s *ints) sumScaled(data []byte, lo, hi int64, sum *column.IntSum) error {
	var n column.IntSum
	from, to := s.within(lo, hi)
	if err := s.scale.of.sumIn(data, from, to, &n); err != nil {
		return err
	}
	high, low := n.Hi+int64(n.Lo>>32), n.Lo&math.MaxUint32
	if over, top := bits.Mul64(uint64(high), s.scale.step); high >= 0 && over == 0 && top < 1<<62 && s.scale.step < 1<<32 {
		addTimes(sum, s.base, n.N)
		sum.Hi += int64(top)
		sum.Lo += low * s.scale.step
		return nil
	}
	for i := range blocksOf(s.n) {
		if err := s.sumBlock(data, i, lo, hi, sum); err != nil {
			return err
		}
	}
	return nil
}

// stepper divides by a step what is a multiple of it: by multiplying with the inverse of its odd part modulo 2^64. What is
// no multiple becomes more than limit.
type stepper struct {
	inverse, limit uint64
	shift          int
}

func newStepper(step uint64) stepper {
	shift := bits.TrailingZeros64(step)
	odd := step >> shift
	inv := odd // right in the lowest three bits; each round doubles them
	for range 5 {
		inv *= 2 - odd*inv
	}
	return stepper{inv, math.MaxUint64 / step, shift}
}

// div returns x over the step; more than limit where that leaves a rest.
func (d stepper) div(x uint64) uint64 { return bits.RotateLeft64(x*d.inverse, -d.shift) }

// minStep is the least step that is worth a multiplication a value.
const minStep = 8

// findSteps tells how many steps each value is above least, and the step; it is 0 where there is none.
func (w *intsWriter) findSteps(vals []int64, least int64) (step uint64) {
	for _, v := range vals[:min(len(vals), 64)] {
		step = gcd(uint64(v)-uint64(least), step)
	}
	w.scaled = sized(w.scaled, len(vals))
	for again := true; again; {
		if step < minStep {
			return 0
		}
		again = false
		d := newStepper(step)
		for i, v := range vals {
			x := uint64(v) - uint64(least)
			q := d.div(x)
			if q > d.limit {
				step, again = gcd(x, step), true
				break
			}
			w.scaled[i] = int64(q)
		}
	}
	return step
}

// planScaled considers steps; it is asked last, and its plan's size is exact as the others are.
func (w *intsWriter) planScaled(vals []int64, p intsPlan, allow allowed) (step uint64, size int) {
	if step = w.findSteps(vals, p.min); step == 0 {
		return 0, 0
	}
	inner := w.innerWriter().plan(w.scaled, allow&allowAll)
	return step, 1 + varintLen(p.min) + (bits.Len64(step)+6)/7 + inner.size
}

func (w *intsWriter) writeScaled(dst []byte, p intsPlan) []byte {
	dst = binary.AppendVarint(dst, p.min)
	dst = binary.AppendUvarint(dst, p.step)
	in := w.innerWriter()
	return in.write(dst, w.scaled, in.plan(w.scaled, allowAll))
}

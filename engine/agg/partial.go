package agg

import (
	"math/bits"

	"github.com/telemdb/telemdb/engine/kernel"
)

// Partial is what rows of one input come to, an entry for each of the groups they belong to: what was accumulated by
// dictionary code, where a state of its own for every row group would cost more than the rows.
type Partial struct {
	Groups   []uint32
	N        []int64         // rows with a value
	Sum      []int64         // if NeedSum and there is no Exact
	Exact    []kernel.IntSum // sums that need not fit an int64; empty: Sum has them
	Min, Max []int64         // if NeedMin and NeedMax; of entries with rows
	Squares  []int64         // if NeedSquares: the sum of x*x
	Div      float64         // if NeedDecimals: Sum, Min and Max are of the values times Div
}

// Needs tells which slices of a Partial an aggregate looks at, beside N.
type Needs uint8

// The parts of a Partial.
const (
	NeedSum Needs = 1 << iota
	NeedMin
	NeedMax
	NeedSquares
	NeedDecimals // the values are floats, of which there are partials only where they are decimals (column.Decimals)
)

// Summed is a State that takes partials: those whose result depends on nothing but them.
type Summed interface {
	State
	Needs() Needs
	// AddPartial adds entries whose groups have been grown to. It keeps nothing of p.
	AddPartial(p *Partial)
}

func (s *countState) Needs() Needs { return 0 }

func (s *countState) AddPartial(p *Partial) {
	for i, g := range p.Groups {
		s.n[g] += p.N[i]
	}
}

func (s *intSum) Needs() Needs { return NeedSum }

func (s *intSum) AddPartial(p *Partial) {
	if s.added += int64(len(p.Groups)); s.added > carryEvery {
		s.carry()
	}
	for i, x := range p.Exact {
		s.add(p.Groups[i], x)
	}
	if len(p.Exact) > 0 {
		return
	}
	for i, g := range p.Groups {
		x := p.Sum[i]
		s.add(g, kernel.IntSum{Hi: x >> 32, Lo: uint64(uint32(x)), N: p.N[i]})
	}
}

func (s *floatSum) Needs() Needs { return NeedSum | NeedDecimals }

// AddPartial adds sums of decimals. Each is exact, and rounded when it is divided.
func (s *floatSum) AddPartial(p *Partial) {
	for i, g := range p.Groups {
		if p.N[i] == 0 {
			continue
		}
		x := 0.0
		if len(p.Exact) > 0 {
			e := &p.Exact[i]
			x = float64(e.Hi<<32+int64(e.Lo)) / p.Div
		} else {
			x = float64(p.Sum[i]) / p.Div
		}
		s.add(g, x, 0)
		s.n[g] += p.N[i]
	}
}

func (s *floatExtreme) Needs() Needs {
	if s.sign > 0 {
		return NeedMax | NeedDecimals
	}
	return NeedMin | NeedDecimals
}

// AddPartial adds bounds of decimals: none is NaN or a negative zero, so of equal values it matters not which came first.
func (s *floatExtreme) AddPartial(p *Partial) {
	xs := p.Min
	if s.sign > 0 {
		xs = p.Max
	}
	for i, g := range p.Groups {
		if p.N[i] > 0 {
			s.add(g, float64(xs[i])/p.Div)
		}
	}
}

func (s *intExtreme) Needs() Needs {
	if s.most {
		return NeedMax
	}
	return NeedMin
}

func (s *intExtreme) AddPartial(p *Partial) {
	xs := p.Min
	if s.most {
		xs = p.Max
	}
	for i, g := range p.Groups {
		if p.N[i] > 0 {
			s.add(g, xs[i])
		}
	}
}

func (s *intVariance) Needs() Needs { return NeedSum | NeedSquares }

func (s *intVariance) AddPartial(p *Partial) {
	for i, g := range p.Groups {
		q := &s.sq[g]
		var c uint64
		q[0], c = bits.Add64(q[0], uint64(p.Squares[i]), 0)
		q[1], c = bits.Add64(q[1], 0, c)
		q[2] += c
	}
	s.sum.AddPartial(p)
}

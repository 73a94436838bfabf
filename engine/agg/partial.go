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
}

// Needs tells which slices of a Partial an aggregate looks at, beside N.
type Needs uint8

// The parts of a Partial.
const (
	NeedSum Needs = 1 << iota
	NeedMin
	NeedMax
	NeedSquares
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

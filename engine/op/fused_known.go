package op

import (
	"math"
	"slices"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/storage/column"
)

// Some row groups are aggregated without a look at their rows one by one: where the filter is a range of the one column
// that is summed, filtering and adding up is one pass over its encoded form; and where all rows of a row group belong to
// one group, what its statistics tell is taken from there: how many rows have a value, what the least and the greatest are.

// ranged is an aggregation of one column by its own range.
type ranged struct {
	col    int // -1: it is none
	lo, hi int64
}

// rangeOf sees whether the aggregation only sums and counts, without keys, one column of integers, which is all that the
// filter looks at.
func (f *fused) rangeOf(s *scan.Scan, filters int) ranged {
	if len(f.keys) > 0 || filters == 0 || slices.ContainsFunc(f.calls, func(c fusedCall) bool { return c.measure < 0 }) {
		return ranged{col: -1}
	}
	for c := range f.read {
		lo, hi, ok := s.RangeOf(c)
		if ok && !slices.ContainsFunc(f.measures, func(m measure) bool { return !m.within(c) }) {
			return ranged{c, lo, hi}
		}
	}
	return ranged{col: -1}
}

// within reports whether the measure is known from the sum and the number of column c's values.
func (m *measure) within(c int) bool {
	return m.filter < 0 && m.needs&^agg.NeedSum == 0 && (m.e == nil || m.col == c)
}

// addRange does row group i by the range; false if it is to be read.
func (x *fusedWorker) addRange(i int) (rows int, done bool, err error) {
	r := &x.f.ranged
	if r.col < 0 {
		return 0, false, nil
	}
	s, ok, err := x.scan.SumRange(i, r.col, r.lo, r.hi)
	if !ok || err != nil {
		return 0, false, err
	}
	if s.N == 0 {
		return 0, true, nil
	}
	x.f.stats.Range.Add(1)
	x.group, x.index.n = rowGroup{alive: s.N}, 1
	x.total.fill(1, int64(s.N))
	x.counts = x.total.t
	if err := x.name(); err != nil {
		return 0, true, err
	}
	for k := range x.sums {
		m := &x.sums[k]
		m.own, m.told, m.exact = false, true, exactSum(s)
		m.derived, m.idle, m.gapped, m.rows = false, len(m.calls) == 0, false, false
		if m.settle(x); !m.idle {
			m.give(x)
		}
	}
	return s.N, true, nil
}

// exactSum carries, so that the halves of many sums can be added.
func exactSum(s column.IntSum) kernel.IntSum {
	return kernel.IntSum{Hi: s.Hi + int64(s.Lo>>32), Lo: uint64(uint32(s.Lo)), N: int64(s.N)}
}

// known finds, for a row group whose rows all belong to one group, what the measure comes to without reading its rows; false
// if it has to be read.
func (m *measureState) known(x *fusedWorker, col column.Column, s *column.Stats) bool {
	if x.group.sel != nil || x.index.n != 1 || m.filter >= 0 || m.needs&agg.NeedSquares != 0 {
		return false
	}
	if m.needs&(agg.NeedMin|agg.NeedMax) != 0 && s.Present > 0 && !m.bounded {
		return false
	}
	if m.needs&agg.NeedSum != 0 {
		sum, ok, err := m.sumOf(col)
		if !ok || err != nil || sum.N != s.Present { // an error comes again where the rows are read
			return false
		}
		m.exact = exactSum(sum)
	}
	m.n.fill(1, int64(s.Present))
	if m.needs&agg.NeedMin != 0 {
		m.lo.fill(1, s.MinI)
	}
	if m.needs&agg.NeedMax != 0 {
		m.hi.fill(1, s.MaxI)
	}
	return true
}

// sumOf adds up all values in their encoded form.
func (m *measureState) sumOf(col column.Column) (s column.IntSum, ok bool, err error) {
	if m.decimals != nil {
		return m.decimals.SumDecimals()
	}
	c, ok := col.(column.Summer)
	if !ok {
		return s, false, nil
	}
	return c.SumRange(math.MinInt64, math.MaxInt64)
}

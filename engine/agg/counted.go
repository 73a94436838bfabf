package agg

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// Values of which there are many more than different ones are counted instead of kept: integers, or decimals by their integers,
// whose range is not too wide. A position in their order is then found by adding up.

// countPage is counts of so many neighbouring values.
type countPage [1 << countPageBits]uint32

const (
	countPageBits = 12
	countRange    = 1 << 23 // the widest range of values that are counted
	countGroups   = 64      // the most groups of which they are
)

// countedWords is values of groups, as integers over div.
type countedWords struct {
	div    float64 // 0: the values are integers
	groups []countedGroup
	pages  int
}

// countedGroup is a group's values. Those of page i begin with (low+i) << countPageBits.
type countedGroup struct {
	n     int
	low   int64
	pages []*countPage
}

// cover makes room for the pages of values [lo, hi].
func (g *countedGroup) cover(lo, hi int64) {
	lo, hi = lo>>countPageBits, hi>>countPageBits
	if len(g.pages) > 0 {
		if lo >= g.low && hi < g.low+int64(len(g.pages)) {
			return
		}
		lo, hi = min(lo, g.low), max(hi, g.low+int64(len(g.pages))-1)
	}
	pages := make([]*countPage, hi-lo+1)
	copy(pages[max(g.low-lo, 0):], g.pages) // no pages: low is of no meaning, and nothing is copied
	g.low, g.pages = lo, pages
}

func (c *countedWords) add(g uint32, x int64) {
	t := &c.groups[g]
	t.n++
	p := &t.pages[x>>countPageBits-t.low]
	if *p == nil {
		*p = new(countPage)
		c.pages++
	}
	(*p)[x&(1<<countPageBits-1)]++
}

// merge adds group g of o, which is not used afterwards.
func (c *countedWords) merge(g uint32, o *countedGroup) {
	if o.n == 0 {
		return
	}
	t := &c.groups[g]
	t.cover(o.low<<countPageBits, (o.low+int64(len(o.pages))-1)<<countPageBits)
	t.n += o.n
	for i, p := range o.pages {
		if p == nil {
			continue
		}
		to := &t.pages[o.low+int64(i)-t.low]
		if *to == nil {
			*to = p
			c.pages++
			continue
		}
		for k, n := range p {
			(*to)[k] += n
		}
	}
}

// each calls f for the values that occur, in their order, with how often they do, until it returns false.
func (g *countedGroup) each(f func(x int64, n int) bool) {
	for i, p := range g.pages {
		if p == nil {
			continue
		}
		for k, n := range p {
			if n > 0 && !f((g.low+int64(i))<<countPageBits+int64(k), int(n)) {
				return
			}
		}
	}
}

// word is the word of a counted value.
func (c *countedWords) word(x int64) int64 {
	if c.div == 0 {
		return x
	}
	return floatWord(float64(x) / c.div)
}

// expand returns a group's words, in their order.
func (c *countedWords) expand(g *countedGroup) []int64 {
	out := make([]int64, 0, g.n)
	g.each(func(x int64, n int) bool {
		w := c.word(x)
		for range n {
			out = append(out, w)
		}
		return true
	})
	return out
}

func (c *countedWords) empty() bool { return c.pages == 0 }

func (c *countedWords) bytes() int64 {
	return int64(c.pages)*4<<countPageBits + int64(cap(c.groups))*40
}

// Counted is a State that may count values instead of taking rows.
type Counted interface {
	State
	// Counts reports whether AddCounted takes values within [lo, hi] over div (0: integers) of so many groups of the state.
	Counts(lo, hi int64, div float64, groups int) bool
	// AddCounted is Add for values given as integers, of which those of in.Sel are added. lo and hi are their bounds. Of in's
	// vectors only the fractions are looked at. ok is false if the rows have to be added instead.
	AddCounted(in *Input, xs []int64, lo, hi int64, div float64) (ok bool)
}

// Counts implements Counted.
func (s *rankedState) Counts(lo, hi int64, div float64, groups int) bool {
	c := &s.counted
	const exact = 1 << 53 // integers up to it are floats
	if div != 0 && (lo < -exact || hi > exact) {
		return false
	}
	return s.general == nil && groups <= countGroups && lo <= hi && uint64(hi)-uint64(lo) < countRange &&
		lo > math.MinInt64/2 && hi < math.MaxInt64/2 && s.float == (div != 0) && (c.empty() || c.div == div)
}

// AddCounted implements Counted.
func (s *rankedState) AddCounted(in *Input, xs []int64, lo, hi int64, div float64) (ok bool) {
	c := &s.counted
	c.groups = grown(c.groups, s.n)
	for g := range c.groups {
		t := &c.groups[g]
		if t.n > math.MaxUint32-in.N || len(t.pages) > 2*countRange>>countPageBits {
			return false // a count must fit its page
		}
	}
	if s.direct && !s.sameFraction(in.Args[0]) {
		return false
	}
	c.div = div
	if in.Groups == nil {
		c.groups[in.One].cover(lo, hi)
		c.addRun(in.One, xs[:in.N], in.Sel)
		return true
	}
	for g := range c.groups {
		c.groups[g].cover(lo, hi)
	}
	if in.Sel == nil {
		for i, x := range xs[:in.N] {
			c.add(in.Groups[i], x)
		}
		return true
	}
	for w, m := range in.Sel {
		for ; m != 0; m &= m - 1 {
			i := w<<6 + bits.TrailingZeros64(m)
			c.add(in.Groups[i], xs[i])
		}
	}
	return true
}

// addRun counts the selected values of one group.
func (c *countedWords) addRun(g uint32, xs []int64, sel []uint64) {
	if sel == nil {
		for _, x := range xs {
			c.add(g, x)
		}
		return
	}
	for w, m := range sel {
		for ; m != 0; m &= m - 1 {
			c.add(g, xs[w<<6+bits.TrailingZeros64(m)])
		}
	}
}

// mergeCounted adds the counted groups of p. If they are over something else they become words.
func (s *rankedState) mergeCounted(p *rankedState, from, to []uint32) {
	o := &p.counted
	if o.empty() {
		return
	}
	c := &s.counted
	same := c.empty() || c.div == o.div
	if same {
		c.div = o.div
		c.groups = grown(c.groups, s.n)
	}
	for k, t := range to {
		g := source(from, k)
		switch {
		case g >= len(o.groups):
		case same && c.fits(t, &o.groups[g]):
			c.merge(t, &o.groups[g])
		default:
			s.words.addRun(o.expand(&o.groups[g]), t)
		}
	}
}

// fits reports whether a group may be added to group g.
func (c *countedWords) fits(g uint32, o *countedGroup) bool {
	t := &c.groups[g]
	if t.n > math.MaxUint32-o.n {
		return false
	}
	end := max(t.low+int64(len(t.pages)), o.low+int64(len(o.pages)))
	return len(t.pages) == 0 || end-min(t.low, o.low) <= 8*countRange>>countPageBits
}

// settle leaves the values in one form: few words are counted if they can be, else what was counted becomes words.
func (s *rankedState) settle() {
	c, x := &s.counted, &s.words
	if c.empty() || len(x.words) == 0 {
		return
	}
	c.groups = grown(c.groups, s.n)
	if s.countWords() {
		*x = groupedWords{}
		return
	}
	for g := range c.groups {
		if t := &c.groups[g]; t.n > 0 {
			x.addRun(c.expand(t), uint32(g))
		}
	}
	*c = countedWords{}
}

// countWords counts all words; false, nothing being counted, if some cannot be, or they are many.
func (s *rankedState) countWords() bool {
	c, x := &s.counted, &s.words
	if len(x.words)*4 > c.pages<<countPageBits {
		return false
	}
	vals := make([]int64, len(x.words))
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for i, w := range x.words {
		v := w
		if c.div != 0 {
			f := wordFloat(w)
			if !(math.Abs(f*c.div) < 1<<53) {
				return false
			}
			v = int64(math.RoundToEven(f * c.div))
			if math.Float64bits(float64(v)/c.div) != math.Float64bits(f) {
				return false
			}
		}
		vals[i] = v
		lo, hi = min(lo, v), max(hi, v)
	}
	for g := range c.groups {
		if t := &c.groups[g]; len(t.pages) > 0 {
			lo, hi = min(lo, t.low<<countPageBits), max(hi, (t.low+int64(len(t.pages)))<<countPageBits-1)
		}
	}
	if uint64(hi)-uint64(lo) >= 8*countRange {
		return false
	}
	for g := range c.groups {
		if c.groups[g].n > math.MaxUint32-len(vals) {
			return false
		}
	}
	for i, v := range vals {
		g := x.one
		if x.groups != nil {
			g = x.groups[i]
		}
		if t := &c.groups[g]; v>>countPageBits < t.low || v>>countPageBits >= t.low+int64(len(t.pages)) {
			t.cover(lo, hi)
		}
		c.add(g, v)
	}
	return true
}

// findCounted is find among the values of a counted group.
func (x *selection) findCounted(s *rankedState, g *countedGroup) {
	if len(x.ranks) == 0 {
		return
	}
	if s.desc {
		x.mirror(g.n)
	}
	x.order = x.order[:0]
	for k := range x.ranks {
		x.order = append(x.order, uint32(k))
	}
	slices.SortFunc(x.order, func(a, b uint32) int { return cmp.Compare(x.ranks[a].at, x.ranks[b].at) })
	end, k := 0, 0
	g.each(func(v int64, n int) bool {
		for end += n; k < len(x.order) && x.ranks[x.order[k]].at < end; k++ {
			x.ranks[x.order[k]].value = s.counted.word(v)
		}
		return k < len(x.order)
	})
}

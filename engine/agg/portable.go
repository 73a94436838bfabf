package agg

// Portable is a Summed whose groups can leave it as entries of a Partial: what it holds of a group, given to AddPartial of a
// state of the same call, makes it hold the same.
type Portable interface {
	Summed
	// Partials writes what groups from, from+1, … hold to p's N, and of the other slices to those that Needs names, the sums to
	// Exact. N has their number of entries, and the others have room for as many.
	Partials(from int, p *Partial)
	// Reset forgets all groups, and keeps their room: what it holds then is what a new state holds.
	Reset()
}

// forgotten returns s without entries. What grown makes of it is zero, as entries behind the length always are.
func forgotten[T any](s []T) []T {
	clear(s)
	return s[:0]
}

// Reset implements Portable.
func (s *countState) Reset() { s.n = forgotten(s.n) }

// Reset implements Portable.
func (s *intSum) Reset() { s.sums, s.added = forgotten(s.sums), 0 }

// Reset implements Portable.
func (s *intExtreme) Reset() { s.val, s.seen = forgotten(s.val), forgotten(s.seen) }

// Partials implements Portable.
func (s *countState) Partials(from int, p *Partial) { copy(p.N, s.n[from:]) }

// Partials implements Portable.
func (s *intSum) Partials(from int, p *Partial) {
	s.carry()
	copy(p.Exact, s.sums[from:from+len(p.N)])
	for i := range p.N {
		p.N[i] = s.sums[from+i].N
	}
}

// Partials implements Portable. N is 1 where there are values.
func (s *intExtreme) Partials(from int, p *Partial) {
	xs := p.Min
	if s.most {
		xs = p.Max
	}
	copy(xs[:len(p.N)], s.val[from:])
	for i := range p.N {
		p.N[i] = 0
		if s.seen.Get(from + i) {
			p.N[i] = 1
		}
	}
}

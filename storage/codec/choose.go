package codec

import "math"

// State is what an encoder remembers of a column from one row group to the next: whoever writes the groups owns one for
// each column and hands it in with each of them, in order. The zero value remembers nothing. With a state, the bytes of a
// group depend on the groups before it.
type State struct {
	enc      uint8
	left     uint8    // groups until all encodings are tried again; 0: the next one
	perValue float64  // bytes a value took when they were tried
	syms     []symbol // encFSST, encStems: the table that was found then
	depth    int      // encStems
}

// When a remembered choice is tried against the others again (engine.md 4.4).
const (
	retryGroups  = 8
	driftPercent = 20
)

// remembered returns the choice of the last group, if it still stands.
func (s *State) remembered() (enc uint8, ok bool) {
	if s == nil || s.left == 0 {
		return 0, false
	}
	return s.enc, true
}

// holds reports whether a group of n values that took size bytes is like those before it.
func (s *State) holds(size, n int) bool {
	per := float64(size) / float64(n)
	if math.Abs(per-s.perValue)*100 > driftPercent*s.perValue {
		return false
	}
	s.left--
	return true
}

// keep remembers a choice made among all encodings.
func (s *State) keep(enc uint8, size, n int) {
	if s != nil {
		*s = State{enc: enc, left: retryGroups - 1, perValue: float64(size) / float64(n), syms: s.syms, depth: s.depth}
	}
}

// keepSymbols remembers a table. It is not changed afterwards.
func (s *State) keepSymbols(syms []symbol) {
	if s != nil {
		s.syms = syms
	}
}

// lastDepth returns how many separators the stems went through when there were some last.
func (s *State) lastDepth() (depth int, ok bool) {
	if s == nil || s.enc != encStems {
		return 0, false
	}
	return s.depth, true
}

func (s *State) keepDepth(depth int) {
	if s != nil {
		s.depth = depth
	}
}

// Penalties in percent of forms other than integer streams (see those): what reading them from memory costs.
const (
	penaltyALP   = 15
	penaltyRatio = 30
	penaltyTime  = 15
	penaltyFSST  = 30
	penaltyZstd  = 300
)

// contest picks the encoding with the smallest score. Candidates come in, the simpler ones first, and each must gain 15 %
// over the best before it.
type contest struct {
	enc   uint8
	size  int
	score int
}

func (c *contest) offer(enc uint8, size, penalty int) bool {
	score := penalised(size, penalty)
	if c.score != 0 && !worthIt(score, c.score) {
		return false
	}
	*c = contest{enc, size, score}
	return true
}

package column

import (
	"bytes"
	"cmp"
	"math"
	"sort"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Verdict is what is known of a predicate over a set of rows.
type Verdict uint8

// The verdicts.
const (
	Some Verdict = iota // the values have to be looked at
	None                // no row passes
	All                 // every row passes
)

// dictJudged is the largest dictionary that Judge tests value by value.
const dictJudged = 1 << 12

// Judge decides the predicate by presence, bounds and distinct values. It is Some for OpMatch.
func (p *Pred) Judge(st *Stats) Verdict {
	if st.Present == 0 {
		return None
	}
	if p.Op == OpPresent {
		if st.Present == st.Rows {
			return All
		}
		return Some
	}
	if p.Op == OpMatch {
		return Some
	}
	v := byBounds(p, st)
	if v == All && st.Present < st.Rows {
		v = Some
	}
	if v != Some || st.Dict == nil || st.Dict.N == 0 || st.Dict.N > dictJudged {
		return v
	}
	sel := vec.MakeBitmap(st.Dict.N)
	sel.Fill(st.Dict.N)
	if p.Apply(st.Dict, sel) != nil {
		return Some
	}
	switch n := sel.Count(); {
	case n == 0:
		return None
	case n == st.Dict.N && st.Present == st.Rows:
		return All
	}
	return Some
}

func byBounds(p *Pred, st *Stats) Verdict {
	if !st.Bounded {
		return Some
	}
	if p.Op == OpIn {
		return inBounds(p, st)
	}
	var lo, hi int // signs of least - constant and greatest - constant
	exact := true
	switch p.Leaf {
	case types.LeafBool, types.LeafInt:
		lo, hi = cmp.Compare(st.MinI, p.I), cmp.Compare(st.MaxI, p.I)
	case types.LeafFloat:
		lo, hi = CompareFloat(st.MinF, p.F), CompareFloat(st.MaxF, p.F)
		if st.HasNaN {
			hi = CompareFloat(math.NaN(), p.F)
			exact = false
		}
	case types.LeafText:
		lo, hi = bytes.Compare(st.MinB, p.B), bytes.Compare(st.MaxB, p.B)
		exact = false
	default:
		return Some
	}
	return byRange(p.Op, lo, hi, exact)
}

// byRange decides op for values between two bounds whose comparisons with the constant are lo and hi.
func byRange(op Op, lo, hi int, exact bool) Verdict {
	switch op {
	case OpEq:
		switch {
		case lo > 0 || hi < 0:
			return None
		case exact && lo == 0 && hi == 0:
			return All
		}
	case OpNe:
		switch {
		case lo > 0 || hi < 0:
			return All
		case exact && lo == 0 && hi == 0:
			return None
		}
	case OpLt:
		return within(lo >= 0, hi < 0)
	case OpLe:
		return within(lo > 0, hi <= 0)
	case OpGt:
		return within(hi <= 0, lo > 0)
	case OpGe:
		return within(hi < 0, lo >= 0)
	}
	return Some
}

func within(isNone, isAll bool) Verdict {
	switch {
	case isNone:
		return None
	case isAll:
		return All
	}
	return Some
}

// inBounds is None if no item of the list lies within the bounds.
func inBounds(p *Pred, st *Stats) Verdict {
	l := p.List
	var from int
	switch p.Leaf {
	case types.LeafInt:
		from = sort.Search(l.N, func(k int) bool { return l.I64[k] >= st.MinI })
		if from < l.N && l.I64[from] <= st.MaxI {
			return Some
		}
	case types.LeafFloat:
		from = sort.Search(l.N, func(k int) bool { return CompareFloat(l.F64[k], st.MinF) >= 0 })
		if st.HasNaN || (from < l.N && CompareFloat(l.F64[from], st.MaxF) <= 0) {
			return Some
		}
	case types.LeafText:
		from = sort.Search(l.N, func(k int) bool { return bytes.Compare(l.Bytes(k), st.MinB) >= 0 })
		if from < l.N && bytes.Compare(l.Bytes(from), st.MaxB) <= 0 {
			return Some
		}
	default:
		return Some
	}
	return None
}

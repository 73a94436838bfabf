package bind

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/storage/types"
)

// candidate is one overload. Exactly one of fn, agg, set and win is there.
type candidate struct {
	args   []types.Type // as many as there are arguments: a variadic one is spread
	spread bool
	ret    types.Type
	fn     *expr.Func
	agg    *plan.AggFunc
	set    *plan.TableFunc
	win    *plan.WindowFunc
}

// fit spreads a variadic signature over n arguments; ok is false if the count does not fit.
func fit(args []types.Type, variadic bool, n int) (out []types.Type, ok bool) {
	if !variadic {
		return args, len(args) == n
	}
	if n < len(args)-1 || len(args) == 0 {
		return nil, false
	}
	out = append(out, args[:len(args)-1]...)
	for len(out) < n {
		out = append(out, args[len(args)-1])
	}
	return out, true
}

// choose picks the overload by PostgreSQL's rules. It returns nil for none; many is set if several remain.
func choose(cands []candidate, args []types.Type) (best *candidate, many bool) {
	for i := range cands {
		if exactMatch(cands[i].args, args) {
			return &cands[i], false
		}
	}
	var alive []candidate
	for _, c := range cands {
		if viable(c.args, args) {
			alive = append(alive, c)
		}
	}
	if len(alive) > 1 {
		alive = keepBest(alive, func(c candidate) int { return countExact(c.args, args) })
	}
	if len(alive) > 1 {
		alive = keepBest(alive, func(c candidate) int { return countPreferred(c.args, args) })
	}
	if len(alive) > 1 {
		alive = byUnknownCategory(alive, args)
	}
	if len(alive) > 1 {
		alive = byKnownType(alive, args)
	}
	switch len(alive) {
	case 0:
		return nil, false
	case 1:
		return &alive[0], false
	}
	return nil, true
}

func exactMatch(want, have []types.Type) bool {
	for i := range want {
		if have[i].Kind == types.Unknown || !sameType(want[i], have[i]) {
			return false
		}
	}
	return len(want) == len(have)
}

func viable(want, have []types.Type) bool {
	for i := range want {
		if !canCoerce(have[i], want[i], builtin.Implicit) {
			return false
		}
	}
	return true
}

func keepBest(cs []candidate, score func(candidate) int) []candidate {
	best := -1
	var out []candidate
	for _, c := range cs {
		s := score(c)
		if s > best {
			best, out = s, out[:0]
		}
		if s == best {
			out = append(out, c)
		}
	}
	return out
}

func countExact(want, have []types.Type) int {
	n := 0
	for i := range want {
		if have[i].Kind != types.Unknown && sameType(want[i], have[i]) {
			n++
		}
	}
	return n
}

func countPreferred(want, have []types.Type) int {
	n := 0
	for i := range want {
		if have[i].Kind == types.Unknown {
			continue
		}
		if sameType(want[i], have[i]) || datum.Preferred(want[i]) && datum.Category(want[i]) == datum.Category(have[i]) {
			n++
		}
	}
	return n
}

// byUnknownCategory decides the category each untyped argument should have: string if any candidate takes a string,
// else the category all agree on; then it drops candidates that do not take it, and those that take a non-preferred
// type where another takes the preferred one.
func byUnknownCategory(cs []candidate, have []types.Type) []candidate {
	type slot struct {
		cat       byte
		preferred bool
	}
	slots := make([]slot, len(have))
	for i, h := range have {
		if h.Kind != types.Unknown {
			continue
		}
		s, conflict := slot{}, false
		for _, c := range cs {
			cat, pref := datum.Category(c.args[i]), datum.Preferred(c.args[i])
			switch {
			case s.cat == 0:
				s = slot{cat, pref}
			case s.cat == cat:
				s.preferred = s.preferred || pref
			case cat == 'S':
				s = slot{cat, pref}
				conflict = false
			case s.cat != 'S':
				conflict = true
			}
		}
		if conflict {
			return cs
		}
		slots[i] = s
	}
	var out []candidate
	for _, c := range cs {
		keep := true
		for i, s := range slots {
			if s.cat == 0 {
				continue
			}
			if datum.Category(c.args[i]) != s.cat || s.preferred && !datum.Preferred(c.args[i]) {
				keep = false
			}
		}
		if keep {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return cs
	}
	return out
}

// byKnownType assumes untyped arguments to have the type of the typed ones, if those all have the same.
func byKnownType(cs []candidate, have []types.Type) []candidate {
	known := unknown
	anyUnknown := false
	for _, h := range have {
		if h.Kind == types.Unknown {
			anyUnknown = true
			continue
		}
		if known.Kind != types.Unknown && !sameType(known, h) {
			return cs
		}
		known = h
	}
	if !anyUnknown || known.Kind == types.Unknown {
		return cs
	}
	all := make([]types.Type, len(have))
	for i := range all {
		all[i] = known
	}
	var out []candidate
	for _, c := range cs {
		if viable(c.args, all) {
			out = append(out, c)
		}
	}
	if len(out) == 1 {
		return out
	}
	return cs
}

// settle coerces the arguments to a chosen overload and works out polymorphic types.
func (b *binder) settle(c *candidate, args []expr.Expr, pos int) ([]expr.Expr, types.Type, error) {
	elem, err := polyElem(c.args, args, pos)
	if err != nil {
		return nil, types.Type{}, err
	}
	out := make([]expr.Expr, len(args))
	for i, a := range args {
		want := c.args[i]
		switch want.Kind {
		case types.Any:
			out[i] = b.known(a)
			continue
		case types.AnyElement:
			want = elem
		case types.AnyArray:
			if _, ok := datum.ElemOf(a.Type()); ok && a.Type().Kind != types.Array {
				out[i] = a // int2vector and oidvector are read as the arrays they are
				continue
			}
			want = arrayOf(elem)
		}
		p := pos
		if ap, ok := b.pos[a]; ok && ap > 0 {
			p = ap
		}
		x, err := b.must(a, want, builtin.Implicit, p, func() error {
			return sqlstate.New(sqlstate.DatatypeMismatch, "an argument of type %s cannot be given as %s", typeName(a.Type()), typeName(want))
		})
		if err != nil {
			return nil, types.Type{}, err
		}
		out[i] = x
	}
	return out, polyType(c.ret, elem), nil
}

func arrayOf(t types.Type) types.Type { return types.ArrayOf(t.Kind) }

// polyElem finds the element type polymorphic arguments agree on.
func polyElem(want []types.Type, args []expr.Expr, pos int) (types.Type, error) {
	var ts []types.Type
	poly := false
	for i, w := range want {
		t := args[i].Type()
		switch w.Kind {
		case types.AnyElement:
			poly = true
			ts = append(ts, t)
		case types.AnyArray:
			poly = true
			if e, ok := datum.ElemOf(t); ok {
				ts = append(ts, types.Of(e))
			}
		}
	}
	if !poly {
		return types.Type{}, nil
	}
	if len(ts) == 0 {
		return text, sqlstate.New(sqlstate.DatatypeMismatch, "could not determine polymorphic type because input has type unknown").At(pos)
	}
	t, err := commonType(ts, "arguments declared \"anycompatible\":", pos)
	t.Mod = 0
	return t, err
}

func polyType(t, elem types.Type) types.Type {
	switch t.Kind {
	case types.AnyElement:
		return elem
	case types.AnyArray:
		return arrayOf(elem)
	case types.Any:
		return text
	}
	return t
}

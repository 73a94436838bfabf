package bind

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/storage/types"
)

// commonType is the type values of several types unify to, as in UNION, CASE and VALUES; what names the construct. at
// gives the position of each, or is nil.
func commonType(ts []types.Type, what string, pos int, at ...int) (types.Type, error) {
	pick := unknown
	for i, t := range ts {
		if i < len(at) && at[i] > 0 {
			pos = at[i]
		}
		if t.Kind == types.Unknown {
			continue
		}
		switch {
		case pick.Kind == types.Unknown:
			pick = t
		case sameType(pick, t):
			if pick.Mod != t.Mod {
				pick.Mod = 0
			}
		case datum.Category(pick) != datum.Category(t):
			return pick, sqlstate.New(sqlstate.DatatypeMismatch, "%s types %s and %s cannot be matched", what, typeName(pick), typeName(t)).At(pos)
		case datum.Preferred(pick):
			pick.Mod = 0
		case canCoerce(pick, t, builtin.Implicit) && !canCoerce(t, pick, builtin.Implicit):
			pick = t
			pick.Mod = 0
		default:
			pick.Mod = 0
		}
	}
	if pick.Kind == types.Unknown {
		return text, nil
	}
	return pick, nil
}

// unify coerces expressions to their common type, in place.
func (b *binder) unify(es []expr.Expr, what string, pos int) (types.Type, error) {
	ts := make([]types.Type, len(es))
	at := make([]int, len(es))
	for i, e := range es {
		ts[i], at[i] = e.Type(), b.pos[e]
	}
	t, err := commonType(ts, what, pos, at...)
	if err != nil {
		return t, err
	}
	for i, e := range es {
		x, err := b.must(e, t, builtin.Implicit, pos, func() error {
			return sqlstate.New(sqlstate.CannotCoerce, "%s could not convert type %s to %s", what, typeName(e.Type()), typeName(t))
		})
		if err != nil {
			return t, err
		}
		es[i] = x
	}
	return t, nil
}

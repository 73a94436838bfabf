package bind

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// leafOp makes a path of a jsonb operator with a constant key, so that a scan can read the one leaf it names. It
// returns nil for anything else.
//
// A text key that could be an array index stays a call: on an array -> '0' is NULL where the path step {0} is not. The
// same holds for an integer key, which is never a member of an object.
func leafOp(op string, args []expr.Expr) *expr.Leaf {
	if len(args) != 2 || args[0].Type().Kind != types.JSONB {
		return nil
	}
	k, ok := args[1].(*expr.Const)
	if !ok || k.V.Null(0) {
		return nil
	}
	var steps []string
	switch op {
	case "->", "->>":
		if k.V.Type.Kind != types.Text {
			return nil
		}
		step := string(k.V.Bytes(0))
		if looksLikeIndex(step) {
			return nil
		}
		steps = []string{step}
	case "#>", "#>>":
		if steps, ok = textArray(k.V); !ok || len(steps) == 0 {
			return nil
		}
	default:
		return nil
	}
	asText := op == "->>" || op == "#>>"
	t := types.Of(types.JSONB)
	if asText {
		t = text
	}
	if l, ok := args[0].(*expr.Leaf); ok && !l.AsText && l.T.Kind == types.JSONB {
		return &expr.Leaf{Base: l.Base, Path: append(append([]string(nil), l.Path...), steps...), AsText: asText, T: t}
	}
	return &expr.Leaf{Base: args[0], Path: steps, AsText: asText, T: t}
}

func looksLikeIndex(s string) bool {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	if s == "" {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// textArray returns the elements of a constant text[] without NULLs.
func textArray(v *vec.Vector) ([]string, bool) {
	if v.Type.Kind != types.Array || v.Type.Elem != types.Text {
		return nil, false
	}
	elems := &vec.Vector{}
	elems.Reset(text)
	if err := arrayElems(v, 0, elems); err != nil {
		return nil, false
	}
	out := make([]string, elems.N)
	for i := range out {
		if elems.Null(i) {
			return nil, false
		}
		out[i] = string(elems.Bytes(i))
	}
	return out, true
}

// leafCast pulls a cast into a leaf: the scan then reads the typed column. It returns nil if e is no leaf, the cast is
// not one a leaf can stand for, or the context does not allow it.
func leafCast(e expr.Expr, t types.Type, cc builtin.CastContext) expr.Expr {
	l, ok := e.(*expr.Leaf)
	if !ok || cc != builtin.Explicit || t.Mod != 0 {
		return nil
	}
	plain := types.Of(types.JSONB)
	if l.AsText {
		plain = text
	}
	if l.T != plain || t == plain {
		return nil
	}
	switch t.Kind {
	case types.Int32, types.Int64, types.Float64, types.Numeric, types.Bool, types.Text, types.Histogram:
		c := *l
		c.T = t
		return &c
	}
	return nil
}

// arrayElems appends the elements of row i of an array vector to out.
func arrayElems(v *vec.Vector, i int, out *vec.Vector) error {
	elem, _ := datum.ElemOf(v.Type)
	return datum.DecodeArray(elem, v.Bytes(i), out)
}

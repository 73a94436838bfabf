package opt

import (
	"slices"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// outlines rewrites questions about what a stored jsonb value is or contains, so that a scan answers them without putting
// the value together:
//
//	v IS NULL, count(v), jsonb_typeof(v)   look at v's outline: an object without its members
//	v ? 'k'                                looks at v's outline, for strings and arrays, or at whether v -> 'k' is there
//	v ?| …, v ?& …                         the same for each key
//	v @> '{"a": {"b": 1}}'                 looks at v -> 'a' -> 'b' only
//
// where v is a jsonb column of a scan, or a member of one.
func outlines(n plan.Node) plan.Node {
	n = tree.Children(n, func(c plan.Node, _ bool) plan.Node { return outlines(c) })
	o := outliner{in: n.Inputs()}
	switch n := n.(type) {
	case *plan.Scan:
		o.scan = n
		c := *n
		c.Filter = o.conditions(n.Filter)
		return &c
	case *plan.Filter:
		return &plan.Filter{In: n.In, Cond: tree.And(o.conditions(tree.Conjuncts(n.Cond, nil)))}
	case *plan.Agg:
		c := tree.Own(n, 0, o.one).(*plan.Agg)
		for i := range c.Aggs { // Own has copied them
			a := &c.Aggs[i]
			if a.Fn.Name == "count" && len(a.Args) == 1 && !a.Distinct {
				if v, ok := o.value(a.Args[0]); ok {
					a.Args = []expr.Expr{v.outline()}
				}
			}
		}
		return c
	}
	return tree.Own(n, 0, o.one)
}

// outliner rewrites the expressions of one node.
type outliner struct {
	scan *plan.Scan // the node itself, or
	in   []plan.Node
}

// jsonValue is a stored jsonb value: a column of the node's input and keys below it.
type jsonValue struct {
	col  *expr.Col
	path []string
}

func (v jsonValue) at(keys ...string) jsonValue {
	return jsonValue{v.col, append(slices.Clip(v.path), keys...)}
}

func (v jsonValue) outline() expr.Expr {
	return &expr.Leaf{Base: v.col, Path: v.path, T: types.Of(types.JSONB), Outline: true}
}

func (v jsonValue) member() expr.Expr {
	return &expr.Leaf{Base: v.col, Path: v.path, T: types.Of(types.JSONB)}
}

func (v jsonValue) text() expr.Expr {
	return &expr.Leaf{Base: v.col, Path: v.path, AsText: true, T: types.Of(types.Text)}
}

// value recognises a stored jsonb value.
func (o *outliner) value(e expr.Expr) (v jsonValue, ok bool) {
	if e.Type().Kind != types.JSONB {
		return v, false
	}
	switch e := e.(type) {
	case *expr.Col:
		v.col = e
	case *expr.Leaf:
		if v.col, ok = e.Base.(*expr.Col); !ok || e.AsText || e.Outline {
			return v, false
		}
		v.path = e.Path
	default:
		return v, false
	}
	return v, v.col.T.Kind == types.JSONB && o.stored(v.col.Idx)
}

func (o *outliner) stored(i int) bool {
	if o.scan != nil {
		return storedColumn(o.scan, i)
	}
	return storedIn(o.in, i)
}

// storedIn reports whether column i of inputs put behind each other comes from a scan as it is stored.
func storedIn(in []plan.Node, i int) bool {
	for _, n := range in {
		if w := len(n.Cols()); i >= w {
			i -= w
			continue
		}
		return storedColumn(n, i)
	}
	return false
}

func storedColumn(n plan.Node, i int) bool {
	switch n := n.(type) {
	case *plan.Scan:
		c := n.Read[i]
		return c.Type.Kind == types.JSONB && c.Column != types.ColDocument && !c.AsText && !c.Outline
	case *plan.Filter, *plan.Sort, *plan.Limit, *plan.Join, *plan.Apply, *plan.ProjectSet, *plan.Window:
		return storedIn(n.Inputs(), i)
	case *plan.Project:
		switch e := n.Exprs[i].(type) {
		case *expr.Col:
			return storedColumn(n.In, e.Idx)
		case *expr.Leaf:
			c, ok := e.Base.(*expr.Col)
			return ok && !e.AsText && !e.Outline && e.T.Kind == types.JSONB && storedColumn(n.In, c.Idx)
		}
	}
	return false
}

// conditions rewrites conjuncts of a filter, to which NULL is as good as false.
func (o *outliner) conditions(es []expr.Expr) []expr.Expr {
	var out []expr.Expr
	for _, e := range es {
		if c, ok := e.(*expr.Call); ok && c.Fn.Name == "@>" {
			if v, parts := o.contains(c); parts != nil && len(v.path)+len(parts) > 0 {
				out = append(out, parts...)
				continue
			}
		}
		out = append(out, tree.Expr(e, 0, o.one))
	}
	return out
}

// one is a tree.Mapper.
func (o *outliner) one(e expr.Expr, depth int) (expr.Expr, bool) {
	if depth > 0 {
		return nil, false
	}
	switch e := e.(type) {
	case *expr.IsNull:
		if v, ok := o.value(e.Arg); ok {
			return &expr.IsNull{Arg: v.outline(), Negate: e.Negate}, true
		}
	case *expr.Call:
		return o.call(e)
	}
	return nil, false
}

func (o *outliner) call(c *expr.Call) (expr.Expr, bool) {
	if len(c.Args) == 0 {
		return nil, false
	}
	v, ok := o.value(c.Args[0])
	if !ok {
		return nil, false
	}
	switch c.Fn.Name {
	case "jsonb_typeof":
		return onOutline(c, v), true
	case "?":
		if key, ok := constText(c.Args[1]); ok && !isIndex(key) {
			return &expr.Logic{Or: true, Args: []expr.Expr{onOutline(c, v), has(v, key)}}, true
		}
	case "?|", "?&":
		return existsEach(c, v)
	case "@>":
		if v, parts := o.contains(c); parts != nil {
			return strictly(v, parts), true
		}
	}
	return nil, false
}

// onOutline is c with the outline of its first argument.
func onOutline(c *expr.Call, v jsonValue) expr.Expr {
	x := *c
	x.Args = append([]expr.Expr{v.outline()}, c.Args[1:]...)
	return &x
}

// has tells whether v is an object with a member key.
func has(v jsonValue, key string) expr.Expr {
	return &expr.IsNull{Arg: v.at(key).outline(), Negate: true}
}

// keysMax bounds the keys and leaves that one question is taken apart for.
const keysMax = 32

// existsEach rewrites ?| and ?&, for ?& key by key: an object may hold some of its members in one piece and others not.
func existsEach(c *expr.Call, v jsonValue) (expr.Expr, bool) {
	keys, ok := constTexts(c.Args[1])
	if !ok || len(keys) == 0 || len(keys) > keysMax || slices.ContainsFunc(keys, isIndex) {
		return nil, false
	}
	if c.Fn.Name == "?|" {
		some := []expr.Expr{onOutline(c, v)}
		for _, k := range keys {
			some = append(some, has(v, k))
		}
		return &expr.Logic{Or: true, Args: some}, true
	}
	var each []expr.Expr
	for _, k := range keys {
		one := operator(c, v.outline(), bytesConst(c.Args[1].Type(), datum.EncodeArray(nil, textConst([]byte(k)), 0, 1)))
		each = append(each, &expr.Logic{Or: true, Args: []expr.Expr{one, has(v, k)}})
	}
	return tree.And(each), true
}

// contains takes v @> object apart: conditions on members that all hold if and only if it is true. parts is nil if it
// cannot be taken apart.
func (o *outliner) contains(c *expr.Call) (v jsonValue, parts []expr.Expr) {
	v, ok := o.value(c.Args[0])
	k, isConst := c.Args[1].(*expr.Const)
	if !ok || !isConst || k.V.Type.Kind != types.JSONB || k.V.Null(0) {
		return v, nil
	}
	object := k.V.Bytes(0)
	if shred.JSONBTypeof(object) != "object" || !leafTests(c, v, object, &parts) {
		return v, nil
	}
	return v, parts
}

// leafTests appends the conditions under which value is contained in v.
func leafTests(c *expr.Call, v jsonValue, value []byte, parts *[]expr.Expr) bool {
	if len(*parts) >= keysMax {
		return false
	}
	switch shred.JSONBTypeof(value) {
	case "object":
		empty := true
		for key, member := range shred.JSONBEach(value) {
			empty = false
			if k := string(key); isIndex(k) || !leafTests(c, v.at(k), member, parts) {
				return false
			}
		}
		if empty {
			*parts = append(*parts, operator(c, v.outline(), jsonConst(value)))
		}
		return true
	case "array":
		*parts = append(*parts, operator(c, v.member(), jsonConst(value)))
		return true
	case "string":
		s, _ := shred.AppendText(nil, value)
		*parts = append(*parts, &expr.In{Arg: v.text(), List: textConst(s)}) // found by dictionary and bounds
	}
	// The same scalar: an array may contain one, but no scalar contains an array.
	*parts = append(*parts, operator(c, jsonConst(value), v.member()))
	return true
}

func operator(c *expr.Call, a, b expr.Expr) expr.Expr {
	return &expr.Call{Fn: c.Fn, Args: []expr.Expr{a, b}, T: c.T}
}

// strictly makes one expression of conditions: NULL where v is NULL, false where one of them is not true.
func strictly(v jsonValue, parts []expr.Expr) expr.Expr {
	null := &vec.Vector{}
	null.SetConstNull(types.Of(types.Bool), 1)
	return &expr.Case{
		Whens: []expr.When{{Cond: &expr.IsNull{Arg: v.outline()}, Then: &expr.Const{V: null}}},
		Else:  &expr.Coalesce{Args: []expr.Expr{tree.And(parts), boolConst(false)}, T: types.Of(types.Bool)},
		T:     types.Of(types.Bool),
	}
}

func jsonConst(b []byte) *expr.Const { return bytesConst(types.Of(types.JSONB), b) }

func textConst(b []byte) *vec.Vector { return bytesConst(types.Of(types.Text), b).V }

func bytesConst(t types.Type, b []byte) *expr.Const {
	v := &vec.Vector{}
	v.Reset(t)
	v.AppendBytes(b)
	return &expr.Const{V: v}
}

func constText(e expr.Expr) (string, bool) {
	k, ok := e.(*expr.Const)
	if !ok || k.V.Null(0) || k.V.Type.Phys() != types.PhysBytes {
		return "", false
	}
	return string(k.V.Bytes(0)), true
}

// constTexts returns the elements of a constant text[], without NULLs, which are nobody's keys.
func constTexts(e expr.Expr) ([]string, bool) {
	k, ok := e.(*expr.Const)
	if !ok || k.V.Null(0) || k.V.Type.Kind != types.Array || k.V.Type.Elem != types.Text {
		return nil, false
	}
	elems := &vec.Vector{}
	elems.Reset(types.Of(types.Text))
	if err := datum.DecodeArray(types.Text, k.V.Bytes(0), elems); err != nil {
		return nil, false
	}
	var out []string
	for i := range elems.N {
		if !elems.Null(i) {
			out = append(out, string(elems.Bytes(i)))
		}
	}
	return out, true
}

// isIndex reports whether a path step may be an index of an array, so that it is no member's name alone.
func isIndex(key string) bool {
	if key != "" && (key[0] == '-' || key[0] == '+') {
		key = key[1:]
	}
	for i := range len(key) {
		if key[i] < '0' || key[i] > '9' {
			return false
		}
	}
	return key != ""
}

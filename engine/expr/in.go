package expr

import (
	"bytes"
	"sort"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// inNode tests membership in a list of constants: few integers by comparing with each, anything else by binary search,
// dictionary vectors once per dictionary.
type inNode struct {
	e      *In
	arg    node
	list   *vec.Vector // values in canonical form, ascending
	of     *vec.Vector // the dictionary pass was computed for
	pass   vec.Bitmap
	hits   vec.Bitmap
	tmp    vec.Bitmap
	sel    vec.Bitmap
	out    vec.Vector
	canon  []byte
	normal bool // values are to be brought into canonical form first
}

// fewItems is the length of list up to which one pass per item beats a search per row.
const fewItems = 8

func compileIn(e *In) node {
	n := &inNode{e: e, arg: compile(e.Arg), list: e.List, normal: keys.Canonical(e.List.Type)}
	if n.normal {
		n.list = canonicalList(e.List)
	}
	return n
}

func canonicalList(l *vec.Vector) *vec.Vector {
	items := make([][]byte, l.N)
	for i := range items {
		items[i] = datum.AppendKey(nil, l, i)
	}
	sort.Slice(items, func(a, b int) bool { return bytes.Compare(items[a], items[b]) < 0 })
	out := &vec.Vector{}
	out.Reset(types.Of(types.Bytea))
	for _, x := range items {
		out.AppendBytes(x)
	}
	return out
}

// find sets the bits of hits for the rows of v that are in the list; NULL rows may get any bit.
func (n *inNode) find(v *vec.Vector, sel, hits vec.Bitmap) {
	if v.Form == vec.Dict {
		if n.of != v.Dict {
			all := vec.MakeBitmap(v.Dict.N)
			all.Fill(v.Dict.N)
			n.of, n.pass = v.Dict, vec.MakeBitmap(v.Dict.N)
			view := *v.Dict
			view.Type = v.Type
			n.find(&view, all, n.pass)
		}
		if v.Dict.N > 0 {
			kernel.Lookup(v.Codes[:v.N], n.pass, hits)
		}
		return
	}
	if v.Form == vec.Const {
		if !v.Null(0) && n.has(v, 0) {
			hits.Fill(v.N)
		}
		return
	}
	if v.Type.Phys() == types.PhysInt64 && n.list.N <= fewItems {
		n.tmp = n.tmp.Resize(v.N)
		for _, x := range n.list.I64[:n.list.N] {
			kernel.Eq(v.I64[:v.N], x, n.tmp)
			hits.Or(n.tmp)
		}
		return
	}
	sel.All(func(i int) {
		if n.has(v, i) {
			hits.Set(i)
		}
	})
}

func (n *inNode) has(v *vec.Vector, i int) bool {
	l := n.list
	switch v.Type.Phys() {
	case types.PhysBool:
		for k := range l.N {
			if l.Bool(k) == v.Bool(i) {
				return true
			}
		}
		return false
	case types.PhysInt64:
		x := v.Int(i)
		at := sort.Search(l.N, func(k int) bool { return l.I64[k] >= x })
		return at < l.N && l.I64[at] == x
	case types.PhysFloat64:
		x := v.Float(i)
		at := sort.Search(l.N, func(k int) bool { return column.CompareFloat(l.F64[k], x) >= 0 })
		return at < l.N && column.CompareFloat(l.F64[at], x) == 0
	}
	x := v.Bytes(i)
	if n.normal {
		n.canon = datum.AppendKey(n.canon[:0], v, i)
		x = n.canon
	}
	at := sort.Search(l.N, func(k int) bool { return bytes.Compare(l.Bytes(k), x) >= 0 })
	return at < l.N && bytes.Equal(l.Bytes(at), x)
}

func (n *inNode) eval(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error) {
	v, err := n.arg.eval(ctx, in, sel)
	if err != nil {
		return nil, err
	}
	sel = ctx.reached(sel, &n.sel)
	n.hits = n.hits.Resize(in.N)
	n.find(v, sel, n.hits)
	n.out.SetFlat(boolType, in.N)
	if n.e.Negate {
		n.out.Bits.Fill(in.N)
		n.out.Bits.AndNot(n.hits)
	} else {
		copy(n.out.Bits, n.hits)
	}
	if v.Valid == nil && !n.e.HasNull {
		return &n.out, nil
	}
	valid := vec.MakeBitmap(in.N)
	if n.e.HasNull {
		copy(valid, n.hits) // a miss is NULL
	} else {
		valid.Fill(in.N)
	}
	if v.Valid != nil {
		nulls := vec.MakeBitmap(in.N)
		nullBits(v, nulls)
		valid.AndNot(nulls)
	}
	maskNulls(&n.out, valid)
	return &n.out, nil
}

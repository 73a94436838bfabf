package expr

import (
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// leafNode takes a member out of jsonb text: the slow way, for values that come from no stored column.
type leafNode struct {
	e    *Leaf
	base node
	mid  vec.Vector // the member, as jsonb or text
	cast *Caster
	text []byte
	sel  vec.Bitmap
}

func compileLeaf(e *Leaf) node {
	n := &leafNode{e: e, base: compile(e.Base)}
	if t := memberType(e.AsText); e.T.Kind != t.Kind {
		n.cast = NewCaster(t, e.T)
	}
	return n
}

// memberType is the type of a member before any cast.
func memberType(asText bool) types.Type {
	if asText {
		return types.Of(types.Text)
	}
	return types.Of(types.JSONB)
}

func (n *leafNode) eval(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error) {
	base, err := n.base.eval(ctx, in, sel)
	if err != nil {
		return nil, err
	}
	sel = ctx.reached(sel, &n.sel)
	rows := in.N
	if base.Form == vec.Const {
		one := *base
		one.N = 1
		base, rows, sel = &one, 1, vec.Bitmap{1}
	}
	n.mid.Reset(memberType(n.e.AsText))
	for i := range rows {
		n.appendMember(base, i, sel.Get(i))
	}
	out := &n.mid
	if n.cast != nil {
		if out, err = n.cast.Cast(ctx, &n.mid, sel); err != nil {
			return nil, err
		}
	}
	if rows != in.N {
		out.Form, out.N = vec.Const, in.N
	}
	return out, nil
}

func (n *leafNode) appendMember(base *vec.Vector, i int, wanted bool) {
	if !wanted || base.Null(i) {
		n.mid.AppendNull()
		return
	}
	b, ok := shred.JSONBGetPath(base.Bytes(i), n.e.Path)
	if !ok {
		n.mid.AppendNull()
		return
	}
	if !n.e.AsText {
		n.mid.AppendBytes(b)
		return
	}
	if n.text, ok = shred.AppendText(n.text[:0], b); !ok {
		n.mid.AppendNull()
		return
	}
	n.mid.AppendBytes(n.text)
}

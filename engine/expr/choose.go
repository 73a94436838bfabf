package expr

import (
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// chooser puts a result together from the vectors of several arms, each giving the values of its own rows.
type chooser struct {
	t    types.Type
	arms []arm
	out  vec.Vector
	view vec.Vector
	of   []uint16

	plain bool // texts are copied: Ctx.PlainCase
	dict  chosenDict
	codes []uint32 // of the arms that are constants
}

type arm struct {
	v   *vec.Vector
	sel vec.Bitmap
}

func (c *chooser) reset(ctx *Ctx, t types.Type) { c.t, c.arms, c.plain = t, c.arms[:0], ctx.PlainCase }

// add gives an arm its rows. sel is copied; v has to stay as it is until result.
func (c *chooser) add(v *vec.Vector, sel vec.Bitmap) {
	if isEmpty(sel) {
		return
	}
	if len(c.arms) < cap(c.arms) {
		c.arms = c.arms[:len(c.arms)+1]
	} else {
		c.arms = append(c.arms, arm{})
	}
	a := &c.arms[len(c.arms)-1]
	a.v = v
	a.sel = append(a.sel[:0], sel...)
}

// result has n rows; rows of no arm are NULL.
func (c *chooser) result(n int) *vec.Vector {
	if len(c.arms) == 0 {
		c.out.SetConstNull(c.t, n)
		return &c.out
	}
	if len(c.arms) == 1 {
		return as(c.arms[0].v, c.t, &c.view)
	}
	valid := vec.MakeBitmap(n)
	for _, a := range c.arms {
		a.sel.All(func(i int) { valid.SetTo(i, !a.v.Null(i)) })
	}
	c.out.SetFlat(c.t, n)
	switch c.t.Phys() {
	case types.PhysBool:
		c.each(valid, func(v *vec.Vector, i int) { c.out.Bits.SetTo(i, v.Bool(i)) })
	case types.PhysInt64:
		c.each(valid, func(v *vec.Vector, i int) { c.out.I64[i] = v.Int(i) })
	case types.PhysFloat64:
		c.each(valid, func(v *vec.Vector, i int) { c.out.F64[i] = v.Float(i) })
	default:
		if c.plain || !c.coded(valid, n) {
			c.gatherBytes(valid, n)
		}
	}
	c.out.Valid = valid
	if valid.Count() == n {
		c.out.Valid = nil
	}
	return &c.out
}

func (c *chooser) each(valid vec.Bitmap, f func(v *vec.Vector, i int)) {
	for _, a := range c.arms {
		a.sel.All(func(i int) {
			if valid.Get(i) {
				f(a.v, i)
			}
		})
	}
}

func (c *chooser) gatherBytes(valid vec.Bitmap, n int) {
	if cap(c.of) < n {
		c.of = make([]uint16, n)
	}
	of := c.of[:n]
	for k, a := range c.arms {
		a.sel.All(func(i int) { of[i] = uint16(k) })
	}
	c.out.Reset(c.t)
	for i := range n {
		if valid.Get(i) {
			c.out.AppendBytes(c.arms[of[i]].v.Bytes(i))
		} else {
			c.out.AppendBytes(nil)
		}
	}
}

type caseNode struct {
	t     types.Type
	conds []node
	thens []node // one more than conds: ELSE
	rem   vec.Bitmap
	hit   vec.Bitmap
	c     chooser
}

func compileCase(e *Case) node {
	n := &caseNode{t: e.T}
	for _, w := range e.Whens {
		n.conds = append(n.conds, compile(w.Cond))
		n.thens = append(n.thens, compile(w.Then))
	}
	n.thens = append(n.thens, compile(e.Else))
	return n
}

func (n *caseNode) eval(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error) {
	n.c.reset(ctx, n.t)
	n.rem = append(n.rem[:0], sel...)
	for k, then := range n.thens {
		if isEmpty(n.rem) {
			break
		}
		n.hit = append(n.hit[:0], n.rem...)
		if k < len(n.conds) {
			if err := filter(n.conds[k], ctx, in, n.hit); err != nil {
				return nil, err
			}
			if isEmpty(n.hit) {
				continue
			}
		}
		v, err := then.eval(ctx, in, n.hit)
		if err != nil {
			return nil, err
		}
		n.c.add(v, n.hit)
		n.rem.AndNot(n.hit)
		n.rem = ctx.reached(n.rem, &n.rem)
	}
	return n.c.result(in.N), nil
}

type coalesceNode struct {
	t    types.Type
	args []node
	rem  vec.Bitmap
	hit  vec.Bitmap
	tmp  vec.Bitmap
	c    chooser
}

func compileCoalesce(e *Coalesce) node {
	n := &coalesceNode{t: e.T, args: make([]node, len(e.Args))}
	for i, a := range e.Args {
		n.args[i] = compile(a)
	}
	return n
}

func (n *coalesceNode) eval(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error) {
	n.c.reset(ctx, n.t)
	n.rem = append(n.rem[:0], sel...)
	for _, a := range n.args {
		if isEmpty(n.rem) {
			break
		}
		v, err := a.eval(ctx, in, n.rem)
		if err != nil {
			return nil, err
		}
		n.hit = append(n.hit[:0], n.rem...)
		if v.Valid != nil {
			n.tmp = n.tmp.Resize(in.N)
			nullBits(v, n.tmp)
			n.hit.AndNot(n.tmp)
		}
		n.c.add(v, n.hit)
		n.rem.AndNot(n.hit)
		n.rem = ctx.reached(n.rem, &n.rem)
	}
	return n.c.result(in.N), nil
}

package expr

import (
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

var boolType = types.Of(types.Bool)

// logicNode is three-valued AND and OR. OR is AND with true and false exchanged: an operand decides a row when it is
// false (AND) or true (OR), and rows that are decided are not evaluated further.
type logicNode struct {
	or   bool
	args []node
	out  vec.Vector
	rem  vec.Bitmap // rows no operand has decided
	null vec.Bitmap // rows for which some operand was NULL
	tmp  vec.Bitmap
	acc  vec.Bitmap
}

func compileLogic(e *Logic) node {
	n := &logicNode{or: e.Or, args: make([]node, len(e.Args))}
	for i, a := range e.Args {
		n.args[i] = compile(a)
	}
	return n
}

func (n *logicNode) eval(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error) {
	n.rem = append(n.rem[:0], sel...)
	n.null = n.null.Resize(in.N)
	for _, a := range n.args {
		if isEmpty(n.rem) {
			break
		}
		v, err := a.eval(ctx, in, n.rem)
		if err != nil {
			return nil, err
		}
		n.narrow(v, in.N)
	}
	n.out.SetFlat(boolType, in.N)
	copy(n.out.Bits, n.rem)
	n.null.And(n.rem)
	if n.or {
		// Undecided rows are false, the others of sel true.
		for i, w := range sel {
			n.out.Bits[i] = w &^ n.rem[i]
		}
	}
	n.out.Bits.AndNot(n.null)
	if !isEmpty(n.null) {
		n.out.Valid = vec.MakeBitmap(in.N)
		n.out.Valid.Fill(in.N)
		n.out.Valid.AndNot(n.null)
	}
	return &n.out, nil
}

// narrow takes the rows that v decides out of rem, and notes those for which it is NULL.
func (n *logicNode) narrow(v *vec.Vector, rows int) {
	n.tmp = n.tmp.Resize(rows)
	isTrue, isNull := n.tmp, vec.Bitmap(nil)
	truth(v, isTrue)
	if v.Valid != nil {
		n.acc = n.acc.Resize(rows)
		isNull = n.acc
		nullBits(v, isNull)
		isNull.And(n.rem)
		n.null.Or(isNull)
	}
	for i := range n.rem {
		undecided := isTrue[i]
		if n.or {
			undecided = ^isTrue[i]
		}
		if isNull != nil {
			undecided |= isNull[i]
		}
		n.rem[i] &= undecided
	}
}

// truth sets the bits of the rows where v is true; out is clear.
func truth(v *vec.Vector, out vec.Bitmap) {
	out.Fill(v.N)
	keepTrue(v, out)
}

// nullBits sets the bits of the rows where v is NULL; out is clear.
func nullBits(v *vec.Vector, out vec.Bitmap) {
	if v.Valid == nil {
		return
	}
	out.Fill(v.N)
	if v.Form == vec.Const {
		if !v.Null(0) {
			clear(out)
		}
		return
	}
	out.AndNot(v.Valid)
}

func (n *logicNode) filter(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) error {
	if !n.or {
		for _, a := range n.args {
			if isEmpty(sel) {
				return nil
			}
			if err := filter(a, ctx, in, sel); err != nil {
				return err
			}
		}
		return nil
	}
	rem := append(n.rem[:0], sel...)
	acc := n.acc.Resize(in.N)
	n.rem, n.acc = rem, acc
	for _, a := range n.args {
		if isEmpty(rem) {
			break
		}
		n.tmp = append(n.tmp[:0], rem...)
		if err := filter(a, ctx, in, n.tmp); err != nil {
			return err
		}
		acc.Or(n.tmp)
		rem.AndNot(n.tmp)
	}
	copy(sel, acc)
	return nil
}

type notNode struct {
	arg node
	out vec.Vector
}

func (n *notNode) eval(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error) {
	v, err := n.arg.eval(ctx, in, sel)
	if err != nil {
		return nil, err
	}
	n.out.SetFlat(boolType, in.N)
	n.out.Bits.Fill(in.N)
	t := vec.MakeBitmap(in.N)
	truth(v, t)
	n.out.Bits.AndNot(t)
	if v.Valid != nil {
		valid := vec.MakeBitmap(in.N)
		nulls := vec.MakeBitmap(in.N)
		nullBits(v, nulls)
		valid.Fill(in.N)
		valid.AndNot(nulls)
		maskNulls(&n.out, valid)
	}
	return &n.out, nil
}

type isNullNode struct {
	arg    node
	negate bool
	out    vec.Vector
	tmp    vec.Bitmap
}

func (n *isNullNode) eval(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error) {
	v, err := n.arg.eval(ctx, in, sel)
	if err != nil {
		return nil, err
	}
	n.out.SetFlat(boolType, in.N)
	nullBits(v, n.out.Bits)
	if n.negate {
		n.tmp = append(n.tmp[:0], n.out.Bits...)
		n.out.Bits.Fill(in.N)
		n.out.Bits.AndNot(n.tmp)
	}
	return &n.out, nil
}

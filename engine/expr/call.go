package expr

import (
	"math/bits"

	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// callNode applies a Func. Beside the plain way it has two short ones: constant arguments are computed once for the
// batch, and a strict immutable function of one dictionary vector once for the dictionary.
type callNode struct {
	e      *Call
	args   []node
	static []bool // the argument has one value for the whole execution
	vecs   []*vec.Vector
	ones   []vec.Vector
	out    vec.Vector
	sel    vec.Bitmap
	valid  vec.Bitmap
	one    vec.Bitmap
	dict   dictResult
	coded  vec.Vector
}

// dictResult is what the function gave for the entries of one dictionary. ok is false if it failed for some entry:
// perhaps one that no row has, so the error says nothing and the rows are evaluated one by one. So they are if the texts for all
// entries are too long together.
type dictResult struct {
	of  *vec.Vector
	res *vec.Vector
	ok  bool
}

func compileCall(e *Call) node {
	n := &callNode{e: e, one: vec.Bitmap{1}}
	n.args = make([]node, len(e.Args))
	n.static = make([]bool, len(e.Args))
	n.vecs = make([]*vec.Vector, len(e.Args))
	n.ones = make([]vec.Vector, len(e.Args))
	for i, a := range e.Args {
		n.args[i] = compile(a)
		n.static[i] = Static(a)
	}
	return n
}

func (n *callNode) eval(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error) {
	constant := n.e.Fn.Volatile != Volatile
	for i, a := range n.args {
		v, err := a.eval(ctx, in, sel)
		if err != nil {
			return nil, err
		}
		n.vecs[i] = v
		sel = ctx.reached(sel, &n.sel)
		if v.Form != vec.Const {
			constant = false
		} else if !n.e.Fn.Called && v.Null(0) {
			n.out.SetConstNull(n.e.T, in.N)
			return &n.out, nil
		}
	}
	if isEmpty(sel) {
		n.out.SetConstNull(n.e.T, in.N)
		return &n.out, nil
	}
	if constant {
		return n.evalConst(ctx, in.N)
	}
	if d := n.dictArg(); d >= 0 {
		if v, ok := n.evalDict(ctx, d, sel); ok {
			return v, nil
		}
	}
	return n.evalRows(ctx, in.N, sel)
}

// call runs the function. Its result has a flat or constant form and the call's type.
func (n *callNode) call(ctx *Ctx, args []*vec.Vector, sel vec.Bitmap, rows int, out *vec.Vector) error {
	out.Reset(n.e.T)
	ctx.RetType = n.e.T
	p := ctx.piece
	if p == nil {
		return n.e.Fn.Eval(ctx, args, sel, rows, out)
	}
	// What the function evaluates by itself are rows of its own.
	ctx.piece = nil
	if n.e.T.Phys() == types.PhysBytes {
		ctx.offer = p
	}
	err := n.e.Fn.Eval(ctx, args, sel, rows, out)
	ctx.piece, ctx.offer = p, nil
	return err
}

func (n *callNode) evalConst(ctx *Ctx, rows int) (*vec.Vector, error) {
	for i, v := range n.vecs {
		n.ones[i] = *v
		n.ones[i].N = 1
		n.vecs[i] = &n.ones[i]
	}
	if err := n.call(ctx, n.vecs, n.one, 1, &n.out); err != nil {
		return nil, err
	}
	n.out.Form, n.out.N = vec.Const, rows
	return &n.out, nil
}

func (n *callNode) evalRows(ctx *Ctx, rows int, sel vec.Bitmap) (*vec.Vector, error) {
	if n.e.Fn.Called {
		if err := n.call(ctx, n.vecs, sel, rows, &n.out); err != nil {
			return nil, err
		}
		return &n.out, nil
	}
	nulls := false
	for _, v := range n.vecs {
		if v.Valid == nil || v.Form == vec.Const {
			continue
		}
		if !nulls {
			n.valid = append(n.valid[:0], v.Valid[:vec.Words(rows)]...)
			nulls = true
			continue
		}
		n.valid.And(v.Valid)
	}
	if !nulls {
		if err := n.call(ctx, n.vecs, sel, rows, &n.out); err != nil {
			return nil, err
		}
		return &n.out, nil
	}
	n.sel = append(n.sel[:0], sel...)
	n.sel.And(n.valid)
	if isEmpty(n.sel) {
		n.out.SetConstNull(n.e.T, rows)
		return &n.out, nil
	}
	if err := n.call(ctx, n.vecs, n.sel, rows, &n.out); err != nil {
		return nil, err
	}
	n.out.Flatten()
	maskNulls(&n.out, n.valid)
	return &n.out, nil
}

// maskNulls makes the rows of the flat vector v that are not in valid NULL, their slots zero.
func maskNulls(v *vec.Vector, valid vec.Bitmap) {
	if v.Valid == nil {
		v.Valid = append(v.Valid, valid...)
	} else {
		v.Valid.And(valid)
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		v.Bits.And(v.Valid)
	case types.PhysInt64:
		zeroOutside(v.I64, v.Valid)
	case types.PhysFloat64:
		zeroOutside(v.F64, v.Valid)
	}
}

func zeroOutside[T int64 | float64](xs []T, valid vec.Bitmap) {
	for w, m := range valid {
		base := w << 6
		for m = ^m; m != 0; m &= m - 1 {
			i := base + bits.TrailingZeros64(m)
			if i >= len(xs) {
				return
			}
			xs[i] = 0
		}
	}
}

// dictArg returns the index of the one dictionary argument if the function may be evaluated on its dictionary, or -1.
func (n *callNode) dictArg() int {
	if n.e.Fn.Called || n.e.Fn.Volatile != Immutable {
		return -1
	}
	d := -1
	for i, v := range n.vecs {
		switch {
		case v.Form == vec.Const:
		case v.Form == vec.Dict && d < 0:
			d = i
		default:
			return -1
		}
	}
	if d < 0 {
		return -1
	}
	if n.dict.of == n.vecs[d].Dict && n.cacheable(d) {
		return d
	}
	if n.vecs[d].Dict.N > max(n.vecs[d].N, 1) {
		if n.vecs[d].Dict.N > maxDictEval || !n.cacheable(d) {
			return -1
		}
	}
	return d
}

// maxDictEval bounds the dictionary that is worth evaluating for the sake of later batches that share it.
const maxDictEval = 16 * vec.BlockRows

func (n *callNode) cacheable(d int) bool {
	for i, s := range n.static {
		if i != d && !s {
			return false
		}
	}
	return true
}

func (n *callNode) evalDict(ctx *Ctx, d int, sel vec.Bitmap) (*vec.Vector, bool) {
	arg := n.vecs[d]
	if n.dict.of != arg.Dict || !n.cacheable(d) {
		n.dict = n.applyDict(ctx, d)
	}
	if !n.dict.ok {
		return nil, false
	}
	decode(n.dict.res, arg, &n.coded)
	return &n.coded, true
}

// applyDict evaluates the function on all entries of argument d's dictionary.
func (n *callNode) applyDict(ctx *Ctx, d int) dictResult {
	dict := n.vecs[d].Dict
	r := dictResult{of: dict, res: &vec.Vector{}}
	if dict.N == 0 {
		return r
	}
	args := make([]*vec.Vector, len(n.vecs))
	for i, v := range n.vecs {
		h := *v
		h.N = dict.N
		args[i] = &h
	}
	h := *dict
	h.Type = n.vecs[d].Type
	args[d] = &h
	all := vec.MakeBitmap(dict.N)
	all.Fill(dict.N)
	if !ctx.whole(dict.N, func() error { return n.call(ctx, args, all, dict.N, r.res) }) {
		return dictResult{of: dict}
	}
	r.res.Flatten()
	r.ok = true
	return r
}

// decode makes out the vector that has, for each row of the dictionary vector arg, the result res holds for its entry.
func decode(res, arg, out *vec.Vector) {
	t := res.Type
	n := arg.N
	if t.Phys() == types.PhysBytes {
		out.Reset(t)
		out.Form, out.N = vec.Dict, n
		out.Codes = append(out.Codes, arg.Codes[:n]...)
		view := *res
		view.Valid = nil
		out.Dict = &view
		if v := decodedValid(res, arg); v != nil {
			out.Valid = v
			clearCodes(out.Codes, v)
		}
		return
	}
	out.SetFlat(t, n)
	switch t.Phys() {
	case types.PhysBool:
		kernel.Lookup(arg.Codes[:n], res.Bits, out.Bits)
	case types.PhysInt64:
		for i, c := range arg.Codes[:n] {
			out.I64[i] = res.I64[c]
		}
	case types.PhysFloat64:
		for i, c := range arg.Codes[:n] {
			out.F64[i] = res.F64[c]
		}
	}
	if v := decodedValid(res, arg); v != nil {
		maskNulls(out, v)
	}
}

func decodedValid(res, arg *vec.Vector) vec.Bitmap {
	if res.Valid == nil && arg.Valid == nil {
		return nil
	}
	v := vec.MakeBitmap(arg.N)
	if res.Valid != nil {
		kernel.Lookup(arg.Codes[:arg.N], res.Valid, v)
	} else {
		v.Fill(arg.N)
	}
	if arg.Valid != nil {
		v.And(arg.Valid)
	}
	return v
}

func clearCodes(codes []uint32, valid vec.Bitmap) {
	for i := range codes {
		if !valid.Get(i) {
			codes[i] = 0
		}
	}
}

func isEmpty(sel vec.Bitmap) bool {
	for _, w := range sel {
		if w != 0 {
			return false
		}
	}
	return true
}

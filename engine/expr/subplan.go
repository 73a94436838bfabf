package expr

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// subplanNode runs a subquery: once per execution if it is uncorrelated, else once for each distinct combination of the
// enclosing row's columns it looks at, remembering up to maxRemembered answers.
type subplanNode struct {
	e     *Subplan
	arg   node
	sel   vec.Bitmap
	out   vec.Vector
	refs  []int
	known bool // refs is the whole truth
	ready bool
	memo  map[string]*answer
	key   []byte
	local *answer
}

const maxRemembered = 4096

// answer is what a run of the subplan came to.
type answer struct {
	value   *vec.Vector // SubScalar, SubArray: one row
	exists  bool        // SubExists
	set     *keys.Table // SubIn
	hasNull bool        // SubIn: some row was NULL
}

func compileSubplan(e *Subplan) node {
	n := &subplanNode{e: e}
	if e.Arg != nil {
		n.arg = compile(e.Arg)
	}
	return n
}

func (n *subplanNode) eval(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error) {
	if ctx.Run == nil {
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "a subquery is not allowed here")
	}
	var arg *vec.Vector
	if n.arg != nil {
		v, err := n.arg.eval(ctx, in, sel)
		if err != nil {
			return nil, err
		}
		arg = v
		sel = ctx.reached(sel, &n.sel)
	}
	if isEmpty(sel) {
		n.out.SetConstNull(n.e.T, in.N)
		return &n.out, nil
	}
	if !n.e.Correlated {
		return n.evalShared(ctx, arg, in.N)
	}
	n.out.Reset(n.e.T)
	for i := range in.N {
		if !sel.Get(i) {
			n.out.AppendNull()
			continue
		}
		a, err := n.answerFor(ctx, in, i)
		if err != nil {
			return nil, err
		}
		if err := n.append(a, arg, i); err != nil {
			return nil, err
		}
	}
	return &n.out, nil
}

func (n *subplanNode) evalShared(ctx *Ctx, arg *vec.Vector, rows int) (*vec.Vector, error) {
	if n.local == nil {
		a, err := once(ctx, n.e, func() (any, error) { return n.run(ctx) })
		if err != nil {
			return nil, err
		}
		n.local = a.(*answer)
	}
	if arg == nil || arg.Form == vec.Const {
		n.out.Reset(n.e.T)
		if err := n.append(n.local, arg, 0); err != nil {
			return nil, err
		}
		n.out.Form, n.out.N = vec.Const, rows
		return &n.out, nil
	}
	n.out.Reset(n.e.T)
	for i := range rows {
		if err := n.append(n.local, arg, i); err != nil {
			return nil, err
		}
	}
	return &n.out, nil
}

func once(ctx *Ctx, key any, f func() (any, error)) (any, error) {
	if ctx.Once == nil {
		return f()
	}
	return ctx.Once(key, f)
}

// append appends the value of the expression for one row to out.
func (n *subplanNode) append(a *answer, arg *vec.Vector, i int) error {
	switch n.e.Kind {
	case SubExists:
		n.out.AppendBool(a.exists != n.e.Negate)
	case SubIn:
		return n.appendIn(a, arg, i)
	default:
		n.out.AppendFrom(a.value, 0)
	}
	return nil
}

func (n *subplanNode) appendIn(a *answer, arg *vec.Vector, i int) error {
	empty := a.set.Len() == 0 && !a.hasNull
	switch {
	case empty:
		n.out.AppendBool(n.e.Negate)
		return nil
	case arg.Null(i):
		n.out.AppendNull()
		return nil
	}
	var one vec.Vector
	one.SetConst(arg, i, 1)
	var id [1]uint32
	a.set.NewFinder().Find([]*vec.Vector{&one}, vec.Bitmap{1}, 1, id[:])
	switch {
	case id[0] != keys.None:
		n.out.AppendBool(!n.e.Negate)
	case a.hasNull:
		n.out.AppendNull()
	default:
		n.out.AppendBool(n.e.Negate)
	}
	return nil
}

// answerFor runs the subplan for row i of in, unless it has for an equal row.
func (n *subplanNode) answerFor(ctx *Ctx, in *vec.Batch, i int) (*answer, error) {
	if !n.ready {
		n.ready = true
		n.memo = map[string]*answer{}
		if ctx.OuterRefs != nil {
			n.refs, n.known = ctx.OuterRefs(n.e.Plan), true
		}
		if !n.known {
			for c := range in.Cols {
				n.refs = append(n.refs, c)
			}
		}
	}
	n.key = n.key[:0]
	for _, c := range n.refs {
		n.key = appendRowKey(n.key, in.Cols[c], i)
	}
	if a, ok := n.memo[string(n.key)]; ok {
		return a, nil
	}
	row := make([]*vec.Vector, len(in.Cols))
	for _, c := range n.refs {
		row[c] = &vec.Vector{}
		row[c].SetConst(in.Cols[c], i, 1)
	}
	sub := *ctx
	sub.Outer = append([][]*vec.Vector{row}, ctx.Outer...)
	a, err := n.run(&sub)
	if err != nil {
		return nil, err
	}
	if len(n.memo) < maxRemembered {
		n.memo[string(n.key)] = a
	}
	return a, nil
}

func appendRowKey(dst []byte, v *vec.Vector, i int) []byte {
	if v.Null(i) {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	switch v.Type.Phys() {
	case types.PhysBool:
		if v.Bool(i) {
			return append(dst, 1)
		}
		return append(dst, 0)
	case types.PhysInt64:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.Int(i)))
	case types.PhysFloat64:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float(i)))
	}
	b := v.Bytes(i)
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

func (n *subplanNode) run(ctx *Ctx) (*answer, error) {
	c := *ctx
	c.piece = nil // its rows are others
	batches, err := ctx.Run(&c, n.e.Plan)
	if err != nil {
		return nil, err
	}
	for _, b := range batches {
		b.Compact()
	}
	a := &answer{}
	switch n.e.Kind {
	case SubExists:
		for _, b := range batches {
			a.exists = a.exists || b.N > 0
		}
	case SubIn:
		return a, a.fillSet(batches, n.e.Arg.Type())
	case SubArray:
		return a, a.fillArray(batches, n.e.T)
	default:
		return a, a.fillScalar(batches, n.e.T)
	}
	return a, nil
}

func (a *answer) fillScalar(batches []*vec.Batch, t types.Type) error {
	a.value = &vec.Vector{}
	a.value.Reset(t)
	for _, b := range batches {
		if b.N == 0 {
			continue
		}
		if a.value.N+b.N > 1 {
			return sqlstate.New(sqlstate.CardinalityViolation, "more than one row returned by a subquery used as an expression")
		}
		a.value.AppendFrom(b.Cols[0], 0)
	}
	if a.value.N == 0 {
		a.value.AppendNull()
	}
	return nil
}

func (a *answer) fillSet(batches []*vec.Batch, t types.Type) error {
	a.set = keys.New([]types.Type{t})
	m := a.set.NewMapper()
	for _, b := range batches {
		if b.N == 0 {
			continue
		}
		v := b.Cols[0]
		sel := vec.MakeBitmap(b.N)
		sel.Fill(b.N)
		if v.Valid != nil {
			nulls := vec.MakeBitmap(b.N)
			nullBits(v, nulls)
			a.hasNull = a.hasNull || !isEmpty(nulls)
			sel.AndNot(nulls)
		}
		ids := make([]uint32, b.N)
		if _, err := m.Map([]*vec.Vector{v}, sel, b.N, ids); err != nil {
			return fmt.Errorf("subquery of IN: %w", err)
		}
	}
	return nil
}

func (a *answer) fillArray(batches []*vec.Batch, t types.Type) error {
	var all vec.Vector
	all.Reset(types.Of(t.Elem))
	for _, b := range batches {
		if b.N > 0 {
			all.AppendRange(b.Cols[0], 0, b.N)
		}
	}
	a.value = &vec.Vector{}
	a.value.Reset(t)
	a.value.AppendBytes(datum.EncodeArray(nil, &all, 0, all.N))
	return nil
}

package scan

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// form tells how a conjunct can be decided.
type form uint8

const (
	compare form = iota // a column.Pred in the domain of one column
	isNull              // one column IS NULL
	notNull             // one column IS NOT NULL
	match               // any immutable condition on one column that NULL does not fulfil: once per distinct value
	rest                // evaluated on decoded columns
)

// pred is one conjunct of the filter.
type pred struct {
	e     expr.Expr
	form  form
	col   int   // of Read; the single column of all forms but rest
	cols  []int // all columns
	p     column.Pred
	never bool
	cost  float64
}

func newPred(ctx *expr.Ctx, s *Scan, e expr.Expr) *pred {
	p := &pred{e: e, form: rest, cols: columnsOf(e), cost: 40}
	if len(p.cols) != 1 {
		return p
	}
	p.col = p.cols[0]
	t := s.node.Read[p.col].Type
	switch {
	case p.simple(ctx, e, t):
	case nullRejecting(ctx, e, p.col, t):
		p.form, p.cost = match, 8
	}
	return p
}

func columnsOf(e expr.Expr) []int {
	var out []int
	expr.Walk(e, func(x expr.Expr) bool {
		if c, ok := x.(*expr.Col); ok && !slices.Contains(out, c.Idx) {
			out = append(out, c.Idx)
		}
		return true
	})
	return out
}

// simple recognises comparisons of a column with a constant, IN lists, NULL tests and bare booleans.
func (p *pred) simple(ctx *expr.Ctx, e expr.Expr, t types.Type) bool {
	switch e := e.(type) {
	case *expr.Col:
		p.truth(t, 1)
		return p.form == compare
	case *expr.Not:
		if _, ok := e.Arg.(*expr.Col); ok {
			p.truth(t, 0)
			return p.form == compare
		}
	case *expr.IsNull:
		if _, ok := e.Arg.(*expr.Col); ok {
			p.form, p.cost = isNull, 0.5
			if e.Negate {
				p.form = notNull
			}
			return true
		}
	case *expr.In:
		if _, ok := e.Arg.(*expr.Col); ok && !e.Negate && sameDomain(t, e.List.Type) {
			p.form, p.cost = compare, costOf(t)*1.5
			p.p = column.Pred{Op: column.OpIn, Leaf: types.LeafOf(t), List: e.List}
			p.never = e.List.N == 0
			return true
		}
	case *expr.Call:
		return p.comparison(ctx, e, t)
	}
	return false
}

func (p *pred) truth(t types.Type, want int64) {
	if t.Kind == types.Bool {
		p.form, p.cost = compare, 1
		p.p = column.Pred{Op: column.OpEq, Leaf: types.LeafBool, I: want}
	}
}

var operators = map[string]column.Op{
	"=": column.OpEq, "<>": column.OpNe, "!=": column.OpNe,
	"<": column.OpLt, "<=": column.OpLe, ">": column.OpGt, ">=": column.OpGe,
}

var mirrored = map[column.Op]column.Op{
	column.OpEq: column.OpEq, column.OpNe: column.OpNe,
	column.OpLt: column.OpGt, column.OpLe: column.OpGe, column.OpGt: column.OpLt, column.OpGe: column.OpLe,
}

func (p *pred) comparison(ctx *expr.Ctx, e *expr.Call, t types.Type) bool {
	op, ok := operators[e.Fn.Name]
	if !ok || len(e.Args) != 2 {
		return false
	}
	value := e.Args[1]
	if _, ok := e.Args[0].(*expr.Col); !ok {
		if _, ok := e.Args[1].(*expr.Col); !ok {
			return false
		}
		value, op = e.Args[0], mirrored[op]
	}
	if !constant(value) || !sameDomain(t, value.Type()) {
		return false
	}
	var v vec.Vector
	if expr.Eval(ctx, value, expr.OneRow(), nil, &v) != nil {
		return false // the error is the row's, if there is one
	}
	p.form, p.cost = compare, costOf(t)
	p.never = v.Null(0)
	p.p = column.Pred{Op: op, Leaf: types.LeafOf(t)}
	switch t.Phys() {
	case types.PhysBool:
		if v.Bool(0) {
			p.p.I = 1
		}
	case types.PhysInt64:
		p.p.I = v.Int(0)
	case types.PhysFloat64:
		p.p.F = v.Float(0)
	default:
		p.p.B = slices.Clone(v.Bytes(0))
	}
	return true
}

// constant reports whether e has one value for the scan: like expr.Static, but columns of enclosing rows are constants
// here too.
func constant(e expr.Expr) bool {
	ok := true
	expr.Walk(e, func(x expr.Expr) bool {
		switch x := x.(type) {
		case *expr.Col, *expr.Subplan:
			ok = false
		case *expr.Call:
			ok = ok && x.Fn.Volatile != expr.Volatile
		}
		return ok
	})
	return ok
}

// sameDomain reports whether values of the two types compare in SQL as their stored forms do.
func sameDomain(a, b types.Type) bool {
	return domain(a.Kind) == domain(b.Kind) && domain(a.Kind) != 0
}

func domain(k types.Kind) types.Kind {
	switch k {
	case types.Int16, types.Int32, types.Int64:
		return types.Int64
	case types.Float32, types.Float64:
		return types.Float64
	case types.Text, types.Varchar, types.Name:
		return types.Text
	case types.OID, types.Regclass, types.Regtype, types.Regproc, types.Regnamespace, types.Xid:
		return types.OID
	case types.Bool, types.Date, types.Time, types.Timestamp, types.Timestamptz, types.UUID, types.Bytea:
		return k
	}
	return 0
}

func costOf(t types.Type) float64 {
	if t.Phys() == types.PhysBytes {
		return 3
	}
	return 1
}

// nullRejecting reports whether the condition depends on nothing but its column's value and is not true for NULL.
func nullRejecting(ctx *expr.Ctx, e expr.Expr, col int, t types.Type) bool {
	pure := true
	expr.Walk(e, func(x expr.Expr) bool {
		switch x := x.(type) {
		case *expr.Subplan:
			pure = false
		case *expr.Call:
			pure = pure && x.Fn.Volatile != expr.Volatile
		}
		return pure
	})
	if !pure || t.Phys() == types.PhysNone {
		return false
	}
	in := &vec.Batch{N: 1, Cols: make([]*vec.Vector, col+1)}
	in.Cols[col] = &vec.Vector{}
	in.Cols[col].SetConstNull(t, 1)
	sel := vec.Bitmap{1}
	c := *ctx
	return expr.EvalFilter(&c, e, in, sel) == nil && sel[0] == 0
}

// predState is a predicate in the hands of one worker.
type predState struct {
	*pred
	ev      *expr.Evaluator
	ask     bool          // for the current morsel: an equality the manifest has not decided
	verdict verdict       // for the current group
	col     column.Column // the column the predicate is pushed down to; nil: evaluated on decoded values
	push    column.Pred
	any     []column.Column // NULL tests of jsonb: a row with a value in any of these is not NULL
	in, out int64
	took    time.Duration // for in rows
	one     vec.Batch     // input of match
	val     vec.Vector
	dict    *vec.Vector // what pass was computed for
	pass    vec.Bitmap
	passOK  bool
	few     fewValues
}

func newPredState(w *Worker, p *pred) predState {
	st := predState{pred: p, ev: expr.Compile(p.e)}
	if p.form != rest {
		st.one.Cols = make([]*vec.Vector, len(w.s.node.Read))
	}
	return st
}

// reorder sorts the predicates by time per row that they remove, as far as the rows seen tell.
func (w *Worker) reorder() {
	w.seen = 0
	for i := range w.order {
		w.order[i] = i
	}
	slices.SortStableFunc(w.order, func(a, b int) int { return cmp.Compare(w.preds[a].rank(), w.preds[b].rank()) })
	for i := range w.preds {
		p := &w.preds[i]
		p.in, p.out, p.took = p.in/2, p.out/2, p.took/2 // old groups count less
	}
}

// guessed is the time per row, in nanoseconds, of a predicate of cost 1 that has not been measured.
const guessed = 0.1

// rank is the predicate's time per row that it removes, in nanoseconds.
func (p *predState) rank() float64 {
	cost, removed := guessed*p.cost, 0.5
	if p.in > 0 {
		cost = float64(p.took) / float64(p.in)
		removed = 1 - float64(p.out)/float64(p.in)
	}
	return cost / max(removed, 0.001)
}

// begin looks at the group's statistics and decides how the predicate is applied to its blocks.
func (p *predState) begin(w *Worker) verdict {
	p.verdict, p.col, p.few.on = some, nil, false
	if p.form == rest {
		return some
	}
	r := &w.cols[p.pred.col]
	if r.kind == absent {
		p.verdict = none
		if p.form == isNull {
			p.verdict = all
		}
		return p.verdict
	}
	p.any = nil
	if !p.pushable(r) {
		if (p.form == isNull || p.form == notNull) && r.assembled() {
			p.any = slices.Clone(w.group.Under(r.path))
			shred.ByPresence(p.any)
		}
		return some
	}
	p.col = r.direct
	if d, ok := r.direct.(column.Decider); ok && p.form != match {
		p.verdict = d.Decide(&p.push)
		if p.form == isNull {
			p.verdict = opposite(p.verdict)
		}
		return p.verdict
	}
	st := r.direct.Stats()
	if p.form == match && st.Present > 0 && p.fewOf(w, st.Dict) {
		return some
	}
	p.verdict = p.judge(w, &st)
	return p.verdict
}

// opposite returns what is known of a predicate that holds where another, of which v is known, does not.
func opposite(v verdict) verdict {
	switch v {
	case none:
		return all
	case all:
		return none
	}
	return some
}

// pushable sets push to the predicate in the stored column's own domain.
func (p *predState) pushable(r *reader) bool {
	if r.direct == nil || r.second != nil || r.others {
		return false
	}
	leaf := r.direct.Leaf()
	switch p.form {
	case isNull, notNull:
		p.push = *column.Present(leaf)
		return true
	case match:
		if r.kind != plain {
			return false
		}
		p.push = column.Pred{Op: column.OpMatch, Leaf: leaf}
		return true
	}
	p.push = p.p
	if leaf == p.p.Leaf {
		return true
	}
	if leaf == types.LeafInt && p.p.Leaf == types.LeafFloat {
		return asInt(&p.push)
	}
	return false
}

// asInt turns a comparison of an integer column, seen as double precision, with a constant into one of integers.
func asInt(p *column.Pred) bool {
	if math.IsNaN(p.F) || math.Abs(p.F) >= 1<<53 {
		return false
	}
	p.Leaf = types.LeafInt
	whole := p.F == math.Trunc(p.F)
	switch p.Op {
	case column.OpEq, column.OpNe:
		p.I = int64(p.F)
		return whole
	case column.OpGt, column.OpLe:
		p.I = int64(math.Floor(p.F))
		return true
	case column.OpLt, column.OpGe:
		p.I = int64(math.Ceil(p.F))
		return true
	}
	return false
}

// applyAny tests for NULL a jsonb value that would have to be put together: it is not NULL where anything at or below
// its path has a value.
func (p *predState) applyAny(w *Worker) error {
	w.rem = append(w.rem[:0], w.sel...) // rows without a value so far
	for _, c := range p.any {
		st := c.BlockStats(w.from / vec.BlockRows)
		if st.Present == 0 {
			continue
		}
		if st.Present == st.Rows {
			clear(w.rem)
			break
		}
		w.tmp = append(w.tmp[:0], w.rem...)
		if err := c.Filter(w.from, w.to, column.Present(c.Leaf()), w.tmp); err != nil {
			return err
		}
		w.rem.AndNot(w.tmp)
		if w.rem.Count() == 0 {
			break
		}
	}
	if p.form == isNull {
		copy(w.sel, w.rem)
	} else {
		w.sel.AndNot(w.rem)
	}
	return nil
}

// test sets pass's bit for the values that fulfil the condition.
func (p *predState) test(w *Worker, vals *vec.Vector, pass vec.Bitmap) error {
	if p.dict == vals && p.passOK {
		copy(pass, p.pass)
		return nil
	}
	p.val = *vals
	p.val.Type = w.s.node.Read[p.pred.col].Type
	p.one.Cols[p.pred.col], p.one.N = &p.val, vals.N
	pass.Fill(vals.N)
	return p.ev.Filter(w.ctx, &p.one, pass)
}

// evaluate decides on decoded columns.
func (p *predState) evaluate(w *Worker) error {
	for _, c := range p.cols {
		if err := w.load(c); err != nil {
			return err
		}
	}
	return p.ev.Filter(w.ctx, &w.batch, w.sel)
}

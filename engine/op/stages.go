package op

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// filterStage keeps the rows for which all conditions are true.
type filterStage struct{ conds []expr.Expr }

func (s *filterStage) prepare(*builder) error { return nil }

func (s *filterStage) newSink(w *worker, next sink) (sink, error) {
	return &filterSink{w: w, next: next, conds: expr.CompileAll(s.conds)}, nil
}

type filterSink struct {
	w     *worker
	next  sink
	conds []*expr.Evaluator
	sel   vec.Bitmap
}

func (s *filterSink) push(b *vec.Batch, sel vec.Bitmap) error {
	s.sel = ownSelection(s.sel, sel, b.N)
	for _, c := range s.conds {
		if err := c.Filter(s.w.ctx, b, s.sel); err != nil {
			return err
		}
	}
	switch s.sel.Count() {
	case 0:
		return nil
	case b.N:
		return s.next.push(b, nil)
	}
	return s.next.push(b, s.sel)
}

// ownSelection returns a copy of sel over n rows, all of them if it is nil, in buf's memory.
func ownSelection(buf, sel vec.Bitmap, n int) vec.Bitmap {
	if sel != nil {
		return append(buf[:0], sel...)
	}
	buf = buf.Resize(n)
	buf.Fill(n)
	return buf
}

// projectStage computes expressions.
type projectStage struct {
	n        *plan.Project
	absorbed bool // whoever takes the rows computes what they need
}

func (s *projectStage) prepare(*builder) error { return nil }

func (s *projectStage) newSink(w *worker, next sink) (sink, error) {
	if s.absorbed {
		return next, nil
	}
	p := &projectSink{w: w, next: next, exprs: expr.CompileAll(s.n.Exprs), types: make([]types.Type, len(s.n.Exprs)), inPieces: expr.MakeTexts(s.n.Exprs)}
	for i, e := range s.n.Exprs {
		p.types[i] = e.Type()
	}
	p.out.Cols = make([]*vec.Vector, len(s.n.Exprs))
	p.views = make([]vec.Vector, len(s.n.Exprs))
	return p, nil
}

type projectSink struct {
	w        *worker
	next     sink
	exprs    []*expr.Evaluator
	types    []types.Type
	views    []vec.Vector
	out      vec.Batch
	inPieces bool
	pieces   expr.Pieces
}

func (s *projectSink) push(b *vec.Batch, sel vec.Bitmap) error {
	if s.inPieces {
		return s.pushPieces(b, sel)
	}
	for i, e := range s.exprs {
		v, err := e.Eval(s.w.ctx, b, sel)
		if err != nil {
			return err
		}
		s.set(i, v)
	}
	s.out.N = b.N
	return s.next.push(&s.out, sel)
}

// pushPieces is push where an expression makes texts: long ones go on before all rows have theirs.
func (s *projectSink) pushPieces(b *vec.Batch, sel vec.Bitmap) error {
	s.pieces.Start(b.N, sel)
	for more := true; more; {
		for i, e := range s.exprs {
			v, err := s.pieces.Eval(s.w.ctx, e, b)
			if err != nil {
				return err
			}
			s.set(i, v)
		}
		s.out.N = b.N
		err := s.next.push(&s.out, s.pieces.Sel())
		if err != nil {
			return err
		}
		if more, err = s.pieces.Next(s.w.ctx); err != nil {
			return err
		}
	}
	return nil
}

// set makes v column i of what goes on.
func (s *projectSink) set(i int, v *vec.Vector) {
	s.out.Cols[i] = v
	if v.Type != s.types[i] && v.Type.Phys() == s.types[i].Phys() {
		s.views[i] = *v
		s.views[i].Type = s.types[i]
		s.out.Cols[i] = &s.views[i]
	}
}

package op

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// setStage calls set-returning functions for each row and repeats the row beside what they give.
type setStage struct{ n *plan.ProjectSet }

func (s *setStage) prepare(*builder) error { return nil }

func (s *setStage) newSink(w *worker, next sink) (sink, error) {
	p := &setSink{n: s.n, w: w, next: next}
	for i := range s.n.Sets {
		set := &s.n.Sets[i]
		c := setCall{set: set, args: expr.CompileAll(set.Args), vecs: make([]*vec.Vector, len(set.Args))}
		for range set.Out {
			c.out = append(c.out, &vec.Vector{})
		}
		p.sets = append(p.sets, c)
	}
	return p, nil
}

type setCall struct {
	set  *plan.SetFunc
	args []*expr.Evaluator
	vecs []*vec.Vector
	out  []*vec.Vector // rows not yet put out
}

type setSink struct {
	n    *plan.ProjectSet
	w    *worker
	next sink
	sets []setCall
	rows []uint16 // the input row of each output row
	ord  []int64
	out  vec.Batch
}

func (s *setSink) push(b *vec.Batch, sel vec.Bitmap) error {
	for i := range s.sets {
		c := &s.sets[i]
		for k, e := range c.args {
			v, err := e.Eval(s.w.ctx, b, sel)
			if err != nil {
				return err
			}
			c.vecs[k] = v
		}
	}
	s.reset()
	var failed error
	eachRow(sel, b.N, func(i int) {
		if failed == nil {
			failed = s.row(b, i)
		}
	})
	if failed != nil {
		return failed
	}
	return s.flush(b)
}

func (s *setSink) reset() {
	s.rows, s.ord = s.rows[:0], s.ord[:0]
	for i := range s.sets {
		for k, col := range s.sets[i].set.Out {
			s.sets[i].out[k].Reset(col.Type)
		}
	}
}

// row appends what the functions give for row i, the shorter sets padded with NULLs.
func (s *setSink) row(b *vec.Batch, i int) error {
	if len(s.sets) == 1 && s.sets[0].set.Fn.Part != nil {
		return s.parts(b, i, &s.sets[0])
	}
	longest, before := 0, len(s.rows)
	for k := range s.sets {
		c := &s.sets[k]
		n, err := c.set.Fn.Call(s.w.ctx, c.vecs, i, c.out)
		if err != nil {
			return err
		}
		longest = max(longest, n)
	}
	if longest == 0 && s.n.KeepEmpty {
		longest = 1
	}
	for k := range s.sets {
		for _, v := range s.sets[k].out {
			for v.N < before+longest {
				v.AppendNull()
			}
		}
	}
	if longest > 0xffff {
		s.rows, s.ord = vec.Room(s.rows, longest), vec.Room(s.ord, longest)
	}
	if err := s.number(i, 0, longest); err != nil {
		return err
	}
	if len(s.rows) < vec.BatchRows {
		return nil
	}
	return s.flushed(b)
}

// number tells that n rows are there of row i, after so many before.
func (s *setSink) number(i, from, n int) error {
	for k := range n {
		if k&0xffff == 0xffff {
			if err := expr.Canceled(s.w.ctx); err != nil {
				return err
			}
		}
		s.rows = append(s.rows, uint16(i))
		s.ord = append(s.ord, int64(from+k+1))
	}
	return nil
}

// parts is row for one set that is made part by part: the same batches, but one at a time.
func (s *setSink) parts(b *vec.Batch, i int, c *setCall) error {
	full := false
	for from, more := 0, true; more; {
		n, rest, err := c.set.Fn.Part(s.w.ctx, c.vecs, i, from, vec.BatchRows-len(s.rows), c.out)
		if err != nil {
			return err
		}
		if more = rest; n == 0 && from == 0 && s.n.KeepEmpty {
			for _, v := range c.out {
				v.AppendNull()
			}
			n = 1
		}
		if err := s.number(i, from, n); err != nil {
			return err
		}
		from += n
		if len(s.rows) >= vec.BatchRows {
			full = true
			if err := s.flushed(b); err != nil {
				return err
			}
		}
	}
	if full {
		return s.flushed(b)
	}
	return nil
}

// flushed puts out what has been gathered and begins anew.
func (s *setSink) flushed(b *vec.Batch) error {
	if err := s.flush(b); err != nil {
		return err
	}
	s.reset()
	return nil
}

// flush puts out what has been gathered, a batch at a time.
func (s *setSink) flush(b *vec.Batch) error {
	total := len(s.rows)
	for from := 0; from < total; from += vec.BatchRows {
		if err := expr.Canceled(s.w.ctx); err != nil {
			return err
		}
		to := min(from+vec.BatchRows, total)
		s.out = vec.Batch{N: to - from}
		for _, v := range b.Cols {
			s.out.Cols = append(s.out.Cols, repeat(v, s.rows[from:to]))
		}
		for k := range s.sets {
			for _, v := range s.sets[k].out {
				w := &vec.Vector{}
				w.Reset(v.Type)
				w.AppendRange(v, from, to)
				s.out.Cols = append(s.out.Cols, w)
			}
		}
		if s.n.Ordinality {
			w := &vec.Vector{}
			w.Reset(types.Of(types.Int64))
			for _, x := range s.ord[from:to] {
				w.AppendInt(x)
			}
			s.out.Cols = append(s.out.Cols, w)
		}
		if err := s.next.push(&s.out, nil); err != nil {
			return err
		}
	}
	return nil
}

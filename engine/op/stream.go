package op

import (
	"context"
	"sync"
	"time"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/vec"
)

// stream returns the rows of the pipeline that ends at n, in the order of the morsels.
func (b *builder) stream(n plan.Node) (plan.Rows, error) {
	p, err := b.pipeline(n)
	if err != nil {
		return nil, err
	}
	return b.rowsOf(p, n.Cols()), nil
}

func (b *builder) rowsOf(p *pipeline, cols []plan.Col) plan.Rows {
	if p.b.x.workers == 1 || p.source == nil && p.parallel() == 1 {
		return &serial{p: p, g: newGatherer(cols, b.x.pairBytes())}
	}
	return &stream{p: p, cols: cols, done: make(chan struct{})}
}

// gatherer collects live rows into batches of their own. Large batches are passed on as they are (dictionaries and
// constants stay so), small ones are put together.
type gatherer struct {
	cols  []plan.Col
	texts int        // exec.pairBytes
	part  *vec.Batch // not yet full
	out   func(*vec.Batch) error
	free  func() *vec.Batch
}

func newGatherer(cols []plan.Col, texts int) *gatherer {
	g := &gatherer{cols: cols, texts: texts}
	g.free = func() *vec.Batch { return g.newBatch() }
	return g
}

func (g *gatherer) newBatch() *vec.Batch {
	b := &vec.Batch{Cols: make([]*vec.Vector, len(g.cols))}
	for i := range b.Cols {
		b.Cols[i] = &vec.Vector{}
	}
	return b
}

func (g *gatherer) push(b *vec.Batch, sel vec.Bitmap) error {
	n := aliveRows(b, sel)
	if n == 0 {
		return nil
	}
	if n >= vec.BatchRows/2 {
		if err := g.flush(); err != nil {
			return err
		}
		own := g.free()
		own.N = n
		for i, v := range b.Cols {
			keepForm(own.Cols[i], v, sel, n, g.cols[i])
		}
		return g.out(own)
	}
	if g.part == nil {
		g.part = g.free()
		g.part.N = 0
		for i, c := range g.cols {
			g.part.Cols[i].Reset(c.Type)
		}
	}
	for i, v := range b.Cols {
		g.part.Cols[i].AppendSelected(v, sel)
	}
	g.part.N += n
	if g.part.N >= vec.BatchRows || flatText(g.part) >= g.texts {
		return g.flush()
	}
	return nil
}

// flatText returns the bytes of a batch's flat texts: where they are long, scans and joins hand out fewer rows at a time, which
// are not put together again.
func flatText(b *vec.Batch) (n int) {
	for _, v := range b.Cols {
		n += len(v.Data)
	}
	return n
}

func (g *gatherer) flush() error {
	if g.part == nil {
		return nil
	}
	b := g.part
	g.part = nil
	return g.out(b)
}

// keepForm makes dst the n selected rows of v, keeping a dictionary or a constant as such.
func keepForm(dst, v *vec.Vector, sel vec.Bitmap, n int, c plan.Col) {
	dst.Reset(c.Type)
	switch v.Form {
	case vec.Const:
		dst.SetConst(v, 0, n)
		dst.Type = c.Type
	case vec.Dict:
		dst.Form, dst.Dict = vec.Dict, v.Dict
		if v.Valid != nil {
			dst.Valid = vec.MakeBitmap(n)
		}
		eachRow(sel, v.N, func(i int) {
			if v.Valid != nil && v.Valid.Get(i) {
				dst.Valid.Set(dst.N)
			}
			dst.Codes = append(dst.Codes, v.Codes[i])
			dst.N++
		})
	default:
		dst.AppendSelected(v, sel)
	}
}

func eachRow(sel vec.Bitmap, n int, f func(i int)) {
	if sel == nil {
		for i := range n {
			f(i)
		}
		return
	}
	sel.All(f)
}

// serial runs a pipeline on the caller's goroutine.
type serial struct {
	p      *pipeline
	g      *gatherer
	c      *chain
	queue  []*vec.Batch
	spare  []*vec.Batch // to be used again
	lent   *vec.Batch
	morsel int
	end    bool
	err    error
}

func (s *serial) endMorsel(int) error                     { return nil }
func (s *serial) push(b *vec.Batch, sel vec.Bitmap) error { return s.g.push(b, sel) }

func (s *serial) start() error {
	if err := s.p.prepare(); err != nil {
		return err
	}
	s.g.out = func(b *vec.Batch) error { s.queue = append(s.queue, b); return nil }
	s.g.free = func() *vec.Batch {
		if n := len(s.spare); n > 0 {
			b := s.spare[n-1]
			s.spare = s.spare[:n-1]
			return b
		}
		return s.g.newBatch()
	}
	var err error
	s.c, err = s.p.newChain(s.p.b.ctx.Context, func(*worker) (terminal, error) { return s, nil })
	return err
}

func (s *serial) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	if s.c == nil && s.err == nil {
		s.err = s.start()
	}
	if s.lent != nil {
		s.spare = append(s.spare, s.lent)
		s.lent = nil
	}
	for s.err == nil {
		if len(s.queue) > 0 {
			s.lent = s.queue[0]
			s.queue = s.queue[1:]
			return s.lent, nil
		}
		s.queue = nil
		if s.end {
			return nil, nil
		}
		s.err = s.advance()
	}
	return nil, s.err
}

// advance makes some progress: a morsel of a stored table, or a batch of rows.
func (s *serial) advance() error {
	if s.p.divided() {
		if s.morsel >= s.p.morsels() || s.p.scan != nil && s.p.scan.Done() {
			s.end = true
			return s.g.flush()
		}
		s.morsel++
		defer s.c.slot.Release() // whoever asked for rows may take long to come back
		return s.c.run(s.morsel - 1)
	}
	start := time.Now()
	more, err := s.c.step()
	s.c.settle(time.Since(start))
	if err != nil || more {
		return err
	}
	s.end = true
	return s.g.flush()
}

func (s *serial) Close() {
	if s.c != nil {
		s.c.close()
	}
	s.p.close()
}

// stream runs a pipeline on several workers and gives their batches in the order of the morsels. Every morsel has a
// channel of its own that its worker fills and closes; workers take morsels in order, so the one that is being drained
// always has a worker, and the others wait when their channels are full.
type stream struct {
	p      *pipeline
	cols   []plan.Col
	out    []chan *vec.Batch
	free   chan *vec.Batch
	morsel int
	lent   *vec.Batch
	d      *driver
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the last worker has ended
	closed bool
}

// ahead is the number of batches a worker may be ahead of the reader in one morsel.
const ahead = 64

func (s *stream) start() error {
	if err := s.p.prepare(); err != nil {
		return err
	}
	s.out = make([]chan *vec.Batch, s.p.morsels())
	for i := range s.out {
		s.out[i] = make(chan *vec.Batch, ahead)
	}
	s.free = make(chan *vec.Batch, ahead)
	ctx, cancel := context.WithCancelCause(s.p.b.ctx.Context)
	s.cancel = cancel
	s.d = &driver{p: s.p, ctx: ctx, over: func(i int) { close(s.out[i]) }}
	var wg sync.WaitGroup
	for range s.p.parallel() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s.d.work(s.newEnd)
		}()
	}
	go func() {
		wg.Wait()
		close(s.done)
	}()
	return nil
}

// streamEnd is the end of one worker's chain.
type streamEnd struct {
	s *stream
	g *gatherer
	w *worker
}

func (s *stream) newEnd(w *worker) (terminal, error) {
	e := &streamEnd{s: s, g: newGatherer(s.cols, s.p.b.x.pairBytes()), w: w}
	e.g.out = func(b *vec.Batch) error {
		select {
		case s.out[w.morsel] <- b:
			return nil
		default:
		}
		w.slot.Release() // the reader is slow: others work meanwhile
		select {
		case s.out[w.morsel] <- b:
			return w.turn()
		case <-w.ctx.Context.Done():
			if err := expr.Canceled(s.p.b.ctx); err != nil {
				return err
			}
			return errClosed
		}
	}
	e.g.free = func() *vec.Batch {
		select {
		case b := <-s.free:
			return b
		default:
			return e.g.newBatch()
		}
	}
	return e, nil
}

func (e *streamEnd) push(b *vec.Batch, sel vec.Bitmap) error { return e.g.push(b, sel) }

func (e *streamEnd) endMorsel(i int) error {
	if err := e.g.flush(); err != nil {
		return err
	}
	close(e.s.out[i])
	return nil
}

func (s *stream) Next() (*vec.Batch, error) {
	if s.out == nil {
		if err := s.start(); err != nil {
			return nil, err
		}
	}
	if s.lent != nil {
		select {
		case s.free <- s.lent:
		default:
		}
		s.lent = nil
	}
	for s.morsel < len(s.out) {
		select {
		case b, ok := <-s.out[s.morsel]:
			if ok {
				s.lent = b
				return b, nil
			}
			if err := s.d.failure(s.morsel); err != nil {
				return nil, err
			}
			s.morsel++
		case <-s.done:
			if !s.drained() {
				continue
			}
			// No worker is left, and nobody has taken this morsel: after an error, or because the limit was reached.
			s.morsel = len(s.out)
			if s.p.scan != nil && s.p.scan.Done() {
				return nil, s.d.failure(s.morsel)
			}
			if err := s.d.failure(s.morsel); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// drained reports whether the current morsel's channel has nothing to give and never will. All workers have ended. One that
// is closed still has to tell its end, which may be an error.
func (s *stream) drained() bool {
	ch := s.out[s.morsel]
	if len(ch) > 0 {
		return false
	}
	select {
	case <-ch:
		return false
	default:
		return true
	}
}

func (s *stream) Close() {
	if s.closed {
		return
	}
	s.closed = true
	if s.d != nil {
		s.cancel(errClosed)
		<-s.done
	}
	s.p.close()
}

package op

import (
	"slices"
	"sync"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A join whose gathered side does not fit in memory writes it to disk, scattered over partitions by the hash of the keys, and then
// the rows it probes with likewise; partitions are joined pair by pair, as in Kitsuregawa, Tanaka and Moto-oka, "Application of
// hash to data base machine and its architecture" (1983), the GRACE join. The pipeline is cut in two at the join: what is below
// writes, and the pairs are the parts that what is above takes. Rows then come out partition by partition, within a partition in the
// order in which they would have come: the same order whatever the number of workers.

// joinDisk is such a join.
type joinDisk struct {
	b     *builder
	s     *joinStage
	types []types.Type // of the keys
	build joinLayout
	probe joinLayout
	in    *pipeline // below the join; nil: it is not cut yet
	done  bool      // in has ended

	mu    sync.Mutex
	sides [2][]*joinWriter // what has been written of the gathered side, and of the other one
	parts []joinPart
}

// joinLayout tells what a row on disk holds: columns of a side, then those keys that are no columns of it.
type joinLayout struct {
	cols  []plan.Col
	keys  []int // column of each key
	extra []expr.Expr
	all   []plan.Col // cols, and what extra gives
}

func newJoinLayout(cols []plan.Col, ks []expr.Expr) joinLayout {
	l := joinLayout{cols: cols}
	for _, k := range ks {
		if c, ok := k.(*expr.Col); ok && c.Idx < len(cols) && c.T == cols[c.Idx].Type {
			l.keys = append(l.keys, c.Idx)
			continue
		}
		l.keys = append(l.keys, len(cols)+len(l.extra))
		l.extra = append(l.extra, k)
	}
	l.all = append(l.all, cols...)
	for _, e := range l.extra {
		l.all = append(l.all, plan.Col{Type: e.Type()})
	}
	return l
}

// keysOf returns the keys among the columns of a row on disk, in out's memory.
func (l *joinLayout) keysOf(cols, out []*vec.Vector) []*vec.Vector {
	out = out[:0]
	for _, c := range l.keys {
		out = append(out, cols[c])
	}
	return out
}

// newDisk begins to write the gathered side: its rows, or only its keys.
func (s *joinStage) newDisk(b *builder, onlyKeys bool) *joinDisk {
	node, buildKeys, probeKeys := s.sides()
	probeNode := s.n.L
	if s.swapped {
		probeNode = s.n.R
	}
	d := &joinDisk{b: b, s: s, types: exprTypes(buildKeys), probe: newJoinLayout(probeNode.Cols(), probeKeys)}
	if onlyKeys {
		d.build = newJoinLayout(nil, buildKeys)
	} else {
		d.build = newJoinLayout(node.Cols(), buildKeys)
	}
	return d
}

// gatherRows gathers the other side's rows: in memory, or on disk if they do not fit.
func (s *joinStage) gatherRows(b *builder) error {
	node, _, _ := s.sides()
	rows, err := b.build(node)
	if err != nil {
		return err
	}
	defer rows.Close()
	s.build = b.newRelation(node.Cols(), "hash join", s.n)
	s.build.mem.soft = b.x.spill != nil
	var out *joinWriter
	var buf vec.Bitmap
	ctx := *b.ctx // the workers that make the rows begin with b's
	for {
		in, err := rows.Next()
		if err != nil || in == nil {
			return err
		}
		if out != nil {
			if err := out.add(&ctx, in, selection(in, &buf)); err != nil {
				return err
			}
			continue
		}
		if err := s.build.append(in); err != nil {
			return err
		}
		if s.rowsTight(b.x) {
			if err := s.toDisk(b); err != nil {
				return err
			}
			out = s.disk.sides[0][0]
		}
	}
}

// rowsTight reports whether the join should gather no more rows in memory.
func (s *joinStage) rowsTight(x *exec) bool {
	if x.spill == nil || s.build.n == 0 {
		return false
	}
	for i := range s.build.cols {
		if len(s.build.cols[i].Data) > maxData/2 {
			return true
		}
	}
	return x.env.ForceSpill || s.build.mem.held > 1<<20 && x.mem.above(1, 2)
}

// toDisk writes the rows gathered so far, and forgets them.
func (s *joinStage) toDisk(b *builder) error {
	s.disk = s.newDisk(b, false)
	out := s.disk.newWriter(0, &s.disk.build)
	ctx := *b.ctx // as in gatherRows
	var part vec.Batch
	for from := 0; from < s.build.n; from += spillRows {
		if err := expr.Canceled(b.ctx); err != nil {
			return err
		}
		s.build.slice(from, min(from+spillRows, s.build.n), &part)
		if err := out.add(&ctx, &part, nil); err != nil {
			return err
		}
	}
	s.build.mem.free()
	s.build = nil
	return nil
}

// spillRows is how many gathered rows are written at a time.
const spillRows = 1024

// joinWriter writes rows of one side, for one worker.
type joinWriter struct {
	d     *joinDisk
	l     *joinLayout
	rows  *rowParts
	runs  [][]joinRun // per partition
	loose bool        // rows with a NULL key are wanted too
	evs   []*expr.Evaluator
	cols  []*vec.Vector
	keys  []*vec.Vector
	alive vec.Bitmap
	view  vec.Batch
	views []vec.Vector
}

// joinRun is rows that follow each other in a file and are of one morsel.
type joinRun struct{ morsel, rows int }

// newWriter returns one for the gathered side (0) or the other one (1). It may be called from several goroutines.
func (d *joinDisk) newWriter(side int, l *joinLayout) *joinWriter {
	w := &joinWriter{d: d, l: l, rows: newRowParts(d.b.x, "hash join", d.s.n, d.types, 0), evs: expr.CompileAll(l.extra)}
	w.runs = make([][]joinRun, len(w.rows.files))
	kind := d.s.n.Kind
	w.loose = kind == plan.Full || side == 1 && kind != plan.Inner && kind != plan.Semi
	if side == 1 && (kind == plan.Inner || kind == plan.Semi) {
		w.rows.skip = make([]bool, len(w.rows.files))
		for p := range w.rows.skip {
			w.rows.skip[p] = !slices.ContainsFunc(d.sides[0], func(o *joinWriter) bool { return o.rows.files[p] != nil })
		}
	}
	d.mu.Lock()
	d.sides[side] = append(d.sides[side], w)
	d.mu.Unlock()
	return w
}

// add writes the rows sel of b, which is of the side's columns.
func (w *joinWriter) add(ctx *expr.Ctx, b *vec.Batch, sel vec.Bitmap) error {
	w.cols = append(w.cols[:0], b.Cols[:len(w.l.cols)]...)
	for _, e := range w.evs {
		v, err := e.Eval(ctx, b, sel)
		if err != nil {
			return err
		}
		w.cols = append(w.cols, v)
	}
	out := relabel(&vec.Batch{N: b.N, Cols: w.cols}, w.l.all, &w.view, &w.views)
	return w.write(out.Cols, b.N, sel)
}

// write writes the rows sel of cols.
func (w *joinWriter) write(cols []*vec.Vector, n int, sel vec.Bitmap) error {
	w.keys = w.l.keysOf(cols, w.keys)
	if !w.loose {
		w.alive = ownSelection(w.alive, sel, n)
		for _, v := range w.keys {
			dropNulls(w.alive, v)
		}
		sel = w.alive
	}
	return w.rows.add(cols, w.keys, sel, n)
}

// cut ends the pipeline below a join that is on disk, the last stage that is prepared: what remains begins with the join's rows.
func (p *pipeline) cut(d *joinDisk) {
	at := p.ready - 1
	d.in = &pipeline{b: p.b, scan: p.scan, node: p.node, rows: p.rows, source: p.source, stages: p.stages[:at:at], nodes: p.nodes[:at:at], ready: at}
	p.node, p.scan, p.rows, p.source = p.nodes[at], nil, d, d
	p.stages, p.nodes, p.ready = p.stages[at+1:], p.nodes[at+1:], 0
	p.most = pairsAtOnce
}

// pairsAtOnce is how many workers join pairs at most. Each may hold its part of the memory, which does not depend on how many there are:
// so partitions are divided, and rows ordered, the same way for any number of workers.
const pairsAtOnce = 4

// begin writes the rows to probe with, and returns the number of pairs.
func (d *joinDisk) begin() (int, error) {
	if d.s.notIn != nil && d.s.notIn.null.Load() {
		return 1, nil // no row is put out, whatever there is
	}
	err := d.in.drive(func(w *worker) (terminal, error) {
		return &scatterEnd{w: w, out: d.newWriter(1, &d.probe)}, nil
	})
	if err != nil {
		return 0, err
	}
	d.done = true
	d.in.close()
	for _, ws := range d.sides {
		for _, w := range ws {
			if err := w.rows.settle(); err != nil {
				return 0, err
			}
		}
	}
	d.parts = make([]joinPart, 1<<rawBits)
	for p := range d.parts {
		for side, ws := range d.sides {
			for _, w := range ws {
				if f := w.rows.files[p]; f != nil {
					d.parts[p][side].files = append(d.parts[p][side].files, joinFile{f, w.runs[p]})
					w.rows.files[p] = nil
				}
			}
		}
	}
	d.parts = slices.DeleteFunc(d.parts, func(p joinPart) bool { return p[0].files == nil && p[1].files == nil })
	return max(1, len(d.parts)), nil
}

// Next makes it Rows; its rows come by part.
func (d *joinDisk) Next() (*vec.Batch, error) { return nil, nil }

// Close removes what is on disk.
func (d *joinDisk) Close() {
	if d.in != nil && !d.done {
		d.done = true
		d.in.close()
	}
	for _, ws := range d.sides {
		for _, w := range ws {
			w.rows.close()
		}
	}
	for i := range d.parts {
		d.parts[i].close()
	}
}

// scatterEnd is the end of one worker's chain below the join: its rows by partition.
type scatterEnd struct {
	w   *worker
	out *joinWriter
	had [1 << rawBits]int64
}

func (e *scatterEnd) push(b *vec.Batch, sel vec.Bitmap) error {
	if err := expr.Canceled(e.w.ctx); err != nil {
		return err
	}
	return e.out.add(e.w.ctx, b, sel)
}

// endMorsel notes how many rows of the morsel each partition has got.
func (e *scatterEnd) endMorsel(i int) error {
	for p, f := range e.out.rows.files {
		if f == nil || f.Rows() == e.had[p] {
			continue
		}
		e.out.runs[p] = append(e.out.runs[p], joinRun{i, int(f.Rows() - e.had[p])})
		e.had[p] = f.Rows()
	}
	return nil
}

// joinFile is what one worker has written of a partition of one side.
type joinFile struct {
	*spill.File
	runs []joinRun // nil: they do not matter
}

// joinRows is a partition of one side.
type joinRows struct{ files []joinFile }

func (r *joinRows) rows() (n int64) {
	for _, f := range r.files {
		n += f.Rows()
	}
	return n
}

func (r *joinRows) plain() (n int64) {
	for _, f := range r.files {
		n += f.Plain()
	}
	return n
}

func (r *joinRows) close() {
	for _, f := range r.files {
		_ = f.Close() // what cannot be removed goes with its directory
	}
	r.files = nil
}

// joinPart is a partition of both sides: the gathered one, and the other.
type joinPart [2]joinRows

func (p *joinPart) close() {
	p[0].close()
	p[1].close()
}

// joinReader gives the rows of a partition of one side: of several files in the order of the morsels.
type joinReader struct {
	ctx *expr.Ctx
	in  []*joinCursor
	out vec.Batch
	vec []vec.Vector

	batch *vec.Batch // of peek
	at    int        // its rows that have been taken
	part  vec.Batch
	parts []vec.Vector
}

// joinCursor is where a reader is in one file.
type joinCursor struct {
	*spill.Reader
	runs  []joinRun // the first one is being read
	batch *vec.Batch
	at    int
}

func (r *joinRows) reader(ctx *expr.Ctx) (*joinReader, error) {
	out := &joinReader{ctx: ctx}
	for _, f := range r.files {
		in, err := f.Reader()
		if err != nil {
			return nil, err
		}
		out.in = append(out.in, &joinCursor{Reader: in, runs: slices.Clone(f.runs)})
	}
	return out, nil
}

// next returns the next rows, without Sel, valid until the next call; nil at the end.
func (r *joinReader) next() (*vec.Batch, error) {
	if err := expr.Canceled(r.ctx); err != nil {
		return nil, err
	}
	if len(r.in) == 0 {
		return nil, nil
	}
	c := r.in[0]
	for _, o := range r.in[1:] {
		if len(o.runs) > 0 && (len(c.runs) == 0 || o.runs[0].morsel < c.runs[0].morsel) {
			c = o
		}
	}
	if c.batch == nil || c.at == c.batch.N {
		var err error
		if c.batch, err = c.Next(); err != nil || c.batch == nil {
			if r.in = slices.DeleteFunc(r.in, func(o *joinCursor) bool { return o == c }); err == nil && len(r.in) > 0 {
				return r.next()
			}
			return nil, err
		}
		c.at = 0
	}
	if len(r.in) == 1 && c.at == 0 {
		c.at = c.batch.N
		return c.batch, nil
	}
	n := c.batch.N - c.at
	if len(c.runs) > 0 {
		n = min(n, c.runs[0].rows)
		if c.runs[0].rows -= n; c.runs[0].rows == 0 {
			c.runs = c.runs[1:]
		}
	}
	c.at += n
	return sliceBatch(c.batch, c.at-n, c.at, &r.out, &r.vec), nil
}

// sliceBatch makes out, in the memory of vecs, the rows [from, to) of b.
func sliceBatch(b *vec.Batch, from, to int, out *vec.Batch, vecs *[]vec.Vector) *vec.Batch {
	if *vecs == nil {
		*vecs = make([]vec.Vector, len(b.Cols))
		for i := range b.Cols {
			out.Cols = append(out.Cols, &(*vecs)[i])
		}
	}
	for i, v := range b.Cols {
		out.Cols[i].Reset(v.Type)
		out.Cols[i].AppendRange(v, from, to)
	}
	out.N = to - from
	return out
}

// peek returns a batch and how many of its rows have been taken, which are not all; nil at the end. Who peeks does not call next.
func (r *joinReader) peek() (b *vec.Batch, taken int, err error) {
	if r.batch == nil || r.at == r.batch.N {
		r.at = 0
		r.batch, err = r.next()
	}
	return r.batch, r.at, err
}

// take returns the next n rows of the batch that peek has given.
func (r *joinReader) take(n int) *vec.Batch {
	r.at += n
	if n == r.batch.N {
		return r.batch
	}
	return sliceBatch(r.batch, r.at-n, r.at, &r.part, &r.parts)
}

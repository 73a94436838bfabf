package op

import (
	"slices"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// begin implements parted: the input is gathered in clusters, if it has partitions and they fit in memory; else it is sorted,
// and the rows come one after the other.
func (r *windowRows) begin() (parts int, err error) {
	if len(r.p.partition) == 0 || r.p.sorted || r.b.x.env.NoClusters {
		r.in, err = r.b.build(r.p.ordered(r.b, r.n))
		return 0, err
	}
	r.from = newClusters(r.b, r.n, r.p, r.used)
	if err := r.from.gather(); err != nil {
		return 0, err
	}
	if r.from.sorted != nil {
		r.in = noClose{r.from.sorted}
		return 0, nil
	}
	if parts = len(r.from.parts) - 1; parts == 0 {
		r.in = noRows{}
	}
	return parts, nil
}

// noClose is rows that are closed elsewhere.
type noClose struct{ plan.Rows }

func (noClose) Close() {}

// ordered puts the sort below the window, where one is needed.
func (p *windowPlan) ordered(b *builder, n *plan.Window) plan.Node {
	if len(p.keys) == 0 || p.sorted {
		return p.in
	}
	s := &plan.Sort{In: p.in, Keys: p.keys}
	b.x.env.Analyze.standsFor(s, n)
	return s
}

// computed returns the columns that the calls look at, those of the order only if some call asks which rows are equal in it.
func (p *windowPlan) computed() []int {
	var out []int
	peers := false
	for i := range p.calls {
		c := &p.calls[i]
		out = append(out, c.args...)
		for _, x := range []int{c.filter, c.rangeKey, c.limits[0], c.limits[1]} {
			if x >= 0 {
				out = append(out, x)
			}
		}
		peers = peers || c.n.Fn == nil || !unframed[c.n.Fn.Name]
	}
	if peers {
		out = append(out, p.order...)
	}
	return out
}

// unframed are the functions that look at neither frames nor peers.
var unframed = map[string]bool{"row_number": true, "lag": true, "lead": true, "ntile": true}

// newMaker implements parted.
func (r *windowRows) newMaker(w *worker) partMaker {
	m := &windowMaker{r: r, c: r.from, w: w, mem: w.x.account("window", r.n)}
	m.task = windowTask{p: r.p, ctx: w.ctx, mem: w.x.account("window", r.n), cols: make([]vec.Vector, len(r.p.ts))}
	gather := make([]bool, len(r.p.ts))
	for _, i := range r.p.computed() {
		gather[i] = true
	}
	for i := range r.p.ts {
		if gather[i] || i < r.p.width && r.used[i] && r.from.at[i] >= 0 {
			m.gathered = append(m.gathered, i)
		}
	}
	m.out.Cols = make([]*vec.Vector, len(r.used))
	m.vecs = make([]vec.Vector, len(r.used))
	for i := range m.vecs {
		m.out.Cols[i] = &m.vecs[i]
		if !r.used[i] {
			m.vecs[i].SetConstNull(r.n.Cols()[i].Type, 1)
		}
	}
	return m
}

// windowMaker computes the partitions of a part for one worker.
type windowMaker struct {
	r        *windowRows
	c        *clusters
	w        *worker
	mem      account
	task     windowTask
	gathered []int // columns of the task
	ranges   []rowRange
	sorter   *groupSorter
	out      vec.Batch
	vecs     []vec.Vector
}

func (m *windowMaker) close() {
	m.mem.free()
	m.task.mem.free()
}

func (m *windowMaker) part(i int, push func(*vec.Batch, vec.Bitmap) error) error {
	if err := expr.Canceled(m.w.ctx); err != nil {
		return err
	}
	if err := m.lineUp(int(m.c.parts[i]), int(m.c.parts[i+1])); err != nil {
		return err
	}
	if err := m.fill(); err != nil {
		return err
	}
	t := &m.task
	t.err, t.peers = nil, nil
	if t.callAll(); t.err != nil {
		return t.err
	}
	return m.emit(push)
}

// lineUp finds the rows of partitions [from, to), in order.
func (m *windowMaker) lineUp(from, to int) error {
	t := &m.task
	m.ranges, t.starts, t.n = m.ranges[:0], t.starts[:0], 0
	for g := from; g < to; g++ {
		of := m.c.stretches[m.c.groups[g]:m.c.groups[g+1]]
		t.starts = append(t.starts, int32(t.n))
		for i := range of {
			t.n += int(of[i].n)
		}
		if (g-from)&1023 == 1023 || len(of) > 1<<16 {
			if err := expr.Canceled(m.w.ctx); err != nil {
				return err
			}
		}
		if m.c.follow(of) {
			m.ranges = append(m.ranges, of...)
			continue
		}
		var err error
		if m.sorter == nil {
			m.sorter = newGroupSorter(m.c)
		}
		if m.ranges, err = m.sorter.sort(m.w.ctx, of, m.ranges); err != nil {
			return err
		}
	}
	t.starts = append(t.starts, int32(t.n))
	return nil
}

// fill gathers the task's columns.
func (m *windowMaker) fill() error {
	t := &m.task
	for _, i := range m.gathered {
		if err := expr.Canceled(m.w.ctx); err != nil {
			return err
		}
		v := &t.cols[i]
		v.Reset(m.r.p.ts[i])
		gatherRanges(v, m.c.rows[m.c.at[i]], m.ranges, t.n)
		if len(v.Data) > maxData {
			return errWide("window partition")
		}
	}
	t.measure()
	return m.mem.to(t.bytes + int64(cap(m.ranges))*12)
}

// emit pushes the part's rows.
func (m *windowMaker) emit(push func(*vec.Batch, vec.Bitmap) error) error {
	t, width := &m.task, m.r.p.width
	most := vec.BatchRows
	if n := m.w.x.env.BatchRows; n > 0 {
		most = min(most, n)
	}
	at, inRange := 0, uint32(0) // of the row to come: its range, and its number there
	for from := 0; from < t.n; from += most {
		to := min(from+most, t.n)
		n := to - from
		m.out.N = n
		for i := range m.vecs {
			v := &m.vecs[i]
			switch {
			case !m.r.used[i]:
				v.N = n
			case i >= width:
				view(v, &t.results[i-width], from, to)
			case slices.Contains(m.gathered, i):
				view(v, &t.cols[i], from, to)
			default:
				m.partition(i, at, inRange, n)
			}
		}
		for left := uint32(n); left > 0; {
			k := min(left, m.ranges[at].n-inRange)
			inRange += k
			if left -= k; inRange == m.ranges[at].n {
				at, inRange = at+1, 0
			}
		}
		if err := push(&m.out, nil); err != nil {
			return err
		}
	}
	return nil
}

// partition makes column i of the output the value of the partition's column for n rows, from row number skip of range at on.
// Bytes are there once for each stretch.
func (m *windowMaker) partition(i, at int, skip uint32, n int) {
	key := 0
	for m.r.p.partition[key] != i {
		key++
	}
	chunks, v := m.c.keys[key], &m.vecs[i]
	v.Reset(m.r.p.ts[i])
	if v.Type.Phys() == types.PhysBytes {
		m.coded(v, chunks, at, skip, n)
		return
	}
	for n > 0 {
		r := &m.ranges[at]
		k := min(int(r.n-skip), n)
		c, row := chunks[r.key>>chunkBits], int(r.key&(chunkRows-1))
		for range k {
			v.AppendFrom(c, row)
		}
		n -= k
		at, skip = at+1, 0
	}
}

// coded is partition for bytes: a dictionary.
func (m *windowMaker) coded(v *vec.Vector, chunks []*vec.Vector, at int, skip uint32, n int) {
	d := &vec.Vector{} // whoever keeps the batch's dictionaries takes one for another if it is the same vector
	d.Reset(v.Type)
	v.Form, v.Dict, v.N = vec.Dict, d, n
	last, valid := -1, vec.Bitmap(nil)
	for done := 0; done < n; {
		r := &m.ranges[at]
		k := min(int(r.n-skip), n-done)
		c, row := chunks[r.key>>chunkBits], int(r.key&(chunkRows-1))
		code := uint32(0)
		if c.Null(row) {
			if valid == nil {
				valid = vec.MakeBitmap(n)
				valid.Fill(n)
			}
			for j := range k {
				valid.Clear(done + j)
			}
		} else {
			if int(r.key) != last {
				d.AppendBytes(c.Bytes(row))
				last = int(r.key)
			}
			code = uint32(d.N - 1)
		}
		for range k {
			v.Codes = append(v.Codes, code)
		}
		done += k
		at, skip = at+1, 0
	}
	v.Valid = valid
}

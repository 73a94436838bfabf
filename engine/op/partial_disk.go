package op

import (
	"sync"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// partialRun is what a worker had in memory when it was used up, on disk: its partitions one behind the other, and so they
// are read again.
type partialRun struct {
	file  *spill.File
	rows  [partialParts]int32
	in    *spill.Reader
	batch *vec.Batch
	at    int
}

// spill writes all rows to disk.
func (r *partialRows) spill() error {
	f, err := r.w.x.spaceOf(r.l.n).Create()
	if err != nil {
		return err
	}
	run := &partialRun{file: f}
	r.runs = append(r.runs, run)
	out := newWordBatch(r.l)
	for p := range r.parts {
		n := r.parts[p].len(r.l, r.per)
		run.rows[p] = int32(n)
		err := r.eachChunk(p, 0, n, func(rows []uint64) error {
			if err := expr.Canceled(r.w.ctx); err != nil {
				return err
			}
			for c, v := range out.Cols {
				if c >= r.l.width {
					r.writeTexts(rows, r.l.hashed+c-r.l.width, v)
					continue
				}
				v.I64 = v.I64[:0]
				for at := c; at < len(rows); at += r.l.width {
					v.I64 = append(v.I64, int64(rows[at]))
				}
				v.N = len(v.I64)
			}
			out.N = len(rows) / r.l.width
			return f.Write(out)
		})
		if err != nil {
			return err
		}
		r.free(p)
	}
	r.chunks, r.rows = 0, 0
	r.texts.empty()
	return r.mem.to(f.Bytes())
}

// newWordBatch returns a batch with a column for each word, and for each text one more: those that are not in their word.
func newWordBatch(l *partialLayout) *vec.Batch {
	b := &vec.Batch{}
	for i := range l.width + l.head - l.hashed {
		v := &vec.Vector{}
		if i < l.width {
			v.Reset(types.Of(types.Int64))
		} else {
			v.Reset(types.Of(types.Bytea))
		}
		b.Cols = append(b.Cols, v)
	}
	return b
}

// writeTexts makes v the texts of a word of rows.
func (r *partialRows) writeTexts(rows []uint64, word int, v *vec.Vector) {
	v.Reset(v.Type)
	for at := word; at < len(rows); at += r.l.width {
		switch set := rows[at] >> textSetBits; {
		case rows[at]&textInline != 0:
			v.AppendBytes(nil)
		case set == r.texts.set:
			v.AppendBytes(r.texts.get(rows[at]))
		default:
			v.AppendBytes(r.l.below[set].get(rows[at]))
		}
	}
}

// read appends the run's rows of partition p, which is the next one, and puts their texts into an arena.
func (run *partialRun) read(p int, l *partialLayout, rows []uint64, texts *textArena) ([]uint64, error) {
	var err error
	if run.in == nil {
		if run.in, err = run.file.Reader(); err != nil {
			return nil, err
		}
	}
	for left := int(run.rows[p]); left > 0; {
		if run.batch == nil || run.at == run.batch.N {
			if run.batch, err = run.in.Next(); err != nil {
				return nil, err
			}
			if run.at = 0; run.batch == nil {
				return nil, sqlstate.New(sqlstate.Internal, "a run of partial groups ends before partition %d does", p)
			}
		}
		n := min(left, run.batch.N-run.at)
		for i := run.at; i < run.at+n; i++ {
			for _, v := range run.batch.Cols[:l.width] {
				rows = append(rows, uint64(v.Int(i)))
			}
			row := rows[len(rows)-l.width:]
			for k, v := range run.batch.Cols[l.width:] {
				if row[l.hashed+k]&textInline == 0 {
					row[l.hashed+k] = texts.put(v.Bytes(i), 0)
				}
			}
		}
		run.at += n
		left -= n
	}
	return rows, nil
}

// diskTurns lets the workers read the runs in the order of the partitions.
type diskTurns struct {
	mu     sync.Mutex
	moved  sync.Cond
	next   int
	failed bool
}

// read calls f when it is partition p's turn; false if another one failed.
func (d *diskTurns) read(p int, f func() error) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.next != p && !d.failed {
		d.moved.Wait()
	}
	if d.failed {
		return false, nil
	}
	err := f()
	d.next++
	d.failed = err != nil
	d.moved.Broadcast()
	return true, err
}

// fail lets nobody wait any more.
func (d *diskTurns) fail() {
	d.mu.Lock()
	d.failed = true
	d.moved.Broadcast()
	d.mu.Unlock()
}

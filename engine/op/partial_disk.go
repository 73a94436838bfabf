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
	out := newWordBatch(r.l.width)
	for p := range r.parts {
		n := r.parts[p].len(r.l, r.per)
		run.rows[p] = int32(n)
		err := r.eachChunk(p, 0, n, func(rows []uint64) error {
			if err := expr.Canceled(r.w.ctx); err != nil {
				return err
			}
			for c, v := range out.Cols {
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
	return r.mem.to(f.Bytes())
}

func newWordBatch(width int) *vec.Batch {
	b := &vec.Batch{}
	for range width {
		v := &vec.Vector{}
		v.Reset(types.Of(types.Int64))
		b.Cols = append(b.Cols, v)
	}
	return b
}

// read appends the run's rows of partition p, which is the next one.
func (run *partialRun) read(p int, rows []uint64) ([]uint64, error) {
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
			for _, v := range run.batch.Cols {
				rows = append(rows, uint64(v.Int(i)))
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

package scan

import (
	"time"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/simd"
)

// Detail is what a scan that is measured tells besides its Stats. Counts are of row groups.
type Detail struct {
	Encodings map[string]int64 // chunks that were filtered or read, by encoding
	Bytes     int64            // of those chunks, as they are stored
	// Row groups by how many of their rows passed the conjuncts that encoded columns decide: all, some, fewer than one in five.
	All, Bitmap, Selection int64
	Conjuncts              []ConjunctDetail // of the plan's filter, and then what follows from it
	Level                  simd.Level       // of the loops
}

// ConjunctDetail is what one conjunct did.
type ConjunctDetail struct {
	Cond    expr.Expr
	In, Out int64 // rows it was asked about, and rows that passed
	Time    time.Duration
}

// Measure has the scan collect a Detail. It is called before the first worker.
func (s *Scan) Measure() {
	s.detail = &Detail{Encodings: map[string]int64{}, Level: simd.Active()}
	for _, p := range s.preds {
		s.detail.Conjuncts = append(s.detail.Conjuncts, ConjunctDetail{Cond: p.e})
	}
}

// Detail returns what the workers that were closed have collected; nil if the scan is not measured. Nobody changes it once
// the last worker is closed.
func (s *Scan) Detail() *Detail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.detail
}

func newDetail(s *Scan) *Detail {
	if s.detail == nil {
		return nil
	}
	return &Detail{Encodings: map[string]int64{}, Conjuncts: make([]ConjunctDetail, len(s.preds))}
}

// add takes a worker's part over.
func (d *Detail) add(o *Detail) {
	for name, n := range o.Encodings {
		d.Encodings[name] += n
	}
	d.Bytes += o.Bytes
	d.All, d.Bitmap, d.Selection = d.All+o.All, d.Bitmap+o.Bitmap, d.Selection+o.Selection
	for i, c := range o.Conjuncts {
		x := &d.Conjuncts[i]
		x.In, x.Out, x.Time = x.In+c.In, x.Out+c.Out, x.Time+c.Time
	}
}

// met counts a column of the current group that was looked at.
func (w *Worker) met(c column.Column) {
	if w.detail == nil || c == nil {
		return
	}
	if d, ok := c.(column.Described); ok {
		name, bytes := d.Encoding()
		w.detail.Encodings[name]++
		w.detail.Bytes += bytes
	}
}

// metGroup counts a group of n rows of which alive passed, and the columns of the output.
func (w *Worker) metGroup(n, alive int) {
	if w.detail == nil {
		return
	}
	switch {
	case alive == n:
		w.detail.All++
	case 5*alive < n:
		w.detail.Selection++
	default:
		w.detail.Bitmap++
	}
	for _, c := range w.s.out {
		if alive > 0 && !w.filters[c] {
			w.met(w.cols[c].direct)
			w.met(w.cols[c].second)
		}
	}
}

// judged counts what conjunct k did.
func (w *Worker) judged(k, before, after int, took time.Duration) {
	w.preds[k].seen(before, after, took)
	if w.detail != nil {
		c := &w.detail.Conjuncts[k]
		c.In, c.Out, c.Time = c.In+int64(before), c.Out+int64(after), c.Time+took
	}
}

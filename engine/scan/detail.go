package scan

import (
	"strings"
	"time"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/vec"
)

// Detail is what a scan that is measured tells besides its Stats. Counts are of row groups.
type Detail struct {
	Encodings map[string]int64 // chunks that were filtered or read, by encoding
	Bytes     int64            // of those chunks, as they are stored
	Decoded   int64            // bytes of the values that were decoded for batches
	Columns   []ColumnDetail   // of the plan's Read
	// What the table has, and what rows were looked for in. Rows in memory count as one segment.
	Partitions, PartitionsRead, Segments, SegmentsRead int
	opened                                             vec.Bitmap // row groups that were opened
	// Row groups by how many of their rows passed the conjuncts that encoded columns decide: all, some, fewer than one in five.
	All, Bitmap, Selection int64
	Conjuncts              []ConjunctDetail // of the plan's filter, and then what follows from it
	Level                  simd.Level       // of the loops
}

// ColumnDetail is what was met of one column.
type ColumnDetail struct {
	Encodings map[string]int64 // as Detail's
	Bytes     int64
}

// ConjunctDetail is what one conjunct did.
type ConjunctDetail struct {
	Cond    expr.Expr
	In, Out int64 // rows it was asked about, and rows that passed
	Time    time.Duration
}

// Measure has the scan collect a Detail. It is called before the first worker.
func (s *Scan) Measure() {
	s.detail = s.emptyDetail()
	for _, p := range s.preds {
		s.detail.Conjuncts = append(s.detail.Conjuncts, ConjunctDetail{Cond: p.e})
	}
	s.detail.Partitions, s.detail.Segments = s.places(nil)
}

func (s *Scan) emptyDetail() *Detail {
	return &Detail{Encodings: map[string]int64{}, Columns: make([]ColumnDetail, len(s.node.Read)), Level: simd.Active(),
		opened: vec.MakeBitmap(len(s.morsels))}
}

// places counts the partitions and the segments of the row groups in of; nil: of all.
func (s *Scan) places(of vec.Bitmap) (partitions, segments int) {
	days, files := map[int64]bool{}, map[string]bool{}
	for i, m := range s.morsels {
		if of != nil && !of.Get(i) {
			continue
		}
		if day, ok := m.Partition(); ok {
			days[day] = true
		}
		file, _, _ := strings.Cut(m.Origin(), " group ")
		files[file] = true
	}
	return len(days), len(files)
}

// Detail returns what the workers that were closed have collected; nil if the scan is not measured. Nobody changes it once
// the last worker is closed.
func (s *Scan) Detail() *Detail {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.detail != nil {
		s.detail.PartitionsRead, s.detail.SegmentsRead = s.places(s.detail.opened)
	}
	return s.detail
}

func newDetail(s *Scan) *Detail {
	if s.detail == nil {
		return nil
	}
	d := s.emptyDetail()
	d.Conjuncts = make([]ConjunctDetail, len(s.preds))
	return d
}

// add takes a worker's part over.
func (d *Detail) add(o *Detail) {
	for name, n := range o.Encodings {
		d.Encodings[name] += n
	}
	d.Bytes, d.Decoded = d.Bytes+o.Bytes, d.Decoded+o.Decoded
	for i := range o.opened {
		d.opened[i] |= o.opened[i]
	}
	for i := range o.Columns {
		for name, n := range o.Columns[i].Encodings {
			d.Columns[i].count(name, n)
		}
		d.Columns[i].Bytes += o.Columns[i].Bytes
	}
	d.All, d.Bitmap, d.Selection = d.All+o.All, d.Bitmap+o.Bitmap, d.Selection+o.Selection
	for i, c := range o.Conjuncts {
		x := &d.Conjuncts[i]
		x.In, x.Out, x.Time = x.In+c.In, x.Out+c.Out, x.Time+c.Time
	}
}

func (c *ColumnDetail) count(encoding string, n int64) {
	if c.Encodings == nil {
		c.Encodings = map[string]int64{}
	}
	c.Encodings[encoding] += n
}

// met counts a column of the current group that was looked at, for the plan's column at.
func (w *Worker) met(at int, c column.Column) {
	if w.detail == nil || c == nil {
		return
	}
	if d, ok := c.(column.Described); ok {
		name, bytes := d.Encoding()
		w.detail.Encodings[name]++
		w.detail.Bytes += bytes
		w.detail.Columns[at].count(name, 1)
		w.detail.Columns[at].Bytes += bytes
	}
}

// metGroup counts a group of n rows of which alive passed, and the columns of the output.
func (w *Worker) metGroup(n, alive int) {
	w.metRows(n, alive)
	if alive > 0 {
		w.metOutput()
	}
}

func (w *Worker) metRows(n, alive int) {
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
}

// metOutput counts the columns of the output but those that were filtered.
func (w *Worker) metOutput() {
	if w.detail == nil {
		return
	}
	for _, c := range w.s.out {
		if !w.filters[c] {
			w.met(c, w.cols[c].direct)
			w.met(c, w.cols[c].second)
		}
	}
}

// judged counts what conjunct k did.
func (w *Worker) judged(k, before, after int, took time.Duration) {
	w.preds[k].seen(before, after, took)
	w.decided(k, before, after, took)
}

// decided tells of conjunct k.
func (w *Worker) decided(k, before, after int, took time.Duration) {
	if w.detail != nil {
		c := &w.detail.Conjuncts[k]
		c.In, c.Out, c.Time = c.In+int64(before), c.Out+int64(after), c.Time+took
	}
}

// decodedBytes counts the values of a vector that was read.
func (w *Worker) decodedBytes(v *vec.Vector) {
	if w.detail == nil {
		return
	}
	n := len(v.I64)*8 + len(v.F64)*8 + len(v.Bits)*8 + len(v.Codes)*4
	if len(v.Off) > 0 {
		n += len(v.Off)*4 + len(v.Data)
	}
	w.detail.Decoded += int64(n)
}

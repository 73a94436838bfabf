package rollups

import (
	"cmp"
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// The columns of the state table, in sort-key order, then the state itself.
const (
	colMetric = iota
	colProcess
	colLabel
	colChannel
	colVersion
	colBuildID
	colApplication
	colArchitecture
	colOS
	colOSVersion
	colDate
	colLayout
	colCount
	colFraction
	colHistogram
	stateCols
)

// keyCols is the number of leading columns that make the key.
const keyCols = colLayout + 1

var stateColumns = [stateCols]types.Column{
	colMetric:       {Name: "metric", Type: types.Of(types.Text), NotNull: true},
	colProcess:      {Name: "process", Type: types.Of(types.Text), NotNull: true},
	colLabel:        {Name: "label", Type: types.Of(types.Text), NotNull: true},
	colChannel:      {Name: "channel", Type: types.Of(types.Text), NotNull: true},
	colVersion:      {Name: "version", Type: types.Of(types.Text), NotNull: true},
	colBuildID:      {Name: "build_id", Type: types.Of(types.Text), NotNull: true},
	colApplication:  {Name: "application", Type: types.Of(types.Text), NotNull: true},
	colArchitecture: {Name: "architecture", Type: types.Of(types.Text), NotNull: true},
	colOS:           {Name: "os", Type: types.Of(types.Text), NotNull: true},
	colOSVersion:    {Name: "os_version", Type: types.Of(types.Text), NotNull: true},
	colDate:         {Name: "submission_date", Type: types.Of(types.Date), NotNull: true},
	colLayout:       {Name: "layout", Type: types.Of(types.Text), NotNull: true},
	colCount:        {Name: "count", Type: types.Of(types.Int64), NotNull: true},
	colFraction:     {Name: "sum_fraction", Type: types.Of(types.Float64), NotNull: true},
	colHistogram:    {Name: "histogram", Type: types.Of(types.Histogram), NotNull: true},
}

// groupRows is the size of a group of states.
const groupRows = 1 << 16

// run is the states of one (metric, process): rows [from, to) of the builder, sorted by the rest of the key.
type run struct {
	metric, process string
	from, to        int
}

// builder collects states run by run; runs may come in any order.
type builder struct {
	cols [stateCols]vec.Vector
	runs []run
	h    sketch.Histogram
	buf  []byte
}

func newBuilder() *builder {
	b := &builder{}
	for i := range b.cols {
		b.cols[i].Reset(types.LeafOf(stateColumns[i].Type).Type())
	}
	return b
}

func (b *builder) rows() int { return b.cols[colMetric].N }

// add appends the states of one (metric, process), given by label.
func (b *builder) add(metric, process string, labels map[string]*cells, tuples []tuple) {
	from := b.rows()
	names := make([]string, 0, len(labels))
	for l := range labels {
		names = append(names, l)
	}
	slices.Sort(names)
	for _, label := range names {
		for _, r := range labels[label].sorted() {
			b.addCell(metric, process, label, &tuples[r.cell.tuple], r)
		}
	}
	if b.rows() > from {
		b.runs = append(b.runs, run{metric, process, from, b.rows()})
	}
}

func (b *builder) addCell(metric, process, label string, t *tuple, r cellRef) {
	b.cols[colMetric].AppendString(metric)
	b.cols[colProcess].AppendString(process)
	b.cols[colLabel].AppendString(label)
	b.cols[colChannel].AppendString(t.channel)
	b.cols[colVersion].AppendString(t.version)
	b.cols[colBuildID].AppendString(t.buildID)
	b.cols[colApplication].AppendString(t.application)
	b.cols[colArchitecture].AppendString(t.architecture)
	b.cols[colOS].AppendString(t.os)
	b.cols[colOSVersion].AppendString(t.osVersion)
	b.cols[colDate].AppendInt(t.date)
	b.cols[colLayout].AppendString(r.lc.layout.String())
	b.cols[colCount].AppendInt(r.cell.count)
	b.cols[colFraction].AppendFloat(r.cell.fraction)
	r.lc.histogram(r.cell, &b.h)
	b.buf = b.h.AppendTo(b.buf[:0])
	b.cols[colHistogram].AppendBytes(b.buf)
}

// groups returns the states in key order, cut into groups.
func (b *builder) groups() []column.Group {
	slices.SortFunc(b.runs, func(x, y run) int {
		return cmp.Or(cmp.Compare(x.metric, y.metric), cmp.Compare(x.process, y.process))
	})
	w := newGroupWriter()
	for _, r := range b.runs {
		for i := r.from; i < r.to; i++ {
			w.appendRow(&b.cols, i)
		}
	}
	return w.finish()
}

// groupWriter cuts a stream of state rows into groups of at most groupRows.
type groupWriter struct {
	out  []column.Group
	cols *[stateCols]vec.Vector
}

func newGroupWriter() *groupWriter { return &groupWriter{} }

// start makes sure there is room for one more row.
func (w *groupWriter) start() {
	if w.cols != nil && w.cols[0].N < groupRows {
		return
	}
	w.flush()
	w.cols = &[stateCols]vec.Vector{}
	for i := range w.cols {
		w.cols[i].Reset(types.LeafOf(stateColumns[i].Type).Type())
	}
}

func (w *groupWriter) appendRow(from *[stateCols]vec.Vector, i int) {
	w.start()
	for c := range w.cols {
		w.cols[c].AppendFrom(&from[c], i)
	}
}

func (w *groupWriter) flush() {
	if w.cols == nil || w.cols[0].N == 0 {
		return
	}
	m := column.NewMem(w.cols[0].N)
	for c := range w.cols {
		m.Add(types.Path(stateColumns[c].Name), types.LeafOf(stateColumns[c].Type), &w.cols[c])
	}
	w.out = append(w.out, m)
	w.cols = nil
}

func (w *groupWriter) finish() []column.Group {
	w.flush()
	return w.out
}

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

// groupRows is the most rows a group of states has.
const groupRows = 1 << 16

// run is the states of one (metric, process), sorted by the rest of the key.
type run struct {
	metric, process string
	states          []state
	histograms      []byte // encoded, in order
}

// state is one row of the state table, its run's metric and process apart.
type state struct {
	label    string
	tuple    int32
	layout   int32
	count    int64
	fraction float64
	to       int // end of its histogram
}

// builder collects states run by run; runs may come in any order.
type builder struct {
	runs       []run
	states     []state // of the run at work
	histograms []byte
	sum        sketch.Histogram
	spare      []sketch.Bucket
}

// fold adds equal keys of contributions and appends the states as a run.
func (b *builder) fold(metric, process string, cs *contributions, ls *layouts) {
	if len(cs.list) == 0 {
		return
	}
	cs.sort(ls)
	b.states, b.histograms = b.states[:0], b.histograms[:0]
	for rest := cs.list; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].sameKey(&rest[0]) {
			n++
		}
		b.state(rest[:n], cs.buckets, ls)
		rest = rest[n:]
	}
	b.runs = append(b.runs, run{metric, process, slices.Clone(b.states), slices.Clone(b.histograms)})
}

// state appends the sum of contributions of one key.
func (b *builder) state(same []contribution, buckets []sketch.Bucket, ls *layouts) {
	c := &same[0]
	s := state{label: c.label, tuple: c.tuple, layout: c.layout, count: int64(len(same)), fraction: c.fraction}
	b.sum.Layout, b.sum.Sum = ls.list[c.layout], c.sum
	b.sum.Buckets = append(b.sum.Buckets[:0], buckets[c.from:c.to]...)
	for i := range same[1:] {
		c := &same[i+1]
		s.fraction += c.fraction
		b.sum.Sum = clampedAdd(b.sum.Sum, c.sum)
		b.spare = addBuckets(b.spare[:0], b.sum.Buckets, buckets[c.from:c.to])
		b.spare, b.sum.Buckets = b.sum.Buckets, b.spare
	}
	b.histograms = b.sum.AppendTo(b.histograms)
	s.to = len(b.histograms)
	b.states = append(b.states, s)
}

// groups returns the states of the metrics that keep lets through (all if nil) in key order, cut into groups.
func (b *builder) groups(tuples []tuple, ls *layouts, keep func(metric string) bool) ([]column.Group, error) {
	runs := slices.DeleteFunc(b.runs, func(r run) bool { return keep != nil && !keep(r.metric) })
	slices.SortStableFunc(runs, func(x, y run) int {
		return cmp.Or(cmp.Compare(x.metric, y.metric), cmp.Compare(x.process, y.process))
	})
	w := &stateWriter{tuples: tuples, layouts: ls}
	twice := false
	for i := range runs {
		r := &runs[i]
		if i > 0 && runs[i-1].metric == r.metric && runs[i-1].process == r.process {
			// A probe that is named as count histograms are stored. Each run is sorted, the two together are not.
			twice = true
			w.flush()
		}
		for from := 0; from < len(r.states); {
			n := min(len(r.states)-from, groupRows-w.rows)
			w.parts = append(w.parts, part{r, from, from + n})
			from += n
			if w.rows += n; w.rows == groupRows {
				w.flush()
			}
		}
	}
	w.flush()
	if twice {
		return merge(w.out, nil)
	}
	return w.out, nil
}

// stateWriter writes the states of runs as groups, column by column.
type stateWriter struct {
	tuples  []tuple
	layouts *layouts
	parts   []part // of the group at work
	rows    int
	out     []column.Group
}

// part is states [from, to) of a run.
type part struct {
	*run
	from, to int
}

func (w *stateWriter) flush() {
	if w.rows == 0 {
		return
	}
	g := column.NewMem(w.rows)
	for c := range stateColumns {
		v := &vec.Vector{}
		v.Reset(stateLeafType(c))
		w.column(c, v)
		v.N = w.rows
		g.Add(types.Path(stateColumns[c].Name), types.LeafOf(stateColumns[c].Type), v)
	}
	w.out = append(w.out, g)
	w.parts, w.rows = w.parts[:0], 0
}

func (w *stateWriter) column(c int, v *vec.Vector) {
	switch c {
	case colDate, colCount:
		v.I64 = make([]int64, 0, w.rows)
	case colFraction:
		v.F64 = make([]float64, 0, w.rows)
	case colHistogram:
		w.histograms(v)
		return
	default:
		w.text(c, v)
		return
	}
	for _, p := range w.parts {
		for i := range p.states[p.from:p.to] {
			s := &p.states[p.from+i]
			switch c {
			case colDate:
				v.I64 = append(v.I64, w.tuples[s.tuple].date)
			case colCount:
				v.I64 = append(v.I64, s.count)
			case colFraction:
				v.F64 = append(v.F64, s.fraction)
			}
		}
	}
}

func (w *stateWriter) histograms(v *vec.Vector) {
	v.Off = append(make([]uint32, 0, w.rows+1), 0)
	bytes := 0
	for _, p := range w.parts {
		bytes += p.end(p.to) - p.end(p.from)
	}
	v.Data = make([]byte, 0, bytes)
	for _, p := range w.parts {
		base := len(v.Data) - p.end(p.from)
		v.Data = append(v.Data, p.histograms[p.end(p.from):p.end(p.to)]...)
		for i := range p.states[p.from:p.to] {
			v.Off = append(v.Off, uint32(base+p.states[p.from+i].to))
		}
	}
}

// end is where the histograms of the first n states end.
func (r *run) end(n int) int {
	if n == 0 {
		return 0
	}
	return r.states[n-1].to
}

// text writes a column of texts: their lengths first, so that the bytes are allocated once.
func (w *stateWriter) text(c int, v *vec.Vector) {
	v.Off = append(make([]uint32, 0, w.rows+1), 0)
	bytes := 0
	for _, p := range w.parts {
		for i := range p.states[p.from:p.to] {
			bytes += len(w.textOf(c, p.run, &p.states[p.from+i]))
			v.Off = append(v.Off, uint32(bytes))
		}
	}
	v.Data = make([]byte, 0, bytes)
	for _, p := range w.parts {
		for i := range p.states[p.from:p.to] {
			v.Data = append(v.Data, w.textOf(c, p.run, &p.states[p.from+i])...)
		}
	}
}

func (w *stateWriter) textOf(c int, r *run, s *state) string {
	switch c {
	case colMetric:
		return r.metric
	case colProcess:
		return r.process
	case colLabel:
		return s.label
	case colLayout:
		return w.layouts.text[s.layout]
	}
	return w.tuples[s.tuple].dims[c-colChannel]
}

func stateLeafType(i int) types.Type { return types.LeafOf(stateColumns[i].Type).Type() }

package rollups

import (
	"math"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// aggregator turns the probes of one group into states, one (metric, process) at a time: it gathers the contributions of
// its columns and folds them. It holds the contributions of one metric and no more. Rows are visited in the order of
// their tuples, so that the contributions of a plain column come sorted.
type aggregator struct {
	rows    int
	order   []uint16 // the rows that count, by tuple
	of      []int32
	wanted  []bool // by block: has rows that count
	layouts layouts
	labels  map[string]string
	out     builder

	own, counts contributions // of the probe at work: under its name, and those of count histograms
	blocks      []vec.Vector
	h           sketch.Histogram
	parser      fastjson.Parser
}

func newAggregator(rows int, tuples []tuple, of []int32) *aggregator {
	blocks := (rows + vec.BlockRows - 1) / vec.BlockRows
	a := &aggregator{rows: rows, of: of, wanted: make([]bool, blocks), blocks: make([]vec.Vector, blocks), labels: map[string]string{}}
	a.layouts.of(countLayout)
	a.layouts.of(simpleLayout)
	a.order = orderByTuple(of, len(tuples))
	for _, r := range a.order {
		a.wanted[int(r)/vec.BlockRows] = true
	}
	return a
}

// orderByTuple lists the rows that have a tuple, by tuple and then by row.
func orderByTuple(of []int32, tuples int) []uint16 {
	at := make([]int, tuples+1)
	for _, t := range of {
		if t != noTuple {
			at[t+1]++
		}
	}
	for t := range tuples {
		at[t+1] += at[t]
	}
	order := make([]uint16, at[tuples])
	for r, t := range of {
		if t != noTuple {
			order[at[t]] = uint16(r)
			at[t]++
		}
	}
	return order
}

// probe adds the states of one (metric, process).
func (a *aggregator) probe(p *probe) error {
	a.own.reset()
	a.counts.reset()
	for _, pc := range p.columns {
		if err := a.column(pc); err != nil {
			return err
		}
	}
	for _, v := range p.loose {
		if v.hist != nil {
			a.histogram(v.label, v.tuple, v.hist)
		} else {
			a.number(v.kind, v.label, v.tuple, v.number)
		}
	}
	a.out.fold(p.metric, p.process, &a.own, &a.layouts)
	a.out.fold(countPrefix+p.metric, p.process, &a.counts, &a.layouts)
	return nil
}

// column adds the values of one column.
func (a *aggregator) column(pc probeColumn) error {
	if err := a.read(pc.col); err != nil {
		return err
	}
	leaf := pc.col.Leaf()
	for _, r := range a.order {
		b, i := &a.blocks[int(r)/vec.BlockRows], int(r)%vec.BlockRows
		if b.Null(i) {
			continue
		}
		tuple := a.of[r]
		switch leaf {
		case types.LeafHistogram:
			if err := a.h.Decode(b.Bytes(i)); err != nil {
				return err
			}
			a.histogram(pc.label, tuple, &a.h)
		case types.LeafInt:
			a.whole(pc.kind, pc.label, tuple, b.Int(i))
		case types.LeafFloat:
			a.number(pc.kind, pc.label, tuple, b.Float(i))
		case types.LeafBool:
			a.boolean(pc.kind, pc.label, tuple, b.Bool(i))
		case types.LeafJSON:
			a.json(pc, tuple, b.Bytes(i))
		}
	}
	return nil
}

// read reads the blocks that have rows that count.
func (a *aggregator) read(c column.Column) error {
	for b := range a.blocks {
		if !a.wanted[b] {
			continue
		}
		from := b * vec.BlockRows
		if err := c.Read(from, min(from+vec.BlockRows, a.rows), &a.blocks[b]); err != nil {
			return err
		}
	}
	return nil
}

// histogram adds one accepted histogram as one contribution; a count histogram's sum as one sample.
func (a *aggregator) histogram(label string, tuple int32, h *sketch.Histogram) {
	if h.Layout.Type == sketch.TypeCount {
		a.counts.addSample(label, tuple, countLayoutID, h.Sum, 0)
		return
	}
	a.own.addHistogram(label, tuple, a.layouts.of(h.Layout), h)
}

// whole adds a whole number as one sample. Negative numbers are left out entirely.
func (a *aggregator) whole(k probeKind, label string, tuple int32, v int64) {
	if v >= 0 {
		a.own.addSample(label, tuple, layoutIDOf(k), v, 0)
	}
}

// number is whole for any number; NaN, and what no sum could hold, are left out too.
func (a *aggregator) number(k probeKind, label string, tuple int32, v float64) {
	if v >= 0 && v < math.MaxInt64 {
		n, fraction := split(v)
		a.own.addSample(label, tuple, layoutIDOf(k), n, fraction)
	}
}

func (a *aggregator) boolean(k probeKind, label string, tuple int32, v bool) {
	n := int64(0)
	if v {
		n = 1
	}
	a.whole(k, label, tuple, n)
}

// json adds a value that is stored as jsonb: a keyed map, or a histogram that is not written as clients write them.
func (a *aggregator) json(pc probeColumn, tuple int32, text []byte) {
	if pc.isMap && a.keyedMap(pc.kind, tuple, text) {
		return
	}
	doc, err := a.parser.ParseBytes(text)
	if err != nil {
		return
	}
	if !pc.isMap {
		if h, ok := acceptHistogram(doc); ok {
			a.histogram(pc.label, tuple, h)
		}
		return
	}
	visitKeyed(pc.kind, doc, func(label string, h *sketch.Histogram, n float64) {
		if h != nil {
			a.histogram(label, tuple, h)
		} else {
			a.number(pc.kind, label, tuple, n)
		}
	})
}

// label returns the string of a label's bytes, upper-cased if they are a scalar's, without making it twice.
func (a *aggregator) label(k probeKind, b []byte) string {
	if s, ok := a.labels[string(b)]; ok && k != probeKeyedScalar {
		return s
	}
	s := string(b)
	if k == probeKeyedScalar {
		return strings.ToUpper(s)
	}
	a.labels[s] = s
	return s
}

package rollups

import (
	"strings"

	"github.com/valyala/fastjson"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// countPrefix marks a count histogram's metric: a distribution of its per-ping sums (rollups.md 1.3).
const countPrefix = "[[COUNT]]_"

// Aggregates is the built-in roll-up of the telemetry aggregates over telemetry.main. It satisfies storage.Rollup.
type Aggregates struct{}

// States is the table of states. The store gives it its ID.
func (Aggregates) States() *types.Table {
	t := &types.Table{Schema: "rollups", Name: "telemetry_aggregates", Kind: types.TableStates}
	t.Columns = append(t.Columns, stateColumns[:]...)
	for _, c := range stateColumns[:keyCols] {
		t.SortKey = append(t.SortKey, c.Name)
	}
	return t
}

// Source names the table of main pings.
func (Aggregates) Source() types.TableName { return types.TableName{Schema: "telemetry", Name: "main"} }

// Build aggregates rows of g into states.
func (Aggregates) Build(g column.Group, rows []uint16) ([]column.Group, error) {
	return build(g, rows, nil)
}

// Merge adds equal keys of sorted groups of states.
func (Aggregates) Merge(in []column.Group) ([]column.Group, error) { return merge(in) }

// build is Build, for the metrics that keep lets through (all if nil).
func build(g column.Group, rows []uint16, keep func(metric string) bool) ([]column.Group, error) {
	tuples, of, err := tuplesOf(g, rows)
	if err != nil || len(tuples) == 0 {
		return nil, err
	}
	kids, err := childrenOf(g, of)
	if err != nil {
		return nil, err
	}
	a := &aggregator{tuples: tuples, of: of, out: newBuilder(), counts: map[countKey]map[string]*cells{}}
	// A count histogram changes its metric's name when its type is seen, so nothing is filtered by name before that.
	for _, p := range probesOf(g, nil) {
		if err := a.probe(p, kids); err != nil {
			return nil, err
		}
	}
	a.leftovers(kids)
	for k, labels := range a.counts {
		a.out.add(countPrefix+k.metric, k.process, labels, tuples)
	}
	if keep != nil {
		a.out.keep(keep)
	}
	return a.out.groups(), nil
}

type countKey struct{ metric, process string }

// aggregator turns the probes of one group into states, one (metric, process) at a time, so that it holds the cells of
// one metric and no more. Count histograms wait until the end, because their name differs.
type aggregator struct {
	tuples []tuple
	of     []int32
	out    *builder
	counts map[countKey]map[string]*cells
	block  vec.Vector
	h      sketch.Histogram
	parser fastjson.Parser
}

func (a *aggregator) probe(p *probe, kids children) error {
	labels := map[string]*cells{}
	for _, pc := range p.columns {
		if err := a.column(p, pc, labels); err != nil {
			return err
		}
	}
	if p.process == procContent {
		a.children(p.metric, kids[p.metric], labels)
		delete(kids, p.metric)
	}
	a.out.add(p.metric, p.process, labels, a.tuples)
	return nil
}

// leftovers adds the children's metrics that no column feeds.
func (a *aggregator) leftovers(kids children) {
	for metric, cs := range kids {
		labels := map[string]*cells{}
		a.children(metric, cs, labels)
		a.out.add(metric, procContent, labels, a.tuples)
	}
}

func (a *aggregator) children(metric string, cs []child, labels map[string]*cells) {
	for _, c := range cs {
		if c.hist != nil {
			a.histogram(metric, procContent, c.label, c.tuple, c.hist, labels)
		} else {
			cellsOf(labels, c.label).addNumber(c.tuple, len(a.tuples), simpleLayout, c.number)
		}
	}
}

func cellsOf(labels map[string]*cells, label string) *cells {
	cs := labels[label]
	if cs == nil {
		cs = &cells{}
		labels[label] = cs
	}
	return cs
}

// column adds the values of one column.
func (a *aggregator) column(p *probe, pc probeColumn, labels map[string]*cells) error {
	for from := 0; from < len(a.of); from += vec.BatchRows {
		to := min(from+vec.BatchRows, len(a.of))
		if !a.anyRow(from, to) {
			continue
		}
		if err := pc.col.Read(from, to, &a.block); err != nil {
			return err
		}
		for i := range to - from {
			tuple := a.of[from+i]
			if tuple == noTuple || a.block.Null(i) {
				continue
			}
			if err := a.value(p, pc, i, tuple, labels); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *aggregator) anyRow(from, to int) bool {
	for _, t := range a.of[from:to] {
		if t != noTuple {
			return true
		}
	}
	return false
}

// value adds row i of the block.
func (a *aggregator) value(p *probe, pc probeColumn, i int, tuple int32, labels map[string]*cells) error {
	switch pc.col.Leaf() {
	case types.LeafHistogram:
		if err := a.h.Decode(a.block.Bytes(i)); err != nil {
			return err
		}
		a.histogram(p.metric, p.process, pc.label, tuple, &a.h, labels)
	case types.LeafJSON:
		a.json(p, pc, a.block.Bytes(i), tuple, labels)
	case types.LeafInt:
		cellsOf(labels, pc.label).addInt(tuple, len(a.tuples), layoutOf(p.kind), a.block.Int(i))
	case types.LeafFloat:
		cellsOf(labels, pc.label).addNumber(tuple, len(a.tuples), layoutOf(p.kind), a.block.Float(i))
	case types.LeafBool:
		n := int64(0)
		if a.block.Bool(i) {
			n = 1
		}
		cellsOf(labels, pc.label).addInt(tuple, len(a.tuples), layoutOf(p.kind), n)
	}
	return nil
}

func layoutOf(k probeKind) sketch.Layout {
	if k == probeSimple {
		return simpleLayout
	}
	return countLayout
}

// json adds a value that is stored as jsonb: a keyed map, or a histogram that is not written as clients write them.
func (a *aggregator) json(p *probe, pc probeColumn, text []byte, tuple int32, labels map[string]*cells) {
	doc, err := a.parser.ParseBytes(text)
	if err != nil {
		return
	}
	if !pc.isMap {
		a.jsonProbe(p, pc.label, doc, tuple, labels)
		return
	}
	visit(doc, func(key string, v *fastjson.Value) {
		if p.kind == probeKeyedScalar {
			key = strings.ToUpper(key)
		}
		a.jsonProbe(p, key, v, tuple, labels)
	})
}

func (a *aggregator) jsonProbe(p *probe, label string, v *fastjson.Value, tuple int32, labels map[string]*cells) {
	if p.kind == probeKeyedScalar {
		if n, err := v.Int64(); err == nil {
			cellsOf(labels, label).addInt(tuple, len(a.tuples), countLayout, n)
		} else if n, ok := numberOf(v); ok {
			cellsOf(labels, label).addNumber(tuple, len(a.tuples), countLayout, n)
		}
		return
	}
	if h, ok := acceptHistogram(v); ok {
		a.histogram(p.metric, p.process, label, tuple, h, labels)
	}
}

func (a *aggregator) histogram(metric, process, label string, tuple int32, h *sketch.Histogram, labels map[string]*cells) {
	if h.Layout.Type != sketch.TypeCount {
		cellsOf(labels, label).addHistogram(tuple, len(a.tuples), h)
		return
	}
	k := countKey{metric, process}
	if a.counts[k] == nil {
		a.counts[k] = map[string]*cells{}
	}
	cellsOf(a.counts[k], label).addInt(tuple, len(a.tuples), countLayout, h.Sum)
}

// keep drops the runs of metrics nobody asked for.
func (b *builder) keep(want func(metric string) bool) {
	kept := b.runs[:0]
	for _, r := range b.runs {
		if want(r.metric) {
			kept = append(kept, r)
		}
	}
	b.runs = kept
}

package rollups

import (
	"fmt"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Most probes are columns. Two kinds of values are not: those of an old ping's childPayloads, which held the content
// processes' probes before Firefox 61 and is an array, and those below an object that the decoder kept whole because of
// its keys (ingest/shred: a number as first key, too many members). Both are read here, out of the jsonb text.

// looseValue is one contribution that no column of its own feeds.
type looseValue struct {
	kind   probeKind
	tuple  int32
	label  string
	hist   *sketch.Histogram // nil: a number
	number float64
}

type probeKey struct{ metric, process string }

// loose are such contributions by where they go.
type loose map[probeKey][]looseValue

// looseOf reads them. A ping with an element of childPayloads that is not an object is dropped whole: its row is set to
// noTuple in of (rollups.md 1.1).
func looseOf(g column.Group, of []int32) (loose, error) {
	l := loose{}
	payload := types.Path("payload")
	// A payload kept whole comes first, because it may drop its ping.
	if err := eachObject(g, of, payload, func(row int, doc *fastjson.Value) {
		l.payload(of, row, doc)
	}); err != nil {
		return nil, err
	}
	if err := eachJSON(g, of, payload.Child("childPayloads"), func(row int, doc *fastjson.Value) {
		l.children(of, row, doc)
	}); err != nil {
		return nil, err
	}
	processes := payload.Child("processes")
	if err := eachObject(g, of, processes, func(row int, doc *fastjson.Value) {
		for _, pl := range places {
			if keys := pl.path.Keys(); keys[0] == "processes" {
				l.place(pl, of[row], doc.Get(keys[1:]...))
			}
		}
	}); err != nil {
		return nil, err
	}
	for _, process := range []string{procParent, procContent, procGPU} {
		if err := eachObject(g, of, processes.Child(process), func(row int, doc *fastjson.Value) {
			for _, pl := range places {
				if keys := pl.path.Keys(); keys[0] == "processes" && pl.process == process {
					l.place(pl, of[row], doc.Get(keys[2:]...))
				}
			}
		}); err != nil {
			return nil, err
		}
	}
	for _, pl := range places {
		if err := eachObject(g, of, pl.path, func(row int, doc *fastjson.Value) { l.place(pl, of[row], doc) }); err != nil {
			return nil, err
		}
	}
	return l, l.simpleGroups(g, of)
}

// simpleGroups reads the groups of simple measurements that were kept whole.
func (l loose) simpleGroups(g column.Group, of []int32) error {
	for _, pl := range places {
		if pl.kind != probeSimple {
			continue
		}
		last := pl.path
		for _, c := range g.Under(pl.path) {
			p := c.Path()
			if parent, _ := p.Parent(); parent != pl.path || p == last {
				continue
			}
			last = p
			metric, _ := pl.metric(p.Last())
			if err := eachObject(g, of, p, func(row int, doc *fastjson.Value) { l.simple(pl, of[row], metric, doc) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachObject calls f for the rows that have a tuple and an object kept whole at p.
func eachObject(g column.Group, of []int32, p types.Path, f func(row int, doc *fastjson.Value)) error {
	object := func(row int, doc *fastjson.Value) {
		if doc.Type() == fastjson.TypeObject {
			f(row, doc)
		}
	}
	if err := eachJSON(g, of, p, object); err != nil {
		return err
	}
	// An object that looks like a histogram is stored as one, wherever it stands.
	var h sketch.Histogram
	var text []byte
	return eachValue(g, of, p, types.LeafHistogram, object, func(b []byte) ([]byte, error) {
		err := h.Decode(b)
		text = appendObject(text[:0], &h)
		return text, err
	})
}

// appendObject appends h as the object that a client sends.
func appendObject(dst []byte, h *sketch.Histogram) []byte {
	dst = fmt.Appendf(dst, `{"bucket_count":%d,"histogram_type":%d,"sum":%d,"range":[%d,%d],"values":{`,
		h.Layout.Buckets, h.Layout.Type, h.Sum, h.Layout.Low, h.Layout.High)
	for i, b := range h.Buckets {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = fmt.Appendf(dst, `"%d":%d`, b.Bound, b.Count)
	}
	return append(dst, "}}"...)
}

// eachJSON calls f for the rows that have a tuple and a jsonb value at p.
func eachJSON(g column.Group, of []int32, p types.Path, f func(row int, doc *fastjson.Value)) error {
	return eachValue(g, of, p, types.LeafJSON, f, func(b []byte) ([]byte, error) { return b, nil })
}

func eachValue(g column.Group, of []int32, p types.Path, leaf types.Leaf, f func(row int, doc *fastjson.Value), text func([]byte) ([]byte, error)) error {
	c, ok := g.Find(p, leaf)
	if !ok {
		return nil
	}
	var parser fastjson.Parser
	var block vec.Vector
	for from := 0; from < len(of); from += vec.BlockRows {
		to := min(from+vec.BlockRows, len(of))
		if err := c.Read(from, to, &block); err != nil {
			return err
		}
		for row := from; row < to; row++ {
			if of[row] == noTuple || block.Null(row-from) {
				continue
			}
			b, err := text(block.Bytes(row - from))
			if err != nil {
				return err
			}
			if doc, err := parser.ParseBytes(b); err == nil {
				f(row, doc)
			}
		}
	}
	return nil
}

// payload reads a whole payload.
func (l loose) payload(of []int32, row int, doc *fastjson.Value) {
	if l.children(of, row, doc.Get("childPayloads")); of[row] == noTuple {
		return
	}
	for _, pl := range places {
		l.place(pl, of[row], doc.Get(pl.path.Keys()...))
	}
}

// children reads childPayloads.
func (l loose) children(of []int32, row int, doc *fastjson.Value) {
	if doc == nil || doc.Type() != fastjson.TypeArray {
		return
	}
	elems := doc.GetArray()
	for _, e := range elems {
		if e.Type() != fastjson.TypeObject {
			of[row] = noTuple
			return
		}
	}
	for _, e := range elems {
		for _, pl := range childPlaces {
			l.place(pl, of[row], e.Get(pl.path.Column()))
		}
	}
}

// childPlaces are where an element of childPayloads has probes.
var childPlaces = []place{
	{probeHistogram, procContent, "histograms"},
	{probeKeyedHistogram, procContent, "keyedHistograms"},
	{probeSimple, procContent, "simpleMeasurements"},
}

// place reads the probes of a place, each by its name.
func (l loose) place(pl place, tuple int32, v *fastjson.Value) {
	visit(v, func(name string, v *fastjson.Value) {
		metric, ok := pl.metric(name)
		if !ok {
			return
		}
		switch pl.kind {
		case probeHistogram:
			if h, ok := acceptHistogram(v); ok {
				l.add(pl, metric, looseValue{kind: pl.kind, tuple: tuple, hist: h})
			}
		case probeScalar:
			if n, ok := numberOf(v); ok {
				l.add(pl, metric, looseValue{kind: pl.kind, tuple: tuple, number: n})
			}
		case probeSimple:
			l.simple(pl, tuple, metric, v)
		default:
			visitKeyed(pl.kind, v, func(label string, h *sketch.Histogram, n float64) {
				l.add(pl, metric, looseValue{kind: pl.kind, tuple: tuple, label: label, hist: h, number: n})
			})
		}
	})
}

// simple reads a simple measurement, or the group of them one level below.
func (l loose) simple(pl place, tuple int32, metric string, v *fastjson.Value) {
	if n, ok := numberOf(v); ok {
		l.add(pl, metric, looseValue{kind: pl.kind, tuple: tuple, number: n})
		return
	}
	visit(v, func(sub string, v *fastjson.Value) {
		if n, ok := numberOf(v); ok {
			l.add(pl, metric+"_"+strings.ToUpper(sub), looseValue{kind: pl.kind, tuple: tuple, number: n})
		}
	})
}

func (l loose) add(pl place, metric string, v looseValue) {
	if storable(metric) {
		k := probeKey{metric, pl.process}
		l[k] = append(l[k], v)
	}
}

// visitKeyed calls f for each label of a keyed histogram, with h, or of a keyed scalar, with n.
func visitKeyed(k probeKind, v *fastjson.Value, f func(label string, h *sketch.Histogram, n float64)) {
	visit(v, func(key string, v *fastjson.Value) {
		if k == probeKeyedScalar {
			if n, ok := numberOf(v); ok {
				f(strings.ToUpper(key), nil, n)
			}
		} else if h, ok := acceptHistogram(v); ok {
			f(key, h, 0)
		}
	})
}

// numberOf takes numbers and booleans.
func numberOf(v *fastjson.Value) (float64, bool) {
	switch v.Type() {
	case fastjson.TypeTrue:
		return 1, true
	case fastjson.TypeFalse:
		return 0, true
	case fastjson.TypeNumber:
		n, err := v.Float64()
		return n, err == nil
	}
	return 0, false
}

// visit calls f for each member of an object, and for nothing else.
func visit(v *fastjson.Value, f func(key string, v *fastjson.Value)) {
	if v == nil {
		return
	}
	o, err := v.Object()
	if err != nil {
		return
	}
	o.Visit(func(key []byte, v *fastjson.Value) { f(string(key), v) })
}

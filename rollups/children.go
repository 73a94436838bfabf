package rollups

import (
	"strings"

	"github.com/valyala/fastjson"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
)

// child is one contribution of an old ping's childPayloads, which held the content processes' probes before Firefox 61.
type child struct {
	tuple  int32
	label  string
	hist   *sketch.Histogram // nil: a simple measurement
	number float64
}

// children are the contributions of childPayloads by metric; all belong to the content process.
type children map[string][]child

// childrenOf reads payload.childPayloads. A ping with an element that is not an object is dropped whole: its row is set
// to noTuple in of (rollups.md 1.1).
func childrenOf(g column.Group, of []int32) (children, error) {
	c, ok := g.Find(types.MakePath("payload", "childPayloads"), types.LeafJSON)
	if !ok {
		return nil, nil
	}
	v, err := readWhole(g, c.Path(), c.Leaf())
	if err != nil {
		return nil, err
	}
	out := children{}
	var p fastjson.Parser
	for i, tuple := range of {
		if tuple == noTuple || v.Null(i) {
			continue
		}
		doc, err := p.ParseBytes(v.Bytes(i))
		if err != nil {
			continue
		}
		elems, err := doc.Array()
		if err != nil {
			continue
		}
		if !allObjects(elems) {
			of[i] = noTuple
			continue
		}
		for _, e := range elems {
			out.read(tuple, e)
		}
	}
	return out, nil
}

func allObjects(vs []*fastjson.Value) bool {
	for _, v := range vs {
		if v.Type() != fastjson.TypeObject {
			return false
		}
	}
	return true
}

func (cs children) add(metric string, c child) {
	if storable(metric) {
		cs[metric] = append(cs[metric], c)
	}
}

func (cs children) read(tuple int32, e *fastjson.Value) {
	visit(e.Get("histograms"), func(name string, v *fastjson.Value) {
		if h, ok := acceptHistogram(v); ok {
			cs.add(name, child{tuple: tuple, hist: h})
		}
	})
	visit(e.Get("keyedHistograms"), func(name string, keyed *fastjson.Value) {
		if ignoredKeyed[name] {
			return
		}
		visit(keyed, func(key string, v *fastjson.Value) {
			if h, ok := acceptHistogram(v); ok {
				cs.add(name, child{tuple: tuple, label: key, hist: h})
			}
		})
	})
	visit(e.Get("simpleMeasurements"), func(name string, v *fastjson.Value) {
		cs.readSimple(tuple, []string{name}, v)
		visit(v, func(sub string, v *fastjson.Value) { cs.readSimple(tuple, []string{name, sub}, v) })
	})
}

func (cs children) readSimple(tuple int32, keys []string, v *fastjson.Value) {
	if n, ok := numberOf(v); ok {
		cs.add(simpleMetric(keys), child{tuple: tuple, number: n})
	}
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
	o.Visit(func(key []byte, v *fastjson.Value) { f(strings.Clone(string(key)), v) })
}

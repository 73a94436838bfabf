package rollups

import (
	"strings"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// Processes whose probes are aggregated. Others (dynamic, extension, socket …) never are.
const (
	procParent  = "parent"
	procContent = "content"
	procGPU     = "gpu"
)

// Keyed histograms the reference aggregator leaves out, and the scalars it skips by prefix.
var ignoredKeyed = map[string]bool{
	"MESSAGE_MANAGER_MESSAGE_SIZE":             true,
	"VIDEO_DETAILED_DROPPED_FRAMES_PROPORTION": true,
}

const ignoredScalars = "browser.engagement.navigation"

// probeKind tells how the value at a place of the ping becomes a contribution.
type probeKind uint8

const (
	probeHistogram probeKind = iota
	probeKeyedHistogram
	probeScalar
	probeKeyedScalar
	probeSimple
)

// probe is one (metric, process) of a group: the columns that hold its values, and the values that no column holds.
type probe struct {
	metric  string // a count histogram's gets its prefix when its type is seen
	process string
	columns []probeColumn
	loose   []looseValue
}

// probeColumn is one column of a probe. label is set for a keyed probe whose key was shredded into the path; a keyed
// probe stored as one map has it empty and isMap set.
type probeColumn struct {
	kind  probeKind
	col   column.Column
	label string
	isMap bool
}

// place is a subtree of payload that holds probes by name.
type place struct {
	kind    probeKind
	process string
	path    types.Path
}

// places lists the subtrees of rollups.md 1.3 in which a probe's name is the next key. childPayloads is an array and is
// read apart (children.go).
var places = func() []place {
	payload := func(keys ...string) types.Path { return types.MakePath("payload", keys...) }
	out := []place{
		{probeHistogram, procParent, payload("histograms")},
		{probeKeyedHistogram, procParent, payload("keyedHistograms")},
		{probeSimple, procParent, payload("simpleMeasurements")},
	}
	for _, p := range []string{procContent, procGPU} {
		out = append(out,
			place{probeHistogram, p, payload("processes", p, "histograms")},
			place{probeKeyedHistogram, p, payload("processes", p, "keyedHistograms")})
	}
	for _, p := range []string{procParent, procContent, procGPU} {
		out = append(out,
			place{probeScalar, p, payload("processes", p, "scalars")},
			place{probeKeyedScalar, p, payload("processes", p, "keyedScalars")})
	}
	return out
}()

// probesOf finds the probes of a group of main pings.
func probesOf(g column.Group, l loose) []*probe {
	byKey := map[probeKey]*probe{}
	var out []*probe
	probeOf := func(k probeKey) *probe {
		p := byKey[k]
		if p == nil {
			p = &probe{metric: k.metric, process: k.process}
			byKey[k] = p
			out = append(out, p)
		}
		return p
	}
	for _, pl := range places {
		depth := len(pl.path.Keys())
		for _, c := range g.Under(pl.path) {
			keys := c.Path().Keys()[depth:]
			if len(keys) == 0 {
				continue // the subtree itself is null, empty, or kept whole
			}
			metric, pc, ok := pl.classify(keys, c)
			if ok && storable(metric) {
				p := probeOf(probeKey{metric, pl.process})
				p.columns = append(p.columns, pc)
			}
		}
	}
	for k, vs := range l {
		probeOf(k).loose = vs
	}
	return out
}

// metric is what a name at a place becomes; ok is false for what is left out by its name. That of a simple measurement
// gets its second key behind it.
func (pl place) metric(name string) (metric string, ok bool) {
	switch pl.kind {
	case probeKeyedHistogram:
		return name, !ignoredKeyed[name]
	case probeScalar, probeKeyedScalar:
		return "SCALARS_" + strings.ToUpper(name), !strings.HasPrefix(name, ignoredScalars)
	case probeSimple:
		return "SIMPLE_MEASURES_" + strings.ToUpper(name), true
	}
	return name, true
}

// classify names the metric a column below the place feeds; ok is false for what is not aggregated.
func (pl place) classify(keys []string, c column.Column) (metric string, pc probeColumn, ok bool) {
	if len(keys) > 2 {
		return "", pc, false
	}
	if metric, ok = pl.metric(keys[0]); !ok {
		return "", pc, false
	}
	pc = probeColumn{kind: pl.kind, col: c}
	leaf, deep := c.Leaf(), len(keys) == 2
	switch pl.kind {
	case probeHistogram:
		return metric, pc, !deep && (leaf == types.LeafHistogram || leaf == types.LeafJSON)
	case probeKeyedHistogram:
		if pc.isMap = !deep; pc.isMap {
			return metric, pc, leaf == types.LeafJSON
		}
		pc.label = keys[1]
		return metric, pc, leaf == types.LeafHistogram || leaf == types.LeafJSON
	case probeScalar:
		return metric, pc, !deep && isNumber(leaf)
	case probeKeyedScalar:
		if pc.isMap = !deep; pc.isMap {
			return metric, pc, leaf == types.LeafJSON
		}
		pc.label = strings.ToUpper(keys[1])
		return metric, pc, isNumber(leaf)
	}
	if deep {
		metric += "_" + strings.ToUpper(keys[1])
	}
	return metric, pc, isNumber(leaf)
}

// isNumber: booleans count as 0 and 1 (rollups.md 1.3).
func isNumber(l types.Leaf) bool {
	return l == types.LeafInt || l == types.LeafFloat || l == types.LeafBool
}

// storable applies the storage filter on metric names (rollups.md 1.6).
func storable(metric string) bool {
	for i := range len(metric) {
		c := metric[i]
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '_', c == '-', c == '[', c == ']', c == '.':
		default:
			return false
		}
	}
	return metric != ""
}

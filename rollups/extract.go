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

// probe is one place of a main ping that is aggregated: the columns that hold its values and the metric they feed.
type probe struct {
	kind    probeKind
	metric  string // as stored; a count histogram's gets its prefix when its type is seen
	process string
	columns []probeColumn
}

// probeColumn is one column of a probe. label is set for a keyed probe whose key was shredded into the path; a keyed
// probe stored as one map has it empty and isMap set.
type probeColumn struct {
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

// probesOf finds the probes of a group of main pings. keep, if not nil, drops metrics nobody asked for.
func probesOf(g column.Group, keep func(metric string) bool) []*probe {
	type key struct{ metric, process string }
	byKey := map[key]*probe{}
	var out []*probe
	for _, pl := range places {
		depth := len(pl.path.Keys())
		for _, c := range g.Under(pl.path) {
			keys := c.Path().Keys()[depth:]
			if len(keys) == 0 {
				continue // the subtree itself is null, empty or odd
			}
			metric, pc, ok := pl.classify(keys, c)
			if !ok || !storable(metric) || (keep != nil && !keep(metric)) {
				continue
			}
			k := key{metric, pl.process}
			p := byKey[k]
			if p == nil {
				p = &probe{kind: pl.kind, metric: metric, process: pl.process}
				byKey[k] = p
				out = append(out, p)
			}
			p.columns = append(p.columns, pc)
		}
	}
	return out
}

// classify names the metric a column below the place feeds; ok is false for what is not aggregated.
func (pl place) classify(keys []string, c column.Column) (metric string, pc probeColumn, ok bool) {
	name := keys[0]
	pc.col = c
	switch pl.kind {
	case probeHistogram:
		return name, pc, len(keys) == 1 && (c.Leaf() == types.LeafHistogram || c.Leaf() == types.LeafJSON)
	case probeKeyedHistogram:
		if ignoredKeyed[name] {
			return "", pc, false
		}
		switch {
		case len(keys) == 1:
			pc.isMap = true
			return name, pc, c.Leaf() == types.LeafJSON
		case len(keys) == 2:
			pc.label = keys[1]
			return name, pc, c.Leaf() == types.LeafHistogram || c.Leaf() == types.LeafJSON
		}
	case probeScalar:
		return scalarMetric(name), pc, len(keys) == 1 && isNumber(c.Leaf()) && !strings.HasPrefix(name, ignoredScalars)
	case probeKeyedScalar:
		if strings.HasPrefix(name, ignoredScalars) {
			return "", pc, false
		}
		switch {
		case len(keys) == 1:
			pc.isMap = true
			return scalarMetric(name), pc, c.Leaf() == types.LeafJSON
		case len(keys) == 2:
			pc.label = strings.ToUpper(keys[1])
			return scalarMetric(name), pc, isNumber(c.Leaf())
		}
	case probeSimple:
		return simpleMetric(keys), pc, len(keys) <= 2 && isNumber(c.Leaf())
	}
	return "", pc, false
}

func scalarMetric(name string) string { return "SCALARS_" + strings.ToUpper(name) }

func simpleMetric(keys []string) string {
	return "SIMPLE_MEASURES_" + strings.ToUpper(strings.Join(keys, "_"))
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

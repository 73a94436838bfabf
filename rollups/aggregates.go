package rollups

import (
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
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

// Reads lists the subtrees that Build looks at: those of the dimensions, and the payload.
func (Aggregates) Reads() []types.Path {
	out := []types.Path{"payload"}
	for _, c := range dimColumns {
		out = append(out, c.path)
	}
	return out
}

// Build aggregates rows of g into states.
func (Aggregates) Build(g column.Group, rows []uint16) ([]column.Group, error) {
	return build(g, rows, nil)
}

// Merge adds equal keys of sorted groups of states.
func (Aggregates) Merge(in []column.Group) ([]column.Group, error) { return merge(in, nil) }

// Subtract takes equal keys of minus away from those of plus; both are sorted groups of states.
func (Aggregates) Subtract(plus, minus []column.Group) ([]column.Group, error) {
	return merge(plus, minus)
}

// build is Build, for the metrics that keep lets through (all if nil).
func build(g column.Group, rows []uint16, keep func(metric string) bool) ([]column.Group, error) {
	tuples, of, err := tuplesOf(g, rows)
	if err != nil || len(tuples) == 0 {
		return nil, err
	}
	l, err := looseOf(g, of)
	if err != nil {
		return nil, err
	}
	a := newAggregator(g.Rows(), tuples, of)
	for _, p := range probesOf(g, l) {
		// A count histogram changes its metric's name when its type is seen.
		if keep != nil && !keep(p.metric) && !keep(countPrefix+p.metric) {
			continue
		}
		if err := a.probe(p); err != nil {
			return nil, err
		}
	}
	return a.out.groups(tuples, &a.layouts, keep)
}

package telemdb

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// histograms is rollups.histograms: the sealed states of the telemetry aggregates and the head's rows, read as one table.
func (d *database) histograms() session.SystemTable {
	var out []plan.Col
	for _, c := range rollups.HistogramColumns {
		out = append(out, plan.Col{Name: c.Name, Type: c.Type})
	}
	return session.SystemTable{
		Name: types.TableName{Schema: "rollups", Name: "histograms"},
		Cols: out,
		Rows: func(_ *expr.Ctx, s session.Snapshot, want plan.VirtualScan) (plan.Rows, error) {
			in, err := s.(*snapshot).RollupInputs(rollups.Aggregates{})
			if err != nil {
				return nil, sqlError(err)
			}
			states, err := openAll(in.States)
			if err != nil {
				return nil, sqlError(err)
			}
			minus, err := openAll(in.Minus)
			if err != nil {
				return nil, sqlError(err)
			}
			r, err := rollups.Read(states, minus, in.Head, equalities(want.Filter))
			if err != nil {
				return nil, sqlError(err)
			}
			return &histogramRows{r}, nil
		},
	}
}

func openAll(morsels []column.Morsel) ([]column.Group, error) {
	out := make([]column.Group, len(morsels))
	for i, m := range morsels {
		g, err := m.Open()
		if err != nil {
			return nil, err
		}
		out[i] = g
	}
	return out, nil
}

type histogramRows struct{ r *rollups.Reader }

func (h *histogramRows) Next() (*vec.Batch, error) {
	b, err := h.r.Next()
	return b, sqlErrorOrNil(err)
}

func (h *histogramRows) Close() {}

// equalities finds the conditions column = 'text' and column IN ('text', …) among the conjuncts of a filter, which let
// the reader skip states. The filter itself is applied again above it.
func equalities(filter []expr.Expr) []rollups.Where {
	var out []rollups.Where
	for _, e := range filter {
		switch x := e.(type) {
		case *expr.Call:
			if x.Fn.Name == "=" && len(x.Args) == 2 {
				col, text, ok := columnAndText(x.Args[0], x.Args[1])
				if !ok {
					col, text, ok = columnAndText(x.Args[1], x.Args[0])
				}
				if ok {
					out = append(out, rollups.Where{Column: col, Values: []string{text}})
				}
			}
		case *expr.In:
			col, ok := x.Arg.(*expr.Col)
			if !ok || x.Negate || col.T.Kind != types.Text {
				continue
			}
			w := rollups.Where{Column: rollups.HistogramColumns[col.Idx].Name}
			for i := range x.List.N {
				w.Values = append(w.Values, string(x.List.Bytes(i)))
			}
			out = append(out, w)
		}
	}
	return out
}

func columnAndText(a, b expr.Expr) (column, text string, ok bool) {
	col, ok1 := a.(*expr.Col)
	c, ok2 := b.(*expr.Const)
	if !ok1 || !ok2 || col.T.Kind != types.Text || c.V.Type.Kind != types.Text || c.V.Null(0) {
		return "", "", false
	}
	return rollups.HistogramColumns[col.Idx].Name, string(c.V.Bytes(0)), true
}

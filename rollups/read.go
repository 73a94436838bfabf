package rollups

import (
	"bytes"
	"math"
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// HistogramColumns are the columns of rollups.histograms: one row per key, its states added up.
var HistogramColumns = []types.Column{
	{Name: "submission_date", Type: types.Of(types.Date)},
	{Name: "channel", Type: types.Of(types.Text)},
	{Name: "version", Type: types.Of(types.Text)},
	{Name: "build_id", Type: types.Of(types.Text)},
	{Name: "application", Type: types.Of(types.Text)},
	{Name: "architecture", Type: types.Of(types.Text)},
	{Name: "os", Type: types.Of(types.Text)},
	{Name: "os_version", Type: types.Of(types.Text)},
	{Name: "metric", Type: types.Of(types.Text)},
	{Name: "label", Type: types.Of(types.Text)},
	{Name: "process", Type: types.Of(types.Text)},
	{Name: "count", Type: types.Of(types.Int64)},
	{Name: "sum", Type: types.Of(types.Int64)},
	{Name: "histogram", Type: types.Of(types.Histogram)},
}

// outCols says where each of HistogramColumns comes from; "sum" is computed.
var outCols = [...]int{colDate, colChannel, colVersion, colBuildID, colApplication, colArchitecture, colOS, colOSVersion,
	colMetric, colLabel, colProcess, colCount, outSum, colHistogram}

const outSum = -1

// Where is an equality on a text column of rollups.histograms: what a reader may use to leave out states early. The
// values are alternatives.
type Where struct {
	Column string
	Values []string
}

// Reader streams the rows of rollups.histograms at one moment: the sealed states and the head's rows, aggregated now.
type Reader struct {
	m    *merger
	rows *stateVectors
	sum  vec.Vector
	out  []*vec.Vector // of rows, in the order of HistogramColumns, and sum
}

// Read opens a reader over the state groups (each sorted), less those of deleted rows in minus (each sorted too), and the
// head's groups of telemetry.main. Conditions in where that name no text column of the key are ignored: the caller applies
// its whole filter again.
func Read(states, minus, head []column.Group, where []Where) (*Reader, error) {
	preds, keep := compile(where)
	in := append([]column.Group(nil), states...)
	for _, g := range head {
		built, err := build(g, allRows(g.Rows()), keep)
		if err != nil {
			return nil, err
		}
		in = append(in, built...)
	}
	m, err := newMerger(in, minus, preds)
	if err != nil {
		return nil, err
	}
	r := &Reader{m: m, rows: newStateVectors()}
	for _, c := range outCols {
		if c == outSum {
			r.out = append(r.out, &r.sum)
		} else {
			r.out = append(r.out, r.rows[c])
		}
	}
	return r, nil
}

func allRows(n int) []uint16 {
	rows := make([]uint16, n)
	for i := range rows {
		rows[i] = uint16(i)
	}
	return rows
}

// Next returns up to vec.BlockRows rows of HistogramColumns, nil at the end. The batch is valid until the next call.
func (r *Reader) Next() (*vec.Batch, error) {
	for c, v := range r.rows {
		v.Reset(stateLeafType(c))
	}
	for r.rows[0].N < vec.BlockRows && r.m.next(r.rows) {
	}
	if r.m.err != nil {
		return nil, r.m.err
	}
	n := r.rows[0].N
	if n == 0 {
		return nil, nil
	}
	if err := r.addSums(n); err != nil {
		return nil, err
	}
	for i := range outCols {
		r.out[i].Type = HistogramColumns[i].Type
	}
	return &vec.Batch{N: n, Cols: r.out}, nil
}

func (r *Reader) addSums(n int) error {
	r.sum.Reset(types.Of(types.Int64))
	var h sketch.Histogram
	for i := range n {
		if err := h.Decode(r.rows[colHistogram].Bytes(i)); err != nil {
			return err
		}
		r.sum.AppendInt(total(h.Sum, r.rows[colFraction].Float(i)))
	}
	return nil
}

// total is the sum cut towards zero, as the reference stores it (rollups.md 1.3).
func total(whole int64, fraction float64) int64 {
	return clampedAdd(whole, int64(math.Trunc(fraction)))
}

// statePred is a condition on one key column.
type statePred struct {
	col    int
	pred   column.Pred
	values []string
}

// excludes reports that no value within the bounds can pass. MinB is a prefix of the least, MaxB at least the greatest.
func (p statePred) excludes(s column.Stats) bool {
	if !s.Bounded {
		return false
	}
	for _, v := range p.values {
		if bytes.Compare([]byte(v), s.MinB) >= 0 && bytes.Compare([]byte(v), s.MaxB) <= 0 {
			return false
		}
	}
	return true
}

// compile turns conditions into predicates on state columns, and the one on metric into a test on names.
func compile(where []Where) (preds []statePred, keep func(string) bool) {
	for _, w := range where {
		col := -1
		for i := range keyCols {
			if stateColumns[i].Name == w.Column && stateColumns[i].Type.Kind == types.Text && i != colLayout {
				col = i
			}
		}
		if col < 0 {
			continue
		}
		list := sortedTexts(w.Values)
		preds = append(preds, statePred{col: col, values: w.Values,
			pred: column.Pred{Op: column.OpIn, Leaf: types.LeafText, List: list}})
		if col == colMetric {
			keep = func(metric string) bool {
				for _, v := range w.Values {
					if v == metric {
						return true
					}
				}
				return false
			}
		}
	}
	return preds, keep
}

func sortedTexts(values []string) *vec.Vector {
	v := &vec.Vector{}
	v.Reset(types.Of(types.Text))
	for _, s := range slices.Sorted(slices.Values(values)) {
		v.AppendString(s)
	}
	return v
}

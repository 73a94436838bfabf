package telemdb

import (
	"fmt"
	"time"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// SystemTables are the tables of schema telemdb that are made when asked, and rollups.histograms. The tables
// telemdb.errors and telemdb.duplicates are stored.
func (d *database) SystemTables() []session.SystemTable {
	return []session.SystemTable{
		d.histograms(),
		d.system("segments", segmentCols, d.segmentRows),
		d.system("partitions", partitionCols, d.partitionRows),
		d.system("columns", columnCols, d.columnRows),
		d.system("wal", walCols, d.walRows),
		d.system("wal_status", walStatusCols, d.walStatusRows),
		d.system("balance", balanceCols, d.balanceRows),
		d.system("rollups", rollupCols, d.rollupRows),
		d.system("jobs", jobCols, d.jobRows),
		d.system("damage", damageCols, d.damageRows),
		d.system("status", statusCols, d.statusRows),
		d.system("tables", tableCols, d.tableRows),
		d.system("check", checkCols, d.checkRows),
		d.system("queries", queryCols, d.queryRows),
		d.system("settings", settingCols, d.settingRows),
		d.system("metrics", metricCols, d.metricRows),
	}
}

// cols makes a column list from names and kinds in turn.
func cols(namesAndKinds ...any) []plan.Col {
	var out []plan.Col
	for i := 0; i < len(namesAndKinds); i += 2 {
		out = append(out, plan.Col{Name: namesAndKinds[i].(string), Type: types.Of(namesAndKinds[i+1].(types.Kind))})
	}
	return out
}

var (
	segmentCols = cols("segment_id", types.Int64, "schema_name", types.Text, "table_name", types.Text, "partition", types.Date,
		"rows", types.Int64, "row_groups", types.Int64, "bytes", types.Int64, "value_bytes", types.Int64,
		"min_lsn", types.Int64, "max_lsn", types.Int64, "sealed_from", types.Timestamptz, "sealed_to", types.Timestamptz, "file", types.Text,
		"deleted_rows", types.Int64, "run", types.Int64)
	partitionCols = cols("schema_name", types.Text, "table_name", types.Text, "partition", types.Date, "segments", types.Int64,
		"rows", types.Int64, "bytes", types.Int64, "value_bytes", types.Int64, "oldest", types.Timestamptz, "newest", types.Timestamptz,
		"drops_at", types.Timestamptz)
	columnCols = cols("schema_name", types.Text, "table_name", types.Text, "column_name", types.Text, "type", types.Text,
		"source", types.Text, "hidden", types.Bool)
	walCols = cols("file", types.Text, "first_lsn", types.Int64, "last_lsn", types.Int64, "bytes", types.Int64,
		"state", types.Text, "last_record", types.Timestamptz)
	walStatusCols = cols("synced_lsn", types.Int64, "visible_lsn", types.Int64, "sealed_lsn", types.Int64,
		"unsealed_bytes", types.Int64, "queue_bytes", types.Int64, "lag_seconds", types.Float64)
	balanceCols = cols("accepted", types.Int64, "rows", types.Int64, "errors", types.Int64, "duplicates", types.Int64,
		"in_log", types.Int64, "removed", types.Int64)
	rollupCols = cols("schema_name", types.Text, "name", types.Text, "source", types.Text, "segments", types.Int64,
		"states", types.Int64, "bytes", types.Int64)
	jobCols = cols("name", types.Text, "running", types.Bool, "steps", types.Int64, "errors", types.Int64,
		"last", types.Timestamptz, "took_seconds", types.Float64, "last_error", types.Text, "progress", types.Text)
	damageCols = cols("damage_id", types.Int64, "seen", types.Timestamptz, "kind", types.Text, "file", types.Text, "offset", types.Int64,
		"schema_name", types.Text, "table_name", types.Text, "segment_id", types.Int64, "row_group", types.Int64, "column_name", types.Text,
		"first_lsn", types.Int64, "last_lsn", types.Int64, "in_landfill", types.Bool, "found_by", types.Text, "what", types.Text,
		"state", types.Text, "settled", types.Timestamptz)
	settingCols = cols("name", types.Text, "value", types.Text, "description", types.Text)
	metricCols  = cols("name", types.Text, "value", types.Float64)
)

// system makes a system table from a function that appends its rows.
func (d *database) system(name string, c []plan.Col, rows func(s *storage.Snapshot, add func(...any)) error) session.SystemTable {
	return session.SystemTable{
		Name: types.TableName{Schema: "telemdb", Name: name},
		Cols: c,
		Rows: func(_ *expr.Ctx, s session.Snapshot, _ plan.VirtualScan) (plan.Rows, error) {
			b := newTableBuilder(c)
			if err := rows(s.(*snapshot).Snapshot, b.add); err != nil {
				return nil, sqlError(err)
			}
			return b, nil
		},
	}
}

// tableBuilder gathers the rows of a small table and gives them back in batches.
type tableBuilder struct {
	cols    []plan.Col
	batches []*vec.Batch
}

func newTableBuilder(c []plan.Col) *tableBuilder { return &tableBuilder{cols: c} }

func (b *tableBuilder) add(vals ...any) {
	if n := len(b.batches); n == 0 || b.batches[n-1].N == vec.BlockRows {
		batch := &vec.Batch{}
		for _, c := range b.cols {
			v := &vec.Vector{}
			v.Reset(c.Type)
			batch.Cols = append(batch.Cols, v)
		}
		b.batches = append(b.batches, batch)
	}
	batch := b.batches[len(b.batches)-1]
	batch.N++
	for i, v := range batch.Cols {
		appendGo(v, vals[i])
	}
}

// appendGo appends a Go value of the column's own class; nil and the zero time are NULL.
func appendGo(v *vec.Vector, x any) {
	switch x := x.(type) {
	case nil:
		v.AppendNull()
	case string:
		v.AppendString(x)
	case bool:
		v.AppendBool(x)
	case int:
		v.AppendInt(int64(x))
	case int64:
		v.AppendInt(x)
	case uint64:
		v.AppendInt(int64(x))
	case float64:
		v.AppendFloat(x)
	case time.Time:
		if x.IsZero() {
			v.AppendNull()
		} else {
			v.AppendInt(x.UnixMicro())
		}
	default:
		v.AppendString(fmt.Sprint(x))
	}
}

// Next implements plan.Rows.
func (b *tableBuilder) Next() (*vec.Batch, error) {
	if len(b.batches) == 0 {
		return nil, nil
	}
	batch := b.batches[0]
	b.batches = b.batches[1:]
	return batch, nil
}

// Close implements plan.Rows.
func (b *tableBuilder) Close() { b.batches = nil }

package telemdb

import (
	"os"

	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/types"
)

// What an operator asks first: telemdb.status, one row, and telemdb.tables. `telemdb status` prints them.

var (
	statusCols = cols("version", types.Text, "pid", types.Int64, "started", types.Timestamptz, "read_only", types.Bool, "dir", types.Text,
		"opened_by", types.Text, "disk", types.Text, "disk_free_bytes", types.Int64, "disk_total_bytes", types.Int64,
		"log_bytes", types.Int64, "landfill_bytes", types.Int64, "segment_bytes", types.Int64, "catalog_bytes", types.Int64,
		"tables", types.Int64, "segments", types.Int64, "segment_rows", types.Int64, "head_rows", types.Int64, "head_bytes", types.Int64,
		"lag_seconds", types.Float64, "unsealed_bytes", types.Int64, "oldest_unsealed", types.Timestamptz,
		"merge_debt_bytes", types.Int64, "merge_debt_segments", types.Int64, "snapshots", types.Int64, "damage", types.Int64)
	tableCols = cols("schema_name", types.Text, "table_name", types.Text, "kind", types.Text, "segments", types.Int64, "rows", types.Int64,
		"unsealed_rows", types.Int64, "deleted", types.Int64, "bytes", types.Int64, "retention_days", types.Int64,
		"retention_bytes", types.Int64, "damaged_segments", types.Int64)
	checkCols = cols("place", types.Text, "problem", types.Text)
)

func (d *database) statusRows(_ *storage.Snapshot, add func(...any)) error {
	st, at := d.store.Stats(), d.store.Status()
	add(ReadVersion().Version, os.Getpid(), d.started, d.store.ReadOnly(), at.Dir, known(at.Holder), diskText(at.Disk), at.DiskFree, at.DiskTotal,
		at.LogBytes, at.LandfillBytes, st.SegmentBytes, at.CatalogBytes, st.Tables, st.Segments, st.SegmentRows, st.HeadRows, st.HeadBytes,
		st.Lag.Seconds(), st.UnsealedBytes, at.OldestUnsealed, st.MergeDebtBytes, st.MergeDebtSegments, st.Snapshots, st.Damage)
	return nil
}

func diskText(s storage.DiskState) string {
	switch s {
	case storage.DiskFull:
		return "below the hard reserve: submissions are refused"
	case storage.DiskLow:
		return "below the soft reserve"
	}
	return "ok"
}

func (d *database) tableRows(s *storage.Snapshot, add func(...any)) error {
	for _, t := range s.TableStatus() {
		r := d.store.Retention(t.Table)
		add(t.Table.Schema, t.Table.Name, kindText(t.Table.Kind), t.Segments, t.Rows-t.Deleted, t.HeadRows, t.Deleted, t.Bytes,
			known(int64(r.Days)), known(r.Bytes), t.Damaged)
	}
	return nil
}

func kindText(k types.TableKind) string {
	switch k {
	case types.TablePing:
		return "pings"
	case types.TableErrors:
		return "errors"
	case types.TableStates:
		return "states"
	}
	return "own"
}

// checkRows verifies everything, each time the table is read: every checksum and invariant, while the server goes on.
func (d *database) checkRows(_ *storage.Snapshot, add func(...any)) error {
	return d.store.Check(func(p storage.Problem) { add(p.Where, p.What) })
}

package meta

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
)

// Segment is a manifest entry: a published segment file. Its stored form is in segment.go; members added here need a tag
// and no more.
type Segment struct {
	ID    uint64 `json:"id"`
	Table uint32 `json:"table"`
	From  int64  `json:"from"` // unix seconds of the first and last seal whose rows it holds: its place in time
	To    int64  `json:"to"`
	Bulk  bool   `json:"bulk,omitempty"` // holds rows that were written beside the log
	// Minus: a roll-up's states of rows that were deleted, to be subtracted. They have no partition, and are merged with
	// their like only.
	Minus bool         `json:"minus,omitempty"`
	Run   *Run         `json:"run,omitempty"` // nil: it stands alone
	Meta  segment.Meta `json:"meta,omitzero"`
}

// Run is the place of a segment in a run: several segments of one partition that hold the rows of one stretch of the log
// together, sorted from the first row of the first to the last row of the last.
type Run struct {
	ID  uint64 `json:"id"`  // the same for all segments of the run, and of no other
	At  int    `json:"at"`  // the segments of a run are in this order
	LSN uint64 `json:"lsn"` // the least of all its rows, when it was made
}

// View is a stored query.
type View struct {
	ID      uint32         `json:"id"`
	Schema  string         `json:"schema"`
	Name    string         `json:"name"`
	SQL     string         `json:"sql"`
	Columns []types.Column `json:"columns"`
}

// FullName returns the qualified name.
func (v *View) FullName() types.TableName { return types.TableName{Schema: v.Schema, Name: v.Name} }

// Balance counts the submissions of one route (the table their address names). It only grows; Removed counts what
// DELETE, retention or DROP took away again: rows of a table, or errors or duplicates if the route is their table.
type Balance struct {
	Rows, Errors, Duplicates, Removed uint64
}

// Accepted is the number of submissions that have been decoded and published.
func (b Balance) Accepted() uint64 { return b.Rows + b.Errors + b.Duplicates }

// Add returns the sum.
func (b Balance) Add(o Balance) Balance {
	return Balance{b.Rows + o.Rows, b.Errors + o.Errors, b.Duplicates + o.Duplicates, b.Removed + o.Removed}
}

// Batch is a set of changes that become durable together. It is used by one goroutine. An error of any put is returned
// by Commit.
type Batch struct {
	b   *pebble.Batch
	err error
}

// NewBatch returns an empty batch. It ends in DB.Commit or in Close.
func (db *DB) NewBatch() *Batch { return &Batch{b: db.pdb.NewBatch()} }

// Close drops the batch.
func (b *Batch) Close() error { return b.b.Close() }

func (b *Batch) set(key, value []byte) {
	if err := b.b.Set(key, value, nil); err != nil && b.err == nil {
		b.err = fmt.Errorf("catalog batch: %w", err)
	}
}

func (b *Batch) delete(key []byte) {
	if err := b.b.Delete(key, nil); err != nil && b.err == nil {
		b.err = fmt.Errorf("catalog batch: %w", err)
	}
}

func (b *Batch) setJSON(key []byte, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		b.fail(fmt.Errorf("catalog batch: encode %q: %w", key, err))
		return
	}
	b.set(key, raw)
}

func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// PutSegment publishes a segment. Its file is synced and in its place.
func (b *Batch) PutSegment(s *Segment) {
	raw, err := s.append(nil)
	if err != nil {
		b.fail(fmt.Errorf("catalog batch: encode segment %d: %w", s.ID, err))
		return
	}
	b.set(segmentKey(s.Table, s.ID), raw)
}

// DropSegment takes a segment out of the manifest. Its file is named obsolete until ForgetFile.
func (b *Batch) DropSegment(table uint32, id uint64) {
	b.delete(segmentKey(table, id))
	b.set(obsoleteKey(id), nil)
}

// ForgetFile tells that an obsolete file is gone.
func (b *Batch) ForgetFile(id uint64) { b.delete(obsoleteKey(id)) }

// SetBuilding names the segment ids that are given out and not published: their files are removed at the next Open if
// the process ends before it publishes them.
func (b *Batch) SetBuilding(ids []uint64) {
	v := make([]byte, 0, 8*len(ids))
	for _, id := range ids {
		v = binary.LittleEndian.AppendUint64(v, id)
	}
	b.set(buildingKey, v)
}

// SetNextTable sets the next table or view id.
func (b *Batch) SetNextTable(id uint32) {
	b.set(nextTableKey, binary.LittleEndian.AppendUint32(nil, id))
}

// SetNextSegment sets the next segment id.
func (b *Batch) SetNextSegment(id uint64) {
	b.set(nextSegmentKey, binary.LittleEndian.AppendUint64(nil, id))
}

// SetLogSynced tells that log records up to lsn were on disk when the batch was made: a log that is found to end before is
// damaged, however whole its end looks.
func (b *Batch) SetLogSynced(lsn uint64) {
	b.set(logSyncedKey, binary.LittleEndian.AppendUint64(nil, lsn))
}

// PutSchema adds a schema.
func (b *Batch) PutSchema(name string) { b.set(append([]byte{prefixSchema}, name...), nil) }

// DropSchema removes a schema.
func (b *Batch) DropSchema(name string) { b.delete(append([]byte{prefixSchema}, name...)) }

// PutTable adds or replaces a table's schema.
func (b *Batch) PutTable(t *types.Table) { b.setJSON(tableKey(t.ID), t) }

// DropTable removes a table's schema; its segments are dropped one by one.
func (b *Batch) DropTable(id uint32) { b.delete(tableKey(id)) }

// PutView adds or replaces a view.
func (b *Batch) PutView(v *View) { b.setJSON(nameKey(prefixView, v.FullName()), v) }

// DropView removes a view.
func (b *Batch) DropView(n types.TableName) { b.delete(nameKey(prefixView, n)) }

// SetLogMark tells that no record up to lsn is needed to recover any table.
func (b *Batch) SetLogMark(lsn uint64) {
	b.set(logMarkKey, binary.LittleEndian.AppendUint64(nil, lsn))
}

// SetMark tells that all records of route up to lsn are published. It is kept only while it is above the log's mark.
func (b *Batch) SetMark(route types.TableName, lsn uint64) {
	b.set(nameKey(prefixMark, route), binary.LittleEndian.AppendUint64(nil, lsn))
}

// DropMark forgets a route's mark.
func (b *Batch) DropMark(route types.TableName) { b.delete(nameKey(prefixMark, route)) }

// PutBalance sets the counters of a route.
func (b *Batch) PutBalance(route types.TableName, c Balance) {
	v := make([]byte, 0, 32)
	for _, n := range [...]uint64{c.Rows, c.Errors, c.Duplicates, c.Removed} {
		v = binary.LittleEndian.AppendUint64(v, n)
	}
	b.set(nameKey(prefixBalance, route), v)
}

// PutKey stores the record that holds a document; day is its bucket of expiry, in days since 1970-01-01.
func (b *Batch) PutKey(key []byte, lsn uint64, day int32) {
	var v [12]byte
	binary.LittleEndian.PutUint64(v[:], lsn)
	binary.LittleEndian.PutUint32(v[8:], uint32(day))
	b.set(dedupKey(key), v[:])
}

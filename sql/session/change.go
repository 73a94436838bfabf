package session

import (
	"context"
	"errors"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// What a transaction has written it keeps as a list of changes, one for each statement and table, in order: to see it, to
// go back to a savepoint, and to publish it at the end. The rows of a table are numbered through the morsels of the
// snapshot's source and, behind them, the batches inserted by the changes: those numbers hold as long as the changes before
// do, so that deleted rows of either kind are one set.

// change is what one statement did to one table: rows it inserted, or rows it deleted.
type change struct {
	table *types.Table
	rows  []*vec.Batch
	dead  deadRows
}

// deadRows is deleted rows by the index of their morsel.
type deadRows map[int]*roaring.Bitmap

// add takes rows by their place (types.ColRow).
func (d deadRows) add(places []int64) {
	for from := 0; from < len(places); {
		morsel := places[from] >> 16
		bits := d[int(morsel)]
		if bits == nil {
			bits = roaring.New()
			d[int(morsel)] = bits
		}
		to := from
		for ; to < len(places) && places[to]>>16 == morsel; to++ {
			bits.Add(uint32(places[to] & 0xffff))
		}
		from = to
	}
}

func (d deadRows) count() (n int64) {
	for _, bits := range d {
		n += int64(bits.GetCardinality())
	}
	return n
}

func (d deadRows) bytes() (n int64) {
	for _, bits := range d {
		n += int64(bits.GetSizeInBytes()) + 128
	}
	return n
}

// change adds a change of so many bytes to the transaction.
func (c *conn) change(ch change, bytes int64) {
	c.tx.changes = append(c.tx.changes, ch)
	c.tx.bytes += bytes
}

// tableChanges is all changes of one table: the batches inserted and the rows deleted of the snapshot and of them.
type tableChanges struct {
	table *types.Table
	rows  []*vec.Batch
	dead  deadRows
}

// changesOf sums up changes by table, in the order of their first change.
func changesOf(all []change) []*tableChanges {
	var out []*tableChanges
	at := map[uint32]*tableChanges{}
	for _, ch := range all {
		t := at[ch.table.ID]
		if t == nil {
			t = &tableChanges{table: ch.table, dead: deadRows{}}
			at[ch.table.ID] = t
			out = append(out, t)
		}
		t.rows = append(t.rows, ch.rows...)
		for morsel, bits := range ch.dead {
			if have := t.dead[morsel]; have != nil {
				bits = roaring.Or(have, bits)
			}
			t.dead[morsel] = bits
		}
	}
	return out
}

// withChanges lets a transaction see what it changed.
func withChanges(source func(*types.Table) (column.Source, error), changes []change) func(*types.Table) (column.Source, error) {
	all := changesOf(changes)
	return func(t *types.Table) (column.Source, error) {
		s, err := source(t)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(c *tableChanges) bool { return c.table.ID == t.ID })
		if i < 0 {
			return s, nil
		}
		return all[i].over(s), nil
	}
}

// over is a source with the changes.
func (c *tableChanges) over(s column.Source) column.Source {
	morsels := slices.Clone(s.Morsels())
	for _, b := range c.rows {
		morsels = append(morsels, &ownMorsel{groupOf(c.table, b)})
	}
	for i, bits := range c.dead {
		morsels[i] = &buriedMorsel{morsels[i], withDead(morsels[i], bits)}
	}
	return &ownSource{s.Table(), morsels}
}

// withDead adds rows to those a morsel knows to be deleted.
func withDead(m column.Morsel, bits *roaring.Bitmap) vec.Bitmap {
	out := vec.MakeBitmap(m.Rows())
	copy(out, bits.ToDense())
	if old := m.Deleted(); old != nil {
		out.Or(old)
	}
	return out
}

type ownSource struct {
	table   *types.Table
	morsels []column.Morsel
}

func (s *ownSource) Table() *types.Table      { return s.table }
func (s *ownSource) Morsels() []column.Morsel { return s.morsels }

// buriedMorsel is a morsel of which the transaction has deleted rows.
type buriedMorsel struct {
	column.Morsel
	dead vec.Bitmap
}

func (m *buriedMorsel) Deleted() vec.Bitmap { return m.dead }

// publish makes the transaction's changes durable and visible, all at one moment. They are forgotten, whatever it returns.
func (c *conn) publish(ctx context.Context) error {
	all := changesOf(c.tx.changes)
	c.tx.changes, c.tx.bytes = nil, 0
	if len(all) == 0 {
		return nil
	}
	w, err := c.cfg.DB.Begin()
	if err != nil {
		return sqlstate.Wrap(sqlstate.Internal, err)
	}
	for _, t := range all {
		if err := c.writeTable(ctx, w, t); err != nil {
			return sqlstate.Wrap(sqlstate.Internal, errors.Join(err, w.Abort()))
		}
	}
	return wrapNil(w.Commit(ctx))
}

// placesMax is how many rows are handed to the database at once.
const placesMax = 1 << 20

// writeTable hands one table's changes to the database.
func (c *conn) writeTable(ctx context.Context, w Write, t *tableChanges) error {
	sealed := 0 // morsels of the snapshot
	if len(t.dead) > 0 {
		src, err := c.tx.snap.Source(t.table)
		if err != nil {
			return err
		}
		sealed = len(src.Morsels())
		if err := c.deletePlaces(ctx, w, t, sealed); err != nil {
			return err
		}
	}
	i := 0
	rows := liveBatches(t, sealed)
	if len(rows) == 0 {
		return nil
	}
	_, err := w.Insert(ctx, t.table, func() (*vec.Batch, error) {
		if i == len(rows) {
			return nil, nil
		}
		i++
		return rows[i-1], nil
	})
	return err
}

func (c *conn) deletePlaces(ctx context.Context, w Write, t *tableChanges, sealed int) error {
	next := t.dead.places(sealed)
	for places := next(); len(places) > 0; places = next() {
		if err := w.Delete(ctx, c.tx.snap.Snapshot, t.table, places); err != nil {
			return err
		}
	}
	return nil
}

// places gives the rows of the first morsels by their place, in order, at most about placesMax at a time, nil at the end.
// They are valid until the next call.
func (d deadRows) places(morsels int) func() []int64 {
	var left []int
	for m := range d {
		if m < morsels {
			left = append(left, m)
		}
	}
	slices.Sort(left)
	var out []int64
	return func() []int64 {
		out = out[:0]
		for len(left) > 0 && len(out) < placesMax {
			for it := d[left[0]].Iterator(); it.HasNext(); {
				out = append(out, int64(left[0])<<16|int64(it.Next()))
			}
			left = left[1:]
		}
		return out
	}
}

// liveBatches is the rows a transaction inserted and did not delete again.
func liveBatches(t *tableChanges, sealed int) []*vec.Batch {
	var out []*vec.Batch
	for i, b := range t.rows {
		dead := t.dead[sealed+i]
		if dead == nil {
			out = append(out, b)
			continue
		}
		live := *b
		live.Cols, live.Sel = slices.Clone(b.Cols), []uint16{}
		for r := range b.N {
			if !dead.ContainsInt(r) {
				live.Sel = append(live.Sel, uint16(r))
			}
		}
		if live.Compact(); live.N > 0 {
			out = append(out, &live)
		}
	}
	return out
}

func wrapNil(err error) error {
	if err == nil {
		return nil
	}
	return sqlstate.Wrap(sqlstate.Internal, err)
}

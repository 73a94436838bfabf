package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/head"
	"github.com/telemdb/telemdb/storage/stage"
	"github.com/telemdb/telemdb/storage/types"
)

// shortInsertBytes is how much an INSERT may bring as one log record. What is longer is written as segments beside the
// log.
const shortInsertBytes = 4 << 20

// Insert gathers the rows of one statement: all of them are durable and visible when Commit returns, or none. A short one
// is a record in the log. A long one goes into segments as it comes, and Commit publishes them with one batch; the log
// gets an empty record, which only gives the rows their LSN. It is used by one goroutine, and ends in Commit or Abort.
type Insert struct {
	s     *Store
	tx    *Tx // nil if it stands alone
	table *types.Table
	place place
	short *rowEncoder
	long  *longInsert // nil while the insert is short
	row   column.RowBuf
	rows  int64
	done  bool
}

// longInsert is the part of an Insert that does not fit a record: rows that came one by one, and those that came in
// batches.
type longInsert struct {
	lsn   uint64
	gen   *head.Generation
	stage *stage.Stager // nil until a batch comes
	w     *segmentsWriter
}

// NewInsert begins an insert into an ordinary table, of which only the ID is looked at.
func (s *Store) NewInsert(t *types.Table) (*Insert, error) { return s.newInsert(t) }

func (s *Store) newInsert(t *types.Table) (*Insert, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	own, ok := s.catalog.byIDLive(t.ID)
	if !ok {
		return nil, fmt.Errorf("table %s %w", t.FullName(), ErrNotFound)
	}
	if own.Kind != types.TableUser {
		return nil, fmt.Errorf("table %s %w: rows come by submission", own.FullName(), ErrSystem)
	}
	return s.insertInto(own), nil
}

func (s *Store) insertInto(t *types.Table) *Insert {
	return &Insert{s: s, table: t, place: placeOf(t, s.paths), short: newRowEncoder(t.ID, s.paths)}
}

// Add adds a row: a value for each column that is not NULL, under its path (Store.Paths) and leaf kind (types.LeafOf);
// jsonb columns shredded. The row's memory may be reused.
func (in *Insert) Add(ctx context.Context, row *column.RowBuf) error {
	in.rows++
	if in.long != nil {
		return in.addLong(ctx, row)
	}
	in.short.add(row)
	if in.shortBytes() < in.s.shortInsert {
		return nil
	}
	return in.goLong(ctx)
}

// shortBytes is what counts against the limit of a record: the rows of the whole transaction, if it is in one.
func (in *Insert) shortBytes() int {
	if in.tx != nil {
		return in.tx.shortBytes()
	}
	return in.short.bytes()
}

// Rows returns the number of rows added.
func (in *Insert) Rows() int64 { return in.rows }

// goLong moves the rows gathered so far out of their record.
func (in *Insert) goLong(ctx context.Context) error {
	var payload []byte
	for _, p := range in.short.parts() {
		payload = append(payload, p...)
	}
	lsn, err := in.bulkLSN(ctx)
	if err != nil {
		return err
	}
	w := in.s.newSegments(in.s.o.Now())
	w.bulk = true
	in.long = &longInsert{lsn: lsn, gen: head.NewGeneration(in.s.paths), w: w}
	in.short = nil
	rd, err := openRows(payload, in.s.paths)
	for err == nil {
		in.row.Reset()
		var more bool
		if more, err = rd.next(&in.row); !more || err != nil {
			return err
		}
		err = in.addLong(ctx, &in.row)
	}
	return err
}

func (in *Insert) bulkLSN(ctx context.Context) (uint64, error) {
	if in.tx != nil {
		return in.tx.bulkLSN(ctx, in.table.ID)
	}
	return in.s.append(ctx, kindBulk, binary.LittleEndian.AppendUint32(nil, in.table.ID))
}

func (in *Insert) addLong(ctx context.Context, row *column.RowBuf) error {
	l := in.long
	if !l.gen.Fits(head.SizeOf(row)) {
		if err := in.spill(ctx); err != nil {
			return err
		}
	}
	own := len(row.Values)
	row.Int(in.place.lsn, int64(l.lsn))
	l.gen.Append(row, in.place.of(row))
	row.Values = row.Values[:own] // the caller's row is as it was
	return nil
}

// spill writes the gathered rows to segments that nobody sees yet.
func (in *Insert) spill(ctx context.Context) error {
	l := in.long
	if err := in.s.usable(); err != nil {
		return err
	}
	if err := in.s.spaceLeft(); err != nil {
		return err
	}
	p := part{table: in.table, gens: []*view{{gen: l.gen}}}
	l.w.stop = ctx.Err
	if err := l.w.rows(ctx, in.table, p.groups()); err != nil {
		return mapError(err)
	}
	l.gen = head.NewGeneration(in.s.paths)
	return nil
}

// Commit makes the rows durable and visible. After an error other than ErrFailed none of them is, but for ctx ending
// while a short insert waits for the disk: then they may be.
func (in *Insert) Commit(ctx context.Context) error {
	if in.done {
		return errors.New("the insert has ended already")
	}
	if in.tx != nil {
		return errInTx
	}
	if in.rows == 0 {
		in.done = true
		return nil
	}
	if in.long != nil {
		return in.commitLong(ctx)
	}
	in.done = true
	lsn, err := in.s.append(ctx, kindRows, in.short.parts()...)
	if err != nil {
		return err
	}
	return in.s.WaitVisible(ctx, lsn)
}

func (in *Insert) commitLong(ctx context.Context) error {
	l := in.long
	if err := in.finishLong(ctx); err != nil {
		return errors.Join(err, in.Abort())
	}
	in.done = true
	// DROP holds sealMu: a table that is there now is there until the rows are published.
	in.s.sealMu.Lock()
	defer in.s.sealMu.Unlock()
	if _, ok := in.s.catalog.byIDLive(in.table.ID); !ok {
		return errors.Join(fmt.Errorf("table %s %w", in.table.FullName(), ErrNotFound), l.w.abandon())
	}
	err := in.s.publish(publication{edit: edit{add: l.w.files}, tables: l.w.states})
	if err != nil {
		return mapError(l.w.unpublished(err))
	}
	return nil
}

// finishLong writes all rows that are not written yet to segments.
func (in *Insert) finishLong(ctx context.Context) error {
	if in.long == nil {
		if err := in.goLong(ctx); err != nil {
			return err
		}
	}
	if in.long.gen.Rows() > 0 {
		if err := in.spill(ctx); err != nil {
			return err
		}
	}
	return in.spillStaged(ctx)
}

var errInTx = errors.New("the insert belongs to a transaction, which commits it")

// Abort forgets the rows. It does nothing after Commit.
func (in *Insert) Abort() error {
	if in.done {
		return nil
	}
	if in.tx != nil {
		return errInTx
	}
	in.done = true
	if in.long == nil {
		return nil
	}
	return in.long.w.abandon()
}

// InsertRows inserts rows into an ordinary table, all or none; see Insert.
func (s *Store) InsertRows(ctx context.Context, t *types.Table, rows []*column.RowBuf) error {
	in, err := s.NewInsert(t)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := in.Add(ctx, r); err != nil {
			return errors.Join(err, in.Abort())
		}
	}
	return in.Commit(ctx)
}

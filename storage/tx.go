package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/types"
)

// Tx is a transaction: rows to insert into ordinary tables and rows to delete, in any number of statements, of which all
// become durable and visible at one moment, when Commit returns, or none. Nobody sees anything of it before; it does not
// see its own changes either. It is used by one goroutine, and ends in Commit or Abort.
//
// Transactions do not wait for each other. Of two that delete the same row, the second finds it dead: if it only deletes, it
// changes nothing there; if it inserts too, what it inserts was to take the place of rows that another has taken already,
// and all of it fails with ErrConflict. So two jobs that overwrite one partition do not both leave their rows there.
type Tx struct {
	s       *Store
	created []*types.Table
	inserts []*Insert
	deletes map[uint32]*deletion // by table
	bulk    uint64               // LSN of the rows that are written beside the log, 0 if there are none yet
	removed int64
	done    bool
}

// Begin begins a transaction.
func (s *Store) Begin() (*Tx, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	return &Tx{s: s, deletes: map[uint32]*deletion{}}, nil
}

var errTxEnded = errors.New("the transaction has ended already")

// CreateTable makes an ordinary table that nobody sees before Commit, and returns it with its ID and system column. Its name
// is taken at Commit, which fails with ErrExists, or ErrNotFound for the schema, if it cannot be.
func (tx *Tx) CreateTable(t *types.Table) (*types.Table, error) {
	if tx.done {
		return nil, errTxEnded
	}
	made, err := ordinary(t)
	if err != nil {
		return nil, err
	}
	made.ID = tx.s.catalog.newID()
	tx.created = append(tx.created, made)
	return made, nil
}

// NewInsert begins an insert into an ordinary table, of which only the ID is looked at. Its rows are committed, or
// forgotten, with the transaction: it has no Commit or Abort of its own.
func (tx *Tx) NewInsert(t *types.Table) (*Insert, error) {
	if tx.done {
		return nil, errTxEnded
	}
	in, err := tx.insertInto(t)
	if err != nil {
		return nil, err
	}
	in.tx = tx
	tx.inserts = append(tx.inserts, in)
	return in, nil
}

func (tx *Tx) insertInto(t *types.Table) (*Insert, error) {
	for _, made := range tx.created {
		if made.ID == t.ID {
			return tx.s.insertInto(made), nil
		}
	}
	return tx.s.newInsert(t)
}

// Delete deletes rows of a table as sn sees them. A row is named by its place: the index of its morsel in
// sn.Source(t).Morsels() << 16 | its row there, which is what types.ColRow holds. The table is an ordinary one, one of
// pings, or the one of errors or duplicates (else ErrSystem). Rows may be named in any order and more than once. sn may be
// released before Commit.
func (tx *Tx) Delete(sn *Snapshot, t *types.Table, rows []int64) error {
	if tx.done {
		return errTxEnded
	}
	own, ok := sn.names.byID[t.ID]
	if !ok {
		return fmt.Errorf("table %s %w", t.FullName(), ErrNotFound)
	}
	switch own.Kind {
	case types.TablePing, types.TableErrors, types.TableUser:
	default:
		return fmt.Errorf("rows of table %s %w", own.FullName(), ErrSystem)
	}
	if len(rows) == 0 {
		return nil
	}
	d := tx.deletes[own.ID]
	if d == nil {
		d = newDeletion(own)
		tx.deletes[own.ID] = d
	}
	return d.add(sn, rows)
}

// Removed tells, after Commit, how many rows it has deleted that were there until then.
func (tx *Tx) Removed() int64 { return tx.removed }

// Commit makes everything durable and visible. After an error other than ErrFailed nothing of it is, but for ctx ending
// while short inserts wait for the disk: then they may be.
//
// Inserts that are short together are one record of the log. All else is one batch: rows to insert go into segments
// first, those to delete are found again wherever seals and merges have put them, and what rows of pings leave in
// roll-ups is computed before anybody has to wait for it.
func (tx *Tx) Commit(ctx context.Context) error {
	if tx.done {
		return errTxEnded
	}
	tx.done = true
	var inserts []*Insert
	short := true
	for _, in := range tx.inserts {
		in.done = true
		if in.rows > 0 {
			inserts = append(inserts, in)
			short = short && in.long == nil
		}
	}
	switch {
	case len(tx.deletes)+len(tx.created) > 0 || !short:
		return mapError(tx.commitBatch(ctx, inserts))
	case len(inserts) > 0:
		return tx.commitRecord(ctx, inserts)
	}
	return nil
}

// commitRecord writes short inserts as one record.
func (tx *Tx) commitRecord(ctx context.Context, inserts []*Insert) error {
	kind, parts := kindRows, inserts[0].short.parts()
	if len(inserts) > 1 {
		kind, parts = kindTables, tablesParts(inserts)
	}
	lsn, err := tx.s.append(ctx, kind, parts...)
	if err != nil {
		return err
	}
	return tx.s.WaitVisible(ctx, lsn)
}

// commitBatch publishes segments, tombstones, roll-up corrections and counters with one batch.
func (tx *Tx) commitBatch(ctx context.Context, inserts []*Insert) error {
	s := tx.s
	if len(inserts) == 0 {
		if err := s.roomToPublish(false); err != nil {
			return errors.Join(err, tx.forget())
		}
	}
	for _, in := range inserts {
		if err := in.finishLong(ctx); err != nil {
			return errors.Join(err, tx.forget())
		}
	}
	r, err := tx.prepare(ctx)
	if err != nil {
		return errors.Join(err, tx.forget())
	}
	// DROP, seals and merges hold sealMu: what is found now stays so until it is published.
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	if r, err = tx.settle(ctx, r); err != nil {
		return errors.Join(err, tx.forget())
	}
	if len(inserts) > 0 && r.rows() < tx.named() {
		return errors.Join(ErrConflict, r.w.abandon(), tx.forget())
	}
	if err := tx.reserve(); err != nil {
		return errors.Join(err, r.w.abandon(), tx.forget())
	}
	p := publication{edit: r.edit(), tables: r.w.states, frees: len(inserts) == 0}
	for _, in := range inserts {
		if _, ok := s.catalog.byIDLive(in.table.ID); !ok && !slices.Contains(tx.created, in.table) {
			err := fmt.Errorf("table %s %w", in.table.FullName(), ErrNotFound)
			return errors.Join(err, r.w.abandon(), tx.forget())
		}
		p.add = append(p.add, in.long.w.files...)
		p.tables = append(p.tables, in.long.w.states...)
	}
	for _, t := range tx.created {
		p.tables = append(p.tables, t.ID)
	}
	balance := tx.balance(r)
	p.stage = func(b *meta.Batch) {
		for route, total := range balance {
			b.PutBalance(route, total)
		}
	}
	p.install = func() {
		for route, total := range balance {
			s.balance[route] = total
		}
		for _, t := range tx.created {
			s.catalog.reveal(t.ID)
		}
	}
	if p.empty() && len(tx.created) == 0 {
		return nil // all rows were dead already
	}
	if err := s.publish(p); err != nil {
		if errors.Is(err, meta.ErrFailed) {
			return err // nobody knows whether the batch is there: the next Open judges its files
		}
		return errors.Join(err, r.w.abandon(), tx.forget())
	}
	for _, t := range r.tables {
		tx.removed += t.n
	}
	return nil
}

// reserve takes the names of the tables that are made. Store.sealMu is held.
func (tx *Tx) reserve() error {
	for _, t := range tx.created {
		if !tx.s.catalog.hasSchema(t.Schema) {
			return fmt.Errorf("schema %q %w", t.Schema, ErrNotFound)
		}
		if err := tx.s.catalog.reserve(t); err != nil {
			return err
		}
	}
	return nil
}

// balance returns the counters that the deletes change. Store.sealMu, under which counters change, is held.
func (tx *Tx) balance(r *removal) map[types.TableName]meta.Balance {
	out := map[types.TableName]meta.Balance{}
	for _, t := range r.tables {
		if t.n == 0 || t.table.Kind == types.TableUser {
			continue
		}
		total := tx.s.balanceOf(t.table.FullName())
		total.Removed += uint64(t.n)
		out[t.table.FullName()] = total
	}
	return out
}

// Abort forgets everything. It does nothing after Commit.
func (tx *Tx) Abort() error {
	if tx.done {
		return nil
	}
	tx.done = true
	return tx.forget()
}

// forget removes the files of long inserts.
func (tx *Tx) forget() error {
	var errs []error
	for _, t := range tx.created {
		tx.s.catalog.unreserve(t.ID)
	}
	for _, in := range tx.inserts {
		in.done = true
		if in.long != nil {
			errs = append(errs, in.long.w.abandon())
		}
	}
	return errors.Join(errs...)
}

// shortBytes is the size of the rows that have gone to no segment.
func (tx *Tx) shortBytes() (n int) {
	for _, in := range tx.inserts {
		if in.long == nil {
			n += in.short.bytes()
		}
	}
	return n
}

// bulkLSN gives the rows written beside the log their LSN: one for all of the transaction.
func (tx *Tx) bulkLSN(ctx context.Context, table uint32) (lsn uint64, err error) {
	if tx.bulk == 0 {
		tx.bulk, err = tx.s.append(ctx, kindBulk, binary.LittleEndian.AppendUint32(nil, table))
	}
	return tx.bulk, err
}

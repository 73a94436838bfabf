package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/types"
)

// Retention drops whole partitions: those whose date is past, and the oldest ones of a table that has grown too large. A
// dropped partition leaves the manifest in one batch with the balance; its files go when no snapshot reads them. States
// of a roll-up over the rows stay, so from then on they count more than the rows there are: types.Table.SourceLost.

// ErrRetention: the table cannot have such a retention.
var ErrRetention = errors.New("cannot have this retention")

// SetRetention changes when a table's partitions are dropped; the zero Retention keeps them for ever, and gives
// telemdb.errors and telemdb.duplicates their defaults back. It is durable when it returns, and acts with the next run of
// the job "expire". ErrNotFound, ErrSystem, ErrRetention.
func (s *Store) SetRetention(ctx context.Context, n types.TableName, r types.Retention) error {
	return s.ddl(ctx, func() (publication, error) {
		t, ok := s.catalog.byName(n)
		if !ok {
			return publication{}, fmt.Errorf("table %s %w", n, ErrNotFound)
		}
		if err := mayRetain(t, r); err != nil {
			return publication{}, err
		}
		put, install := s.catalog.amend(t.ID, func(t *types.Table) { t.Retention = r })
		return publication{stage: put, install: func() { install(); s.jobs.Kick(jobExpire) }}, nil
	})
}

func mayRetain(t *types.Table, r types.Retention) error {
	switch {
	case t.Kind == types.TableStates:
		return fmt.Errorf("table %s holds the states of a roll-up, which outlive its rows; it %w", t.FullName(), ErrSystem)
	case r.Days < 0 || r.Bytes < 0:
		return fmt.Errorf("table %s %w: a number of days or bytes is negative", t.FullName(), ErrRetention)
	case r != (types.Retention{}) && t.PartitionBy == "":
		return fmt.Errorf("table %s %w: it has no partitions; make it with PARTITION BY a date column, or delete rows", t.FullName(), ErrRetention)
	}
	return nil
}

// Retention returns when a table's partitions are dropped, the server's defaults included.
func (s *Store) Retention(t *types.Table) types.Retention {
	r := t.Retention
	if r != (types.Retention{}) {
		return r
	}
	switch t.FullName() {
	case ErrorsTable:
		r.Days = wholeDays(s.o.ErrorsKeep)
	case DuplicatesTable:
		r.Days = wholeDays(s.o.DuplicatesKeep)
	}
	return r
}

func wholeDays(d time.Duration) int32 { return int32((d + 24*time.Hour - 1) / (24 * time.Hour)) }

// amend returns what changes a live table's schema in one publication: the put of the changed schema into its batch, and
// what to call when that is durable. Columns that appear in between stay. sealMu is held.
func (c *catalog) amend(id uint32, change func(*types.Table)) (put func(*meta.Batch), install func()) {
	amended := func() *types.Table {
		t := *c.byID[id].table
		change(&t)
		return &t
	}
	put = func(b *meta.Batch) {
		c.mu.RLock()
		defer c.mu.RUnlock()
		t := amended()
		b.PutTable(t)
		b.PutSchema(t.Schema)
	}
	install = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.byID[id].table = amended()
		c.changedLocked()
	}
	return put, install
}

// expireRows drops the partitions that are past their table's retention, one table a step.
func (s *Store) expireRows(ctx context.Context) (did bool, err error) {
	for _, t := range s.catalog.state().tables {
		if len(s.pastRetention(t)) == 0 {
			continue
		}
		return true, s.ddl(ctx, func() (publication, error) {
			now, ok := s.catalog.byIDLive(t.ID)
			if !ok {
				return publication{}, nil // dropped meanwhile
			}
			return s.dropPartitions(now, s.pastRetention(now)), nil
		})
	}
	return false, nil
}

// pastRetention lists the segments of the partitions of t that are to be dropped. Rows without a date stay, and so does
// the newest partition, however large it is.
func (s *Store) pastRetention(t *types.Table) (out []*file) {
	r := s.Retention(t)
	if r == (types.Retention{}) || t.Kind == types.TableStates {
		return nil
	}
	files := s.manifest.currentFiles(t.ID)
	total := int64(0)
	for _, f := range files {
		total += f.Meta.Bytes
	}
	before := s.today() - int64(r.Days)
	parts := partitionsOf(files) // rows without a date first, then the oldest
	for i, part := range parts {
		if !part[0].Meta.HasPartition {
			continue
		}
		newest := i == len(parts)-1
		byAge := r.Days > 0 && part[0].Meta.Partition < before
		bySize := r.Bytes > 0 && total > r.Bytes && !newest
		if !byAge && !bySize {
			continue
		}
		for _, f := range part {
			total -= f.Meta.Bytes
		}
		out = append(out, part...)
	}
	return out
}

// today is the present day, in days since 1970-01-01.
func (s *Store) today() int64 { return s.daysAgo(0) }

// dropPartitions publishes the end of whole partitions. sealMu is held.
func (s *Store) dropPartitions(t *types.Table, files []*file) publication {
	p := publication{edit: edit{drop: files}}
	if len(files) == 0 {
		return p
	}
	lost := s.sourceLost(t, files)
	counted := t.Kind == types.TablePing || t.Kind == types.TableErrors
	total := s.balanceOf(t.FullName())
	total.Removed += uint64(s.manifest.liveRows(files))
	p.stage = func(b *meta.Batch) {
		lost.stage(b)
		if counted {
			b.PutBalance(t.FullName(), total)
		}
	}
	p.install = func() {
		lost.install()
		if counted {
			s.balance[t.FullName()] = total
		}
	}
	return p
}

// amendment is a change of schemas that is part of a publication.
type amendment struct {
	puts     []func(*meta.Batch)
	installs []func()
}

func (a *amendment) stage(b *meta.Batch) {
	for _, f := range a.puts {
		f(b)
	}
}

func (a *amendment) install() {
	for _, f := range a.installs {
		f()
	}
}

// sourceLost notes with the roll-ups over t that rows of some days are about to go while the states stay.
func (s *Store) sourceLost(t *types.Table, files []*file) (a amendment) {
	last, any := int64(0), false
	for _, f := range files {
		if f.Meta.HasPartition && (!any || f.Meta.Partition > last) {
			last, any = f.Meta.Partition, true
		}
	}
	for _, r := range s.rollups {
		if !any || r.Source() != t.FullName() {
			continue
		}
		put, install := s.catalog.amend(r.states.ID, func(t *types.Table) { t.SourceLost = max(t.SourceLost, last+1) })
		a.puts = append(a.puts, put)
		a.installs = append(a.installs, install)
	}
	return a
}

// comparable tells whether the states of a partition must equal what its rows give.
func (s *Store) comparable(r *rollup, partition int64) bool {
	t, ok := s.catalog.byIDLive(r.states.ID)
	return ok && (t.SourceLost == 0 || partition >= t.SourceLost)
}

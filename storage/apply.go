package storage

import (
	"errors"
	"fmt"
	"math"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/head"
	"github.com/telemdb/telemdb/storage/types"
)

// applier adds decoded records to the heads, in the order of their LSNs. It belongs to one goroutine.
type applier struct {
	s      *Store
	worker DecodeWorker // makes the rows of duplicates
	row    column.RowBuf
}

// job applies a job's records and then shows their rows, all at once.
func (a *applier) job(j *job) error {
	s := a.s
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	touched := map[*rowset]bool{}
	for i := range j.records[:j.n] {
		r := &j.records[i]
		if err := a.record(j, r, touched); err != nil {
			return fmt.Errorf("apply log record %d: %w", r.lsn, err)
		}
	}
	s.mu.Lock()
	for rs := range touched {
		rs.show()
	}
	s.applied = j.records[j.n-1].lsn
	s.signalLocked()
	s.mu.Unlock()
	s.kickSeal(touched)
	return nil
}

// record applies one record and adds where its rows went to touched.
func (a *applier) record(j *job, r *record, touched map[*rowset]bool) error {
	note := func(rs *rowset, err error) error {
		if rs != nil {
			touched[rs] = true
		}
		return err
	}
	switch r.kind {
	case kindPing:
		if r.skip {
			return nil
		}
		if a.s.decoder == nil {
			return errors.New("the store was opened without a decoder and the log holds submissions")
		}
		return note(a.ping(j, r))
	case kindRows:
		return note(a.rows(j.bytes(r), r.lsn))
	case kindTables:
		return eachTable(j.bytes(r), func(rows []byte) error { return note(a.rows(rows, r.lsn)) })
	case kindBulk:
		return nil
	}
	return fmt.Errorf("unknown kind %d: written by a newer telemdb", r.kind)
}

// ping gives a submission its one row: in its table, among the errors, or among the duplicates.
func (a *applier) ping(j *job, r *record) (*rowset, error) {
	s, d := a.s, &r.out
	if d.Table == ErrorsTable {
		rs := s.activeFor(r.route, r.lsn)
		rs.balance.Errors++
		return rs, a.add(rs, ErrorsTable, &d.Row, d.Partition)
	}
	if len(d.Key) > 0 {
		first, held, err := a.holder(d.Key)
		if err != nil {
			return nil, err
		}
		if held && first == r.lsn {
			return nil, nil // a replay of a record that is sealed
		}
		if held {
			rs := s.activeFor(r.route, r.lsn)
			rs.balance.Duplicates++
			a.row.Reset()
			a.worker.Duplicate(j.bytes(r), r.lsn, first, &a.row)
			return rs, a.add(rs, DuplicatesTable, &a.row, d.Partition)
		}
	}
	rs := s.activeFor(r.route, r.lsn)
	rs.balance.Rows++
	if len(d.Key) > 0 {
		k := docKey{key: string(d.Key), lsn: r.lsn, day: int32(d.Partition)}
		rs.keys = append(rs.keys, k)
		s.heads.keys[k.key] = r.lsn
	}
	s.grow(rs.add(&s.mu, s.catalog.forPing(d.Table), &d.Row, d.Partition, s.paths))
	return rs, nil
}

// holder looks a document up among the unsealed rows and then among the sealed ones.
func (a *applier) holder(key []byte) (lsn uint64, ok bool, err error) {
	if lsn, ok := a.s.heads.keys[string(key)]; ok {
		return lsn, true, nil
	}
	return a.s.meta.Holder(key)
}

func (a *applier) add(rs *rowset, n types.TableName, row *column.RowBuf, partition int64) error {
	t, ok := a.s.catalog.byName(n)
	if !ok {
		return fmt.Errorf("system table %s %w", n, ErrNotFound)
	}
	a.s.grow(rs.add(&a.s.mu, t, row, partition, a.s.paths))
	return nil
}

// rows applies the rows of an ordinary table. Those of a table that has been dropped since are nothing.
func (a *applier) rows(payload []byte, lsn uint64) (*rowset, error) {
	rd, err := openRows(payload, a.s.paths)
	if err != nil {
		return nil, err
	}
	t, ok := a.s.catalog.byIDLive(rd.table)
	route := ownRoute(rd.table)
	if !ok || lsn <= a.s.bootMarks[route] {
		return nil, nil
	}
	pl := placeOf(t, a.s.paths)
	rs := a.s.activeFor(route, lsn)
	for {
		a.row.Reset()
		more, err := rd.next(&a.row)
		if err != nil || !more {
			return rs, err
		}
		a.row.Int(pl.lsn, int64(lsn))
		a.s.grow(rs.add(&a.s.mu, t, &a.row, pl.of(&a.row), a.s.paths))
	}
}

// place finds the partition of an ordinary table's rows.
type place struct {
	lsn  uint32 // path id of the LSN column
	date uint32 // path id of the partition column
	any  bool   // there is one
}

func placeOf(t *types.Table, paths *column.Interner) place {
	p := place{lsn: paths.Child(0, types.ColLSN)}
	if t.PartitionBy != "" {
		p.date, p.any = paths.Child(0, t.PartitionBy), true
	}
	return p
}

func (p place) of(row *column.RowBuf) int64 {
	if p.any {
		for i := range row.Values {
			if v := &row.Values[i]; v.Path == p.date && v.Leaf == types.LeafInt {
				return partitionDay(int64(v.Num))
			}
		}
	}
	return head.NoPartition
}

// partitionDay keeps the infinities of dates out of the partitions.
func partitionDay(days int64) int64 {
	if days == math.MaxInt64 {
		return head.NoPartition
	}
	return days
}

// activeFor returns the rowset that takes rows of a route. It is called by the applier, under applyMu.
func (s *Store) activeFor(route types.TableName, lsn uint64) *rowset {
	l := s.heads.byRoute[route]
	if l != nil && l.active != nil {
		return l.active
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l == nil {
		l = &lane{route: route}
		s.heads.byRoute[route] = l
		s.heads.order = append(s.heads.order, l)
	}
	l.active = &rowset{first: lsn, since: s.o.Now()}
	return l.active
}

package storage

import (
	"fmt"
	"maps"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// pendingTx is what a transaction of the simulation does. It is not changed once it is begun.
type pendingTx struct {
	subs     map[uint64]bool           // submissions whose rows it deletes
	inserted map[uint32]map[int64]bool // rows of ordinary tables, by table id
	deleted  map[uint32]map[int64]bool
}

// happened makes the model one in which the transaction is over.
func (a *acks) happened(p *pendingTx) {
	maps.Copy(a.gone, p.subs)
	for id, rows := range p.inserted {
		for n := range rows {
			note(a.tried, id, []int64{n})
			note(a.rows, id, []int64{n})
		}
	}
	for id, rows := range p.deleted {
		for n := range rows {
			delete(a.tried[id], n)
			delete(a.rows[id], n)
		}
	}
	a.tx = nil
}

// transaction deletes rows of pings, and deletes from and inserts into ordinary tables, by a snapshot that seals and merges
// may have overtaken.
func (m *sim) transaction() {
	m.ok(m.s.WaitVisible(ctx, m.s.log.Synced()))
	sn, err := m.s.Snapshot()
	m.ok(err)
	defer sn.Release()
	tx, err := m.s.Begin()
	m.ok(err)
	p := &pendingTx{subs: map[uint64]bool{}, inserted: map[uint32]map[int64]bool{}, deleted: map[uint32]map[int64]bool{}}
	for _, t := range sn.Tables() {
		switch {
		case t.FullName() == mainTable && m.rng.IntN(3) > 0:
			m.deleteSubs(tx, sn, t, p)
		case t.Kind == types.TableUser:
			if m.rng.IntN(2) == 0 {
				m.deleteRows(tx, sn, t, p)
			}
			if m.rng.IntN(2) == 0 {
				m.insertIn(tx, t, p)
			}
		}
	}
	if m.rng.IntN(2) == 0 {
		m.ok(m.s.Flush(ctx))
		_, err := m.s.MergeOnce(ctx)
		m.ok(err)
	}
	m.a.do(func() { m.a.tx = p })
	m.ok(tx.Commit(ctx))
	m.a.do(func() { m.a.happened(p) })
}

func (m *sim) deleteSubs(tx *Tx, sn *Snapshot, t *types.Table, p *pendingTx) {
	rows, err := locate(sn, t)
	m.ok(err)
	var ids []int64
	for _, r := range rows {
		if m.rng.IntN(4) == 0 {
			ids, p.subs[r.lsn] = append(ids, r.id), true
		}
	}
	m.ok(tx.Delete(sn, t, ids))
}

func (m *sim) deleteRows(tx *Tx, sn *Snapshot, t *types.Table, p *pendingTx) {
	src, err := sn.Source(t)
	m.ok(err)
	var ids, values []int64
	for i, mo := range src.Morsels() {
		g, err := mo.Open()
		m.ok(err)
		n, err := wholeColumn(g, "n", types.LeafInt)
		m.ok(err)
		for _, r := range liveRows(g.Rows(), mo.Deleted()) {
			if m.rng.IntN(3) == 0 {
				ids, values = append(ids, int64(i)<<16|int64(r)), append(values, n.Int(int(r)))
			}
		}
	}
	note(p.deleted, t.ID, values)
	m.ok(tx.Delete(sn, t, ids))
}

func (m *sim) insertIn(tx *Tx, t *types.Table, p *pendingTx) {
	in, err := tx.NewInsert(t)
	m.ok(err)
	if m.rng.IntN(3) == 0 {
		m.addBatches(in, t, p)
		return
	}
	for range 1 + m.rng.IntN(12) {
		m.value++
		note(p.inserted, t.ID, []int64{m.value})
		m.ok(in.Add(ctx, userRow(m.s, m.value, 0, "")))
	}
}

// insertBatches is an insert as COPY does it: batches, which go into segments by themselves and are all there or none.
func (m *sim) insertBatches() {
	t := m.anyTable()
	if t == nil {
		return
	}
	in, err := m.s.NewInsert(t)
	m.ok(err)
	p := &pendingTx{inserted: map[uint32]map[int64]bool{}}
	m.addBatches(in, t, p)
	m.a.do(func() { m.a.tx = p })
	m.ok(in.Commit(ctx))
	m.a.do(func() { m.a.happened(p) })
}

// addBatches adds up to three batches.
func (m *sim) addBatches(in *Insert, t *types.Table, p *pendingTx) {
	for range 1 + m.rng.IntN(3) {
		cols := make([]*vec.Vector, 3) // n, d and t: see userTable
		for i := range cols {
			cols[i] = &vec.Vector{}
			cols[i].Reset(t.Columns[i].Type)
		}
		n := 1 + m.rng.IntN(150)
		for range n {
			m.value++
			note(p.inserted, t.ID, []int64{m.value})
			cols[0].AppendInt(m.value)
			cols[1].AppendNull()
			cols[2].AppendNull()
		}
		m.ok(in.AddBatch(ctx, &vec.Batch{N: n, Cols: cols}))
	}
}

// adoptTx finds out whether the transaction in flight has happened, and insists on all or nothing.
func (m *sim) adoptTx(sn *Snapshot) error {
	p := m.a.tx
	if p == nil {
		return nil
	}
	var done, not []string
	see := func(what string, happened bool) {
		if happened {
			done = append(done, what)
		} else {
			not = append(not, what)
		}
	}
	have := map[uint64]bool{}
	for _, t := range sn.Tables() {
		switch {
		case t.FullName() == mainTable:
			rows, err := locate(sn, t)
			if err != nil {
				return err
			}
			for _, r := range rows {
				have[r.lsn] = true
			}
		case t.Kind == types.TableUser:
			values, err := valuesOf(sn, t)
			if err != nil {
				return err
			}
			for n := range p.inserted[t.ID] {
				see(fmt.Sprint("insert of ", n), values[n])
			}
			for n := range p.deleted[t.ID] {
				see(fmt.Sprint("delete of ", n), !values[n])
			}
		}
	}
	for lsn := range p.subs {
		see(fmt.Sprint("delete of submission ", lsn), !have[lsn])
	}
	if len(done) > 0 && len(not) > 0 {
		return fmt.Errorf("of a transaction some has happened and some has not: %v, not %v", done, not)
	}
	m.a.do(func() {
		if len(done) > 0 {
			m.a.happened(p)
		}
		m.a.tx = nil
	})
	return nil
}

func valuesOf(sn *Snapshot, t *types.Table) (map[int64]bool, error) {
	src, err := sn.Source(t)
	if err != nil {
		return nil, err
	}
	out := map[int64]bool{}
	for _, mo := range src.Morsels() {
		var g column.Group
		if g, err = mo.Open(); err != nil {
			return nil, err
		}
		n, err := wholeColumn(g, "n", types.LeafInt)
		if err != nil {
			return nil, err
		}
		for _, r := range liveRows(g.Rows(), mo.Deleted()) {
			out[n.Int(int(r))] = true
		}
	}
	return out, nil
}

package storage

import (
	"context"
	"errors"
	"maps"

	"github.com/telemdb/telemdb/storage/head"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/types"
)

// commit publishes swaps and the progress. again is true, and nothing has happened, if a row to be swapped was deleted
// meanwhile or a document came to be held by another record.
func (r *replayer) commit(ctx context.Context, sn *Snapshot, swaps []swap, p ReplayProgress) (again bool, err error) {
	s := r.s
	tx, err := s.Begin()
	if err != nil {
		return false, err
	}
	ids, tables := map[uint32][]int64{}, map[uint32]*types.Table{}
	for i := range swaps {
		t := swaps[i].old.table
		ids[t.ID], tables[t.ID] = append(ids[t.ID], swaps[i].old.id), t
	}
	for id, rows := range ids {
		if err := tx.Delete(sn, tables[id], rows); err != nil {
			return false, err
		}
	}
	w, written, err := r.write(ctx, swaps)
	if err != nil {
		return false, err
	}
	rem, err := tx.prepare(ctx)
	if err != nil {
		return false, errors.Join(err, w.abandon())
	}
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	if rem, err = tx.settle(ctx, rem); err != nil {
		return false, errors.Join(err, w.abandon())
	}
	s.applyMu.Lock() // from here on no submission takes a document
	defer s.applyMu.Unlock()
	ok, err := r.holds(swaps, rem)
	if err != nil || !ok {
		return !ok && err == nil, errors.Join(err, rem.w.abandon(), w.abandon())
	}
	balance := r.balance(swaps)
	e := rem.edit()
	e.add = append(e.add, w.files...)
	err = s.publish(publication{
		edit: e, tables: append(append(written, rem.w.states...), w.states...),
		stage: func(b *meta.Batch) {
			for i := range swaps {
				if swaps[i].drop != nil {
					b.DropKey(swaps[i].drop)
				}
			}
			for i := range swaps {
				if swaps[i].key != nil {
					b.PutKey(swaps[i].key, swaps[i].rec.lsn, int32(swaps[i].rec.out.Partition))
				}
			}
			for route, total := range balance {
				b.PutBalance(route, total)
			}
			b.SetReplay(r.o.Name, p)
		},
		install: func() { maps.Copy(s.balance, balance) },
	})
	if errors.Is(err, meta.ErrFailed) {
		return false, err // nobody knows whether the batch is there: the next Open judges its files
	}
	if err != nil {
		return false, errors.Join(err, rem.w.abandon(), w.abandon())
	}
	return false, nil
}

// write writes the new rows to segments, with the states of the roll-ups over them, and returns their tables.
func (r *replayer) write(ctx context.Context, swaps []swap) (w *segmentsWriter, written []uint32, err error) {
	s := r.s
	w = s.newSegments(s.o.Now())
	w.bulk = true // its records lie between those of other segments
	parts := map[uint32]*part{}
	for i := range swaps {
		t, ok := s.catalog.byName(swaps[i].to)
		if swaps[i].to != ErrorsTable && swaps[i].to != DuplicatesTable {
			t, ok = s.catalog.forPing(swaps[i].to), true
		}
		if !ok {
			return nil, nil, errors.Join(errors.New("a system table is missing"), w.abandon())
		}
		p := parts[t.ID]
		if p == nil {
			p = &part{table: t, gens: []*view{{gen: head.NewGeneration(s.paths)}}}
			parts[t.ID] = p
			written = append(written, t.ID)
		}
		g := p.gens[len(p.gens)-1].gen
		if !g.Fits(head.SizeOf(swaps[i].row)) {
			g = g.Next()
			p.gens = append(p.gens, &view{gen: g})
		}
		g.Append(swaps[i].row, swaps[i].rec.out.Partition)
	}
	for _, id := range written {
		t, ok := s.catalog.byIDLive(id) // with the columns that decoding has added
		if !ok {
			continue
		}
		if err := w.rows(ctx, t, parts[id].groups()); err != nil {
			return nil, nil, errors.Join(err, w.abandon())
		}
	}
	return w, written, nil
}

// holds tells whether all rows to be swapped are still there and nobody else has taken a document. Store.sealMu and
// applyMu are held.
func (r *replayer) holds(swaps []swap, rem *removal) (bool, error) {
	n := int64(0)
	for _, t := range rem.tables {
		n += t.n
	}
	if n != int64(len(swaps)) {
		return false, nil
	}
	dropped := map[string]uint64{}
	for i := range swaps {
		if swaps[i].drop != nil {
			dropped[string(swaps[i].drop)] = swaps[i].rec.lsn
		}
	}
	for i := range swaps {
		key := swaps[i].key
		if key == nil {
			key = swaps[i].drop
		}
		if key == nil {
			continue
		}
		want := dropped[string(key)] // nobody, if it is not dropped
		lsn, held := r.s.heads.keys[string(key)]
		if !held {
			var err error
			if lsn, held, err = r.s.meta.Holder(key); err != nil {
				return false, err
			}
		}
		if held && lsn != want || !held && want != 0 {
			return false, nil
		}
	}
	return true, nil
}

// balance returns the counters after the swaps: each submission is still counted once. Store.sealMu is held.
func (r *replayer) balance(swaps []swap) map[types.TableName]meta.Balance {
	s := r.s
	out := map[types.TableName]meta.Balance{}
	s.mu.Lock()
	defer s.mu.Unlock()
	of := func(route types.TableName) meta.Balance {
		if b, ok := out[route]; ok {
			return b
		}
		return s.balance[route]
	}
	for i := range swaps {
		sw := &swaps[i]
		if sw.old.table.Kind == types.TablePing && sw.to != ErrorsTable {
			continue
		}
		from, to := kindOf(sw.old.table.FullName()), kindOf(sw.to)
		route := sw.rec.route
		b := of(route)
		if *from(&b) == 0 { // counted under another route, by the decoder of that time
			for other := range s.balance {
				if c := of(other); *from(&c) > 0 {
					*from(&c)--
					out[other] = c
					break
				}
			}
			b = of(route)
		} else {
			*from(&b)--
		}
		*to(&b)++
		out[route] = b
	}
	return out
}

// kindOf returns the counter of a table's rows.
func kindOf(n types.TableName) func(*meta.Balance) *uint64 {
	switch n {
	case ErrorsTable:
		return func(b *meta.Balance) *uint64 { return &b.Errors }
	case DuplicatesTable:
		return func(b *meta.Balance) *uint64 { return &b.Duplicates }
	}
	return func(b *meta.Balance) *uint64 { return &b.Rows }
}

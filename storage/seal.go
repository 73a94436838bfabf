package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/head"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// A seal takes the rows of a lane (its table's, and the error and duplicate rows of the same records), writes them as
// segments by partition, writes the states of the roll-ups over them, and publishes everything with one batch: manifest,
// states, document keys, new columns, counters, marks. Until that batch is durable, nothing has changed; a seal that
// fails leaves its rows frozen, seen by queries, and is tried again.

// sealLocked seals one lane. sealMu is held.
func (s *Store) sealLocked(ctx context.Context, l *lane) error {
	for {
		older := l.frozen != nil // an earlier seal failed: first its rows, then the newer ones
		s.applyMu.Lock()
		s.freezeLocked(l)
		s.applyMu.Unlock()
		rs := l.frozen
		if rs == nil {
			return nil
		}
		if err := s.sealFrozen(ctx, l); err != nil {
			return err
		}
		s.applyMu.Lock()
		s.forgetLocked(rs)
		s.applyMu.Unlock()
		if !older {
			return nil
		}
	}
}

// sealApplyLocked is sealLocked for a caller that holds applyMu too: nothing is applied meanwhile, so the rows had better
// be few.
func (s *Store) sealApplyLocked(ctx context.Context, l *lane) error {
	for {
		s.freezeLocked(l)
		rs := l.frozen
		if rs == nil {
			return nil
		}
		if err := s.sealFrozen(ctx, l); err != nil {
			return err
		}
		s.forgetLocked(rs)
	}
}

// freezeLocked takes a lane's rows for a seal, unless an earlier one still has some. sealMu, under which frozen changes,
// and applyMu are held.
func (s *Store) freezeLocked(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.frozen == nil && l.active != nil {
		l.frozen, l.active = l.active, nil
		l.frozen.upto = s.applied
	}
}

// sealFrozen writes and publishes a lane's frozen rows.
func (s *Store) sealFrozen(ctx context.Context, l *lane) error {
	if err := s.roomToPublish(true); err != nil {
		return fmt.Errorf("seal %s: %w", l.route, err)
	}
	rs := l.frozen
	w := s.newSegments(s.o.Now())
	var tables []uint32
	for _, p := range rs.parts {
		t, ok := s.catalog.byIDLive(p.table.ID) // with the columns it has by now
		if !ok {
			continue // dropped: its rows go with it
		}
		tables = append(tables, t.ID)
		if err := w.rows(ctx, t, p.groups()); err != nil {
			return fmt.Errorf("seal %s: %w", l.route, errors.Join(err, w.abandon()))
		}
	}
	total := s.balanceOf(l.route).Add(rs.balance)
	err := s.publish(publication{
		edit: edit{add: w.files}, tables: append(tables, w.states...), route: l.route, upto: rs.upto, sealed: l,
		stage: func(b *meta.Batch) {
			for _, k := range rs.keys {
				b.PutKey([]byte(k.key), k.lsn, k.day)
			}
			if rs.balance != (meta.Balance{}) {
				b.PutBalance(l.route, total)
			}
		},
		install: func() {
			l.frozen = nil
			w.installPlaces()
			if rs.balance != (meta.Balance{}) {
				s.balance[l.route] = total
			}
			s.shrinkHead(rs.bytes)
		},
	})
	if err != nil {
		return fmt.Errorf("seal %s: %w", l.route, w.unpublished(err))
	}
	s.seals.Add(1)
	return nil
}

// forgetLocked drops what only an unsealed rowset needs: its document keys are in the catalog now. applyMu is held.
func (s *Store) forgetLocked(rs *rowset) {
	for _, k := range rs.keys {
		if s.heads.keys[k.key] == k.lsn {
			delete(s.heads.keys, k.key)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads.removeEmpty()
}

func (s *Store) balanceOf(route types.TableName) meta.Balance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.balance[route]
}

// groups returns the rows of a part, all of them.
func (p *part) groups() []rowGroup {
	out := make([]rowGroup, len(p.gens))
	for i, v := range p.gens {
		n := v.gen.Rows()
		out[i].group, out[i].sealed = v.gen.Cut(n), v.sealed
		out[i].partitions, out[i].sizes = v.gen.Places(n)
	}
	return out
}

// rowGroup is rows on their way to segments.
type rowGroup struct {
	group      column.Group
	partitions []int64
	sizes      []uint32
	sealed     *sealedAt // where to note where the rows went, nil if nobody asks
}

// segmentsWriter writes the segments of one publication.
type segmentsWriter struct {
	s      *Store
	now    int64
	bulk   bool
	files  []*file
	states []uint32     // tables of states that got a file
	stop   func() error // see segment.WriterOptions; nil: nobody does
	placed []func()     // shows where rows went; called when they are published
}

func (s *Store) newSegments(now time.Time) *segmentsWriter {
	return &segmentsWriter{s: s, now: now.Unix()}
}

// partitionsMax bounds the segments of one seal of a table: rows of more dates than that share one without a date.
const partitionsMax = 256

// rows writes the rows of a table, and the states of the roll-ups over it.
func (w *segmentsWriter) rows(ctx context.Context, t *types.Table, groups []rowGroup) error {
	src := make([]column.Group, len(groups))
	byPartition := map[int64][]segment.RowRef{}
	for i, g := range groups {
		src[i] = g.group
		for r, p := range g.partitions {
			if _, ok := byPartition[p]; !ok && len(byPartition) >= partitionsMax {
				p = head.NoPartition
			}
			byPartition[p] = append(byPartition[p], segment.RowRef{Group: uint32(i), Row: uint16(r)})
		}
	}
	size := func(r segment.RowRef) int64 { return int64(groups[r.Group].sizes[r.Row]) }
	places := newScatters(groups)
	w.placed = append(w.placed, func() { places.install(groups) })
	for _, p := range sortedKeys(byPartition) {
		if err := ctx.Err(); err != nil {
			return err
		}
		refs := byPartition[p]
		if err := w.buildStates(ctx, t, p, src, refs); err != nil {
			return err
		}
		if err := compact.Sort(ctx, src, refs, compact.KeyOf(t)); err != nil {
			return err
		}
		err := w.segment(t, p, func(sink compact.Sink) error { return compact.Write(sink, src, refs, size) })
		if err != nil {
			return err
		}
		places.note(w.files[len(w.files)-1], refs)
	}
	return nil
}

// segment writes one file. One without rows is not kept.
func (w *segmentsWriter) segment(t *types.Table, partition int64, write func(compact.Sink) error) error {
	o, err := w.begin(t, partition)
	if err != nil {
		return err
	}
	if err := write(o); err != nil || o.rows == 0 {
		o.discard()
		return err
	}
	return o.finish()
}

// openSegment is a file that is being written: temporary, synced, renamed; publish syncs the directory. It ends in finish
// or discard.
type openSegment struct {
	*segment.Writer
	w         *segmentsWriter
	id        uint64
	path      string
	table     uint32
	partition int64
	rows      int
}

func (w *segmentsWriter) begin(t *types.Table, partition int64) (*openSegment, error) {
	id := w.s.manifest.newID()
	path := w.s.segmentPath(id)
	sw, err := segment.Create(segment.WriterOptions{
		FS: w.s.fs, Path: path + vfs.TempSuffix, ID: id, TableID: t.ID, SortKey: t.SortKey, Lookups: lookupsOf(t), Plain: t.Encoding == types.EncodingPlain,
		Partition: partitionValue(partition), HasPartition: hasPartition(partition), Stop: w.stop,
	})
	if err != nil {
		w.s.manifest.abandon(w.s.segmentPath, id)
		return nil, fmt.Errorf("write segment %s: %w", path, err)
	}
	return &openSegment{Writer: sw, w: w, id: id, path: path, table: t.ID, partition: partition}, nil
}

// AddGroup implements compact.Sink.
func (o *openSegment) AddGroup(src []column.Group, rows []segment.RowRef) error {
	o.rows += len(rows)
	return o.Writer.AddGroup(src, rows)
}

func (o *openSegment) discard() {
	o.Abort()
	o.w.s.manifest.abandon(o.w.s.segmentPath, o.id)
}

// finish adds the file to those of the writer.
func (o *openSegment) finish() error {
	s := o.w.s
	m, err := o.Finish()
	if err == nil {
		if err = s.fs.Rename(o.path+vfs.TempSuffix, o.path); err != nil {
			err = errors.Join(err, s.fs.Remove(o.path+vfs.TempSuffix))
		}
	}
	if err != nil {
		s.manifest.abandon(s.segmentPath, o.id)
		return fmt.Errorf("write segment %s: %w", o.path, err)
	}
	o.w.files = append(o.w.files, &file{
		Segment: meta.Segment{
			ID: o.id, Table: o.table, From: o.w.now, To: o.w.now, Bulk: o.w.bulk, Minus: o.partition == minusPartition, Meta: *m,
		},
		path: o.path,
	})
	return nil
}

// lookupsOf returns the columns of which single values are looked for: a client's rows, a document.
func lookupsOf(t *types.Table) []string {
	if t.Kind != types.TablePing {
		return nil
	}
	return pingLookups
}

var pingLookups = []string{"client_id", "document_id"}

// minusPartition stands in for the partition of states that are subtracted, so that nothing else is merged with them.
// The file has none: a delete in many partitions writes one.
const minusPartition = head.NoPartition + 1

func hasPartition(p int64) bool { return p != head.NoPartition && p != minusPartition }

func partitionValue(p int64) int64 {
	if !hasPartition(p) {
		return 0
	}
	return p
}

// partitionOf returns the partition of a file, or what stands in for it.
func partitionOf(f *file) int64 {
	switch {
	case f.Minus:
		return minusPartition
	case !f.Meta.HasPartition:
		return head.NoPartition
	}
	return f.Meta.Partition
}

// buildStates writes the states of every roll-up over the given rows of t, one segment for each.
func (w *segmentsWriter) buildStates(ctx context.Context, t *types.Table, partition int64, src []column.Group, refs []segment.RowRef) error {
	for _, r := range w.s.rollups {
		if r.Source() != t.FullName() {
			continue
		}
		inputs, err := buildInputs(r, src, refs)
		if err != nil {
			return fmt.Errorf("roll-up %s: %w", r.states.FullName(), err)
		}
		if err := w.statesSegment(ctx, r, partition, inputs); err != nil {
			return fmt.Errorf("roll-up %s: %w", r.states.FullName(), err)
		}
	}
	return nil
}

// buildInputs aggregates rows group by group; refs are ordered by group, then row.
func buildInputs(r Rollup, src []column.Group, refs []segment.RowRef) ([]compact.Input, error) {
	var inputs []compact.Input
	for from := 0; from < len(refs); {
		g := refs[from].Group
		var rows []uint16
		to := from
		for ; to < len(refs) && refs[to].Group == g; to++ {
			rows = append(rows, refs[to].Row)
		}
		states, err := r.Build(src[g], rows)
		if err != nil {
			return nil, err
		}
		if len(states) > 0 {
			inputs = append(inputs, memoryInput(states))
		}
		from = to
	}
	return inputs, nil
}

func memoryInput(groups []column.Group) compact.Input {
	return compact.Input{Groups: len(groups), Open: func(i int) (column.Group, error) { return groups[i], nil }}
}

// statesSegment adds up states and writes them.
func (w *segmentsWriter) statesSegment(ctx context.Context, r *rollup, partition int64, inputs []compact.Input) error {
	if len(inputs) == 0 {
		return nil
	}
	if !slices.Contains(w.states, r.states.ID) {
		w.states = append(w.states, r.states.ID)
	}
	return w.segment(r.states, partition, func(sink compact.Sink) error {
		if len(inputs) == 1 {
			return copyStates(sink, inputs[0])
		}
		return compact.MergeStates(ctx, sink, inputs, compact.KeyOf(r.states), r.Merge)
	})
}

// copyStates writes the states of one input, which are sums already.
func copyStates(sink compact.Sink, in compact.Input) error {
	for i := range in.Groups {
		g, err := in.Open(i)
		if err != nil {
			return err
		}
		refs := make([]segment.RowRef, g.Rows())
		for r := range refs {
			refs[r].Row = uint16(r)
		}
		if err := sink.AddGroup([]column.Group{g}, refs); err != nil {
			return err
		}
	}
	return nil
}

// installPlaces shows where the rows that were written are. Store.mu is held.
func (w *segmentsWriter) installPlaces() {
	for _, f := range w.placed {
		f()
	}
}

// abandon removes what was written.
func (w *segmentsWriter) abandon() error {
	var errs []error
	for _, f := range w.files {
		errs = append(errs, f.close()) // a repair reads what it has written
		w.s.manifest.abandon(w.s.segmentPath, f.ID)
	}
	w.files = nil
	return errors.Join(errs...)
}

// unpublished cleans up after a publication that returned err. After a failure of the catalog nobody knows whether the
// batch is there, so its files stay for the next Open to judge.
func (w *segmentsWriter) unpublished(err error) error {
	if errors.Is(err, meta.ErrFailed) {
		return err
	}
	return errors.Join(err, w.abandon())
}

func sortedKeys[V any](m map[int64]V) []int64 {
	out := make([]int64, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

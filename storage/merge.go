package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
)

// closedGrace is how long after its end a day still gets rows that were received within it.
const closedGrace = 15 * 60

// MergeOnce merges a few small segments of one partition, if any are worth it, or writes one again that has many dead
// rows. Live rows stay the same rows; states of a roll-up are added up. One merge runs at a time: a second caller waits.
func (s *Store) MergeOnce(ctx context.Context) (did bool, err error) {
	if err := s.usable(); err != nil {
		return false, err
	}
	s.mergeMu.Lock()
	defer s.mergeMu.Unlock()
	v := s.manifest.pin()
	defer func() {
		s.manifest.unpin(v)
		err = errors.Join(err, s.manifest.sweep())
	}()
	t, files := s.pickMerge(v)
	if len(files) == 0 {
		t, files = s.pickRewrite(v)
	}
	if len(files) == 0 {
		return false, nil
	}
	if !s.roomToMerge(t, files) {
		s.planner.hold(true)
		return false, nil
	}
	err = s.mergeFiles(ctx, v, t, files)
	s.planner.hold(err != nil)
	if errors.Is(err, errSuperseded) {
		return false, nil
	} else if err != nil {
		return false, mapError(fmt.Errorf("merge %d segments of %s: %w", len(files), t.FullName(), err))
	}
	return true, nil
}

// pickMerge chooses a table and neighbouring segments of one of its partitions.
func (s *Store) pickMerge(v *version) (*types.Table, []*file) {
	c := compact.Choice{Now: s.o.Now().Unix(), BytesMax: s.o.MergeMaxBytes, InputMax: compact.LimitsOf(s.o.CompactionMemory).Inputs}
	k := s.planner.plan(v, c, func(id uint32) bool { _, ok := s.catalog.byIDLive(id); return ok && !s.clusters.runs(id) })
	if len(k.files) == 0 {
		return nil, nil
	}
	t, ok := s.catalog.byIDLive(k.table)
	if !ok {
		return nil, nil // dropped just now
	}
	return t, k.files
}

// roomToMerge tells whether the disk has room for a merge's output, as large as its inputs, beside the reserve that
// submissions need. The inputs' own space comes back only when nobody reads them any more.
func (s *Store) roomToMerge(t *types.Table, files []*file) bool {
	u, err := s.fs.DiskUsage(s.dir)
	if err != nil {
		return true // a file system that cannot tell has room
	}
	need := s.hardReserve(u) + catalogRoom
	for _, f := range files {
		need += uint64(f.Meta.Bytes)
	}
	if u.Free >= need {
		return true
	}
	s.mergesSkipped.Add(1)
	s.o.Logger.Warn("a merge was skipped: the disk has no room for its output and the reserve", "table", t.FullName(),
		"segments", len(files), "free", u.Free, "needed", need)
	return false
}

func sortedIDs(m map[uint32][]*file) []uint32 {
	out := make([]uint32, 0, len(m))
	for id := range m {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// partitionsOf cuts a table's files, which are ordered by partition and LSN, by partition.
func partitionsOf(files []*file) [][]*file {
	var out [][]*file
	for i := 0; i < len(files); {
		j := i + 1
		for j < len(files) && partitionOf(files[j]) == partitionOf(files[i]) {
			j++
		}
		out = append(out, files[i:j])
		i = j
	}
	return out
}

// mergeFiles writes one segment in the place of several of v, which is pinned, and publishes the exchange. Where no row
// is left there is no segment.
func (s *Store) mergeFiles(ctx context.Context, v *version, t *types.Table, files []*file) error {
	limits := compact.LimitsOf(s.o.CompactionMemory)
	inputs, done, err := s.inputsOf(files, limits)
	if err != nil {
		return err
	}
	defer done()
	for i, f := range files {
		inputs[i].Dead = deadGroups(v.deadOf(f))
	}
	w := s.newSegments(s.o.Now())
	key := compact.KeyOf(t)
	var places compact.RowMap
	err = w.segment(t, partitionOf(files[0]), func(sink compact.Sink) error {
		if r := s.rollupOf(t); r != nil {
			return compact.MergeStates(ctx, sink, inputs, key, r.Merge)
		}
		places, err = compact.MergeRows(ctx, sink, inputs, key, limits)
		return err
	})
	if err != nil {
		return err
	}
	for _, out := range w.files {
		inheritPlace(out, files)
	}
	if err := s.checkMerge(t, w.files, files, v.deadIn(files), places); err != nil {
		return errors.Join(err, w.abandon())
	}
	if err := s.exchange(w, v, files, places); err != nil {
		return w.unpublished(err)
	}
	s.merges.Add(1)
	return nil
}

// inheritPlace gives a merge's output the span in time, and in the log, of its inputs; that of one its place in a run.
func inheritPlace(out *file, in []*file) {
	if len(in) == 1 {
		out.Run = in[0].Run
	}
	out.From, out.To = in[0].From, in[0].To
	for _, f := range in {
		out.From, out.To = min(out.From, f.From), max(out.To, f.To)
		out.Bulk = out.Bulk || f.Bulk
	}
}

// checkMerge holds a merge's output against its inputs: rows are neither lost nor made, but for those that are dead.
func (s *Store) checkMerge(t *types.Table, out, in []*file, dead int64, places compact.RowMap) error {
	if t.Kind == types.TableStates {
		return nil
	}
	if left := places.Left(); left != dead {
		return fmt.Errorf("internal error: %d rows of the inputs are dead, %d were left out; nothing was changed", dead, left)
	}
	want, got := -dead, int64(0)
	for _, f := range in {
		want += int64(f.Meta.Rows)
	}
	for _, f := range out {
		got += int64(f.Meta.Rows)
	}
	if got != want {
		return fmt.Errorf("internal error: the inputs have %d live rows, the output %d; nothing was changed", want, got)
	}
	return nil
}

// errSuperseded: the inputs of a merge have been dropped, or found damaged, meanwhile.
var errSuperseded = errors.New("the segments to merge are no longer there, or damaged")

// errAllGone: the inputs have been dropped, every one: their rows were deleted, or were past their time.
var errAllGone = fmt.Errorf("%w: none of them is left", errSuperseded)

// exchange publishes w's files in the place of others. Rows that were deleted since v are dead in the new files too: those
// of a segment that is no longer there, and that nothing has replaced, among them.
func (s *Store) exchange(w *segmentsWriter, v *version, old []*file, places compact.RowMap) error {
	s.sealMu.Lock() // a DROP between the look and the batch would leave a segment without a table
	defer s.sealMu.Unlock()
	now := s.manifest.pin()
	defer s.manifest.unpin(now)
	var there []*file
	for _, f := range old {
		gone := !slices.Contains(now.tables[f.Table], f)
		if f.damaged.Load() || f.moved.Load() != nil || gone && places == nil { // states are made anew without a word
			return errSuperseded
		}
		if !gone {
			there = append(there, f)
		}
	}
	if len(there) == 0 {
		return errAllGone
	}
	dead, none, err := carry(v, now, old, w.files, places)
	if err != nil {
		return err
	}
	out := slices.Clone(w.files)
	w.leaveOut(none)
	return s.publish(publication{
		edit:    edit{add: w.files, drop: there, dead: dead},
		install: func() { replaced(old, out, places) },
	})
}

// leaveOut removes some of the files.
func (w *segmentsWriter) leaveOut(files []*file) {
	for _, f := range files {
		w.files = slices.DeleteFunc(w.files, func(have *file) bool { return have == f })
		w.s.manifest.abandon(w.s.segmentPath, f.ID)
	}
}

func (s *Store) rollupOf(states *types.Table) *rollup {
	for _, r := range s.rollups {
		if r.states.ID == states.ID {
			return r
		}
	}
	return nil
}

// inputsOf opens files for a merge, a second time and with a small cache of their own: what a merge reads it reads once,
// so it would only push out what queries read again. done closes them.
func (s *Store) inputsOf(files []*file, l compact.Limits) (inputs []compact.Input, done func(), err error) {
	open := int64(0)
	for _, f := range files {
		open += f.Meta.Bytes / int64(max(1, len(f.Meta.GroupRows)))
	}
	readers, done, err := s.openMerge(files, l.Cache(open))
	if err != nil {
		return nil, nil, err
	}
	for i, f := range files {
		r := readers[i]
		inputs = append(inputs, compact.Input{
			Groups: r.Groups(), Open: openGroup(r), RowBytes: f.Meta.ValueBytes / int64(max(1, f.Meta.Rows)),
		})
	}
	return inputs, done, nil
}

// openMerge opens files with a cache of their own. done closes both.
func (s *Store) openMerge(files []*file, cacheBytes int64) (readers []*segment.Reader, done func(), err error) {
	cache := segment.NewCache(cacheBytes)
	done = func() {
		for _, r := range readers {
			_ = r.Close() // only read from
		}
		_ = cache.Close() // gives memory back, which cannot fail
	}
	for _, f := range files {
		r, err := f.openAs("merge", s.fs, cache)
		if err != nil {
			done()
			return nil, nil, err
		}
		r.ReadAhead(mergeReadBytes)
		readers = append(readers, r)
	}
	return readers, done, nil
}

// mergeReadBytes is what a merge reads of an input at a time.
const mergeReadBytes = 128 << 10

// openGroup is the way a merge opens row groups; those of an open segment cannot fail to.
func openGroup(r *segment.Reader) func(i int) (column.Group, error) {
	return func(i int) (column.Group, error) { return r.Group(i), nil }
}

// buildNewRollups builds the roll-ups that the directory has never seen from the rows that are sealed. It runs before
// anything is applied, so that what it reads is all there is.
func (s *Store) buildNewRollups() error {
	for _, r := range s.rollups {
		if s.catalog.isStored(r.states.ID) {
			continue
		}
		if err := s.buildRollup(context.Background(), r); err != nil {
			return fmt.Errorf("build roll-up %s: %w", r.states.FullName(), err)
		}
	}
	return nil
}

func (s *Store) buildRollup(ctx context.Context, r *rollup) error {
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	v := s.manifest.pin()
	defer s.manifest.unpin(v)
	w := s.newSegments(s.o.Now())
	w.states = []uint32{r.states.ID}
	if t, ok := s.catalog.byName(r.Source()); ok {
		for _, part := range partitionsOf(v.tables[t.ID]) {
			inputs, err := s.statesOf(r, v, part)
			if err != nil {
				return errors.Join(err, w.abandon())
			}
			if err := w.statesSegment(ctx, r, partitionOf(part[0]), inputs); err != nil {
				return errors.Join(err, w.abandon())
			}
		}
	}
	if err := s.publish(publication{edit: edit{add: w.files}, tables: w.states}); err != nil {
		return w.unpublished(err)
	}
	return nil
}

// statesOf aggregates the live rows of segments of v, row group by row group.
func (s *Store) statesOf(r Rollup, v *version, files []*file) ([]compact.Input, error) {
	var inputs []compact.Input
	for _, f := range files {
		rd, err := f.open(s.files, s.cache)
		if err != nil {
			return nil, err
		}
		for i := range rd.Groups() {
			g := rd.Group(i)
			rows := liveRows(g.Rows(), v.deadOf(f).group(i))
			if len(rows) == 0 {
				continue
			}
			states, err := r.Build(g, rows)
			if err != nil {
				return nil, err
			}
			if len(states) > 0 {
				inputs = append(inputs, memoryInput(states))
			}
		}
	}
	return inputs, nil
}

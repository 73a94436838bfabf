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

// mergeInputsMax bounds the files, and so the row groups, that a merge has open.
const mergeInputsMax = 16

// closedGrace is how long after its end a day still gets rows that were received within it.
const closedGrace = 15 * 60

// MergeOnce merges a few small segments of one partition, if any are worth it. Rows stay the same rows; states of a
// roll-up are added up.
func (s *Store) MergeOnce(ctx context.Context) (did bool, err error) {
	if err := s.usable(); err != nil {
		return false, err
	}
	v := s.manifest.pin()
	defer func() {
		s.manifest.unpin(v)
		err = errors.Join(err, s.manifest.sweep())
	}()
	t, files := s.pickMerge(v)
	if len(files) == 0 {
		return false, nil
	}
	if err := s.mergeFiles(ctx, t, files); errors.Is(err, errSuperseded) {
		return false, nil
	} else if err != nil {
		return false, mapError(fmt.Errorf("merge %d segments of %s: %w", len(files), t.FullName(), err))
	}
	return true, nil
}

// pickMerge chooses a table and neighbouring segments of one of its partitions.
func (s *Store) pickMerge(v *version) (*types.Table, []*file) {
	now := s.o.Now().Unix()
	for _, id := range sortedIDs(v.tables) {
		t, ok := s.catalog.byIDLive(id)
		if !ok {
			continue
		}
		for _, part := range partitionsOf(v.tables[id]) {
			c := compact.Choice{Now: now, BytesMax: s.o.MergeMaxBytes, InputMax: mergeInputsMax}
			if m := part[0].Meta; m.HasPartition {
				c.Closed = (m.Partition+1)*daySeconds+closedGrace <= now
			}
			list := make([]compact.File, len(part))
			for i, f := range part {
				list[i] = compact.File{ID: f.ID, Bytes: f.Meta.ValueBytes, From: f.From, To: f.To}
			}
			if from, to := compact.Pick(list, c); from < to {
				return t, part[from:to]
			}
		}
	}
	return nil, nil
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

// mergeFiles writes one segment in the place of several and publishes the exchange.
func (s *Store) mergeFiles(ctx context.Context, t *types.Table, files []*file) error {
	inputs, err := s.inputsOf(files)
	if err != nil {
		return err
	}
	w := s.newSegments(s.o.Now())
	key := compact.KeyOf(t)
	var places compact.RowMap
	err = w.segment(t, partitionOf(files[0]), func(sink compact.Sink) error {
		if r := s.rollupOf(t); r != nil {
			return compact.MergeStates(ctx, sink, inputs, key, r.Merge)
		}
		places, err = compact.MergeRows(ctx, sink, inputs, key)
		return err
	})
	if err != nil {
		return err
	}
	for _, out := range w.files {
		inheritPlace(out, files)
	}
	if err := s.checkMerge(t, w.files, files, places); err != nil {
		return errors.Join(err, w.abandon())
	}
	if err := s.exchange(w, files); err != nil {
		return w.unpublished(err)
	}
	s.merges.Add(1)
	return nil
}

// inheritPlace gives a merge's output the span in time, and in the log, of its inputs.
func inheritPlace(out *file, in []*file) {
	out.From, out.To = in[0].From, in[0].To
	for _, f := range in {
		out.From, out.To = min(out.From, f.From), max(out.To, f.To)
		out.Bulk = out.Bulk || f.Bulk
	}
}

// checkMerge holds a merge's output against its inputs: rows are neither lost nor made, but for those that are dead.
func (s *Store) checkMerge(t *types.Table, out, in []*file, places compact.RowMap) error {
	if t.Kind == types.TableStates {
		return nil
	}
	want, got := -places.Left(), int64(0)
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

// errSuperseded: the inputs of a merge have been dropped meanwhile.
var errSuperseded = errors.New("the segments to merge are no longer there")

// exchange publishes w's files in the place of others, which must still be there.
func (s *Store) exchange(w *segmentsWriter, old []*file) error {
	s.sealMu.Lock() // a DROP between the look and the batch would leave a segment without a table
	defer s.sealMu.Unlock()
	current := s.manifest.currentFiles(old[0].Table)
	for _, f := range old {
		if !slices.Contains(current, f) {
			return errSuperseded
		}
	}
	return s.publish(publication{edit: edit{add: w.files, drop: old}})
}

func (s *Store) rollupOf(states *types.Table) *rollup {
	for _, r := range s.rollups {
		if r.states.ID == states.ID {
			return r
		}
	}
	return nil
}

// inputsOf opens files for a merge.
func (s *Store) inputsOf(files []*file) ([]compact.Input, error) {
	inputs := make([]compact.Input, len(files))
	for i, f := range files {
		r, err := f.open(s.fs, s.cache)
		if err != nil {
			return nil, err
		}
		inputs[i] = compact.Input{Groups: r.Groups(), Open: openGroup(r), RowBytes: f.Meta.ValueBytes / int64(max(1, f.Meta.Rows))}
	}
	return inputs, nil
}

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
	w := s.newSegments(s.o.Now())
	w.states = []uint32{r.states.ID}
	if t, ok := s.catalog.byName(r.Source()); ok {
		for _, part := range partitionsOf(s.manifest.currentFiles(t.ID)) {
			inputs, err := s.statesOf(r, part)
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

// statesOf aggregates all rows of segments, row group by row group.
func (s *Store) statesOf(r Rollup, files []*file) ([]compact.Input, error) {
	var inputs []compact.Input
	for _, f := range files {
		rd, err := f.open(s.fs, s.cache)
		if err != nil {
			return nil, err
		}
		for i := range rd.Groups() {
			g := rd.Group(i)
			refs := make([]segment.RowRef, g.Rows())
			for row := range refs {
				refs[row].Row = uint16(row)
			}
			in, err := buildInputs(r, []column.Group{g}, refs)
			if err != nil {
				return nil, err
			}
			inputs = append(inputs, in...)
		}
	}
	return inputs, nil
}

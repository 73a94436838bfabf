package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/types"
)

// A repair makes again, from what is whole, what has been found damaged: rows of submissions from the landfill, the states
// of roll-ups from rows, document keys from rows. What is made, what it replaces and what becomes of the recorded damage
// change in one batch. What cannot be made again exactly stays as it is, quarantined, and the repair says why.

// Repaired is what a repair did, or could not do, about one thing.
type Repaired struct {
	Where string // a file, a table
	What  string // what was done
	Err   error  // why it could not be; nothing was changed
}

func (r Repaired) String() string {
	if r.Err != nil {
		return fmt.Sprintf("%s: not repaired: %v", r.Where, r.Err)
	}
	return r.Where + ": " + r.What
}

// Repair repairs what is recorded as damaged, and document keys that are missing. Each thing is told to report. Reads and
// acknowledgements go on; decoding may wait while a roll-up is made again. An error means that the repair could not go on;
// what had been reported until then is done.
func (s *Store) Repair(ctx context.Context, report func(Repaired)) error {
	if err := s.writable(); err != nil {
		return err
	}
	if err := s.repairSegments(ctx, report); err != nil {
		return mapError(err)
	}
	for _, r := range s.rollups {
		what, err := s.repairRollup(ctx, r)
		if fatal := s.cannotGoOn(ctx, err); fatal != nil {
			return fatal
		}
		if what != "" || err != nil {
			report(Repaired{r.states.FullName().String(), what, err})
		}
	}
	return mapError(s.repairKeys(ctx, report))
}

// cannotGoOn returns the error that ends a repair: of the store or its disk, not of what was to be repaired.
func (s *Store) cannotGoOn(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if e := errors.Join(ctx.Err(), s.usable()); e != nil {
		return e
	}
	if errors.Is(mapError(err), ErrFull) {
		return mapError(err)
	}
	return nil
}

// rebuild is how the states of a roll-up are made again.
type rebuild struct {
	days  []int64 // partitions that are made from their rows
	drop  []*file
	minus bool  // the states to be subtracted are made again too
	keep  int64 // of them, those of days before this one are kept: their rows are gone
}

// repairRollup makes the damaged states of a roll-up again. It returns "" if there is nothing to do.
func (s *Store) repairRollup(ctx context.Context, r *rollup) (what string, err error) {
	s.sealMu.Lock() // rows and states stay as they are meanwhile
	defer s.sealMu.Unlock()
	v := s.manifest.pin()
	defer func() {
		s.manifest.unpin(v)
		err = errors.Join(err, s.manifest.sweep())
	}()
	name := r.states.FullName()
	wrong := slices.ContainsFunc(s.Damage(), func(d Damage) bool {
		return d.State == DamageOpen && d.Kind == damagedRule && d.Table == name
	})
	plan, err := s.planRebuild(r, v, wrong)
	if err != nil || plan == nil {
		return "", err
	}
	w := s.newSegments(s.o.Now())
	w.states = []uint32{r.states.ID}
	if err := s.rebuildStates(ctx, w, r, v, plan); err != nil {
		return "", errors.Join(err, w.abandon())
	}
	err = s.publish(publication{
		edit: edit{add: w.files, drop: plan.drop}, tables: w.states, repair: true,
		mends: func(d *Damage) bool { return d.Kind == damagedRule && d.Table == name },
	})
	if err != nil {
		return "", w.unpublished(err)
	}
	return fmt.Sprintf("the states of %d partitions were made again from their rows, %d files were replaced by %d", len(plan.days), len(plan.drop), len(w.files)), nil
}

// planRebuild decides what to make again: the damaged partitions where each can be made alone, else all of them. Sources
// of states whose rows are gone are never touched. nil if nothing is damaged.
// again are partitions that are made again although their states are whole.
func (s *Store) planRebuild(r *rollup, v *version, all bool, again ...int64) (*rebuild, error) {
	states := map[int64][]*file{}
	bad := map[int64]*file{}
	for _, f := range v.tables[r.states.ID] {
		p := partitionOf(f)
		states[p] = append(states[p], f)
		if f.damaged.Load() {
			bad[p] = f
		}
	}
	if len(bad)+len(again) == 0 && !all {
		return nil, nil
	}
	minus := states[minusPartition]
	delete(states, minusPartition)
	for p, f := range bad {
		if p != minusPartition && !s.comparable(r, p) {
			return nil, fmt.Errorf("%s holds states of rows that retention has dropped; only a backup still has them", f.path)
		}
	}
	source := s.sourceFiles(r, v)
	dated := s.dated(r, source)
	plan := &rebuild{}
	if !all && bad[minusPartition] == nil && (dated || len(minus) == 0) {
		for p := range bad {
			again = append(again, p)
		}
		slices.Sort(again)
		for _, p := range slices.Compact(again) {
			plan.take(p, states[p])
		}
		return plan, nil
	}
	lost := false
	for p := range states {
		if !s.comparable(r, p) {
			lost = true
			continue
		}
		plan.take(p, states[p])
	}
	for _, part := range partitionsOf(source) {
		if p := partitionOf(part[0]); states[p] == nil && s.comparable(r, p) {
			plan.take(p, nil)
		}
	}
	slices.Sort(plan.days)
	if lost && len(minus) > 0 && !dated {
		return nil, errors.New("retention has dropped rows, and what was deleted from the states that are left of them cannot be told from the rest; restore a backup")
	}
	plan.minus, plan.drop = true, append(plan.drop, minus...)
	if lost {
		t, _ := s.catalog.byIDLive(r.states.ID)
		plan.keep = t.SourceLost
	}
	return plan, nil
}

func (p *rebuild) take(day int64, files []*file) {
	p.days = append(p.days, day)
	p.drop = append(p.drop, files...)
}

func (s *Store) sourceFiles(r *rollup, v *version) []*file {
	t, ok := s.catalog.byName(r.Source())
	if !ok {
		return nil
	}
	return v.tables[t.ID]
}

// rebuildStates writes what plan says. Of a partition that is made alone, what is to be subtracted stays in its files, so
// it is added to what the rows give.
func (s *Store) rebuildStates(ctx context.Context, w *segmentsWriter, r *rollup, v *version, plan *rebuild) error {
	var minus []*file
	for _, f := range v.tables[r.states.ID] {
		if f.Minus {
			minus = append(minus, f)
		}
	}
	rows := map[int64][]*file{}
	for _, part := range partitionsOf(s.sourceFiles(r, v)) {
		rows[partitionOf(part[0])] = part
	}
	limits := compact.LimitsOf(s.o.CompactionMemory)
	var less []compact.Input
	if !plan.minus || plan.keep != 0 {
		in, done, err := s.readableInputs(minus, r, plan, limits)
		if err != nil {
			return fmt.Errorf("what was deleted cannot be read: %w", err)
		}
		defer done()
		less = in
	}
	for _, day := range plan.days {
		if err := ctx.Err(); err != nil {
			return err
		}
		inputs, err := s.statesOf(r, v, rows[day])
		if err != nil {
			return fmt.Errorf("the rows of the states are damaged too: %w", err)
		}
		if !plan.minus {
			of, err := s.ofDays(r, less, &column.Pred{Op: column.OpEq, Leaf: types.LeafInt, I: day})
			if err != nil {
				return err
			}
			inputs = append(inputs, of...)
		}
		if err := w.statesSegment(ctx, r, day, withGroups(inputs)); err != nil {
			return err
		}
	}
	if !plan.minus || plan.keep == 0 {
		return nil
	}
	kept, err := s.ofDays(r, less, &column.Pred{Op: column.OpLt, Leaf: types.LeafInt, I: plan.keep})
	if err != nil {
		return fmt.Errorf("what was deleted of days whose rows retention has dropped cannot be read; only a backup still has it: %w", err)
	}
	return w.statesSegment(ctx, r, minusPartition, withGroups(kept))
}

// readableInputs opens files of states to be subtracted. Row groups whose days are all made again are left out: they need
// not be readable.
func (s *Store) readableInputs(minus []*file, r *rollup, plan *rebuild, limits compact.Limits) (out []compact.Input, done func(), err error) {
	t, ok := s.catalog.byName(r.Source())
	if !ok {
		return nil, func() {}, nil
	}
	var needed []*file
	groups := [][]int{}
	for _, f := range minus {
		var list []int
		for i := range f.Meta.GroupRows {
			if !plan.minus || !allFrom(f, i, t.PartitionBy, plan.keep) {
				list = append(list, i)
			}
		}
		if len(list) > 0 {
			needed, groups = append(needed, f), append(groups, list)
		}
	}
	inputs, done, err := s.inputsOf(needed, limits)
	if err != nil {
		return nil, nil, err
	}
	for i, in := range inputs {
		list, open := groups[i], in.Open
		in.Groups, in.Open = len(list), func(g int) (column.Group, error) { return open(list[g]) }
		out = append(out, in)
	}
	return out, done, nil
}

// allFrom tells whether all rows of a row group have a date not before day, as far as the manifest knows.
func allFrom(f *file, group int, date string, day int64) bool {
	c := f.Meta.Column(date, types.LeafInt)
	if c == nil {
		return false
	}
	st := c.Stats
	if group < len(c.Groups) {
		st = c.Groups[group]
	}
	return st.Bounded && st.MinI >= day
}

// withGroups leaves out inputs that have nothing.
func withGroups(inputs []compact.Input) []compact.Input {
	return slices.DeleteFunc(inputs, func(in compact.Input) bool { return in.Groups == 0 })
}

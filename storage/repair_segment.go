package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/head"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A damaged segment of rows is replaced by one with the same live rows: those of its row groups that can be read as they
// are, those of the others decoded again from the landfill. Which records they were tells their LSNs; where even those
// cannot be read, they are the records of the segment's range whose row is nowhere else, if there are exactly as many.
// The states of the roll-ups over the segment's day are made again with it: today's decoder may make other rows.

// repairSegments repairs the damaged segments that hold rows.
func (s *Store) repairSegments(ctx context.Context, report func(Repaired)) error {
	bad := s.damagedRows()
	if len(bad) == 0 {
		return nil
	}
	if err := s.Flush(ctx); err != nil { // what lies in the heads is no candidate
		return err
	}
	for _, f := range bad {
		what, err := s.repairSegment(ctx, f)
		if fatal := s.cannotGoOn(ctx, err); fatal != nil {
			return fatal
		}
		if what != "" || err != nil {
			report(Repaired{f.path, what, err})
		}
	}
	return nil
}

// damagedRows lists the current segments with open damage, but those of states.
func (s *Store) damagedRows() (out []*file) {
	v := s.manifest.pin()
	defer s.manifest.unpin(v)
	for _, id := range sortedIDs(v.tables) {
		t, ok := s.catalog.byIDLive(id)
		if !ok || t.Kind == types.TableStates {
			continue
		}
		for _, f := range v.tables[id] {
			if f.damaged.Load() {
				out = append(out, f)
			}
		}
	}
	return out
}

// remedy tells what can be done about a damage.
func (s *Store) remedy(d *Damage) string {
	if d.Kind != damagedSegment || d.Segment == 0 {
		return ""
	}
	t, ok := s.catalog.byName(d.Table)
	switch {
	case !ok:
		return ""
	case t.Kind == types.TableStates:
		return "; a repair makes it again from its rows"
	case t.Kind == types.TableUser:
		return "; only a backup has its rows"
	case s.InLandfill(d.FirstLSN, d.LastLSN):
		return fmt.Sprintf("; the landfill has its records, %d to %d: a repair makes it again", d.FirstLSN, d.LastLSN)
	}
	return fmt.Sprintf("; the landfill no longer has all of its records, %d to %d: a repair needs those of the damaged row groups", d.FirstLSN, d.LastLSN)
}

// salvage is the repair of one segment.
type salvage struct {
	s    *Store
	f    *file
	t    *types.Table
	v    *version // pinned
	good []int    // row groups
	rows []int    // number of the first row of each row group
	lost map[uint64]uint32
	// unknown is the number of lost rows of which not even the LSN can be read; seen has those of the others.
	unknown int
	seen    map[uint64]bool
}

// repairSegment replaces one segment. "" means that it is no longer there.
func (s *Store) repairSegment(ctx context.Context, f *file) (what string, err error) {
	s.mergeMu.Lock()
	defer s.mergeMu.Unlock()
	s.sealMu.Lock() // rows stay where they are meanwhile
	defer s.sealMu.Unlock()
	v := s.manifest.pin()
	defer func() {
		s.manifest.unpin(v)
		err = errors.Join(err, s.manifest.sweep())
	}()
	t, ok := s.catalog.byIDLive(f.Table)
	if !ok || !slices.Contains(v.tables[f.Table], f) {
		return "", nil
	}
	r := &salvage{s: s, f: f, t: t, v: v, lost: map[uint64]uint32{}, seen: map[uint64]bool{}}
	cache := segment.NewCache(compact.LimitsOf(s.o.CompactionMemory).CacheBytes)
	defer func() { err = errors.Join(err, cache.Close()) }()
	rd, err := f.openAs("repair", s.fs, cache)
	if err == nil {
		defer func() { err = errors.Join(err, rd.Close()) }()
	} else if notCorrupt(err) != nil {
		return "", err
	}
	if err := r.judge(rd); err != nil {
		return "", err
	}
	decoded, places, err := r.decode(ctx)
	if err != nil {
		return "", err
	}
	return r.replace(ctx, rd, decoded, places)
}

// judge finds the row groups that can be read, and the records of the others. rd is nil if nothing of the file can be.
func (r *salvage) judge(rd *segment.Reader) error {
	first := 0
	for i, n := range r.f.Meta.GroupRows {
		r.rows = append(r.rows, first)
		dead := r.v.deadOf(r.f).group(i)
		var err error
		if rd != nil {
			err = r.readable(rd.Group(i))
		}
		switch {
		case notCorrupt(err) != nil:
			return err
		case rd != nil && err == nil:
			r.good = append(r.good, i)
			if err := rowsOf(rd.Group(i), 0, 1<<63, nil, func(lsn uint64, _ uint16) { r.seen[lsn] = true }); err != nil {
				return err
			}
		case rd != nil && r.lsns(rd.Group(i), dead, uint32(first)):
		case dead != nil && dead.Count() > 0:
			return fmt.Errorf("the LSNs of row group %d cannot be read, and some of its rows are deleted, and which cannot be told: only a backup has them", i)
		default:
			r.unknown += n
		}
		first += n
	}
	return nil
}

// readable reads all values of a group.
func (r *salvage) readable(g column.Group) error {
	var v vec.Vector
	for _, c := range g.Under("") {
		for from := 0; from < g.Rows(); from += vec.BlockRows {
			if err := c.Read(from, min(from+vec.BlockRows, g.Rows()), &v); err != nil {
				return err
			}
		}
	}
	return nil
}

// lsns notes the records of the live rows of a group that cannot be read otherwise. It tells whether all are known.
func (r *salvage) lsns(g column.Group, dead vec.Bitmap, first uint32) bool {
	own := map[uint64]uint32{}
	all := 0
	err := rowsOf(g, 0, 1<<63, nil, func(lsn uint64, row uint16) {
		all++
		r.seen[lsn] = true
		if dead == nil || !dead.Get(int(row)) {
			own[lsn] = first + uint32(row)
		}
	})
	if err != nil || all != g.Rows() {
		return false
	}
	maps.Copy(r.lost, own)
	return true
}

// decode makes the lost rows again, sorted. places are their numbers in the file, where they are known.
func (r *salvage) decode(ctx context.Context) (out *gathered, places []uint32, err error) {
	out = &gathered{}
	need := len(r.lost) + r.unknown
	if need == 0 {
		return out, nil, nil
	}
	if r.t.Kind == types.TableUser {
		return nil, nil, fmt.Errorf("%d of its rows cannot be read, and only a backup has them", need)
	}
	if r.s.decoder == nil {
		return nil, nil, errors.New("a store without a decoder can make no rows of submissions")
	}
	if r.unknown > 0 {
		if err := r.others(); err != nil {
			return nil, nil, err
		}
	}
	p := &part{table: r.t, gens: []*view{{gen: head.NewGeneration(r.s.paths)}}}
	if err := r.eachRecord(ctx, func(row *column.RowBuf, partition int64, at uint32) {
		g := p.gens[len(p.gens)-1].gen
		if !g.Fits(head.SizeOf(row)) {
			g = g.Next()
			p.gens = append(p.gens, &view{gen: g})
		}
		g.Append(row, partition)
		places = append(places, at)
	}); err != nil {
		return nil, nil, err
	}
	if len(places) != need {
		return nil, nil, fmt.Errorf("%d of its rows cannot be read, and the landfill (landfill.keep) gives %d for them; only a backup has them", need, len(places))
	}
	if r.t, err = r.live(); err != nil { // with the columns that decoding has added
		return nil, nil, err
	}
	return r.sorted(ctx, p.groups(), places)
}

func (r *salvage) live() (*types.Table, error) {
	t, ok := r.s.catalog.byIDLive(r.f.Table)
	if !ok {
		return nil, fmt.Errorf("table %s %w", r.t.FullName(), ErrNotFound)
	}
	return t, nil
}

// sorted puts rows into the order of a segment.
func (r *salvage) sorted(ctx context.Context, groups []rowGroup, places []uint32) (*gathered, []uint32, error) {
	var src []column.Group
	var refs []segment.RowRef
	var first []int
	n := 0
	for i, g := range groups {
		src, first = append(src, g.group), append(first, n)
		for row := range g.partitions {
			refs = append(refs, segment.RowRef{Group: uint32(i), Row: uint16(row)})
		}
		n += len(g.partitions)
	}
	if err := compact.Sort(ctx, src, refs, compact.KeyOf(r.t)); err != nil {
		return nil, nil, err
	}
	out, at := &gathered{}, make([]uint32, len(refs))
	for i, ref := range refs {
		at[i] = places[first[ref.Group]+int(ref.Row)]
	}
	return out, at, compact.Write(out, src, refs, func(ref segment.RowRef) int64 { return int64(groups[ref.Group].sizes[ref.Row]) })
}

// others notes the records in the file's range whose row is in another segment.
func (r *salvage) others() error {
	for id, files := range r.v.tables {
		t, ok := r.s.catalog.byIDLive(id)
		if !ok || t.Kind != types.TablePing && t.Kind != types.TableErrors {
			continue
		}
		for _, f := range files {
			if f == r.f || f.Meta.MaxLSN < r.f.Meta.MinLSN || f.Meta.MinLSN > r.f.Meta.MaxLSN {
				continue
			}
			rd, err := f.open(r.s.files, r.s.cache)
			if err != nil {
				return fmt.Errorf("which rows are lost cannot be told: %w", err)
			}
			for i := range rd.Groups() {
				err := rowsOf(rd.Group(i), r.f.Meta.MinLSN, r.f.Meta.MaxLSN, nil, func(lsn uint64, _ uint16) { r.seen[lsn] = true })
				if err != nil {
					return fmt.Errorf("which rows are lost cannot be told: %w", err)
				}
			}
		}
	}
	return nil
}

// eachRecord decodes the lost records that the landfill has.
func (r *salvage) eachRecord(ctx context.Context, f func(row *column.RowBuf, partition int64, at uint32)) (err error) {
	low, high := r.f.Meta.MinLSN, r.f.Meta.MaxLSN
	if r.unknown == 0 {
		lsns := slices.Sorted(maps.Keys(r.lost))
		low, high = lsns[0], lsns[len(lsns)-1]
	}
	rp := &replayer{s: r.s, last: high, worker: r.s.decoder.NewWorker()}
	if rp.rd, err = r.s.log.NewReader(low); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rp.rd.Close()) }()
	var duplicate column.RowBuf
	for !rp.ended {
		if err := errors.Join(ctx.Err(), rp.read(ctx)); err != nil {
			return err
		}
		for i := range rp.part {
			rec := &rp.part[i]
			at, known := r.lost[rec.lsn]
			if !known && (r.unknown == 0 || r.seen[rec.lsn]) {
				continue
			}
			rp.worker.Decode(rec.payload, rec.lsn, &rec.out)
			row, err := r.rowOf(rp.worker, rec, &duplicate)
			if err != nil {
				return err
			}
			switch {
			case row != nil && known:
				f(row, rec.out.Partition, at)
			case row != nil:
				f(row, rec.out.Partition, compact.NoRow)
			case known:
				return fmt.Errorf("today's decoder makes of record %d something that does not belong there (a row of %s)", rec.lsn, rec.out.Table)
			}
		}
	}
	return nil
}

// rowOf returns the row of a decoded record that belongs into the segment, nil if it has none there.
func (r *salvage) rowOf(w DecodeWorker, rec *replayRecord, duplicate *column.RowBuf) (*column.RowBuf, error) {
	out := &rec.out
	if r.f.Meta.HasPartition && out.Partition != r.f.Meta.Partition {
		return nil, nil
	}
	if out.Table == ErrorsTable || r.t.FullName() == ErrorsTable {
		if out.Table != r.t.FullName() {
			return nil, nil
		}
		return &out.Row, nil
	}
	holder, held := rec.lsn, len(out.Key) > 0
	if held {
		var err error
		if holder, held, err = r.s.meta.Holder(out.Key); err != nil {
			return nil, err
		}
	}
	mine := !held || holder == rec.lsn
	if r.t.FullName() == DuplicatesTable {
		if mine {
			return nil, nil
		}
		duplicate.Reset()
		w.Duplicate(rec.payload, rec.lsn, holder, duplicate)
		return duplicate, nil
	}
	if !mine || r.s.catalog.forPing(out.Table).ID != r.t.ID {
		return nil, nil
	}
	return &out.Row, nil
}

// replace writes the segment anew and publishes it in the place of the damaged one, with the states of its day.
func (r *salvage) replace(ctx context.Context, rd *segment.Reader, decoded *gathered, at []uint32) (what string, err error) {
	s := r.s
	limits := compact.LimitsOf(s.o.CompactionMemory)
	dead := r.v.deadOf(r.f)
	var inputs []compact.Input
	if len(r.good) > 0 {
		in := compact.Input{
			Groups: len(r.good), Open: func(i int) (column.Group, error) { return rd.Group(r.good[i]), nil },
			RowBytes: r.f.Meta.ValueBytes / max(1, r.f.Meta.Rows),
		}
		if dead != nil {
			in.Dead = func(i int) vec.Bitmap { return dead.group(r.good[i]) }
		}
		inputs = append(inputs, in)
	}
	if len(decoded.groups) > 0 {
		inputs = append(inputs, memoryInput(decoded.groups))
	}
	w := s.newSegments(s.o.Now())
	var merged compact.RowMap
	err = w.segment(r.t, partitionOf(r.f), func(sink compact.Sink) error {
		merged, err = compact.MergeRows(ctx, sink, inputs, compact.KeyOf(r.t), limits)
		return err
	})
	if err != nil {
		return "", errors.Join(err, w.abandon())
	}
	got := int64(0)
	for _, f := range w.files {
		inheritPlace(f, []*file{r.f})
		got += f.Meta.Rows
	}
	if want := r.f.Meta.Rows - dead.count(); got != want {
		return "", errors.Join(fmt.Errorf("internal error: the segment has %d live rows, its repair %d; nothing was changed", want, got), w.abandon())
	}
	e, said, err := r.states(ctx, w)
	if err != nil {
		return "", errors.Join(err, w.abandon())
	}
	rows := r.places(merged, at)
	var repaired []*file
	for _, f := range w.files {
		if f.Table == r.f.Table {
			repaired = append(repaired, f)
		}
	}
	err = s.publish(publication{
		edit: e, tables: append([]uint32{r.t.ID}, w.states...), repair: true,
		install: func() { replaced([]*file{r.f}, repaired, compact.RowMap{rows}) },
	})
	if err != nil {
		return "", w.unpublished(err)
	}
	return fmt.Sprintf("%d row groups were kept, %d rows of %d others were decoded again from the landfill%s",
		len(r.good), len(at), len(r.f.Meta.GroupRows)-len(r.good), said), nil
}

// places tells where the rows of the damaged file are in the new one.
func (r *salvage) places(merged compact.RowMap, at []uint32) []uint32 {
	out := make([]uint32, r.f.Meta.Rows)
	for i := range out {
		out[i] = compact.NoRow
	}
	if len(r.good) > 0 {
		row := 0
		for _, g := range r.good {
			n := r.f.Meta.GroupRows[g]
			copy(out[r.rows[g]:r.rows[g]+n], merged[0][row:row+n])
			row += n
		}
		merged = merged[1:]
	}
	for i, old := range at {
		if old != compact.NoRow {
			out[old] = merged[0][i]
		}
	}
	return out
}

// states makes the states over the segment's day again, and returns what is to be published together. Where that is not
// possible, because other rows of the day are damaged or gone, they stay: they are those of the rows as they were.
func (r *salvage) states(ctx context.Context, w *segmentsWriter) (e edit, said string, err error) {
	s := r.s
	e = edit{add: slices.Clone(w.files), drop: []*file{r.f}}
	next := r.v.apply(e)
	for _, ru := range s.rollups {
		if ru.Source() != r.t.FullName() || len(r.good) == len(r.f.Meta.GroupRows) {
			continue
		}
		if !s.comparable(ru, partitionOf(r.f)) {
			continue
		}
		own := s.newSegments(s.o.Now())
		plan, err := s.planRebuild(ru, next, false, partitionOf(r.f))
		if err == nil {
			err = s.rebuildStates(ctx, own, ru, next, plan)
		}
		if err != nil {
			if fatal := s.cannotGoOn(ctx, err); fatal != nil {
				return e, "", errors.Join(fatal, own.abandon())
			}
			if err := own.abandon(); err != nil {
				return e, "", err
			}
			said += fmt.Sprintf("; roll-up %s is as it was: %v", ru.states.FullName(), err)
			continue
		}
		e.add, e.drop = append(e.add, own.files...), append(e.drop, plan.drop...)
		w.files, w.states = append(w.files, own.files...), append(w.states, ru.states.ID)
	}
	return e, said, nil
}

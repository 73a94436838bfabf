package storage

import (
	"errors"
	"fmt"
	"sync"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/head"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Snapshot is one moment of a store: one version of the manifest, and the head up to one LSN. Its methods are safe for
// concurrent use until Release.
type Snapshot struct {
	s       *Store
	names   *names
	version *version
	heads   map[uint32][]view // by table
	lsn     uint64
	release sync.Once
}

// Snapshot pins the present moment. It ends in Release.
func (s *Store) Snapshot() (*Snapshot, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	sn := &Snapshot{s: s, heads: map[uint32][]view{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.heads.order {
		sn.addLocked(l.frozen)
		sn.addLocked(l.active)
	}
	sn.version = s.manifest.pin()
	sn.lsn = s.applied
	sn.names = s.catalog.state()
	return sn, nil
}

func (sn *Snapshot) addLocked(rs *rowset) {
	if rs == nil {
		return
	}
	for _, p := range rs.parts {
		for _, v := range p.gens {
			if v.rows > 0 {
				sn.heads[p.table.ID] = append(sn.heads[p.table.ID], *v)
			}
		}
	}
}

// Release ends the snapshot: its sources may not be read any more. It may be called more than once.
func (sn *Snapshot) Release() {
	sn.release.Do(func() {
		sn.s.manifest.unpin(sn.version)
		if err := sn.s.manifest.sweep(); err != nil {
			sn.s.o.Logger.Warn("a dropped segment could not be removed; it will be tried again", "err", err)
		}
	})
}

// Tables returns all tables, tables of states among them, by schema and name.
func (sn *Snapshot) Tables() []*types.Table { return sn.names.tables }

// Views returns all views, by schema and name.
func (sn *Snapshot) Views() []*View { return sn.names.views }

// Schemas returns the names of all schemas, sorted.
func (sn *Snapshot) Schemas() []string { return sn.names.schemas }

// Version changes whenever Tables, Views or Schemas do.
func (sn *Snapshot) Version() uint64 { return sn.names.version }

// LSN is the last log record whose rows the snapshot sees.
func (sn *Snapshot) LSN() uint64 { return sn.lsn }

// Source returns the rows of a table: the sealed ones by partition and segment, then those of the head. Of t only the ID
// is looked at.
func (sn *Snapshot) Source(t *types.Table) (column.Source, error) {
	own, ok := sn.names.byID[t.ID]
	if !ok {
		return nil, fmt.Errorf("table %s %w", t.FullName(), ErrNotFound)
	}
	return &source{table: own, morsels: append(sn.sealed(own.ID), sn.headMorsels(own.ID)...)}, nil
}

// RollupInputs is what the answer of a roll-up is made of: States - Minus + Build of Head. Each morsel is sorted by the
// states' key.
type RollupInputs struct {
	States []column.Morsel // of sealed rows
	Minus  []column.Morsel // of those among them that were deleted
	Head   []column.Group  // rows of the source table that are not sealed yet
}

// RollupInputs returns the inputs of a roll-up, which is one of Options.Rollups.
func (sn *Snapshot) RollupInputs(r Rollup) (RollupInputs, error) {
	for _, own := range sn.s.rollups {
		if own.states.FullName() != r.States().FullName() {
			continue
		}
		var in RollupInputs
		for id, t := range sn.names.byID {
			if t.FullName() == own.Source() {
				in.Head = sn.headGroups(id)
			}
		}
		for _, m := range sn.sealed(own.states.ID) {
			if m.(*segmentMorsel).f.Minus {
				in.Minus = append(in.Minus, m)
			} else {
				in.States = append(in.States, m)
			}
		}
		return in, nil
	}
	return RollupInputs{}, fmt.Errorf("roll-up %s %w", r.States().FullName(), ErrNotFound)
}

func (sn *Snapshot) headGroups(table uint32) []column.Group {
	var out []column.Group
	for _, v := range sn.heads[table] {
		out = append(out, v.gen.Cut(v.rows))
	}
	return out
}

func (sn *Snapshot) headMorsels(table uint32) []column.Morsel {
	var out []column.Morsel
	for _, v := range sn.heads[table] {
		out = append(out, &headMorsel{gen: v.gen, rows: v.rows})
	}
	return out
}

// sealed returns the row groups of a table's segments.
func (sn *Snapshot) sealed(table uint32) []column.Morsel {
	var out []column.Morsel
	for _, f := range sn.version.tables[table] {
		dead := sn.version.deadOf(f)
		for i := range f.Meta.GroupRows {
			out = append(out, &segmentMorsel{s: sn.s, f: f, i: i, dead: dead})
		}
	}
	return out
}

// source is a column.Source.
type source struct {
	table   *types.Table
	morsels []column.Morsel
}

func (s *source) Table() *types.Table      { return s.table }
func (s *source) Morsels() []column.Morsel { return s.morsels }

// headMorsel is a generation as a snapshot sees it.
type headMorsel struct {
	gen  *head.Generation
	rows int
}

func (m *headMorsel) Rows() int                                  { return m.rows }
func (m *headMorsel) Origin() string                             { return "head" }
func (m *headMorsel) Partition() (int64, bool)                   { return m.gen.Partition() }
func (m *headMorsel) Deleted() vec.Bitmap                        { return nil }
func (m *headMorsel) MayHold(string, *column.Pred) (bool, error) { return true, nil }
func (m *headMorsel) Stats(string) (column.Stats, bool)          { return column.Stats{}, false }
func (m *headMorsel) Open() (column.Group, error)                { return m.gen.Cut(m.rows), nil }

// segmentMorsel is a row group of a segment.
type segmentMorsel struct {
	s    *Store
	f    *file
	i    int
	dead *tombstone
}

func (m *segmentMorsel) Rows() int      { return int(m.f.Meta.GroupRows[m.i]) }
func (m *segmentMorsel) Origin() string { return fmt.Sprintf("segment %d group %d", m.f.ID, m.i) }

func (m *segmentMorsel) Partition() (int64, bool) { return m.f.Meta.Partition, m.f.Meta.HasPartition }
func (m *segmentMorsel) Deleted() vec.Bitmap      { return m.dead.group(m.i) }

// MayHold asks the manifest, and where that is not enough a filter of the file: of that nothing else is read.
func (m *segmentMorsel) MayHold(name string, p *column.Pred) (bool, error) {
	r, err := m.f.asked(m.s.files, m.s.cache)
	if err != nil {
		return true, ifNotCorrupt(err)
	}
	may, err := r.MayHold(&m.f.Meta, m.i, name, p)
	return may || err != nil, ifNotCorrupt(err)
}

// PrefetchFilter implements column.FilterPrefetcher.
func (m *segmentMorsel) PrefetchFilter(name string, leaf types.Leaf) {
	if r, err := m.f.asked(m.s.files, m.s.cache); err == nil { // else MayHold will tell
		r.PrefetchFilter(&m.f.Meta, m.i, name, leaf)
	}
}

// ifNotCorrupt drops the error of a filter that is damaged, which has been recorded: the rows are asked instead.
func ifNotCorrupt(err error) error {
	if errors.Is(err, column.ErrCorrupt) {
		return nil
	}
	return err
}

// Stats returns the bounds of the row group where the manifest has them, else those of the whole segment; then Rows and
// Present count the segment too. The distinct values, where the manifest has them, are the row group's own.
func (m *segmentMorsel) Stats(name string) (column.Stats, bool) {
	s, found := m.bounds(name)
	if found == nil {
		return s, false
	}
	if found.Set != nil {
		s.Dict = found.Set.Values(found.Leaf, m.i)
	}
	return s, true
}

// Bounds implements column.Bounder.
func (m *segmentMorsel) Bounds(name string) (column.Stats, bool) {
	s, found := m.bounds(name)
	return s, found != nil
}

// bounds returns what Stats says, but for the distinct values, and the column it is of; nil if the manifest knows nothing.
func (m *segmentMorsel) bounds(name string) (column.Stats, *segment.ColumnMeta) {
	var found *segment.ColumnMeta
	for i := range m.f.Meta.Columns {
		c := &m.f.Meta.Columns[i]
		if c.Name != name {
			continue
		}
		if found != nil {
			return column.Stats{}, nil // values of several kinds
		}
		found = c
	}
	if found == nil {
		return column.Stats{}, nil
	}
	if m.i < len(found.Groups) {
		return found.Groups[m.i], found
	}
	return found.Stats, found
}

func (m *segmentMorsel) Open() (column.Group, error) {
	r, err := m.f.open(m.s.files, m.s.cache)
	if err != nil {
		return nil, err
	}
	return r.Group(m.i), nil
}

package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/wal"
)

// Problem is a violated invariant or a broken checksum.
type Problem struct {
	Where string // a file, a table, a route
	What  string
}

func (p Problem) String() string { return p.Where + ": " + p.What }

// Check verifies everything a store promises of its files and reports every violation it finds: each checksum, the
// manifest against the directory, the places of segments in the log, the balance, the document keys, and every roll-up
// against a recomputation from the raw rows. It looks at one moment while the store goes on. An error means that the
// check could not be made.
func (s *Store) Check(report func(Problem)) error {
	sn, err := s.Snapshot()
	if err != nil {
		return err
	}
	defer sn.Release()
	c := &checker{s: s, sn: sn, report: report, violated: map[damageKey]bool{}}
	for _, d := range s.Damage() {
		if d.State == DamageOpen && d.Kind != damagedRule { // the check finds those itself
			report(Problem{Where: path.Join(s.dir, d.File), What: d.What + s.remedy(&d)})
		}
	}
	c.directory()
	c.logFiles()
	if err := s.meta.CheckFiles(c.problem); err != nil {
		return err
	}
	for _, files := range sn.version.tables {
		for _, f := range files {
			c.file(f)
		}
		c.places(files)
	}
	if err := c.catalog(); err != nil {
		return err
	}
	if err := c.documentKeys(); err != nil {
		return err
	}
	for _, r := range s.rollups {
		c.rollup(r)
	}
	c.kept()
	return nil
}

type checker struct {
	s        *Store
	sn       *Snapshot
	report   func(Problem)
	violated map[damageKey]bool // invariants

	keys keyCount // as of the look at the catalog
}

// problem reports a violation, and records it unless the store is open for reading only. Segments with violations are not
// quarantined by it: their bytes are whole.
func (c *checker) problem(where, format string, args ...any) {
	c.violation(where, Damage{}, fmt.Sprintf(format, args...))
}

// violation is problem, with what is known of the damage besides.
func (c *checker) violation(where string, d Damage, what string) {
	c.report(Problem{Where: where, What: what})
	d.Kind, d.File, d.By, d.What = damagedRule, c.s.relative(where), "check", what
	c.violated[keyOfDamage(&d)] = true
	if !c.s.o.ReadOnly {
		c.s.found(d)
	}
}

// corrupt reports a problem of a segment's bytes, and quarantines the segment.
func (c *checker) corrupt(f *file, err error) {
	var corrupt *segment.CorruptError
	if !errors.As(err, &corrupt) {
		c.problem(f.path, "%v", err)
		return
	}
	c.report(Problem{Where: f.path, What: err.Error()})
	c.s.foundIn(f, "check", err)
}

// kept settles the violations of earlier checks that this one has not found again.
func (c *checker) kept() {
	c.s.settle(DamageRepaired, func(d *Damage) bool { return d.Kind == damagedRule && !c.violated[keyOfDamage(d)] })
}

// directory looks for segment files that nothing accounts for.
func (c *checker) directory() {
	names, err := c.s.fs.List(c.s.segmentsDir())
	if err != nil {
		c.problem(c.s.segmentsDir(), "%v", err)
		return
	}
	known := c.s.manifest.knownFiles()
	for _, n := range names {
		if id, ok := parseSegmentName(n); ok && !known(id) {
			c.problem(path.Join(c.s.segmentsDir(), n), "no manifest entry names this file")
		}
	}
}

// logFiles verifies the files of the log that get no more records: the landfill among them, which no start reads.
func (c *checker) logFiles() {
	for _, f := range c.s.log.Files() {
		if f.Active {
			continue
		}
		name := path.Join(c.s.dir, walDir, f.Name)
		_, damage, err := wal.Inspect(c.s.fs, name, nil)
		if errors.Is(err, fs.ErrNotExist) && !c.inLog(f.Name) {
			continue // trimmed meanwhile
		}
		if err != nil {
			c.problem(name, "%v", err)
		}
		for _, d := range damage {
			c.problem(path.Join(c.s.dir, walDir, d.File), "%v", d)
		}
	}
}

func (c *checker) inLog(name string) bool {
	return slices.ContainsFunc(c.s.log.Files(), func(f wal.FileInfo) bool { return f.Name == name })
}

// knownFiles tells the segments that are published, dropped and not removed yet, or being written.
func (m *manifest) knownFiles() func(id uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := map[uint64]bool{}
	for _, files := range m.current.tables {
		for _, f := range files {
			known[f.ID] = true
		}
	}
	for _, d := range m.obsolete {
		known[d.ID] = true
	}
	for _, id := range m.gone {
		known[id] = true
	}
	for id := range m.building {
		known[id] = true
	}
	next := m.next // what is made while the check runs is newer
	return func(id uint64) bool { return known[id] || id >= next }
}

// file verifies one segment and holds it against its manifest entry.
func (c *checker) file(f *file) {
	if c.sn.names.byID[f.Table] == nil {
		c.problem(f.path, "belongs to table %d, which is not in the catalog", f.Table)
	}
	if err := c.s.checkFile(f); err != nil {
		c.corrupt(f, err)
		return
	}
	r, err := f.open(c.s.files, c.s.cache)
	if err != nil {
		c.corrupt(f, err)
		return
	}
	bad := false
	r.Check(func(p segment.Problem) {
		bad = true
		c.corrupt(f, p.Err)
	})
	if bad {
		return
	}
	if r.Groups() != len(f.Meta.GroupRows) {
		c.problem(f.path, "has %d row groups, the manifest says %d", r.Groups(), len(f.Meta.GroupRows))
		return
	}
	rows := 0
	for i := range r.Groups() {
		if r.GroupRows(i) != int(f.Meta.GroupRows[i]) {
			c.problem(f.path, "group %d has %d rows, the manifest says %d", i, r.GroupRows(i), f.Meta.GroupRows[i])
		}
		rows += r.GroupRows(i)
	}
	if rows != int(f.Meta.Rows) {
		c.problem(f.path, "has %d rows, the manifest says %d", rows, f.Meta.Rows)
	}
	c.rowPlaces(f, r)
}

// places checks that the units of a partition, but for segments written beside the log, hold disjoint ranges of the log,
// below what is applied.
func (c *checker) places(files []*file) {
	for _, part := range partitionsOf(files) {
		var last *file // with the highest LSN of the unit before
		for _, unit := range unitsOf(part) {
			var highest *file
			for _, f := range unit {
				t := c.sn.names.byID[f.Table]
				if t == nil || t.Kind == types.TableStates {
					continue
				}
				if f.Meta.MaxLSN > c.sn.lsn && !f.Bulk {
					c.problem(f.path, "holds record %d, the log is applied up to %d", f.Meta.MaxLSN, c.sn.lsn)
				}
				if f.Bulk {
					continue
				}
				if last != nil && f.Meta.MinLSN <= last.Meta.MaxLSN && t.Kind != types.TableErrors {
					c.problem(f.path, "its records %d to %d overlap those of segment %d (%d to %d)",
						f.Meta.MinLSN, f.Meta.MaxLSN, last.ID, last.Meta.MinLSN, last.Meta.MaxLSN)
				}
				if highest == nil || f.Meta.MaxLSN > highest.Meta.MaxLSN {
					highest = f
				}
			}
			if highest != nil {
				last = highest
			}
		}
	}
}

// catalog checks what is on disk of the catalog, at a moment between two publications.
func (c *checker) catalog() error {
	c.s.publishMu.Lock()
	defer c.s.publishMu.Unlock()
	if err := c.s.usable(); err != nil {
		return err
	}
	state, err := c.s.meta.Load()
	if err != nil {
		c.problem(metaDir, "%v", err)
		return nil
	}
	c.balance(state)
	c.tombstones(state)
	for route, lsn := range state.Marks {
		if lsn <= state.LogMark || lsn > c.s.log.Synced() {
			c.problem(route.String(), "mark %d is not between the log's mark %d and its end %d", lsn, state.LogMark, c.s.log.Synced())
		}
	}
	c.keys.sn, err = c.s.Snapshot() // nothing is published meanwhile
	if err != nil {
		return err
	}
	c.keys.published, c.keys.expired, c.keys.removed = c.s.published.Load(), c.s.expiredKeys.Load(), removedPings(state)
	c.keys.replayed = c.s.replayed.get(jobReplay).Steps
	err = c.s.meta.Keys(func(key []byte, lsn uint64, _ int32) error {
		c.keys.n++
		if lsn > c.s.log.Synced() {
			c.problem("document key "+string(key), "is held by record %d, the log ends at %d", lsn, c.s.log.Synced())
		}
		return nil
	})
	if err != nil {
		c.problem(metaDir, "%v", err)
	}
	return nil
}

// balance checks that the rows, errors and duplicates counted are the rows there are.
func (c *checker) balance(state *meta.State) {
	kinds := map[uint32]*types.Table{}
	for _, t := range state.Tables {
		kinds[t.ID] = t
	}
	dead := map[uint64]int64{}
	for _, t := range state.Tombstones {
		dead[t.Segment] = int64(t.Rows.GetCardinality())
	}
	var have meta.Balance
	for _, e := range state.Segments {
		t := kinds[e.Table]
		live := uint64(e.Meta.Rows - dead[e.ID])
		switch {
		case t == nil:
			c.problem(segmentName(e.ID), "belongs to table %d, which is not in the catalog", e.Table)
		case t.Kind == types.TablePing:
			have.Rows += live
		case t.FullName() == ErrorsTable:
			have.Errors += live
		case t.FullName() == DuplicatesTable:
			have.Duplicates += live
		}
	}
	var want, removed meta.Balance
	for route, b := range state.Balance {
		want = want.Add(meta.Balance{Rows: b.Rows, Errors: b.Errors, Duplicates: b.Duplicates})
		switch route {
		case ErrorsTable:
			removed.Errors += b.Removed
		case DuplicatesTable:
			removed.Duplicates += b.Removed
		default:
			removed.Rows += b.Removed
		}
	}
	for _, n := range []struct {
		what                string
		want, removed, have uint64
	}{
		{"rows of pings", want.Rows, removed.Rows, have.Rows},
		{"errors", want.Errors, removed.Errors, have.Errors},
		{"duplicates", want.Duplicates, removed.Duplicates, have.Duplicates},
	} {
		if n.want != n.have+n.removed {
			c.problem("balance", "%d %s were published and %d removed, but %d are there", n.want, n.what, n.removed, n.have)
		}
	}
}

func (c *checker) sealedOf(n types.TableName) []*file {
	for id, t := range c.sn.names.byID {
		if t.FullName() == n {
			return c.sn.version.tables[id]
		}
	}
	return nil
}

// gathered is a Sink that keeps the rows as groups in memory.
type gathered struct{ groups []column.Group }

func (g *gathered) AddGroup(src []column.Group, rows []segment.RowRef) error {
	m, err := compact.Copy(src, rows)
	g.groups = append(g.groups, m)
	return err
}

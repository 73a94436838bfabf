package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/wal"
)

// What is found broken is recorded once, in the catalog, and stays recorded after it has been repaired or removed. A
// segment with an open damage is quarantined: queries read what is whole of it, and no merge or rewrite touches it, so
// that neither the evidence nor the good blocks are lost. Only retention, DROP and a repair remove it.

// Damage is something found broken.
type Damage = meta.Damage

// The states of a damage.
const (
	DamageOpen     = meta.DamageOpen
	DamageRepaired = meta.DamageRepaired
	DamageGone     = meta.DamageGone
)

// The kinds of damage.
const (
	damagedSegment = "segment"
	damagedLog     = "log"
	damagedCatalog = "catalog"
	damagedFile    = "file"      // nobody's
	damagedRule    = "invariant" // bytes are whole, and do not agree with each other
)

// Bounds of the list: a broken disk can say something new for ever. The first damage of a file is always recorded.
const (
	damagePerFile = 20
	damageMax     = 10_000
)

// damageKey tells one damage from another.
type damageKey struct {
	file    string
	offset  int64
	section string
}

func keyOfDamage(d *Damage) damageKey { return damageKey{d.File, d.Offset, d.Section} }

// damageList is the damage of a store. Its rows are never changed, only replaced.
type damageList struct {
	mu     sync.Mutex
	rows   []*Damage // by id
	known  map[damageKey]int
	byFile map[string]int // open rows
	dirty  map[uint64]bool
	next   uint64
}

// load takes what the catalog has.
func (l *damageList) load(rows []*Damage) {
	l.known, l.byFile, l.dirty, l.next = map[damageKey]int{}, map[string]int{}, map[uint64]bool{}, 1
	for _, d := range rows {
		l.addLocked(d)
	}
}

func (l *damageList) addLocked(d *Damage) {
	l.known[keyOfDamage(d)] = len(l.rows)
	l.rows = append(l.rows, d)
	l.next = max(l.next, d.ID+1)
	if d.State == DamageOpen {
		l.byFile[d.File]++
	}
}

// add records d unless it is known. It tells whether d is new, or is back after it was settled.
func (l *damageList) add(d Damage) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, ok := l.known[keyOfDamage(&d)]; ok {
		old := l.rows[i]
		if old.State == DamageOpen || old.Segment != d.Segment || old.State == DamageGone && d.Kind == damagedSegment {
			return false // ids are never given twice: what is gone cannot come back
		}
		d.ID = old.ID
		l.rows[i] = &d
		l.byFile[d.File]++
		l.dirty[d.ID] = true
		return true
	}
	if n := l.byFile[d.File]; n >= damagePerFile || n > 0 && len(l.rows) >= damageMax {
		return false
	}
	d.ID = l.next
	l.addLocked(&d)
	l.dirty[d.ID] = true
	return true
}

// settle changes the open rows that pick chooses, and returns how many there were.
func (l *damageList) settle(now func(*Damage), pick func(*Damage) bool) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, d := range l.rows {
		if d.State != DamageOpen || !pick(d) {
			continue
		}
		changed := *d
		now(&changed)
		l.rows[i] = &changed
		l.dirty[d.ID] = true
		l.byFile[d.File]--
		n++
	}
	return n
}

func (l *damageList) all() []Damage {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Damage, len(l.rows))
	for i, d := range l.rows {
		out[i] = *d
	}
	return out
}

// openRows counts the damage that is there.
func (l *damageList) openRows() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.byFile {
		n += k
	}
	return n
}

// takeDirty returns what is not on disk yet; back gives it back.
func (l *damageList) takeDirty() (rows []*Damage, back func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.rows {
		if l.dirty[d.ID] {
			rows = append(rows, d)
		}
	}
	clear(l.dirty)
	return rows, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, d := range rows {
			l.dirty[d.ID] = true
		}
	}
}

// Damage returns everything found broken, ever, in the order in which it was found.
func (s *Store) Damage() []Damage { return s.damage.all() }

// InLandfill reports whether the log still has the records first to last, so that a segment that held them can be made
// again by a replay.
func (s *Store) InLandfill(first, last uint64) bool {
	if first == 0 || first > last {
		return false
	}
	for _, f := range s.log.Files() { // oldest first; LSNs are dense
		if f.First <= first && f.Last >= first {
			if f.Last >= last {
				return true
			}
			first = f.Last + 1
		}
	}
	return false
}

// found records a damage.
func (s *Store) found(d Damage) {
	d.Found, d.State = s.o.Now().UTC(), DamageOpen
	if !s.damage.add(d) {
		return
	}
	s.o.Logger.Error("damage found; only statements that need these bytes fail", "file", d.File, "offset", d.Offset, "by", d.By, "what", d.What)
	s.jobs.Kick(jobDamage)
}

// relative is the name of a file in the data directory.
func (s *Store) relative(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, s.dir), "/")
}

// foundIn records what an error of reading a segment says of it, and quarantines the file. Other errors are no damage.
func (s *Store) foundIn(f *file, by string, err error) {
	var corrupt *segment.CorruptError
	if !errors.As(err, &corrupt) {
		return
	}
	if !f.damaged.Swap(true) {
		s.planner.forget()
	}
	d := Damage{
		Kind: damagedSegment, File: s.relative(f.path), Offset: corrupt.Offset, Section: corrupt.Section, Segment: f.ID,
		Group: corrupt.Group, Column: corrupt.Column, FirstLSN: f.Meta.MinLSN, LastLSN: f.Meta.MaxLSN, By: by, What: err.Error(),
	}
	if t, ok := s.catalog.byIDLive(f.Table); ok {
		d.Table = t.FullName()
	}
	s.found(d)
}

// stageSettled puts what a publication does to recorded damage into its batch: files with damage leave the manifest, or
// are made again. The returned function shows it, when the batch is durable.
func (s *Store) stageSettled(b *meta.Batch, p publication) (installed func()) {
	gone := map[uint64]bool{}
	for _, f := range p.drop {
		if f.damaged.Load() {
			gone[f.ID] = true
		}
	}
	if len(gone) == 0 && p.mends == nil {
		return func() {}
	}
	now := s.o.Now().UTC()
	settle := func(d *Damage) {
		d.State, d.Settled = DamageRepaired, now
		if d.Kind == damagedSegment {
			d.State = p.settles()
		}
	}
	pick := func(d *Damage) bool {
		return d.Kind == damagedSegment && gone[d.Segment] || p.mends != nil && p.mends(d)
	}
	for _, d := range s.damage.all() {
		if d.State == DamageOpen && pick(&d) {
			settle(&d)
			b.PutDamage(&d)
		}
	}
	return func() {
		if s.damage.settle(settle, pick) > 0 {
			s.jobs.Kick(jobDamage) // what was found in between
		}
	}
}

func (s *Store) settle(state meta.DamageState, pick func(*Damage) bool) {
	now := s.o.Now().UTC()
	if s.damage.settle(func(d *Damage) { d.State, d.Settled = state, now }, pick) > 0 {
		s.jobs.Kick(jobDamage)
	}
}

// whole notes that a segment has been read from end to end without a problem: whatever was wrong with it, the file or the
// disk has been put right.
func (s *Store) whole(f *file) {
	if !f.damaged.Swap(false) {
		return
	}
	s.planner.forget()
	s.o.Logger.Info("a damaged segment is whole again", "file", f.path)
	s.settle(DamageRepaired, func(d *Damage) bool { return d.Kind == damagedSegment && d.Segment == f.ID })
}

// damageStep is the job that stores what has been found. It adds no file, so it works on a full disk.
func (s *Store) damageStep(context.Context) (again bool, err error) {
	return false, mapError(s.saveDamage())
}

// saveDamage makes the list durable.
func (s *Store) saveDamage() error {
	s.publishMu.Lock() // Close takes it before it closes the catalog
	defer s.publishMu.Unlock()
	if err := s.Failed(); err != nil {
		return err
	}
	rows, back := s.damage.takeDirty()
	if len(rows) == 0 {
		return nil
	}
	if err := s.roomToPublish(false); err != nil {
		back()
		return err
	}
	b := s.meta.NewBatch()
	for _, d := range rows {
		b.PutDamage(d)
	}
	if err := s.meta.Commit(b); err != nil {
		back()
		return fmt.Errorf("record damage: %w", err)
	}
	return nil
}

// lostLog records what is lost of the log. Its row is on disk before the records behind it are used.
func (s *Store) lostLog(by string, d wal.Damage) {
	row := Damage{Kind: damagedLog, File: path.Join(walDir, d.File), Offset: d.Offset, By: by, What: d.String()}
	if d.From <= d.To {
		row.FirstLSN, row.LastLSN = d.From, d.To
	}
	s.found(row)
}

// badTombstone records a tombstone that does not fit its segment.
func (s *Store) badTombstone(t meta.Tombstone, err error) {
	s.found(Damage{Kind: damagedCatalog, File: metaDir, Section: fmt.Sprintf("tombstone of table %d segment %d", t.Table, t.Segment), By: "open", What: err.Error()})
}

// openDamage takes the recorded damage, and notes what has become of it since.
func (s *Store) openDamage(state *meta.State) {
	s.damage.load(state.Damage)
	listed := map[uint64]bool{}
	for _, e := range state.Segments {
		listed[e.ID] = true
	}
	gone := map[string]bool{}
	for _, d := range state.Damage {
		if d.State != DamageOpen || d.Kind == damagedSegment {
			continue
		}
		if _, err := s.fs.Stat(path.Join(s.dir, d.File)); errors.Is(err, fs.ErrNotExist) {
			gone[d.File] = true
		}
	}
	s.settle(DamageGone, func(d *Damage) bool {
		return d.Kind == damagedSegment && !listed[d.Segment] || gone[d.File]
	})
}

// quarantined tells the segments with open damage.
func (s *Store) quarantined() map[uint64]bool {
	out := map[uint64]bool{}
	for _, d := range s.damage.all() {
		if d.State == DamageOpen && d.Kind == damagedSegment {
			out[d.Segment] = true
		}
	}
	return out
}

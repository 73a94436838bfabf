package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/vfs"
)

// A version is the published segments at one moment. Readers pin one; a file that a later version no longer has is
// removed when no version that has it is pinned. Versions are numbered, so a file only remembers the number at which it
// was dropped: it may go when every pinned version is that one or later.

// file is one published segment.
type file struct {
	meta.Segment
	path  string
	moved atomic.Pointer[moved] // where its rows are since a merge replaced it

	damaged atomic.Bool                         // has open damage: no merge or rewrite touches it
	watch   func(f *file, by string, err error) // told what readers find corrupt; set when the file is published

	mu     sync.Mutex
	reader *segment.Reader
	loaded bool // reader has its directory
	closed bool
}

// open returns the file's reader, opening it at first use. It stays open until the file is removed.
func (f *file) open(fsys vfs.FS, cache *segment.Cache) (*segment.Reader, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.openLocked(fsys, cache); err != nil {
		return nil, err
	}
	if !f.loaded {
		if err := f.judge("query", f.load(f.reader)); err != nil {
			return nil, err
		}
		f.loaded = true
	}
	return f.reader, nil
}

// asked returns the file's reader for MayHold alone: nothing of the file has been read for it.
func (f *file) asked(fsys vfs.FS, cache *segment.Cache) (*segment.Reader, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.openLocked(fsys, cache)
	return f.reader, err
}

func (f *file) openLocked(fsys vfs.FS, cache *segment.Cache) (err error) {
	if f.closed {
		return fmt.Errorf("segment %d: %w", f.ID, ErrClosed)
	}
	if f.reader == nil {
		f.reader, err = f.openLater("query", fsys, cache)
	}
	return err
}

// openAs opens the file anew, for a reader whose findings are recorded under a name.
func (f *file) openAs(by string, fsys vfs.FS, cache *segment.Cache) (*segment.Reader, error) {
	r, err := f.openLater(by, fsys, cache)
	if err != nil {
		return nil, err
	}
	if err := f.judge(by, f.load(r)); err != nil {
		_ = r.Close() // only read from; the first error is the one to report
		return nil, err
	}
	return r, nil
}

func (f *file) openLater(by string, fsys vfs.FS, cache *segment.Cache) (*segment.Reader, error) {
	r, err := segment.OpenLater(fsys, f.path, cache)
	if errors.Is(err, fs.ErrNotExist) {
		err = &segment.CorruptError{File: f.path, Section: "file", Err: err}
	}
	if err != nil {
		return nil, f.judge(by, err)
	}
	if f.watch != nil {
		r.OnCorrupt(func(e *segment.CorruptError) { f.watch(f, by, e) })
	}
	return r, nil
}

// load reads what a reader needs, and compares whose file it is.
func (f *file) load(r *segment.Reader) error {
	if err := r.Load(f.ID); err != nil {
		return err
	}
	if r.TableID() != f.Table {
		return &segment.CorruptError{File: f.path, Section: "header", Expected: fmt.Sprintf("table %d", f.Table), Found: fmt.Sprintf("table %d", r.TableID())}
	}
	return nil
}

// judge tells of an error of opening the file, and returns it.
func (f *file) judge(by string, err error) error {
	if err != nil && f.watch != nil {
		f.watch(f, by, err)
	}
	return err
}

// close closes the reader; it is not opened again.
func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.reader == nil {
		return nil
	}
	r := f.reader
	f.reader = nil
	return r.Close()
}

// version is immutable but for pins.
type version struct {
	num    uint64
	tables map[uint32][]*file               // in the order of scans
	dead   map[uint32]map[uint64]*tombstone // by table and segment: those that have one
	pins   int                              // belongs to manifest.mu
}

// compareFiles is the order in which a table's segments are read.
func compareFiles(a, b *file) int {
	return cmp.Or(cmp.Compare(partitionOf(a), partitionOf(b)), cmp.Compare(lsnOf(a), lsnOf(b)), cmp.Compare(unitID(a), unitID(b)),
		cmp.Compare(placeInRun(a), placeInRun(b)), cmp.Compare(a.ID, b.ID))
}

// edit is a change of the manifest.
type edit struct {
	add  []*file
	drop []*file
	dead []fileDead // new tombstones, in the place of what the files had; of added files too
}

func (e *edit) empty() bool { return len(e.add)+len(e.drop)+len(e.dead) == 0 }

// apply returns the version after an edit.
func (v *version) apply(e edit) *version {
	next := &version{num: v.num + 1, tables: maps.Clone(v.tables), dead: v.applyDead(e)}
	dropped := map[uint64]bool{}
	touched := map[uint32]bool{}
	for _, f := range e.drop {
		dropped[f.ID] = true
		touched[f.Table] = true
	}
	for _, f := range e.add {
		touched[f.Table] = true
	}
	for t := range touched {
		var files []*file
		for _, f := range v.tables[t] {
			if !dropped[f.ID] {
				files = append(files, f)
			}
		}
		for _, f := range e.add {
			if f.Table == t {
				files = append(files, f)
			}
		}
		slices.SortFunc(files, compareFiles)
		if next.tables[t] = files; len(files) == 0 {
			delete(next.tables, t)
		}
	}
	return next
}

// manifest is the versions that are alive, and the ids of segments.
type manifest struct {
	fs vfs.FS

	mu       sync.Mutex
	current  *version
	pinned   []*version                          // those with pins, and the current one, in order
	watch    func(f *file, by string, err error) // for files that are published
	obsolete []dropped
	gone     []uint64 // removed files that the catalog still calls obsolete

	next     uint64
	building map[uint64]bool
}

// dropped is a file that versions below num have.
type dropped struct {
	*file
	num uint64
}

func newManifest(fsys vfs.FS, files []*file, dead []fileDead, next uint64, watch func(f *file, by string, err error)) *manifest {
	for _, f := range files {
		f.watch = watch
	}
	v := (&version{tables: map[uint32][]*file{}}).apply(edit{add: files, dead: dead})
	return &manifest{fs: fsys, current: v, pinned: []*version{v}, next: next, watch: watch, building: map[uint64]bool{}}
}

// newID gives out the id of a segment that is going to be written.
func (m *manifest) newID() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := m.next
	m.next++
	m.building[id] = true
	return id
}

// abandon takes ids back whose files will not be published. Their files are gone already, or removed now.
func (m *manifest) abandon(pathOf func(uint64) string, ids ...uint64) {
	for _, id := range ids {
		// A file that cannot be removed now is removed by the next Open: no manifest entry names it.
		// Nor may the id be forgotten before the removal is durable: a power loss would bring the file back.
		name := pathOf(id)
		if err := m.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := m.fs.SyncDir(path.Dir(name)); err != nil {
			continue
		}
		m.mu.Lock()
		delete(m.building, id)
		m.mu.Unlock()
	}
}

// stage puts an edit and the state of the ids into b.
func (m *manifest) stage(b *meta.Batch, e edit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	published := map[uint64]bool{}
	for _, f := range e.add {
		b.PutSegment(&f.Segment)
		published[f.ID] = true
	}
	for _, f := range e.drop {
		b.DropSegment(f.Table, f.ID)
	}
	m.stageDead(b, e)
	var building []uint64
	for id := range m.building {
		if !published[id] {
			building = append(building, id)
		}
	}
	slices.Sort(building)
	b.SetNextSegment(m.next)
	b.SetBuilding(building)
}

// install makes an edit current, after its batch is committed.
func (m *manifest) install(e edit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.empty() {
		return
	}
	v := m.current.apply(e)
	for _, f := range e.add {
		f.watch = m.watch
		delete(m.building, f.ID)
	}
	for _, f := range e.drop {
		m.obsolete = append(m.obsolete, dropped{f, v.num})
	}
	m.current = v
	m.pinned = append(m.pinned, v)
	m.dropVersionsLocked()
}

// dropVersionsLocked forgets versions that nobody pins.
func (m *manifest) dropVersionsLocked() {
	m.pinned = slices.DeleteFunc(m.pinned, func(v *version) bool { return v.pins == 0 && v != m.current })
}

// pin returns the current version; it ends in unpin.
func (m *manifest) pin() *version {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current.pins++
	return m.current
}

func (m *manifest) unpin(v *version) {
	m.mu.Lock()
	v.pins--
	m.dropVersionsLocked()
	m.mu.Unlock()
}

// sweep removes the files that no pinned version has.
func (m *manifest) sweep() error {
	m.mu.Lock()
	oldest := m.pinned[0].num
	var remove, keep []dropped
	for _, d := range m.obsolete {
		if d.num <= oldest {
			remove = append(remove, d)
		} else {
			keep = append(keep, d)
		}
	}
	m.obsolete = keep
	m.mu.Unlock()
	var errs []error
	for i, d := range remove {
		err := d.close()
		if rmErr := m.fs.Remove(d.path); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
			errs = append(errs, err, rmErr)
			m.mu.Lock()
			m.obsolete = append(m.obsolete, remove[i])
			m.mu.Unlock()
			continue
		}
		errs = append(errs, err)
		m.mu.Lock()
		m.gone = append(m.gone, d.ID)
		m.mu.Unlock()
	}
	return errors.Join(errs...)
}

// takeGone returns the removed files that the catalog can forget, once their directory is synced.
func (m *manifest) takeGone() []uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := m.gone
	m.gone = nil
	return ids
}

// close closes all readers.
func (m *manifest) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, files := range m.current.tables {
		for _, f := range files {
			errs = append(errs, f.close())
		}
	}
	for _, d := range m.obsolete {
		errs = append(errs, d.close())
	}
	return errors.Join(errs...)
}

// currentFiles returns the segments of a table.
func (m *manifest) currentFiles(table uint32) []*file {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current.tables[table]
}

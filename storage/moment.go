package storage

import (
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/vfs"
	"github.com/telemdb/telemdb/storage/wal"
)

// A moment is one state of a store as files: the segments of one version of the manifest, a catalog that names exactly
// those, and the log from the catalog's mark up to one LSN. Put into a directory of their own they are a store as a power
// loss might have left it, so Open makes that state of them. Backups copy a moment, readers in other processes open one.
type moment struct {
	fs    vfs.FS
	files []momentFile
	lsn   uint64          // of the last log record in it
	lost  <-chan struct{} // closed when the files may go although nobody let them; nil: they stay
	done  []func() error  // what close calls, last first
}

// momentFile is one file of a moment.
type momentFile struct {
	name string // its place in a data directory: segments/000000000017.seg
	at   vfs.Below
	size int64
	// fixed: nobody ever writes into this file, so a hard link is as good as a copy.
	fixed bool
}

func (m *moment) add(name, at string, size int64, fixed bool) {
	m.files = append(m.files, momentFile{name: name, at: vfs.Below{Name: at, Size: size}, size: size, fixed: fixed})
}

// close lets the files go. It may be called more than once.
func (m *moment) close() error {
	var errs []error
	for len(m.done) > 0 {
		last := len(m.done) - 1
		errs = append(errs, m.done[last]())
		m.done = m.done[:last]
	}
	return errors.Join(errs...)
}

// view shows the moment as a data directory that can be opened as if it were one's own.
func (m *moment) view(dir string) vfs.FS {
	files := map[string]vfs.Below{}
	for _, f := range m.files {
		files[path.Join(dir, f.name)] = f.at
	}
	return vfs.Overlay(m.fs, files)
}

const leaseDir = "leases" // catalogs lent to readers; removed by Open

// lend pins the present moment until its close. Publications wait meanwhile: for as long as it takes to link the catalog's
// files and to copy its log.
func (s *Store) lend() (m *moment, err error) {
	m = &moment{fs: s.fs}
	defer func() {
		if err != nil {
			err = errors.Join(mapError(err), m.close())
			m = nil
		}
	}()
	scratch := path.Join(s.dir, leaseDir, fmt.Sprintf("%d", s.lent.Add(1)))
	if err := s.fs.MkdirAll(scratch); err != nil {
		return m, err
	}
	m.done = append(m.done, func() error { return s.fs.RemoveAll(scratch) })
	v, err := s.pinMoment(m, path.Join(scratch, metaDir))
	if err != nil {
		return m, err
	}
	m.add(formatFile, path.Join(s.dir, formatFile), -1, false)
	for _, t := range sortedIDs(v.tables) {
		for _, f := range v.tables[t] {
			m.add(path.Join(segmentDir, segmentName(f.ID)), f.path, f.Meta.Bytes, true)
		}
	}
	return m, m.addCatalog(path.Join(scratch, metaDir))
}

// pinMoment makes the three parts of a moment agree: nothing is published between them.
func (s *Store) pinMoment(m *moment, catalogTo string) (*version, error) {
	s.publishMu.Lock()
	defer s.publishMu.Unlock()
	if err := s.usable(); err != nil {
		return nil, err
	}
	log, err := s.log.NewReader(s.logMark + 1) // no file from its position on is trimmed
	if err != nil {
		return nil, err
	}
	m.done = append(m.done, log.Close)
	v := s.manifest.pin()
	m.done = append(m.done, func() error {
		s.manifest.unpin(v)
		return s.manifest.sweep()
	})
	if err := s.meta.Checkpoint(catalogTo); err != nil {
		return nil, err
	}
	m.lsn = s.logMark
	m.addLog(s.log.Files(), path.Join(s.dir, walDir), s.logMark, false)
	return v, nil
}

// addLog adds the files of a log that hold records above mark. Of each that is synced is taken, or the whole file.
func (m *moment) addLog(files []wal.FileInfo, dir string, mark uint64, whole bool) {
	needed := false
	for _, f := range files {
		if f.Last == 0 && f.Active {
			continue // has no record yet, and may go again
		}
		// A file without LSNs in between is damaged: it goes with the others, so that the damage is not forgotten.
		if needed = needed || f.Last == 0 || f.Last > mark; !needed {
			continue
		}
		size := f.Bytes
		if whole {
			size = -1
		}
		m.add(path.Join(walDir, f.Name), path.Join(dir, f.Name), size, false)
		m.lsn = max(m.lsn, f.Last)
	}
}

// addCatalog adds the files of a directory of the catalog that nobody has open.
func (m *moment) addCatalog(dir string) error {
	names, err := m.fs.List(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if n != lockFile {
			m.add(path.Join(metaDir, n), path.Join(dir, n), -1, path.Ext(n) == ".sst")
		}
	}
	return nil
}

// sizes fills in the sizes that nobody has told.
func (m *moment) sizes() error {
	for i := range m.files {
		f := &m.files[i]
		if f.size >= 0 {
			continue
		}
		info, err := m.fs.Stat(f.at.Name)
		if err != nil {
			return err
		}
		f.size, f.at.Size = info.Size, info.Size
	}
	return nil
}

// stillMoment is what a directory holds that no server has open. lock keeps servers out until close.
func stillMoment(fsys vfs.FS, dir string, lock io.Closer) (m *moment, err error) {
	m = &moment{fs: fsys}
	if lock != nil {
		m.done = append(m.done, lock.Close)
	}
	return m, m.walk(dir, "")
}

// notOfMoment are the names in a data directory that belong to the process that has it open.
var notOfMoment = map[string]bool{lockFile: true, ballastFile: true, leaseDir: true, leaseSocket: true}

// walk adds all files of a data directory.
func (m *moment) walk(dir, below string) error {
	names, err := m.fs.List(path.Join(dir, below))
	if err != nil {
		return err
	}
	for _, n := range names {
		name := path.Join(below, n)
		if notOfMoment[name] {
			continue
		}
		info, err := m.fs.Stat(path.Join(dir, name))
		switch {
		case err != nil:
			return err
		case info.Dir:
			err = m.walk(dir, name)
		default:
			m.add(name, path.Join(dir, name), -1, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// onlyNeeded leaves of a still moment what its catalog names: a backup wants no left-overs and no landfill. The catalog and
// the log recover in memory for that; what is kept are the files as they are.
func (m *moment) onlyNeeded(dir string) (err error) {
	view := m.view(dir)
	catalog, err := meta.Open(meta.Options{FS: view, Dir: path.Join(dir, metaDir), Logger: discard})
	if err != nil {
		return err
	}
	state, err := catalog.Load()
	if err = errors.Join(err, catalog.Close()); err != nil {
		return err
	}
	log, _, err := wal.Open(wal.Options{FS: view, Dir: path.Join(dir, walDir)}, state.LogMark)
	if err != nil {
		return err
	}
	files := log.Files()
	if err := log.Close(); err != nil {
		return err
	}
	m.files = nil
	m.add(formatFile, path.Join(dir, formatFile), -1, false)
	for _, s := range state.Segments {
		name := path.Join(segmentDir, segmentName(s.ID))
		m.add(name, path.Join(dir, name), s.Meta.Bytes, true)
	}
	m.lsn = state.LogMark
	m.addLog(files, path.Join(dir, walDir), state.LogMark, true)
	return m.addCatalog(path.Join(dir, metaDir))
}

package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/jobs"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
	"github.com/telemdb/telemdb/storage/wal"
)

// memoryDir is the name of a store's directory in a file system of its own.
const memoryDir = "/telemdb"

// Open opens the store in dir, making it if there is none; an empty dir is a store in memory. It returns when everything
// acknowledged before is visible again. A directory that another process has open is refused at once with *LockedError,
// one written by a newer program with both versions in the error and without being changed.
//
// The order: lock, format, catalog (its own recovery), manifest against the directory, removal of what was never
// published, the log above each lane's mark. Each step may be cut off by a crash and run again.
func Open(dir string, o Options) (*Store, error) {
	inMemory := o.memory(dir)
	o.fill(dir)
	if inMemory {
		dir = memoryDir
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Store{
		o: o, fs: o.FS, dir: path.Clean(strings.ReplaceAll(dir, "\\", "/")),
		cache: segment.NewCacheWithIndex(o.CacheBytes, o.CacheBytes/indexCacheShare), paths: column.NewInterner(), heads: newHeads(),
		shortInsert: shortInsertBytes, runRows: segmentRowsMax, cutRows: segmentRowsMin, replayRange: replayRecords,
	}
	s.files = newFilePool(s.fs, s.o.FilesMaxOpen)
	s.diskFree.Store(-1)
	s.scrub.s = s
	s.jobs = jobs.New(s.o.Logger, s.jobList())
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) segmentsDir() string { return path.Join(s.dir, segmentDir) }

func (s *Store) open() error {
	start := s.o.Now()
	if s.o.ReadOnly {
		if err := s.openReadOnly(); err != nil {
			return err
		}
	} else if err := unfinishedRestore(s.fs, s.dir); err != nil {
		return err
	}
	if err := s.fs.MkdirAll(s.dir); err != nil {
		return fmt.Errorf("make data directory %s: %w", s.dir, err)
	}
	if err := s.takeLock(start); err != nil {
		return err
	}
	if s.o.Locked != nil {
		if err := s.o.Locked(); err != nil {
			return err
		}
	}
	if err := s.checkFormat(); err != nil {
		return err
	}
	if _, tight := s.tight(); tight {
		if err := s.dropBallast(); err != nil {
			return err
		}
	}
	for _, d := range []string{s.segmentsDir(), path.Join(s.dir, walDir)} {
		if err := s.fs.MkdirAll(d); err != nil {
			return fmt.Errorf("make data directory: %w", err)
		}
	}
	if err := s.fs.RemoveAll(path.Join(s.dir, leaseDir)); err != nil {
		return fmt.Errorf("remove leases of an earlier run: %w", err)
	}
	state, err := s.openMeta()
	if err != nil {
		return err
	}
	s.openDamage(state)
	if err := s.openSegments(state); err != nil {
		return err
	}
	if err := s.openLog(state); err != nil {
		return err
	}
	if err := s.saveDamage(); err != nil { // before anything goes on without what is lost
		return err
	}
	if err := s.openTables(); err != nil {
		return err
	}
	if err := s.startUp(state, start); err != nil {
		return err
	}
	if s.o.Lend {
		s.startLending()
	}
	if !s.o.Manual {
		s.warm()
	}
	return nil
}

func (s *Store) takeLock(now time.Time) (err error) {
	holder := fmt.Sprintf("pid %d, started %s", os.Getpid(), now.UTC().Format(time.RFC3339))
	s.lock, err = s.fs.Lock(path.Join(s.dir, lockFile), []byte(holder))
	var locked *vfs.LockedError
	if errors.As(err, &locked) {
		return lockedError(s.dir, locked)
	}
	if err != nil {
		return fmt.Errorf("lock data directory %s: %w", s.dir, err)
	}
	return nil
}

const formatPrefix = "telemdb "

// checkFormat reads the FORMAT file, or writes it into a new directory.
func (s *Store) checkFormat() error {
	name := path.Join(s.dir, formatFile)
	raw, err := vfs.ReadFile(s.fs, name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(raw) == 0 {
		return vfs.WriteFile(s.fs, name, func(f vfs.File) error {
			_, err := fmt.Fprintf(f, "%s%d\n", formatPrefix, meta.FormatVersion)
			return err
		})
	}
	if err != nil {
		return err
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(string(raw)), formatPrefix)
	v, err := strconv.Atoi(text)
	if !ok || err != nil || v < 1 {
		return fmt.Errorf("%s holds %q: this is not a telemdb data directory", name, raw)
	}
	if v > meta.FormatVersion {
		return fmt.Errorf("data directory %s has format %d, this program knows formats up to %d: use a newer telemdb",
			s.dir, v, meta.FormatVersion)
	}
	return nil
}

func (s *Store) openMeta() (*meta.State, error) {
	db, err := meta.Open(meta.Options{FS: s.fs, Dir: path.Join(s.dir, metaDir), Logger: s.o.Logger, OnFailed: s.fail})
	if err != nil {
		return nil, err
	}
	s.meta = db
	state, err := db.Load()
	if err != nil {
		return nil, err
	}
	s.catalog = newCatalog(state, s.o.TablesMax, s.o.ColumnsMax)
	s.marks, s.logMark, s.balance = state.Marks, state.LogMark, state.Balance
	s.bootMarks = map[types.TableName]uint64{}
	for route, lsn := range state.Marks {
		s.bootMarks[route] = lsn
	}
	return state, nil
}

// openSegments holds the manifest against the directory: every listed file is there with its size, and what was never
// published, or is not any more, goes.
func (s *Store) openSegments(state *meta.State) error {
	names, err := s.fs.List(s.segmentsDir())
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	var files []*file
	quarantined := s.quarantined()
	for _, e := range state.Segments {
		f := &file{Segment: *e, path: s.segmentPath(e.ID)}
		f.damaged.Store(quarantined[f.ID])
		listed[segmentName(e.ID)] = true
		files = append(files, f)
		if err := s.checkFile(f); err != nil {
			s.foundIn(f, "open", err)
		}
	}
	s.manifest = newManifest(s.fs, files, loadedDead(files, state.Tombstones, s.badTombstone), state.NextSegment, s.foundIn)
	removed := false
	for _, name := range names {
		if listed[name] {
			continue
		}
		if !s.mayRemove(name, state) {
			s.found(Damage{Kind: damagedFile, File: path.Join(segmentDir, name), By: "open", What: "no manifest entry names this file; it is left as it is"})
			continue
		}
		if err := s.fs.Remove(path.Join(s.segmentsDir(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove unpublished file: %w", err)
		}
		removed = true
	}
	s.manifest.gone = state.Obsolete
	if !removed {
		return nil
	}
	// The next batch forgets which files were being written: their removal must be durable before it.
	if err := s.fs.SyncDir(s.segmentsDir()); err != nil {
		return fmt.Errorf("remove unpublished files: %w", err)
	}
	return nil
}

// mayRemove tells whether a file without a manifest entry is known to be one that was never published, or is not any
// more.
func (s *Store) mayRemove(name string, state *meta.State) bool {
	if vfs.IsTemp(name) {
		return true
	}
	id, ok := parseSegmentName(name)
	return ok && (id >= state.NextSegment || slices.Contains(state.Building, id) || slices.Contains(state.Obsolete, id))
}

func (s *Store) checkFile(f *file) error {
	info, err := s.fs.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &segment.CorruptError{File: f.path, Section: "file", Err: err}
	case err == nil && info.Size != f.Meta.Bytes:
		return &segment.CorruptError{File: f.path, Section: "file", Expected: fmt.Sprintf("%d bytes", f.Meta.Bytes), Found: fmt.Sprintf("%d bytes", info.Size)}
	}
	return err
}

func (s *Store) openLog(state *meta.State) error {
	floor := state.LogMark
	high := max(floor, state.LogSynced)
	s.logSynced = state.LogSynced
	for _, lsn := range state.Marks {
		high = max(high, lsn)
	}
	log, rec, err := wal.Open(wal.Options{
		FS: s.fs, Dir: path.Join(s.dir, walDir), FileBytes: s.o.WALFileBytes, QueueBytes: s.o.WALQueueBytes, Proven: high,
		SyncEvery: s.o.WALSyncEvery, Logger: s.o.Logger, OnFailed: s.fail,
	}, floor)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	for _, d := range rec.Damage {
		s.lostLog("open", d)
	}
	s.log, s.logLast = log, rec.Last
	if s.o.StrictWAL && len(rec.Damage) > 0 {
		return fmt.Errorf("the log is damaged, and strict_wal is on: %s (%d places); restore a backup, or start without strict_wal "+
			"to go on with what is left", rec.Damage[0], len(rec.Damage))
	}
	if s.o.WALSyncEvery != 0 {
		s.o.Logger.Warn("THE LOG ACKNOWLEDGES BEFORE IT SYNCS: a power loss or a crash of the system loses acknowledged submissions "+
			"(wal.durability)", "synced_every", s.o.WALSyncEvery)
	}
	return nil
}

// openTables puts the system tables and the tables of states into the catalog.
func (s *Store) openTables() error {
	for _, t := range s.o.SystemTables {
		s.catalog.ensure(t)
	}
	for _, r := range s.o.Rollups {
		s.rollups = append(s.rollups, &rollup{Rollup: r, states: s.catalog.ensure(r.States())})
	}
	if missing := s.catalog.orphanStates(); len(missing) > 0 {
		return fmt.Errorf("the data directory has roll-ups that this program does not keep: %v", missing)
	}
	if s.o.Decoder == nil {
		return nil
	}
	d, err := s.o.Decoder(DecodeEnv{Paths: s.paths, ColumnFor: s.catalog.columnFor, Admit: s.catalog.admit})
	if err != nil {
		return fmt.Errorf("make decoder: %w", err)
	}
	s.decoder = d
	return nil
}

// startUp replays the log and starts the jobs.
func (s *Store) startUp(state *meta.State, start time.Time) error {
	s.applied = state.LogMark
	synced := s.log.Synced()
	s.clock.synced(synced, start)
	s.recovering.Store(true)
	s.roomy.Store(true)
	if err := s.buildNewRollups(); err != nil {
		return err
	}
	if !s.o.Manual {
		s.jobs.Start()
		if !s.o.ReadOnly {
			s.jobs.Kick(jobTrim) // looks at the disk, and makes the ballast
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.pipeline.s = s
	if err := s.pipeline.start(ctx, state.LogMark); err != nil {
		s.stop = nil
		stop()
		return fmt.Errorf("read log: %w", err)
	}
	if err := s.readBack(context.Background(), state.LogMark, start); err != nil {
		return err
	}
	s.mu.Lock()
	s.applied = synced // what lies above logLast is lost, and reported as damage
	s.mu.Unlock()
	if n := synced - state.LogMark; n > 0 {
		s.o.Logger.Info("log replayed", "records", n, "took", s.o.Now().Sub(start))
	}
	return nil
}

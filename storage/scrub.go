package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"time"

	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/vfs"
	"github.com/telemdb/telemdb/storage/wal"
)

// The scrub reads all files again in the background and compares their checksums, so that a disk that forgets is found
// out while the landfill or a backup still has what is lost. It goes file by file, from the oldest segment to the newest,
// then the log, then the catalog; its place is in memory, and a pass begins with every start.

// scrubber is the state of a pass.
type scrubber struct {
	s *Store

	mu      sync.Mutex
	running bool
	segment uint64 // last one looked at in this pass
	logFile string
	files   int // looked at in this pass
	of      int // files there were when it began
	bad     int
	bytes   int64 // read since Open
	passes  int64
	ended   time.Time // of the last pass
}

// ScrubStats tells how far the scrub is.
type ScrubStats struct {
	Running    bool
	Files, Of  int // of the present pass, or of the last one
	Bad        int // of them damaged
	BytesRead  int64
	Passes     int64 // whole passes since Open
	LastPassed time.Time
}

// Scrub tells how far the scrub is.
func (s *Store) Scrub() ScrubStats {
	c := &s.scrub
	c.mu.Lock()
	defer c.mu.Unlock()
	return ScrubStats{c.running, c.files, c.of, c.bad, c.bytes, c.passes, c.ended}
}

// progress is one line for telemdb.jobs.
func (c *scrubber) progress() string {
	st := c.s.Scrub()
	switch {
	case st.Running:
		return fmt.Sprintf("%d of %d files, %d damaged", st.Files, st.Of, st.Bad)
	case st.Passes > 0:
		return fmt.Sprintf("all %d files at %s, %d damaged", st.Files, st.LastPassed.UTC().Format(time.RFC3339), st.Bad)
	}
	return ""
}

// step looks at one file.
func (c *scrubber) step(ctx context.Context) (again bool, err error) {
	if err := c.s.usable(); err != nil {
		return false, err
	}
	if !c.begin() {
		return false, nil
	}
	fsys := &pacedFS{FS: c.s.fs, ctx: ctx, perSecond: c.s.o.ScrubBytesPerSecond, read: c.count}
	done, err := c.next(fsys)
	if err != nil && ctx.Err() == nil {
		c.note(func() { c.files++ }) // a file that cannot be read is passed over; the next pass tries again
	}
	if done && err == nil {
		c.note(func() { c.running, c.ended, c.passes = false, c.s.o.Now(), c.passes+1 })
	}
	return err == nil && !done, err
}

// begin starts a pass if one is due; it tells whether one is under way.
func (c *scrubber) begin() bool {
	segments, logFiles := c.s.Stats().Segments, len(c.s.log.Files())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		return true
	}
	if c.s.o.ScrubInterval < 0 || c.passes > 0 && c.s.o.Now().Sub(c.ended) < c.s.o.ScrubInterval {
		return false
	}
	c.running, c.segment, c.logFile, c.files, c.bad = true, 0, "", 0, 0
	c.of = segments + logFiles
	return true
}

func (c *scrubber) note(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *scrubber) count(n int) { c.note(func() { c.bytes += int64(n) }) }

// next looks at the file behind the place of the pass. done tells that there is none.
func (c *scrubber) next(fsys vfs.FS) (done bool, err error) {
	v := c.s.manifest.pin()
	defer c.s.manifest.unpin(v)
	var f *file
	for _, files := range v.tables {
		for _, g := range files {
			if g.ID > c.segment && (f == nil || g.ID < f.ID) {
				f = g
			}
		}
	}
	if f != nil {
		c.note(func() { c.segment = f.ID })
		bad, err := c.s.scrubSegment(fsys, f)
		c.looked(bad, err)
		return false, err
	}
	for _, w := range c.s.log.Files() {
		if !w.Active && w.Name > c.logFile {
			c.note(func() { c.logFile = w.Name })
			bad, err := c.s.scrubLog(fsys, w)
			c.looked(bad, err)
			return false, err
		}
	}
	return true, c.s.scrubCatalog()
}

func (c *scrubber) looked(bad bool, err error) {
	if err != nil {
		return
	}
	c.note(func() {
		c.files++
		if bad {
			c.bad++
		}
	})
}

// scrubSegment verifies a segment. One that turns out whole is no longer quarantined.
func (s *Store) scrubSegment(fsys vfs.FS, f *file) (bad bool, err error) {
	if err := s.checkFile(f); err != nil {
		s.foundIn(f, "scrub", err)
		return true, notCorrupt(err)
	}
	cache := segment.NewCache(0)
	defer func() { err = errors.Join(err, cache.Close()) }()
	r, err := f.openAs("scrub", fsys, cache)
	if err != nil {
		return true, notCorrupt(err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	err = r.Verify(func(e *segment.CorruptError) {
		bad = true
		s.foundIn(f, "scrub", e)
	})
	if err == nil && !bad {
		s.whole(f)
	}
	return bad, err
}

// notCorrupt drops an error that has become a damage row.
func notCorrupt(err error) error {
	var corrupt *segment.CorruptError
	if errors.As(err, &corrupt) {
		return nil
	}
	return err
}

// scrubLog verifies a file of the log that gets no more records.
func (s *Store) scrubLog(fsys vfs.FS, w wal.FileInfo) (bad bool, err error) {
	_, damage, err := wal.Inspect(fsys, path.Join(s.dir, walDir, w.Name), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // trimmed meanwhile
	}
	for _, d := range damage {
		s.lostLog("scrub", d)
	}
	return len(damage) > 0, err
}

func (s *Store) scrubCatalog() error {
	s.publishMu.Lock() // Close takes it before it closes the catalog
	defer s.publishMu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	return s.meta.CheckFiles(func(where, format string, args ...any) {
		s.found(Damage{Kind: damagedCatalog, File: s.relative(where), By: "scrub", What: fmt.Sprintf(format, args...)})
	})
}

// ScrubOnce makes one whole pass, without regard to when the last one was.
func (s *Store) ScrubOnce(ctx context.Context) error {
	c := scrubber{s: s, running: true}
	for {
		if again, err := c.step(ctx); err != nil || !again {
			return err
		}
	}
}

// pacedFS reads no faster than it is told. It ends with its context.
type pacedFS struct {
	vfs.FS
	ctx       context.Context
	perSecond int64 // no limit if it is not positive
	read      func(n int)
}

func (p *pacedFS) Open(name string) (vfs.File, error) {
	f, err := p.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return &pacedFile{f, p}, nil
}

type pacedFile struct {
	vfs.File
	p *pacedFS
}

func (f *pacedFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.p.pause(len(b)); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, off)
}

func (p *pacedFS) pause(n int) error {
	p.read(n)
	if p.perSecond <= 0 {
		return p.ctx.Err()
	}
	t := time.NewTimer(time.Duration(float64(n) / float64(p.perSecond) * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// Package spill keeps batches on disk for operators whose state does not fit in memory: partitions of an aggregation,
// runs of a sort, sides of a join.
//
// A Space is a directory and a bound on what its files may hold together; a File is written from front to end by one
// goroutine and then read by any number. The files mean nothing to another process: what a process that crashed has left
// is removed by Empty before the directory is used again. Blocks are compressed with s2 and carry an xxh3 checksum, so
// that a disk that lies gives error XX001 and not another answer. Nothing is ever synced.
package spill

import (
	"fmt"
	"math/rand/v2"
	"path"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/vfs"
)

// Space is where the files of some queries live. All methods may be called from several goroutines.
type Space struct {
	fs     vfs.FS
	dir    string
	limit  int64 // bytes; 0: none
	parent *Space
	full   func() bool

	name   string // what the names of this space's files begin with
	serial atomic.Int64
	used   atomic.Int64
	peak   atomic.Int64
	total  atomic.Int64
	files  atomic.Int64
	ever   atomic.Int64

	mu   sync.Mutex
	made bool // the directory exists
}

// New returns a space in dir, which is made when the first file is; its files hold at most limit bytes together (0: no
// limit). dir belongs to the space alone.
func New(fs vfs.FS, dir string, limit int64) *Space {
	return &Space{fs: fs, dir: dir, limit: limit, name: fmt.Sprintf("%016x", rand.Uint64())}
}

// SetReserve makes writes fail with error 53100 while full reports that the disk is down to its reserve, so that queries
// do not take the room that submissions need. It is called before the space is used, and full once for each block.
func (s *Space) SetReserve(full func() bool) { s.full = full }

// Share returns a space in the same directory whose files count in s and in the result: one query's part, with its own
// figures and a limit of its own (0: that of s alone).
func (s *Space) Share(limit int64) *Space { return &Space{parent: s, limit: limit} }

// Empty removes whatever is in the directory. It is called at start, when nothing of this process can be there.
func (s *Space) Empty() error {
	s.mu.Lock()
	s.made = false
	s.mu.Unlock()
	if err := s.fs.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove the spilled rows of an earlier process: %w", err)
	}
	return nil
}

// Used returns the bytes on disk now.
func (s *Space) Used() int64 { return s.used.Load() }

// Peak returns the most bytes that were on disk at a time.
func (s *Space) Peak() int64 { return s.peak.Load() }

// Written returns the bytes ever written.
func (s *Space) Written() int64 { return s.total.Load() }

// Files returns the number of files on disk now.
func (s *Space) Files() int64 { return s.files.Load() }

// Created returns the number of files ever made on disk.
func (s *Space) Created() int64 { return s.ever.Load() }

// take counts n bytes that are about to be written.
func (s *Space) take(n int64) error {
	used := s.used.Add(n)
	if s.limit > 0 && used > s.limit {
		s.used.Add(-n)
		return sqlstate.New(sqlstate.DiskFull, "the query needs more disk space for intermediate results than it may have").
			WithDetail("%d bytes are in use, the limit is %d bytes.", used-n, s.limit).
			WithHint("Filter or group the input further, raise query_memory, or raise the limit of spilled bytes.")
	}
	if s.full != nil && s.full() {
		s.used.Add(-n)
		return sqlstate.New(sqlstate.DiskFull, "the disk is too full for the intermediate results of the query").
			WithHint("Free disk space, or raise query_memory so that the query does not need the disk.")
	}
	if s.parent != nil {
		if err := s.parent.take(n); err != nil {
			s.used.Add(-n)
			return err
		}
	}
	s.total.Add(n)
	for {
		p := s.peak.Load()
		if used <= p || s.peak.CompareAndSwap(p, used) {
			return nil
		}
	}
}

func (s *Space) give(n int64) {
	for ; s != nil; s = s.parent {
		s.used.Add(-n)
	}
}

func (s *Space) countFiles(n int64) {
	for ; s != nil; s = s.parent {
		s.files.Add(n)
		s.ever.Add(max(n, 0))
	}
}

// root is the space that has the directory.
func (s *Space) root() *Space {
	for s.parent != nil {
		s = s.parent
	}
	return s
}

// newFile makes a file on disk.
func (s *Space) newFile() (vfs.File, error) {
	r := s.root()
	if err := r.makeDir(); err != nil {
		return nil, err
	}
	f, err := r.fs.Create(path.Join(r.dir, fmt.Sprintf("%s-%06d.spill", r.name, r.serial.Add(1))))
	if err != nil {
		return nil, ioError("create", err)
	}
	s.countFiles(1)
	return f, nil
}

func (s *Space) makeDir() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made {
		return nil
	}
	if err := s.fs.MkdirAll(s.dir); err != nil {
		return ioError("make the directory of", err)
	}
	s.made = true
	return nil
}

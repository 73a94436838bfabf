package storage

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/vfs"
)

// The directory of a segment, half a megabyte where it has many columns and blocks, is read and taken apart before anything
// else of it is. The first question after a start would do that for all segments it reads, and wait for the disk each time;
// so Open does it for the newest ones, on all cores, and stops when it has taken warmTime: what is left is read when it is
// asked for, as ever.

// warmTime bounds what reading directories adds to a start. A file that is begun is read to its end.
const warmTime = 100 * time.Millisecond

// warm reads the directories of the newest segments. What cannot be read is left for whoever asks for it, and tells of it.
func (s *Store) warm() {
	v := s.manifest.pin()
	defer s.manifest.unpin(v)
	var files []*file
	for _, list := range v.tables {
		files = append(files, list...)
	}
	slices.SortFunc(files, func(a, b *file) int { return cmp.Or(cmp.Compare(b.To, a.To), cmp.Compare(b.ID, a.ID)) })
	if most := s.o.FilesMaxOpen / 2; len(files) > most {
		files = files[:most] // others have descriptors to open too
	}
	until := time.Now().Add(warmTime)
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(files) && time.Now().Before(until); i = int(next.Add(1)) - 1 {
				if f := files[i]; !f.damaged.Load() {
					f.warm(s.files, s.cache)
				}
			}
		})
	}
	group.Wait()
}

// warm is open, but that nobody is told of an error.
func (f *file) warm(fsys vfs.FS, cache *segment.Cache) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.reader != nil {
		return
	}
	r, err := segment.OpenLater(fsys, f.path, cache)
	if err != nil {
		return
	}
	if err := f.load(r); err != nil {
		_ = r.Close() // only read from
		return
	}
	if f.watch != nil {
		r.OnCorrupt(func(e *segment.CorruptError) { f.watch(f, "query", e) })
	}
	f.reader, f.loaded = r, true
}

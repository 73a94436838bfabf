package telemdb

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"

	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/vfs"
)

// spillDir is where queries put what does not fit in memory, inside the data directory.
const spillDir = "spill"

// openSpill makes the space for intermediate results: in the data directory, on the disk whose reserve the store watches,
// or, for a database in memory and one that may not be written, in the directory of temporary files. The directory is made
// when it is needed; what a crash has left in it is removed.
func (db *DB) openSpill(dir string) {
	fs, own := db.opts.fileSystem(dir), dir != "" && !db.opts.ReadOnly
	at := path.Join(dir, spillDir)
	if !own {
		fs = vfs.OS()
		at = path.Join(filepath.ToSlash(os.TempDir()), fmt.Sprintf("telemdb-spill-%016x", rand.Uint64()))
	}
	db.spill = spill.New(fs, at, db.spillLimit(fs, path.Dir(at)))
	if own {
		db.spill.SetReserve(func() bool { return db.store.Disk() == storage.DiskFull })
		if err := db.spill.Empty(); err != nil {
			db.opts.Logger.Warn("the directory of intermediate results cannot be emptied", "dir", at, "error", err)
		}
	}
}

// spillLimit is SpillBytes or its default; 0 is none.
func (db *DB) spillLimit(fs vfs.FS, dir string) int64 {
	switch n := db.opts.SpillBytes; {
	case n < 0:
		return 0
	case n > 0:
		return n
	}
	u, err := fs.DiskUsage(dir)
	if err != nil {
		return 0 // the disk's reserve still holds
	}
	return int64(u.Total / 4)
}

// closeSpill removes the directory. Queries that still run have lost the store already.
func (db *DB) closeSpill() error {
	if db.spill.Peak() == 0 {
		return nil // it was never made
	}
	return db.spill.Empty()
}

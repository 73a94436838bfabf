package meta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/telemdb/telemdb/storage/vfs"
)

// logCorruption is what Pebble calls when a read meets a block that fails its checksum. Left alone, Pebble takes that for
// fatal; here it is the error that the read returns.
func logCorruption(to *slog.Logger) func(pebble.DataCorruptionInfo) {
	return func(i pebble.DataCorruptionInfo) {
		to.Error("catalog file is corrupt", "file", i.Path, "err", i.Details)
	}
}

// CheckFiles verifies the checksum of every block of every table file that the catalog reads from. Others in its directory
// are being written, or are left from before a crash, and promise nothing. An error means that the check could not be made.
func (db *DB) CheckFiles(problem func(where, format string, args ...any)) error {
	levels, err := db.pdb.SSTables()
	if err != nil {
		return fmt.Errorf("check catalog: %w", err)
	}
	for _, level := range levels {
		for _, t := range level {
			name := path.Join(db.dir, fmt.Sprintf("%06d.sst", uint64(t.BackingSSTNum)))
			reads := &noteReads{FS: db.fs}
			f, err := vfs.Pebble(reads).Open(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // compacted away meanwhile
			}
			if err != nil {
				return fmt.Errorf("check catalog: %w", err)
			}
			err = checkTable(f)
			if reads.failed != nil { // a disk that does not answer has not shown a wrong byte
				return fmt.Errorf("check catalog: %w", reads.failed)
			}
			if err != nil {
				problem(name, "%v", err)
			}
		}
	}
	return nil
}

// noteReads keeps the first error of a file system that does not answer; the end of a file is an answer.
type noteReads struct {
	vfs.FS
	failed error
}

func (n *noteReads) Open(name string) (vfs.File, error) {
	f, err := n.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return &notedFile{f, n}, nil
}

type notedFile struct {
	vfs.File
	n *noteReads
}

func (f *notedFile) Size() (int64, error) {
	n, err := f.File.Size()
	if err != nil && f.n.failed == nil {
		f.n.failed = err
	}
	return n, err
}

func (f *notedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) && f.n.failed == nil {
		f.n.failed = err
	}
	return n, err
}

// checkTable verifies one file and closes it.
func checkTable(f sstable.ReadableFile) error {
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r, err := sstable.NewReader(context.Background(), readable, sstable.ReaderOptions{})
	if err != nil {
		return err
	}
	return errors.Join(r.ValidateBlockChecksums(), r.Close())
}

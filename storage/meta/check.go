package meta

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"

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

// CheckFiles verifies the checksum of every block of every table file of the instance in dir, which may be open. An error
// means that the check could not be made.
func CheckFiles(fsys vfs.FS, dir string, problem func(where, format string, args ...any)) error {
	names, err := fsys.List(dir)
	if err != nil {
		return fmt.Errorf("check catalog: %w", err)
	}
	pfs := vfs.Pebble(fsys)
	for _, n := range names {
		if !strings.HasSuffix(n, ".sst") {
			continue
		}
		name := path.Join(dir, n)
		f, err := pfs.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // compacted away meanwhile
		}
		if err == nil {
			err = checkTable(f)
		}
		if err != nil {
			problem(name, "%v", err)
		}
	}
	return nil
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

package inspect

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/vfs"
	"github.com/telemdb/telemdb/storage/wal"
)

// Options says what to print.
type Options struct {
	Head   int    // of a log file, the first so many records; of a row group, so many columns; 0: all
	Column string // of a segment, only the column of this path (a.b.c) and those below it, block by block
	// Submission describes the payload of a log record that holds a submission, in one line. nil: its size is printed.
	// The store does not know what is in there; whoever wrote it does.
	Submission func(payload []byte) string
}

// Path prints what is at name, whatever kind of file or directory of a store it is.
func Path(w io.Writer, fsys vfs.FS, name string, o Options) error {
	info, err := fsys.Stat(name)
	if err != nil {
		return err
	}
	if info.Dir {
		return directory(w, fsys, name, o)
	}
	if small := smallFiles[path.Base(name)]; small != nil {
		return small(w, fsys, name)
	}
	is := func(file func(vfs.FS, string) (bool, error)) bool {
		ok, fileErr := file(fsys, name)
		err = fileErr
		return ok && err == nil
	}
	switch {
	case is(segment.IsFile):
		return Segment(w, fsys, name, o)
	case err == nil && is(wal.IsFile):
		return Log(w, fsys, name, o)
	case err != nil:
		return err
	}
	return fmt.Errorf("%s begins as no file of telemdb does: a segment (.seg), a log file (.wal), a catalog (DIR/meta), FORMAT, LOCK, ballast, RESTORING, backup.json or a data directory can be inspected", name)
}

func directory(w io.Writer, fsys vfs.FS, name string, o Options) error {
	names, err := fsys.List(name)
	if err != nil {
		return err
	}
	has := func(n string) bool { return slices.Contains(names, n) }
	starts := func(prefix string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, prefix) })
	}
	switch {
	case has("FORMAT") && has("meta"):
		return Data(w, fsys, name, o)
	case starts("MANIFEST-") || starts("marker.manifest."):
		return Catalog(w, fsys, name, o)
	case slices.ContainsFunc(names, func(n string) bool { return path.Ext(n) == ".wal" }):
		for _, n := range names {
			if path.Ext(n) == ".wal" {
				if err := Log(w, fsys, path.Join(name, n), o); err != nil {
					return err
				}
			}
		}
		return nil
	case slices.ContainsFunc(names, func(n string) bool { return path.Ext(n) == ".seg" }):
		for _, n := range names {
			if path.Ext(n) == ".seg" {
				if err := Segment(w, fsys, path.Join(name, n), o); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return fmt.Errorf("%s is no data directory, no catalog, and holds no log files and no segments", name)
}

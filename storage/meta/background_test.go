package meta

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/vfs"
)

// TestOpenEndsOnADiskThatTakesNoTables: Pebble's Open waits for a flush of what it has replayed, and tries for ever.
func TestOpenEndsOnADiskThatTakesNoTables(t *testing.T) {
	fsys := vfs.NewMem()
	db := open(t, fsys)
	b := db.NewBatch()
	fill(b)
	must(t, db.Commit(b))
	must(t, db.Close())

	full := vfs.NewInjector(vfs.Rule{Ops: vfs.Ops(vfs.OpCreate, vfs.OpWrite), Glob: "*.sst", Sticky: true, Err: vfs.ErrNoSpace})
	opened := make(chan error, 1)
	go func() {
		db, err := Open(Options{FS: vfs.Fault(fsys, full), Dir: dir, Logger: slog.New(slog.DiscardHandler)})
		if err == nil {
			err = errors.Join(errors.New("it opened"), db.Close())
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		if !errors.Is(err, ErrFailed) || !errors.Is(err, vfs.ErrNoSpace) {
			t.Errorf("Open: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Open does not return")
	}

	db = open(t, fsys)
	s, err := db.Load()
	must(t, err)
	if len(s.Tables) != 1 {
		t.Errorf("%d tables after the disk has room again", len(s.Tables))
	}
	must(t, db.Close())
}

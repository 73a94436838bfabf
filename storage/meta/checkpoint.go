package meta

import (
	"fmt"
	"path"
)

// Checkpoint makes dir, which must not exist, a directory that Open opens as the instance is now: table files are hard
// links where the file system has them, the others copies. Nothing of it is synced: it serves this process's lifetime, or
// whoever copies and syncs it.
func (db *DB) Checkpoint(dir string) error {
	if err := db.err(); err != nil {
		return err
	}
	parent := path.Dir(dir) + "/"
	db.gate.scratch.Store(&parent)
	done := make(chan error, 1)
	go func() { done <- db.pdb.Checkpoint(dir) }() // of its own: a failure may park it
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("checkpoint of the catalog in %s: %w", dir, err)
		}
		return nil
	case <-db.failed:
		return db.err()
	}
}

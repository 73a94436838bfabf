package meta

import (
	"fmt"
	"time"
)

// Pebble tries a flush or compaction that has failed again at once, for as long as it fails, and its Open waits for the
// flush of what it has replayed. Without a hand on it, a full disk would be a process that burns a CPU, or one that never
// starts.

// The pauses between two tries. Pebble's mutex is held meanwhile, so they are short for an instance in use.
const (
	retryPause  = 10 * time.Millisecond
	failedPause = time.Second // of an instance that is cut off from its files and will never succeed
)

// backgroundError is called on Pebble's goroutine after each failed try.
func (db *DB) backgroundError(err error) {
	if db.gate.opening.Load() {
		db.fail(fmt.Errorf("flush what the catalog's log holds: %w", err))
	}
	if db.err() != nil {
		time.Sleep(failedPause)
		return
	}
	time.Sleep(retryPause)
}

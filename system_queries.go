package telemdb

import (
	"time"

	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/types"
)

var queryCols = cols("pid", types.Int64, "user_name", types.Text, "application", types.Text, "client", types.Text, "state", types.Text,
	"query", types.Text, "started", types.Timestamptz, "elapsed_seconds", types.Float64, "waited_seconds", types.Float64,
	"row_groups", types.Int64, "row_groups_done", types.Int64, "progress", types.Float64, "memory_bytes", types.Int64, "memory_peak_bytes", types.Int64,
	"spill_bytes", types.Int64)

// queryRows lists the statements that are running, this one too. Progress counts row groups of the scans that have begun, so
// it may fall when another begins.
func (d *database) queryRows(_ *storage.Snapshot, add func(...any)) error {
	for _, b := range d.sessions.Activity.Backends() {
		if b.State != "active" {
			continue
		}
		var progress any
		if b.Groups > 0 {
			progress = float64(b.GroupsDone) / float64(b.Groups)
		}
		add(int64(b.PID), b.User, b.Application, known(b.Remote), b.State, b.Query, b.Began, time.Since(b.Began).Seconds(), b.Waited.Seconds(),
			b.Groups, b.GroupsDone, progress, b.Memory, b.MemoryPeak, b.Spilled)
	}
	return nil
}

package telemdb

import (
	"context"
	"strings"

	"github.com/telemdb/telemdb/storage"
)

// Repaired is what a repair did, or could not do, about one thing.
type Repaired = storage.Repaired

// Repair makes again, from what is whole, what has been found damaged: rows of submissions from the landfill, roll-ups and
// document keys from rows. Each thing is told to report. What cannot be made again exactly is left as it is.
func (db *DB) Repair(ctx context.Context, report func(Repaired)) error {
	return db.store.Repair(ctx, report)
}

// Repair is telemdb.repair().
func (d *database) Repair(ctx context.Context) (string, error) {
	var said []string
	err := d.store.Repair(ctx, func(r storage.Repaired) { said = append(said, r.String()) })
	if err != nil {
		return "", sqlErrorOrNil(err)
	}
	if len(said) == 0 {
		return "nothing is damaged", nil
	}
	return strings.Join(said, "\n"), nil
}

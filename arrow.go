package telemdb

import (
	"context"

	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/telemdb/telemdb/engine/arrowio"
)

// QueryArrow runs one statement and returns its rows as Arrow records. The reader holds a snapshot of the database until
// it is released.
func (db *DB) QueryArrow(ctx context.Context, sql string, args ...any) (array.RecordReader, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return arrowio.NewReader(rows.Columns(), rows.columns(), rows.stmt.result.Next, rows.Close), nil
}

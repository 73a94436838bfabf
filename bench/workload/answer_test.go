package workload_test

import (
	"context"
	"testing"

	"github.com/telemdb/telemdb/bench/workload"
	"github.com/telemdb/telemdb/bench/workload/flat"
	"github.com/telemdb/telemdb/bench/workload/hits"
)

// workloads are both, at a scale.
func workloads(rows int64) []*workload.Workload {
	return []*workload.Workload{flat.Workload(rows), hits.Workload(rows)}
}

// rare are the queries that ask for what one row in thousands has: a small cut may have none.
var rare = map[string]bool{"hitsq22": true, "hitsq23": true, "hitsq24": true}

// TestTelemdbAnswersEveryQuery runs every statement, and where a query has another statement to be checked by, that one
// too; what the answers are is compared with other engines in bench/peers.
func TestTelemdbAnswersEveryQuery(t *testing.T) {
	rows := rowsFrom(t, "TELEMDB_WORKLOAD_ROWS", 20_000)
	for _, w := range workloads(rows) {
		t.Run(w.Name, func(t *testing.T) {
			conn := connect(t, open(t, w, rows, 2))
			for i := range w.Queries {
				q := &w.Queries[i]
				got, err := read(context.Background(), conn, workload.In(q.SQL, workload.Telemdb))
				if err != nil {
					t.Errorf("%s (%s): %v", q.Name, q.Title, err)
					continue
				}
				if len(got) == 0 && !rare[w.Name+q.Name] {
					t.Errorf("%s (%s): no rows, which proves nothing", q.Name, q.Title)
				}
				if len(q.Check) > 0 {
					if _, err := ask(context.Background(), conn, q); err != nil {
						t.Errorf("%s (%s), its check: %v", q.Name, q.Title, err)
					}
				}
			}
		})
	}
}

package workload_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/telemdb/telemdb"
	"github.com/telemdb/telemdb/bench/workload"
	"github.com/telemdb/telemdb/sql/opt"
	"github.com/telemdb/telemdb/storage/simd"
)

// mode is a way to run a plan that may change how long it takes, and not what it answers.
type mode struct {
	name     string
	settings []string // SET …
	plain    bool     // kernels run their Go twins
	rows     int64    // at most on so many rows; 0: any
}

// modes are those of the settings made for tests; one of an optimiser's rule each come with them.
func modes() []mode {
	out := []mode{
		{name: "batches of 1 row", settings: []string{"telemdb.batch_rows = 1"}},
		{name: "batches of 2 rows", settings: []string{"telemdb.batch_rows = 2"}},
		{name: "batches of 3 rows", settings: []string{"telemdb.batch_rows = 3"}},
		{name: "batches of 1024 rows", settings: []string{"telemdb.batch_rows = 1024"}},
		{name: "one thread", settings: []string{"telemdb.workers = 1"}},
		{name: "three threads", settings: []string{"telemdb.workers = 3"}},
		{name: "a worker for few rows", settings: []string{"telemdb.worker_rows = 131072"}},
		{name: "all spilled", settings: []string{"telemdb.force_spill = on"}},
		{name: "all spilled, no aggregate apart", settings: []string{"telemdb.force_spill = on", "telemdb.agg_apart = off"}},
		{name: "CASE copies texts", settings: []string{"telemdb.case_codes = off"}},
		{name: "nothing fused", settings: []string{"telemdb.fused = off"}},
		{name: "windows sort", settings: []string{"telemdb.window_clusters = off"}},
		{name: "semi joins gather rows", settings: []string{"telemdb.join_keys = off"}},
		{name: "no join in place", settings: []string{"telemdb.join_unique = off"}},
		{name: "joins put out by few bytes", settings: []string{"telemdb.join_bytes = 100"}},
		{name: "rows numbered whole from the first key", settings: []string{"telemdb.row_keys = 1"}},
		{name: "no rows numbered whole", settings: []string{"telemdb.row_keys = -1"}},
		{name: "all groups scattered", settings: []string{"telemdb.many_groups = 1"}},
		{name: "all groups scattered, spilled", settings: []string{"telemdb.many_groups = 1", "telemdb.force_spill = on"}},
		{name: "all groups scattered, no runs", settings: []string{"telemdb.many_groups = 1", "telemdb.runs = off"}},
		{name: "no groups of texts scattered", settings: []string{"telemdb.many_groups = 1", "telemdb.scatter_texts = off"}},
		{name: "all groups scattered, through tables", settings: []string{"telemdb.many_groups = 1", "telemdb.scatter_rows = off"}},
		{name: "no groups scattered", settings: []string{"telemdb.many_groups = 1", "telemdb.scatter = off"}},
		{name: "groups of few rows scattered", settings: []string{"telemdb.soon_groups = 1"}},
		{name: "groups of few rows scattered, one thread, nothing fused", settings: []string{"telemdb.soon_groups = 100", "telemdb.workers = 1", "telemdb.fused = off"}},
		{name: "groups of few rows as others", settings: []string{"telemdb.soon_groups = 0"}},
		{name: "nothing asked for ahead", settings: []string{"telemdb.scan_ahead = off"}},
		{name: "conditions one by one", settings: []string{"telemdb.scan_both = off"}},
		{name: "row groups filtered block by block", settings: []string{"telemdb.scan_groups = off"}},
		{name: "lookups one row group at a time", settings: []string{"telemdb.scan_lookup = off"}},
		{name: "every row group opened", settings: []string{"telemdb.scan_prune = off"}},
		{name: "no scan told of a join", settings: []string{"telemdb.join_filter = off"}},
		{name: "rows behind the first ones left out last", settings: []string{"telemdb.topn_first = off"}},
		{name: "no scan told of a top-N", settings: []string{"telemdb.topn_pushdown = off"}},
		{name: "texts made one by one", settings: []string{"telemdb.text_pieces = 1"}},
		{name: "all texts of a batch at once", settings: []string{"telemdb.text_pieces = -1"}},
		{name: "no SIMD", plain: true},
		{name: "no SIMD, one thread, nothing fused", plain: true, settings: []string{"telemdb.workers = 1", "telemdb.fused = off"}},
		{name: "all hashes equal", settings: []string{"telemdb.hash_equal = on"}, rows: 2000},
		{name: "all hashes equal, spilled", settings: []string{"telemdb.hash_equal = on", "telemdb.force_spill = on"}, rows: 2000},
	}
	for _, rule := range opt.Rules() {
		out = append(out, mode{name: "without the rule " + rule, settings: []string{"telemdb.optimizer_off = '" + rule + "'"}})
	}
	return out
}

// TestAnswersDoNotDependOnHowPlansRun asks every query of both workloads in every mode and compares with the answer of
// the defaults. TELEMDB_MODES_ROWS makes the cut another size than 5,000 rows.
func TestAnswersDoNotDependOnHowPlansRun(t *testing.T) {
	rows := rowsFrom(t, "TELEMDB_MODES_ROWS", 5000)
	for _, size := range []int64{rows, min(rows, 2000)} {
		for _, w := range workloads(size) {
			t.Run(fmt.Sprintf("%s of %d rows", w.Name, size), func(t *testing.T) {
				db := open(t, w, size, 3)
				want := askAll(t, w, connect(t, db))
				for _, m := range modes() {
					if (m.rows == 0) != (size == rows) && rows > 2000 {
						continue // each mode is for one of the sizes
					}
					t.Run(m.name, func(t *testing.T) { compareMode(t, w, db, m, want) })
				}
			})
		}
	}
}

// all are the mode's settings, with those that let several workers have a part in so few rows.
func (m *mode) all() []string { return append([]string{"telemdb.worker_rows = 0"}, m.settings...) }

// set changes the settings of a mode. SET takes any name with a dot, so SHOW is asked first whether it means something.
func (m *mode) set(t *testing.T, conn *sql.Conn) {
	t.Helper()
	ctx := context.Background()
	for _, s := range m.all() {
		name := strings.Fields(s)[0]
		if _, err := read(ctx, conn, "SHOW "+name); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.ExecContext(ctx, "SET "+s); err != nil {
			t.Fatalf("SET %s: %v", s, err)
		}
	}
}

// compareMode asks all queries in a mode.
func compareMode(t *testing.T, w *workload.Workload, db *telemdb.DB, m mode, want []answer) {
	conn := connect(t, db)
	m.set(t, conn)
	if m.plain {
		defer simd.Use(simd.Use(simd.Off))
	}
	defer func() {
		for _, s := range m.all() {
			if _, err := conn.ExecContext(context.Background(), "RESET "+strings.Fields(s)[0]); err != nil {
				t.Error(err)
			}
		}
	}()
	compareAll(t, w, conn, want)
}

func compareAll(t *testing.T, w *workload.Workload, conn *sql.Conn, want []answer) {
	t.Helper()
	for i := range w.Queries {
		q := &w.Queries[i]
		got, err := ask(context.Background(), conn, q)
		if err != nil {
			t.Errorf("%s (%s): %v", q.Name, q.Title, err)
			continue
		}
		if d := difference(q, want[i], got); d != "" {
			t.Errorf("%s (%s): %s", q.Name, q.Title, d)
		}
	}
}

// askAll returns the answers to all queries.
func askAll(t *testing.T, w *workload.Workload, conn *sql.Conn) []answer {
	t.Helper()
	out := make([]answer, len(w.Queries))
	for i := range w.Queries {
		q := &w.Queries[i]
		a, err := ask(context.Background(), conn, q)
		if err != nil {
			t.Fatalf("%s (%s): %v", q.Name, q.Title, err)
		}
		out[i] = a
	}
	return out
}

// TestAnswersDoNotDependOnHowRowsAreStored compares rows of one COPY, sealed, with rows that are sealed after each of
// many small ones, and with rows in the head. TELEMDB_MODES_ROWS makes the cut another size than 2,000 rows.
func TestAnswersDoNotDependOnHowRowsAreStored(t *testing.T) {
	rows := rowsFrom(t, "TELEMDB_MODES_ROWS", 2000)
	for _, w := range workloads(rows) {
		t.Run(w.Name, func(t *testing.T) {
			want := askAll(t, w, connect(t, open(t, w, rows, 1)))
			t.Run("sealed after every small insert", func(t *testing.T) {
				compareAll(t, w, connect(t, open(t, w, rows, int(min(rows/50, 1000)))), want)
			})
			t.Run("not sealed", func(t *testing.T) {
				compareAll(t, w, connect(t, open(t, w, rows, unsealed)), want)
			})
		})
	}
}

// TestEverySwitchOfAnOptimisationHasItsMode holds the modes against the settings there are: a new switch is tried too.
func TestEverySwitchOfAnOptimisationHasItsMode(t *testing.T) {
	ctx := context.Background()
	conn := connect(t, open(t, workloads(10)[0], 10, 1))
	rows, err := conn.QueryContext(ctx, "SELECT name FROM pg_settings WHERE name LIKE 'telemdb.%'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(modes(), func(m mode) bool {
			return slices.ContainsFunc(m.settings, func(s string) bool { return strings.HasPrefix(s, name+" ") })
		}) {
			t.Errorf("no mode sets %s", name)
		}
	}
	if err := rows.Err(); err != nil || n < 8 {
		t.Errorf("%d settings, %v", n, err)
	}
}

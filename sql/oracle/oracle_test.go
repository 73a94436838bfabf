package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/sql/opt"
	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/simd"
)

// perWorld is how many queries are asked of the same tables.
const perWorld = 50

// TestRandomQueriesHaveOneAnswer plays seeds; see the package's documentation.
func TestRandomQueriesHaveOneAnswer(t *testing.T) {
	j := &judge{t: t, own: connect(t, serve(t), true), duck: startDuck(t)}
	if url := postgres(); url != "" {
		j.peer = connect(t, url, false)
		j.peer.must(t, "SET timezone = 'UTC'; SET statement_timeout = '10s'; SET client_min_messages = error")
	}
	j.own.must(t, "SET statement_timeout = '10s'; SET telemdb.worker_rows = 0") // tables are small, and several workers are to meet
	failures := 0
	for seed := range prove.Seeds(t, "oracle", 100) {
		if at := seed / perWorld; j.w == nil || j.w.seed != at {
			j.load(newWorld(at))
		}
		if fault := j.play(seed); fault != "" {
			failures++
			fmt.Fprintf(os.Stderr, "TELEMDB_SEED=%d: %s\n\n", seed, fault)
			if failures >= 8 || os.Getenv("TELEMDB_ORACLE_GO_ON") == "" {
				t.Errorf("TELEMDB_SEED=%d: %s", seed, fault)
			}
		}
	}
	if failures > 0 && !t.Failed() {
		t.Errorf("%d seeds failed", failures)
	}
	j.tally()
}

func postgres() string {
	if url := os.Getenv("TELEMDB_TEST_POSTGRES"); url != "" {
		return url
	}
	return os.Getenv("TELEMDB_PG_URL")
}

// judge asks and compares.
type judge struct {
	t         *testing.T
	own, peer *server
	duck      *duck
	w         *world

	errors, empty, peers, ducks, partitions, limits, modes int64
}

func (j *judge) tally() {
	prove.Tally(j.t, "oracle answers that are an error", j.errors)
	prove.Tally(j.t, "oracle answers without rows", j.empty)
	prove.Tally(j.t, "oracle answers compared with PostgreSQL", j.peers)
	prove.Tally(j.t, "oracle answers compared with DuckDB", j.ducks)
	prove.Tally(j.t, "oracle queries partitioned", j.partitions)
	prove.Tally(j.t, "oracle groupings asked for some groups", j.limits)
	prove.Tally(j.t, "oracle runs in another mode", j.modes)
}

func (j *judge) load(w *world) {
	j.w = w
	j.own.fill(j.t, w)
	if j.peer != nil {
		j.peer.fill(j.t, w)
	}
	if j.duck != nil {
		j.duck.fill(j.t, w)
	}
}

// play returns what is wrong with the answers to a seed's query, which it shrinks.
func (j *judge) play(seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 1))
	q := newQuery(r, j.w)
	p := (&scope{r: r, w: j.w, cols: j.w.tables[0].as("a"), nested: 1}).condition(1)
	m := drawModes(r)
	whole := q.String()
	fault := j.fault(q, p, m, true)
	if fault == "" {
		return ""
	}
	q.simpler(func() bool { return j.fault(q, p, m, false) != "" })
	return fmt.Sprintf("%s\n  of   %s\n  from %s\n  and  %s", j.fault(q, p, m, false), q, whole, fault)
}

// fault compares a query's answers. A query that is not valid has none.
func (j *judge) fault(q *query, p *node, modes []mode, count bool) string {
	text := q.String()
	want := j.own.ask(text)
	if count {
		j.count(want)
	}
	if want.state == "XX000" || want.state == "?" {
		return "telemdb: " + want.state + " " + want.message
	}
	l := leeway{ordered: len(q.order) > 0, types: true}
	if d := j.otherwise(text, want, modes, l, q.sums); d != "" {
		return d
	}
	if j.peer != nil {
		if count {
			j.peers++
		}
		l := l
		l.sums = q.sums
		if d := apart(want, j.peer.ask(q.sortedOutside()), l); d != "" && !known(d) {
			return "PostgreSQL: " + d
		}
	}
	if j.duck != nil {
		if d := j.compareDuck(q, text, want, count); d != "" && !known(d) {
			return d
		}
	}
	if want.state == "" {
		if d := j.anyGroups(q, want); d != "" {
			return d
		}
		return j.partition(q, p, want)
	}
	return ""
}

// anyGroups asks for some groups or ranks, whichever: they have to be among all of them, and as many as there are.
func (j *judge) anyGroups(q *query, want *answer) string {
	if q.keys == 0 && !q.distinct && q.ranks == "" || q.limit != "" || len(q.order) > 0 || q.sums {
		return ""
	}
	limit, skip := 1+len(want.rows)/3, len(want.rows)%3
	got := j.own.ask(fmt.Sprintf("%s LIMIT %d OFFSET %d", q, limit, skip))
	if got.state != "" || len(got.rows) != min(limit, max(0, len(want.rows)-skip)) {
		return fmt.Sprintf("LIMIT %d OFFSET %d of %d groups: %d rows, error %q %s", limit, skip, len(want.rows), len(got.rows), got.state, got.message)
	}
	all := map[string]int{}
	for _, r := range want.rows {
		all[fmt.Sprintf("%q", r)]++
	}
	for _, r := range got.rows {
		key := fmt.Sprintf("%q", r)
		if all[key]--; all[key] < 0 {
			return fmt.Sprintf("LIMIT %d OFFSET %d: no group is %s", limit, skip, key)
		}
	}
	j.limits++
	return ""
}

func (j *judge) count(a *answer) {
	switch {
	case a.state != "":
		j.errors++
	case len(a.rows) == 0:
		j.empty++
	}
}

// known are differences that are meant: what their text says, and why.
func known(difference string) bool {
	for _, k := range []struct{ says, why string }{
		{"57014", "one ran out of the time that it is given for a statement"},
		{"FULL JOIN is only supported with merge-joinable", "PostgreSQL cannot run it, telemdb can"},
	} {
		if strings.Contains(difference, k.says) {
			return true
		}
	}
	return false
}

// mode is a way to run a plan that may not change its answer.
type mode struct {
	settings []string
	level    *simd.Level
}

func (m mode) String() string {
	if m.level != nil {
		return "no SIMD"
	}
	return strings.Join(m.settings, "; ")
}

// cuts tells whether a mode adds floats in another order by design: they are added in words of 64 rows of a batch, and
// a join of another plan, or on disk, where it goes partition by partition, gives rows in another order, or batches of other rows. All
// other modes have to agree to the last bit.
func (m mode) cuts(text string) bool {
	s := strings.Join(m.settings, " ")
	joins := strings.Contains(s, "optimizer_off") || strings.Contains(s, "join_") || strings.Contains(s, "force_spill")
	return strings.Contains(s, "batch_rows") || strings.Contains(s, "text_pieces") || joins && (strings.Contains(text, " JOIN ") || strings.Contains(text, "(SELECT "))
}

// drawModes chooses some modes.
func drawModes(r *rand.Rand) []mode {
	all := allModes(r)
	r.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	return all[:3]
}

func allModes(r *rand.Rand) []mode {
	off := simd.Off
	return []mode{
		{settings: []string{"telemdb.optimizer_off = '" + strings.Join(opt.Rules(), ",") + "'"}},
		{settings: []string{"telemdb.optimizer_off = '" + opt.Rules()[r.IntN(len(opt.Rules()))] + "'"}},
		{settings: []string{"telemdb.fused = off"}},
		{settings: []string{"telemdb.workers = 1"}},
		{settings: []string{"telemdb.workers = 5"}},
		{settings: []string{fmt.Sprintf("telemdb.batch_rows = %d", []int{1, 2, 3, 7, 1000}[r.IntN(5)])}},
		{settings: []string{"telemdb.force_spill = on"}},
		{settings: []string{"telemdb.force_spill = on", "telemdb.agg_apart = off"}},
		{settings: []string{"telemdb.hash_equal = on"}},
		{settings: []string{"telemdb.fused = off", "telemdb.workers = 1", "telemdb.force_spill = on"}},
		{settings: []string{"telemdb.window_clusters = off"}},
		{settings: []string{"telemdb.join_keys = off"}},
		{settings: []string{"telemdb.join_unique = off"}},
		{settings: []string{"telemdb.join_filter = off"}},
		{settings: []string{"telemdb.many_groups = 1"}},
		{settings: []string{"telemdb.many_groups = 1", "telemdb.force_spill = on"}},
		{settings: []string{"telemdb.many_groups = 1", "telemdb.runs = off"}},
		{settings: []string{"telemdb.many_groups = 1", "telemdb.scatter = off"}},
		{settings: []string{"telemdb.many_groups = 1", "telemdb.scatter_texts = off"}},
		{settings: []string{"telemdb.many_groups = 1", "telemdb.scatter_rows = off"}},
		{settings: []string{"telemdb.soon_groups = 0"}},
		{settings: []string{fmt.Sprintf("telemdb.soon_groups = %d", []int{1, 5, 20}[r.IntN(3)])}},
		{settings: []string{"telemdb.case_codes = off"}},
		{settings: []string{"telemdb.runs = off"}},
		{settings: []string{"telemdb.scan_groups = off"}},
		{settings: []string{"telemdb.scan_both = off"}},
		{settings: []string{"telemdb.scan_lookup = off"}},
		{settings: []string{"telemdb.scan_prune = off"}},
		{settings: []string{"telemdb.topn_pushdown = off"}},
		{settings: []string{"telemdb.topn_first = off"}},
		{settings: []string{"telemdb.scan_ahead = off"}},
		{settings: []string{fmt.Sprintf("telemdb.join_bytes = %d", []int{1, 10, 100}[r.IntN(3)])}},
		{settings: []string{"telemdb.row_keys = 1"}},
		{settings: []string{"telemdb.row_keys = -1"}},
		{settings: []string{fmt.Sprintf("telemdb.text_pieces = %d", []int{-1, 1, 100}[r.IntN(3)])}},
		{level: &off},
	}
}

// TestEverySwitchOfAnOptimisationIsDrawn holds the modes against the settings there are: random queries meet a new one too.
func TestEverySwitchOfAnOptimisationIsDrawn(t *testing.T) {
	drawn := map[string]bool{"telemdb.worker_rows": true} // it is 0 in all modes: see TestRandomQueriesHaveOneAnswer
	for _, m := range allModes(rand.New(rand.NewPCG(1, 1))) {
		for _, s := range m.settings {
			drawn[strings.Fields(s)[0]] = true
		}
	}
	all := connect(t, serve(t), true).ask("SELECT name FROM pg_settings WHERE name LIKE 'telemdb.%'")
	for _, row := range all.rows {
		if !drawn[row[0]] {
			t.Errorf("no mode sets %s", row[0])
		}
	}
	if len(all.rows) < 8 {
		t.Errorf("%d settings: %s", len(all.rows), all.message)
	}
}

// otherwise runs a statement in modes.
func (j *judge) otherwise(text string, want *answer, modes []mode, l leeway, sums bool) string {
	for _, m := range modes {
		if m.settings != nil && m.settings[0] == "telemdb.hash_equal = on" && j.w.rows > 1000 {
			continue // its time grows with the square
		}
		j.modes++
		l := l
		l.sums = sums && m.cuts(text)
		if d := apart(want, j.in(m, text), l); d != "" && !known(d) {
			return fmt.Sprintf("%s: %s", m, d)
		}
	}
	return ""
}

func (j *judge) in(m mode, text string) *answer {
	if m.level != nil {
		defer simd.Use(simd.Use(*m.level))
	}
	for _, s := range m.settings {
		j.own.must(j.t, "SET "+s)
		defer j.own.must(j.t, "RESET "+strings.Fields(s)[0])
	}
	return j.own.ask(text)
}

// partition compares a query with its parts by a predicate.
func (j *judge) partition(q *query, p *node, want *answer) string {
	if q.limit != "" || q.setOp != "" || q.sets != "" || q.having != nil || windowed(q) {
		return ""
	}
	how := "UNION ALL"
	if q.distinct {
		how = "UNION"
	}
	parts := make([]string, 3)
	for i, f := range []string{"%s", "NOT %s", "%s IS NULL"} {
		part := *q
		part.with, part.order = nil, nil
		part.where = append(part.where[:len(part.where):len(part.where)], op(boolean, "("+f+")", p))
		parts[i] = part.String()
	}
	all := strings.Join(parts, " "+how+" ")
	if q.grouped {
		if all = regroup(q, all); all == "" {
			return ""
		}
	}
	if len(q.with) > 0 {
		all = "WITH " + strings.Join(q.with, ", ") + " " + all
	}
	j.partitions++
	if d := apart(want, j.own.ask(all), leeway{sums: q.sums}); d != "" {
		return fmt.Sprintf("partitions by %s: %s\n  parts %s", p, d, all)
	}
	return ""
}

func windowed(q *query) bool {
	for _, n := range q.items {
		if n.kind == kinds {
			return true
		}
	}
	return false
}

// regroup adds up the groups of partitions, or returns "" if an aggregate cannot be.
func regroup(q *query, parts string) string {
	var items, keys []string
	for i, n := range q.items {
		c := fmt.Sprintf("c%d", i+1)
		text := n.String()
		if n.kids != nil && strings.Contains(n.format, "FILTER") {
			text = n.kids[0].String()
		}
		switch name, _, _ := strings.Cut(text, "("); {
		case i < q.keys:
			items, keys = append(items, c), append(keys, c)
		case strings.Contains(text, "(DISTINCT"):
			return ""
		case name == "count":
			items = append(items, "sum("+c+")::bigint")
		case name == "sum" || name == "min" || name == "max" || name == "bool_and" || name == "bool_or":
			items = append(items, name+"("+c+")")
		default:
			return ""
		}
	}
	sql := fmt.Sprintf("SELECT %s FROM (%s) parts", strings.Join(items, ", "), parts)
	if len(keys) > 0 {
		sql += " GROUP BY " + strings.Join(keys, ", ")
	}
	return sql
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/telemdb/telemdb/bench/peer"
	"github.com/telemdb/telemdb/bench/workload"
	"github.com/telemdb/telemdb/bench/workload/flat"
	"github.com/telemdb/telemdb/bench/workload/hits"
)

var (
	cmpRows    = flag.Int64("rows", 0, "flat, hits: rows of the large table; 0: as many as the workload has")
	cmpRounds  = flag.Int("rounds", 7, "flat, hits: quiet rounds of each query on each engine, whose median counts")
	cmpRetries = flag.Int("retries", 7, "flat, hits, limits: more rounds of a query at most, in the place of noisy ones")
	cmpCold    = flag.Int("cold", 3, "flat, hits: cold runs of each query on each engine; 0: none")
	cmpQueries = flag.String("queries", "", "flat, hits: names of queries, separated by commas; empty: all")
	cmpPeers   = flag.String("peers", "duckdb,clickhouse,postgres", "flat, hits: engines beside telemdb that take part if they are there; empty: none")
	cmpCut     = flag.Int64("cut", 1_000_000, "flat, hits: rows of the cut that PostgreSQL is measured on; 0: without it")
	cmpKeep    = flag.String("keep", "", "flat, hits, limits: directory where loaded databases are kept, and found again by the next run")
	cmpMemory  = flag.Int64("memory", 0, "flat, hits, limits: MiB each engine may use; 0: a quarter of the machine's")
	cmpThreads = flag.Int("threads", 2, "flat, hits, limits: threads of each engine")
	cmpTimeout = flag.Duration("timeout", 2*time.Minute, "flat, hits, limits: how long a query may take before its engine is killed")
	cmpSmall   = flag.Int64("small", 256, "flat, hits: MiB of memory of a query with which telemdb has to complete every one too; 0: not tried")
	cmpPython  = flag.String("python", filepath.Join("bench", "peers", ".venv", "bin", "python"), "flat, hits: Python that has chdb")
	cmpOut     = flag.String("out", filepath.Join("bench", "report"), "flat, hits, limits: directory of the reports and plots; empty: print only, -report is left alone too")
	cmpStrict  = flag.Bool("strict", false, "flat, hits: fail if an answer differs, if telemdb has none, also with little memory, or if no answer was compared")
)

func init() {
	parts = append(parts,
		part{"flat", "telemetry-flat beside DuckDB, ClickHouse and PostgreSQL: load, size, warm and cold queries", compareFlat},
		part{"hits", "the shape of the ClickBench table and its 43 queries, beside the same engines", compareHits},
	)
}

func compareFlat(_ context.Context, b *bench) error {
	return compareWorkload(b, flat.Workload(*cmpRows))
}

func compareHits(_ context.Context, b *bench) error {
	return compareWorkload(b, hits.Workload(*cmpRows))
}

// comparison is one workload at one size on several engines.
type comparison struct {
	w       *workload.Workload
	rows    int64
	dir     string // of databases and CSV files
	engines []*engine
	loads   map[string]*loaded
	queries []*queryRun
	began   time.Time
}

func (c *comparison) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "  %7.1fs  %s\n", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}

// compareWorkload runs the workload on all engines but PostgreSQL, and then its cut on telemdb, DuckDB and PostgreSQL.
func compareWorkload(b *bench, w *workload.Workload) error {
	if err := w.Validate(); err != nil {
		return err
	}
	rows := *cmpRows
	if rows == 0 {
		rows = w.Scale
	}
	engines, err := enginesWanted(b)
	if err != nil {
		return err
	}
	full, cut := engines, []*engine(nil)
	if rows > *cmpCut {
		full = slices.DeleteFunc(slices.Clone(engines), func(e *engine) bool { return e.dialect == workload.Postgres })
		if *cmpCut > 0 && len(full) < len(engines) {
			cut = slices.DeleteFunc(slices.Clone(engines), func(e *engine) bool { return e.dialect == workload.ClickHouse || e.from != nil })
		}
	}
	rep := newReport(b, w, rows)
	if rep.Main, err = runComparison(b, w, rows, full); err != nil {
		return err
	}
	if cut != nil {
		if rep.Cut, err = runComparison(b, cutOf(w), *cmpCut, cut); err != nil {
			return err
		}
	}
	rep.judge()
	b.body, b.printOnly = rep.markdown(), *cmpOut == ""
	if err := rep.write(*cmpOut); err != nil || !*cmpStrict {
		return err
	}
	return rep.faults()
}

// cutOf is the workload at the size of the cut: its queries may name values that depend on the size.
func cutOf(w *workload.Workload) *workload.Workload {
	if w.Name == "hits" {
		return hits.Workload(*cmpCut)
	}
	return flat.Workload(*cmpCut)
}

func enginesWanted(b *bench) ([]*engine, error) {
	var wanted []string
	for _, name := range strings.Split(*cmpPeers, ",") {
		if name = strings.TrimSpace(name); name != "" && name != "telemdb" {
			wanted = append(wanted, name)
		}
	}
	if err := os.Chmod(b.dir, 0o755); err != nil { // PostgreSQL may run as another user
		return nil, err
	}
	engines, err := buildPeers(wanted, b.dir, *cmpPython, func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "  "+format+"\n", args...)
	})
	memory := *cmpMemory << 20
	if memory == 0 {
		memory = machineMemory() / 4
	}
	for _, e := range engines {
		e.open = peer.Request{Threads: *cmpThreads, Memory: memory}
	}
	return engines, err
}

// runComparison loads and asks. Whatever happens, no process is left.
func runComparison(b *bench, w *workload.Workload, rows int64, engines []*engine) (r *result, err error) {
	c := &comparison{w: w, rows: rows, engines: engines, loads: map[string]*loaded{}, began: time.Now()}
	c.dir = filepath.Join(b.dir, fmt.Sprintf("%s-%d", w.Name, rows))
	if *cmpKeep != "" {
		if c.dir, err = filepath.Abs(filepath.Join(*cmpKeep, fmt.Sprintf("%s-%d", w.Name, rows))); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, err
	}
	for _, e := range engines {
		e.dir = filepath.Join(c.dir, strings.ReplaceAll(e.name, " ", "-"))
		defer e.kill()
	}
	c.say("%s: %d rows on %d engines", w.Name, rows, len(engines))
	if err := c.load(); err != nil {
		return nil, err
	}
	if err := c.ask(); err != nil {
		return nil, err
	}
	var stopped error
	for _, e := range engines {
		stopped = errors.Join(stopped, e.stop())
	}
	if *cmpKeep == "" {
		stopped = errors.Join(stopped, os.RemoveAll(c.dir))
	}
	return c.result(), stopped
}

// queryRun is a query and what became of it on each engine.
type queryRun struct {
	q    workload.Query
	runs map[string]*outcome
	ref  *answer // that others are compared with; nil: none had one
	from string  // the engine that gave it
	// exact is what estimates are held against.
	exact *answer
}

// outcome is what became of a query on one engine.
type outcome struct {
	Error   string   `json:"error,omitempty"`   // it gave no answer
	Differs string   `json:"differs,omitempty"` // it gave another answer than the reference
	Alone   bool     `json:"alone,omitempty"`   // nobody else answered, so nothing was compared
	Rows    int      `json:"rows"`
	Format  string   `json:"format,omitempty"`
	Warm    []sample `json:"warm,omitempty"`
	Cold    []sample `json:"cold,omitempty"`
	WarmNS  int64    `json:"warm_ns,omitempty"`
	ColdNS  int64    `json:"cold_ns,omitempty"`
	Noisy   bool     `json:"noisy,omitempty"` // too few quiet rounds
	Idle    int64    `json:"rss_idle,omitempty"`
	Peak    int64    `json:"rss_peak,omitempty"`
	Memory  int64    `json:"memory_accounted,omitempty"`
	Small   string   `json:"small,omitempty"` // "ok", or how it failed with little memory
}

// counts tells whether times of it may be shown.
func (r *outcome) counts() bool { return r != nil && r.Error == "" && r.Differs == "" }

// selectOne is asked of every engine beside the workload, to show what a statement takes that does nothing.
var selectOne = workload.Query{Name: "select1", Title: "SELECT 1", SQL: workload.Everywhere("SELECT 1")}

func (c *comparison) ask() error {
	c.queries = append(c.queries, &queryRun{q: selectOne, runs: map[string]*outcome{}})
	for _, q := range c.w.Queries {
		if *cmpQueries == "" || slices.Contains(strings.Split(*cmpQueries, ","), q.Name) {
			c.queries = append(c.queries, &queryRun{q: q, runs: map[string]*outcome{}})
		}
	}
	for _, q := range c.queries {
		c.answers(q)
		c.memory(q)
		c.warm(q)
		c.say("%s", q.line(c.engines))
	}
	if *cmpSmall > 0 {
		if err := c.littleMemory(); err != nil {
			return err
		}
	}
	for _, q := range c.queries {
		c.cold(q)
	}
	return nil
}

// line is the progress of a query for people.
func (q *queryRun) line(engines []*engine) string {
	s := fmt.Sprintf("%-8s", q.q.Name)
	for _, e := range engines {
		r := q.runs[e.name]
		switch {
		case r.Error != "":
			s += fmt.Sprintf("  %s: %s", e.name, shorten(r.Error, 90))
		case r.Differs != "":
			s += fmt.Sprintf("  %s differs: %s", e.name, shorten(r.Differs, 160))
		default:
			s += fmt.Sprintf("  %s %s", e.name, msOf(r.WarmNS))
		}
		if r.Noisy {
			s += " (noisy)"
		}
	}
	return s
}

func shorten(s string, n int) string {
	if s = firstLine(s); len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// answers asks every engine once and compares.
func (c *comparison) answers(q *queryRun) {
	got := map[string]*answer{}
	for _, e := range c.engines {
		r := &outcome{}
		q.runs[e.name] = r
		a, err := c.rowsOf(e, q.checked())
		if err == nil && q.q.Check != nil {
			_, err = e.call(&peer.Request{Op: peer.Query, SQL: workload.In(q.q.SQL, e.dialect)}, *cmpTimeout)
		}
		if err != nil {
			r.Error = err.Error()
			continue
		}
		r.Rows, got[e.name] = len(a.rows), a
	}
	c.chooseReference(q, got)
	for name, a := range got {
		if err := q.compare(a); err != nil {
			q.runs[name].Differs = fmt.Sprintf("%v (compared with %s)", err, q.from)
		}
		q.runs[name].Alone = len(got) == 1
	}
}

// checked is the statement whose answers are compared.
func (q *queryRun) checked() map[workload.Dialect]string {
	if q.q.Check != nil {
		return q.q.Check
	}
	return q.q.SQL
}

func (c *comparison) rowsOf(e *engine, sql map[workload.Dialect]string) (*answer, error) {
	r, err := e.call(&peer.Request{Op: peer.Query, SQL: workload.In(sql, e.dialect), Verify: true}, *cmpTimeout)
	if err != nil {
		return nil, err
	}
	return &answer{r.Columns, r.Data}, nil
}

// referees is whose answer is the reference if it has one: anybody's but ours.
var referees = []string{"duckdb", "clickhouse", "postgres", "duckdb sorted", "telemdb"}

func (c *comparison) chooseReference(q *queryRun, got map[string]*answer) {
	for _, name := range referees {
		e := c.byName(name)
		if e == nil || got[name] == nil {
			continue
		}
		if q.q.Approx != nil {
			exact, err := c.rowsOf(e, q.q.Approx.Exact)
			if err != nil {
				continue
			}
			q.exact = exact
		}
		q.ref, q.from = got[name], name
		return
	}
}

// compare holds an answer against the reference.
func (q *queryRun) compare(a *answer) error {
	switch {
	case q.q.Approx == nil:
		return sameAnswer(&q.q, q.ref, a)
	case q.exact == nil:
		return errors.New("nobody answers exactly, so the estimate cannot be judged")
	}
	return goodEstimate(&q.q, q.exact, a)
}

// memory runs a query once more in a process that holds nothing but its cache, and notes the peak. It also finds the
// fastest way to fetch this query's rows.
func (c *comparison) memory(q *queryRun) {
	for _, e := range c.engines {
		r := q.runs[e.name]
		if r.Error != "" {
			continue
		}
		sql := workload.In(q.q.SQL, e.dialect)
		best := int64(0)
		for _, f := range e.formats {
			got, err := e.call(&peer.Request{Op: peer.Query, SQL: sql, Format: f, Repeat: 2}, *cmpTimeout)
			if err != nil {
				r.Error = err.Error()
				break
			}
			if t := slices.Min(got.Nanos); best == 0 || t < best {
				best, r.Format = t, f
			}
		}
		if r.Error != "" {
			continue
		}
		idle, err := e.call(&peer.Request{Op: peer.Trim}, openMax)
		if err != nil {
			r.Error = err.Error()
			continue
		}
		got, err := e.call(&peer.Request{Op: peer.Query, SQL: sql, Format: r.Format}, *cmpTimeout)
		if err != nil {
			r.Error = err.Error()
			continue
		}
		r.Idle, r.Peak, r.Memory = idle.RSS, got.Peak, got.Memory
		r.WarmNS = min(best, got.Nanos[0])
	}
}

// A round of a short query is many of them, so that its CPU time can be told from its wall time.
const (
	roundLeast = 30 * time.Millisecond
	repeatMost = 50
)

// warm runs a query on all engines in turn until each has enough quiet rounds.
func (c *comparison) warm(q *queryRun) {
	for round := range *cmpRounds + *cmpRetries {
		busy := false
		for i := range c.engines {
			e := c.engines[(i+round)%len(c.engines)] // nobody is always the first
			r := q.runs[e.name]
			if !r.counts() || judge(r.Warm, *cmpThreads, runtime.NumCPU()) >= *cmpRounds {
				continue
			}
			busy = true
			if s, err := c.sample(e, q, r, repeatsFor(r.WarmNS)); err != nil {
				r.Error = err.Error()
			} else {
				r.Warm = append(r.Warm, s)
			}
		}
		if !busy {
			break
		}
	}
	for _, r := range q.runs {
		if !r.counts() {
			r.WarmNS = 0
			continue
		}
		judge(r.Warm, *cmpThreads, runtime.NumCPU())
		r.WarmNS, r.Noisy = medianOf(r.Warm, *cmpRounds)
	}
}

func repeatsFor(ns int64) int {
	return int(min(repeatMost, max(1, int64(roundLeast)/max(ns, 1))))
}

// sample is one round.
func (c *comparison) sample(e *engine, q *queryRun, r *outcome, repeat int) (s sample, err error) {
	busy := machineBusy()
	got, err := e.call(&peer.Request{Op: peer.Query, SQL: workload.In(q.q.SQL, e.dialect), Format: r.Format, Repeat: repeat}, *cmpTimeout)
	if err != nil {
		return s, err
	}
	others := int64(machineBusy()-busy) - got.CPU
	return sample{Nanos: medianNanos(slices.Clone(got.Nanos)), Wall: got.Wall, CPU: got.CPU, Others: max(0, others), Times: len(got.Nanos)}, nil
}

// cold runs a query as the first one of an engine whose files are not in memory. Waiting for the disk takes no CPU, so only
// what others did says whether the run was quiet.
func (c *comparison) cold(q *queryRun) {
	for round := range *cmpCold {
		for i := range c.engines {
			e := c.engines[(i+round)%len(c.engines)]
			r := q.runs[e.name]
			if !r.counts() {
				continue
			}
			for range 2 { // a noisy run has one more try
				err := c.restartCold(e)
				var s sample
				if err == nil {
					s, err = c.sample(e, q, r, 1)
				}
				if err != nil {
					r.Error = err.Error()
					break
				}
				s.Counts = !othersBusy(&s, runtime.NumCPU())
				r.Cold = append(r.Cold, s)
				if s.Counts {
					break
				}
			}
		}
	}
	for _, r := range q.runs {
		if r.counts() && len(r.Cold) > 0 {
			r.ColdNS, _ = medianOf(r.Cold, 1)
		}
	}
	if *cmpCold > 0 {
		c.say("%s", q.coldLine(c.engines))
	}
}

func (q *queryRun) coldLine(engines []*engine) string {
	s := fmt.Sprintf("%-8s cold", q.q.Name)
	for _, e := range engines {
		if r := q.runs[e.name]; r.counts() {
			s += fmt.Sprintf("  %s %s", e.name, msOf(r.ColdNS))
		}
	}
	return s
}

func (c *comparison) restartCold(e *engine) error {
	if err := errors.Join(e.stop(), dropPages(e.dir)); err != nil {
		return err
	}
	return e.start()
}

// littleMemory asks telemdb everything again with little memory for a query: each has to complete with the same answer.
func (c *comparison) littleMemory() error {
	e := c.byName("telemdb")
	if err := e.stop(); err != nil {
		return err
	}
	e.open.QueryMemory = *cmpSmall << 20
	for _, q := range c.queries {
		r := q.runs[e.name]
		if !r.counts() {
			continue
		}
		a, err := c.rowsOf(e, q.checked())
		if err == nil {
			err = q.compare(a)
		}
		if r.Small = "ok"; err != nil {
			r.Small = err.Error()
			c.say("%s with %d MiB: %s", q.q.Name, *cmpSmall, shorten(r.Small, 160))
		}
	}
	e.open.QueryMemory = 0
	return e.stop()
}

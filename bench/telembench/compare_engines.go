package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/telemdb/telemdb/bench/peer"
	"github.com/telemdb/telemdb/bench/workload"
)

// engine is one engine in one configuration: what has a column in the report.
type engine struct {
	name    string // "duckdb sorted"
	dialect workload.Dialect
	about   string // its configuration, for people
	program []string
	dir     string
	from    *engine // built from this engine's database instead of from CSV
	open    peer.Request

	proc    *peer.Process
	version string
	formats []string
	opened  time.Duration
}

// start runs the process and opens the database.
func (e *engine) start() error {
	if err := os.MkdirAll(e.dir, 0o755); err != nil {
		return err
	}
	p, err := peer.Start(e.program[0], e.program[1:]...)
	if err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	e.proc = p
	q := e.open
	q.Op, q.Dir = peer.Open, e.dir
	r, err := p.Call(&q, openMax)
	if err != nil {
		e.kill()
		return fmt.Errorf("%s: open: %w", e.name, err)
	}
	e.version, e.formats, e.opened = r.Version, r.Formats, time.Duration(r.Nanos[0])
	return nil
}

// How long a peer may take before it is killed. Statements of the workload have a flag.
const (
	openMax = 2 * time.Minute
	loadMax = 30 * time.Minute
	stopMax = 3 * time.Minute
)

// call sends a request. An engine whose process has ended is started again, so that one query cannot end the run.
func (e *engine) call(q *peer.Request, within time.Duration) (*peer.Response, error) {
	if e.proc == nil {
		if err := e.start(); err != nil {
			return nil, err
		}
	}
	r, err := e.proc.Call(q, within)
	if errors.Is(err, peer.ErrEnded) {
		e.proc = nil
	}
	return r, err
}

func (e *engine) exec(sql string, within time.Duration) error {
	_, err := e.call(&peer.Request{Op: peer.Exec, SQL: sql}, within)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", e.name, firstLine(sql), err)
	}
	return nil
}

func (e *engine) stop() error {
	if e.proc == nil {
		return nil
	}
	p := e.proc
	e.proc = nil
	if err := p.Stop(stopMax); err != nil {
		return fmt.Errorf("%s: stop: %w", e.name, err)
	}
	return nil
}

func (e *engine) kill() {
	if e.proc != nil {
		e.proc.Kill()
		e.proc = nil
	}
}

func firstLine(s string) string {
	line, _, more := strings.Cut(strings.TrimSpace(s), "\n")
	if more {
		line += " …"
	}
	return line
}

// createTable is a table in the best configuration of an engine.
func (e *engine) createTable(t *workload.Table) string {
	var cols []string
	for i := range t.Columns {
		c := &t.Columns[i]
		cols = append(cols, quoteIn(e.dialect, c.Name)+" "+c.Type(e.dialect))
	}
	sql := "CREATE TABLE " + t.Name + " (" + strings.Join(cols, ", ") + ")"
	switch e.dialect {
	case workload.ClickHouse:
		sql += " ENGINE = MergeTree ORDER BY (" + strings.Join(quoteAll(e.dialect, t.SortKey), ", ") + ")"
		if nullableKey(t) {
			sql += " SETTINGS allow_nullable_key = 1"
		}
	case workload.Telemdb:
		var with []string
		if len(t.SortKey) > 0 {
			with = append(with, "sort_key = '"+strings.Join(t.SortKey, ", ")+"'")
		}
		if t.Plain {
			with = append(with, "encoding = 'plain'")
		}
		if len(with) > 0 {
			sql += " WITH (" + strings.Join(with, ", ") + ")"
		}
	}
	return sql
}

func nullableKey(t *workload.Table) bool {
	for _, k := range t.SortKey {
		for i := range t.Columns {
			if t.Columns[i].Name == k && strings.Contains(t.Columns[i].ClickHouse, "Nullable(") {
				return true
			}
		}
	}
	return false
}

// quoteIn keeps the case of names such as EventDate; ClickHouse has names as they are, DuckDB too. A statement names them
// without quotes, so telemdb and PostgreSQL fold them alike there and here.
func quoteIn(d workload.Dialect, name string) string {
	if d == workload.ClickHouse {
		return "`" + name + "`"
	}
	return name
}

func quoteAll(d workload.Dialect, names []string) (out []string) {
	for _, n := range names {
		out = append(out, quoteIn(d, n))
	}
	return out
}

// rewritten is the statement that makes a DuckDB table again in the order of the sort key.
func rewritten(t *workload.Table) string {
	sql := "CREATE TABLE " + t.Name + " AS SELECT * FROM loaded." + t.Name
	if order := t.SortKey; len(order) > 0 {
		sql += " ORDER BY " + strings.Join(order, ", ")
	}
	return sql
}

// columnsOf are a table's columns with an engine's types.
func columnsOf(t *workload.Table, d workload.Dialect) (out []peer.Column) {
	for i := range t.Columns {
		out = append(out, peer.Column{Name: t.Columns[i].Name, Type: t.Columns[i].Type(d)})
	}
	return out
}

// The peers' programs.

// buildPeers builds the programs of the wanted engines into dir and returns the engines that are there. What is missing is
// told and left out; telemdb has to be there.
func buildPeers(wanted []string, dir, python string, say func(string, ...any)) ([]*engine, error) {
	ours := filepath.Join(dir, "peer-telemdb")
	if err := goBuild(".", ours, "./bench/peer/telemdb"); err != nil {
		return nil, err
	}
	engines := []*engine{{
		name: "telemdb", dialect: workload.Telemdb, program: []string{ours},
		about: "segments in the sort key's order, CLUSTER; half of the memory is cache; embedded, rows fetched as Arrow records or Go values",
	}}
	for _, name := range wanted {
		made, err := buildPeer(name, dir, python)
		if err != nil {
			say("%s is left out: %v", name, err)
			continue
		}
		engines = append(engines, made...)
	}
	return engines, nil
}

func buildPeer(name, dir, python string) ([]*engine, error) {
	bin := filepath.Join(dir, "peer-"+name)
	switch name {
	case "duckdb":
		if err := goBuild(filepath.Join("bench", "peers"), bin, "-tags", "duckdb_arrow", "./duckdb"); err != nil {
			return nil, err
		}
		loaded := &engine{name: "duckdb", dialect: workload.DuckDB, program: []string{bin},
			about: "persistent file as COPY loads it; in process through duckdb-go, rows fetched as Arrow records or Go values"}
		sorted := &engine{name: "duckdb sorted", dialect: workload.DuckDB, program: []string{bin}, from: loaded,
			about: "the same rows written again into a new file with CREATE TABLE AS … ORDER BY the sort key"}
		return []*engine{loaded, sorted}, nil
	case "clickhouse":
		if out, err := exec.Command(python, "-c", "import chdb").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s cannot import chdb (go run ./bench/setup installs it): %w %s", python, err, lastLine(out))
		}
		return []*engine{{name: "clickhouse", dialect: workload.ClickHouse,
			program: []string{python, filepath.Join("bench", "peers", "clickhouse", "peer.py")},
			about:   "MergeTree ORDER BY the sort key, LZ4, OPTIMIZE FINAL, use_query_condition_cache = 0; in process through chdb, results fetched as Native or ArrowStream"}}, nil
	case "postgres":
		if err := goBuild(filepath.Join("bench", "peers"), bin, "./postgres"); err != nil {
			return nil, err
		}
		return []*engine{{name: "postgres", dialect: workload.Postgres, program: []string{bin},
			about: "a cluster of its own, VACUUM ANALYZE, one parallel worker beside the leader; through a socket with pgx, rows fetched as text"}}, nil
	}
	return nil, errors.New("there is no such peer: duckdb, clickhouse, postgres")
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

func goBuild(dir, bin string, args ...string) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	build := exec.Command("go", append([]string{"build", "-o", bin}, args...)...)
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w %s", args[len(args)-1], err, lastLine(out))
	}
	return nil
}

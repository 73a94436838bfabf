package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/telemdb/telemdb/bench/workload"
)

// report is bench/report/<workload>.json: everything that was measured, and what it was measured on.
type report struct {
	Workload string    `json:"workload"`
	Title    string    `json:"title"`
	Command  string    `json:"command"`
	Commit   string    `json:"commit"`
	When     time.Time `json:"when"`
	Machine  machine   `json:"machine"`
	Rounds   int       `json:"rounds"`
	Threads  int       `json:"threads"`
	Main     *result   `json:"main"`
	Cut      *result   `json:"cut,omitempty"` // fewer rows, beside PostgreSQL
	Targets  []target  `json:"targets,omitempty"`
}

type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

func thisMachine() machine {
	return machine{cpuModel(), runtime.NumCPU(), machineMemory(), kernelVersion(), runtime.Version()}
}

// result is one comparison.
type result struct {
	Rows    int64          `json:"rows"`
	Memory  int64          `json:"memory_each"`
	Engines []engineResult `json:"engines"`
	Queries []queryResult  `json:"queries"` // the first is SELECT 1
}

type engineResult struct {
	Name    string  `json:"name"`
	About   string  `json:"about"`
	Version string  `json:"version"`
	OpenMS  float64 `json:"open_ms"` // the last cold one
	Load    *loaded `json:"load"`
}

type queryResult struct {
	Name     string                      `json:"name"`
	Title    string                      `json:"title"`
	SQL      map[workload.Dialect]string `json:"sql"`
	Compared string                      `json:"compared_with"`
	Engines  map[string]*outcome         `json:"engines"`
}

// target is a number the issue asks for.
type target struct {
	What    string `json:"what"`
	Reach   string `json:"reach"`
	Is      string `json:"is"`
	Reached bool   `json:"reached"`
}

func newReport(b *bench, w *workload.Workload, rows int64) *report {
	return &report{Workload: w.Name, Title: w.Title, Command: b.command, Commit: commit(), When: time.Now().UTC().Truncate(time.Second),
		Machine: thisMachine(), Rounds: *cmpRounds, Threads: *cmpThreads}
}

func (c *comparison) result() *result {
	r := &result{Rows: c.rows}
	for _, e := range c.engines {
		r.Memory = e.open.Memory
		r.Engines = append(r.Engines, engineResult{e.name, e.about, e.version, e.opened.Seconds() * 1000, c.loads[e.name]})
	}
	for _, q := range c.queries {
		r.Queries = append(r.Queries, queryResult{q.q.Name, q.q.Title, q.q.SQL, q.from, q.runs})
	}
	return r
}

// write writes the report and its plots into dir; "" is nowhere.
func (r *report) write(dir string) error {
	if dir == "" {
		return nil
	}
	if err := writeRaw(dir, r.Workload, r); err != nil {
		return err
	}
	files := r.plots()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(files[name]), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeRaw writes a report's raw data into dir.
func writeRaw(dir, workload string, report any) error {
	text, err := json.MarshalIndent(report, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, workload+".json"), append(text, '\n'), 0o644)
}

// timeOf is one of the two times of a run.
type timeOf func(*outcome) int64

func warmOf(r *outcome) int64 { return r.WarmNS }
func coldOf(r *outcome) int64 { return r.ColdNS }

// asked are the queries of the workload, without SELECT 1.
func (r *result) asked() []queryResult { return r.Queries[1:] }

// common are the queries that all engines answered alike, in a time that counts.
func (r *result) common(of timeOf) (out []queryResult) {
	for _, q := range r.asked() {
		all := true
		for _, e := range r.Engines {
			x := q.Engines[e.Name]
			all = all && x.counts() && of(x) > 0
		}
		if all {
			out = append(out, q)
		}
	}
	return out
}

// geomean of an engine's times over some queries, in nanoseconds; 0 of none.
func geomean(qs []queryResult, engine string, of timeOf) float64 {
	if len(qs) == 0 {
		return 0
	}
	sum := 0.0
	for _, q := range qs {
		sum += math.Log(float64(of(q.Engines[engine])))
	}
	return math.Exp(sum / float64(len(qs)))
}

// peers are the engines beside telemdb.
func (r *result) peers() (names []string) {
	for _, e := range r.Engines {
		if e.Name != "telemdb" {
			names = append(names, e.Name)
		}
	}
	return names
}

// fastestPeer returns the fastest of the peers that answered a query.
func (r *result) fastestPeer(q queryResult, of timeOf) (name string, ns int64) {
	for _, p := range r.peers() {
		if x := q.Engines[p]; x.counts() && of(x) > 0 && (ns == 0 || of(x) < ns) {
			name, ns = p, of(x)
		}
	}
	return name, ns
}

// judge holds the numbers against the issue's.
func (r *report) judge() {
	if len(r.Main.peers()) == 0 {
		return
	}
	switch r.Workload {
	case "flat":
		r.bestPeer("warm: geomean against the best peer's", warmOf, 1.0/3, "1/3")
		r.perQuery("warm: each query against the fastest peer", "<= 1.05x or within 1 ms", func(own, peer int64) bool {
			return float64(own) <= 1.05*float64(peer) || own <= peer+int64(time.Millisecond)
		})
		r.bestPeer("cold: geomean against the best peer's", coldOf, 1/1.5, "1/1.5")
		r.loadAndSize()
	case "hits":
		for _, p := range r.Main.peers() {
			r.onePeer(p, 0.7)
		}
		r.perQuery("warm: each query against the fastest peer", "<= 2x", func(own, peer int64) bool { return own <= 2*peer })
	}
	r.memory()
}

func (r *report) add(what, reach string, reached bool, format string, args ...any) {
	r.Targets = append(r.Targets, target{what, reach, fmt.Sprintf(format, args...), reached})
}

// left says how many queries a geomean leaves out.
func (r *report) left(n int) string {
	if all := len(r.Main.asked()); n < all {
		return fmt.Sprintf(" over %d of %d queries", n, all)
	}
	return ""
}

func (r *report) bestPeer(what string, of timeOf, least float64, reach string) {
	qs := r.Main.common(of)
	best, name := math.Inf(1), ""
	for _, p := range r.Main.peers() {
		if g := geomean(qs, p, of); g < best {
			best, name = g, p
		}
	}
	if len(qs) == 0 {
		r.add(what, "<= "+reach, false, "not measured")
		return
	}
	ratio := geomean(qs, "telemdb", of) / best
	r.add(what, "<= "+reach, ratio <= least && len(qs) == len(r.Main.asked()), "%.3f (%s)%s", ratio, name, r.left(len(qs)))
}

func (r *report) onePeer(p string, least float64) {
	qs := r.Main.common(warmOf)
	if len(qs) == 0 {
		r.add("warm: geomean against "+p, fmt.Sprintf("<= %g", least), false, "not measured")
		return
	}
	ratio := geomean(qs, "telemdb", warmOf) / geomean(qs, p, warmOf)
	r.add("warm: geomean against "+p, fmt.Sprintf("<= %g", least), ratio <= least && len(qs) == len(r.Main.asked()), "%.3f%s", ratio, r.left(len(qs)))
}

func (r *report) perQuery(what, reach string, ok func(own, peer int64) bool) {
	met, worst, worstName := 0, 0.0, ""
	for _, q := range r.Main.asked() {
		_, peer := r.Main.fastestPeer(q, warmOf)
		own := q.Engines["telemdb"]
		if !own.counts() || peer == 0 {
			continue
		}
		if ok(own.WarmNS, peer) {
			met++
		}
		if x := float64(own.WarmNS) / float64(peer); x > worst {
			worst, worstName = x, q.Name
		}
	}
	r.add(what, reach, met == len(r.Main.asked()), "%d of %d queries; the worst is %s at %.2fx", met, len(r.Main.asked()), worstName, worst)
}

func (r *report) loadAndSize() {
	var own *loaded
	var smallest int64
	for _, e := range r.Main.Engines {
		if e.Name == "telemdb" {
			own = e.Load
		} else if smallest == 0 || e.Load.DataBytes < smallest {
			smallest = e.Load.DataBytes
		}
	}
	for _, e := range r.Main.Engines {
		if e.Name == "duckdb" {
			x := (own.LoadSeconds + own.SealSeconds) / (e.Load.LoadSeconds + e.Load.SealSeconds)
			r.add("load from CSV, sealed and synced, against DuckDB", "<= 1", x <= 1, "%.2f", x)
		}
	}
	x := float64(own.DataBytes) / float64(smallest)
	r.add("bytes on disk against the smallest peer", "<= 0.9", x <= 0.9, "%.3f", x)
}

func (r *report) memory() {
	var most, accounted int64
	name, small, all := "", 0, 0
	for _, q := range r.Main.asked() {
		x := q.Engines["telemdb"]
		if !x.counts() {
			continue
		}
		all++
		if x.Small == "ok" {
			small++
		}
		if over := x.Peak - x.Idle; over > most {
			most, name = over, q.Name
		}
		accounted = max(accounted, x.Memory)
	}
	whole := all == len(r.Main.asked())
	r.add("memory: most RSS of a query over idle", "<= 2 GiB", whole && max(most, accounted) <= 2<<30, "%.0f MB (%s), accounted at most %.0f MB", mb(most), name, mb(accounted))
	if *cmpSmall > 0 {
		r.add(fmt.Sprintf("memory: queries that complete with %d MiB", *cmpSmall), "all", whole && small == all, "%d of %d", small, len(r.Main.asked()))
	}
}

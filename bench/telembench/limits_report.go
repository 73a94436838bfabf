package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/telemdb/telemdb/storage/simd"
)

// limitsReport is bench/report/limits.json.
type limitsReport struct {
	Workload string        `json:"workload"`
	Title    string        `json:"title"`
	Command  string        `json:"command"`
	Commit   string        `json:"commit"`
	When     time.Time     `json:"when"`
	Machine  machine       `json:"machine"`
	Rounds   int           `json:"rounds"`
	Threads  int           `json:"threads"`
	Rows     int           `json:"rows"`
	Codes    int           `json:"codes"`
	Kernels  string        `json:"kernels"` // level of storage/simd in the bare loops
	Engine   engineResult  `json:"engine"`
	Loops    []loopResult  `json:"loops"`
	Queries  []limitResult `json:"queries"`
	Targets  []target      `json:"targets"`
}

type loopResult struct {
	Name    string   `json:"name"`
	About   string   `json:"about"`
	Bytes   int64    `json:"bytes"` // it reads
	NS      int64    `json:"ns"`
	Noisy   bool     `json:"noisy,omitempty"`
	Samples []sample `json:"samples"`
}

type limitResult struct {
	Name  string   `json:"name"`
	Title string   `json:"title"`
	SQL   string   `json:"sql"`
	Run   *outcome `json:"run"`
}

// limitTargets are the ratios the issue asks for: a query's time over a bare loop's.
var limitTargets = []struct {
	query, loop string
	reach       float64
}{{plainSum, loopRead, 1.5}, {packedSum, loopRead, 0.7}, {twoCodes, loopCodes, 2}, {groupBy, loopGroup, 1.3}}

// report takes the medians and holds the queries against the loops.
func (l *limits) report(b *bench) *limitsReport {
	e := l.e
	r := &limitsReport{Workload: l.c.w.Name, Title: l.c.w.Title, Command: b.command, Commit: commit(), When: time.Now().UTC().Truncate(time.Second),
		Machine: thisMachine(), Rounds: *cmpRounds, Threads: *cmpThreads, Rows: *limitRows, Codes: *limitCodes, Kernels: fmt.Sprint(simd.Active()),
		Engine: engineResult{e.name, e.about, e.version, e.opened.Seconds() * 1000, l.c.loads[e.name]}}
	times := map[string]int64{}
	for _, x := range l.bare {
		samples := l.samples[x.name]
		for i := range samples {
			samples[i].Counts = samples[i].Counts || x.waits // for the disk: its CPU time says nothing
		}
		ns, noisy := medianOf(samples, *cmpRounds)
		times[x.name] = ns
		r.Loops = append(r.Loops, loopResult{x.name, x.about, x.bytes, ns, noisy, samples})
	}
	for _, q := range l.queries {
		run := q.runs[e.name]
		run.WarmNS, run.Noisy = medianOf(run.Warm, *cmpRounds)
		times["sql "+q.q.Name] = run.WarmNS
		r.Queries = append(r.Queries, limitResult{q.q.Name, q.q.Title, q.q.SQL[e.dialect], run})
	}
	for _, t := range limitTargets {
		x := float64(times["sql "+t.query]) / float64(max(times[t.loop], 1))
		r.Targets = append(r.Targets, target{fmt.Sprintf("SQL %s / bare loop %s", t.query, t.loop), fmt.Sprintf("<= %g", t.reach), fmt.Sprintf("%.2f", x), x <= t.reach})
	}
	return r
}

// markdown is the report's section of bench/README.md.
func (r *limitsReport) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Command: `%s`, %s, %s, %d cores (%s), %.0f GiB, kernels %s, commit %s. Raw times: [report/limits.json](report/limits.json).\n\n", r.Command,
		r.When.Format(time.DateOnly), r.Machine.Go, r.Machine.Cores, r.Machine.CPU, float64(r.Machine.Memory)/(1<<30), r.Kernels, r.Commit)
	b.WriteString("| what | reach | is | |\n|---|---|---|---|\n")
	for _, t := range r.Targets {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.What, t.Reach, t.Is, map[bool]string{true: "reached", false: "**not reached**"}[t.Reached])
	}
	l := r.Engine.Load
	fmt.Fprintf(&b, "\n%s rows of numbers and as many plain ones, %s of codes, loaded in %.1f s, %.1f MB; medians of %d quiet rounds on %d threads.\n\n", thousands(int64(r.Rows)),
		thousands(int64(r.Codes)), l.LoadSeconds+l.SealSeconds+l.SettleSecs, mb(l.DataBytes), r.Rounds, r.Threads)
	b.WriteString("| | what | time | of memory or disk |\n|---|---|---:|---:|\n")
	noisy := false
	for _, x := range r.Loops {
		fmt.Fprintf(&b, "| loop %s | %s | %s%s | %.1f GB/s |\n", x.Name, x.About, msOf(x.NS), tilde(x.Noisy), float64(x.Bytes)/float64(max(x.NS, 1)))
		noisy = noisy || x.Noisy
	}
	for _, q := range r.Queries {
		fmt.Fprintf(&b, "| SQL %s | %s | %s%s | |\n", q.Name, cell(q.Title), msOf(q.Run.WarmNS), tilde(q.Run.Noisy))
		noisy = noisy || q.Run.Noisy
	}
	if noisy {
		b.WriteString("\n~: fewer quiet rounds than asked for; the median of the least disturbed.\n")
	}
	return b.String()
}

// write writes the report into dir; "" is nowhere.
func (r *limitsReport) write(dir string) error {
	if dir == "" {
		return nil
	}
	return writeRaw(dir, r.Workload, r)
}

func tilde(noisy bool) string {
	if noisy {
		return " ~"
	}
	return ""
}

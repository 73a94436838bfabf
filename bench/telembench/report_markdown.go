package main

import (
	"fmt"
	"strings"
	"time"
)

// msOf writes nanoseconds as milliseconds with three significant digits.
func msOf(ns int64) string {
	ms := float64(ns) / 1e6
	switch {
	case ns == 0:
		return "–"
	case ms < 1:
		return fmt.Sprintf("%.3f ms", ms)
	case ms < 10:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 100:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// markdown is the report's section of bench/README.md.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Command: `%s`, %s, %s, %d cores (%s), %.0f GiB, commit %s. Raw times: [report/%s.json](report/%s.json).\n\n", r.Command,
		r.When.Format(time.DateOnly), r.Machine.Go, r.Machine.Cores, r.Machine.CPU, float64(r.Machine.Memory)/(1<<30), r.Commit, r.Workload, r.Workload)
	if len(r.Targets) > 0 {
		b.WriteString("| what | reach | is | |\n|---|---|---|---|\n")
		for _, t := range r.Targets {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.What, t.Reach, t.Is, map[bool]string{true: "reached", false: "**not reached**"}[t.Reached])
		}
		b.WriteString("\n")
	}
	r.Main.markdown(&b, r)
	fmt.Fprintf(&b, "![Warm times of each query](report/%s-warm.svg)\n\n", r.Workload)
	if r.Main.hasCold() {
		fmt.Fprintf(&b, "![Cold times of each query](report/%s-cold.svg)\n\n", r.Workload)
	}
	fmt.Fprintf(&b, "![Geometric means](report/%s-geomean.svg)\n", r.Workload)
	if r.Cut != nil {
		fmt.Fprintf(&b, "\nThe cut of %s rows, with PostgreSQL:\n\n", thousands(r.Cut.Rows))
		r.Cut.markdown(&b, r)
	}
	return b.String()
}

func (r *result) hasCold() bool { return len(r.common(coldOf)) > 0 }

func (r *result) markdown(b *strings.Builder, rep *report) {
	fmt.Fprintf(b, "%s rows, %d threads and %.1f GiB each, medians of %d quiet rounds.\n\n", thousands(r.Rows), rep.Threads, float64(r.Memory)/(1<<30), rep.Rounds)
	r.engineTable(b)
	r.timeTable(b, "warm", warmOf)
	if r.hasCold() {
		r.timeTable(b, "cold", coldOf)
	}
	r.notes(b)
}

func (r *result) engineTable(b *strings.Builder) {
	b.WriteString("| engine | version | configuration | load | sealed | settled | on disk | of CSV | SELECT 1 |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, e := range r.Engines {
		l := e.Load
		fmt.Fprintf(b, "| %s | %s | %s | %.1f s | %.1f s | %.1f s | %.1f MB | %.3f | %s |\n", e.Name, e.Version, e.About, l.LoadSeconds, l.SealSeconds,
			l.SettleSecs, mb(l.DataBytes), float64(l.DataBytes)/float64(max(l.CSVBytes, 1)), msOf(r.Queries[0].Engines[e.Name].WarmNS))
	}
	b.WriteString("\n")
}

// timeTable has a row for each query: the times, and ours over the fastest peer's.
func (r *result) timeTable(b *strings.Builder, name string, of timeOf) {
	fmt.Fprintf(b, "| %s | what |", name)
	for _, e := range r.Engines {
		fmt.Fprintf(b, " %s |", e.Name)
	}
	b.WriteString(" telemdb / fastest peer |\n|---|---|" + strings.Repeat("---:|", len(r.Engines)+1) + "\n")
	for _, q := range r.asked() {
		fmt.Fprintf(b, "| %s | %s |", q.Name, cell(q.Title))
		best, fastest := r.fastestPeer(q, of)
		for _, e := range r.Engines {
			fmt.Fprintf(b, " %s |", timeCell(q.Engines[e.Name], of))
		}
		own := q.Engines["telemdb"]
		if own.counts() && fastest > 0 {
			fmt.Fprintf(b, " %.2f (%s) |\n", float64(of(own))/float64(fastest), best)
		} else {
			b.WriteString(" – |\n")
		}
	}
	r.geomeanRow(b, of)
	b.WriteString("\n")
}

func (r *result) geomeanRow(b *strings.Builder, of timeOf) {
	qs := r.common(of)
	if len(qs) == 0 {
		return
	}
	fmt.Fprintf(b, "| **geomean** | of the %d queries all answered |", len(qs))
	own, best := geomean(qs, "telemdb", of), 0.0
	for _, e := range r.Engines {
		g := geomean(qs, e.Name, of)
		fmt.Fprintf(b, " **%s** |", msOf(int64(g)))
		if e.Name != "telemdb" && (best == 0 || g < best) {
			best = g
		}
	}
	if best == 0 {
		b.WriteString(" – |\n")
		return
	}
	fmt.Fprintf(b, " **%.3f** |\n", own/best)
}

func timeCell(x *outcome, of timeOf) string {
	switch {
	case x.Error != "":
		return "error"
	case x.Differs != "":
		return "≠"
	case x.Noisy:
		return msOf(of(x)) + " ~"
	}
	return msOf(of(x))
}

// notes tell of each cell without a time why, and what ~ is.
func (r *result) notes(b *strings.Builder) {
	var lines []string
	noisy := false
	for _, q := range r.Queries {
		for _, e := range r.Engines {
			x := q.Engines[e.Name]
			noisy = noisy || x.Noisy
			switch {
			case x.Error != "":
				lines = append(lines, fmt.Sprintf("- %s on %s: %s", q.Name, e.Name, cell(shorten(x.Error, 200))))
			case x.Differs != "":
				lines = append(lines, fmt.Sprintf("- %s on %s has another answer: %s", q.Name, e.Name, cell(shorten(x.Differs, 200))))
			}
			if x.Small != "" && x.Small != "ok" {
				lines = append(lines, fmt.Sprintf("- %s on %s with little memory: %s", q.Name, e.Name, cell(shorten(x.Small, 200))))
			}
		}
	}
	if noisy {
		b.WriteString("~: fewer quiet rounds than asked for; the median of the least disturbed.\n\n")
	}
	if len(lines) > 0 {
		b.WriteString("No time where there is no answer, or another one:\n\n" + strings.Join(lines, "\n") + "\n\n")
	}
}

// cell is text that does not end a table's cell or begin HTML.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(s)
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// Plots are SVG with their own style: they follow the reader's light or dark scheme, and need no script.

// plotStyle has the colours: Okabe and Ito's, which most people can tell apart, some of them lighter on dark ground. An
// engine's second configuration is a ring in the colour of its first.
const plotStyle = `
svg { --ground: #ffffff; --ink: #1c2430; --soft: #667085; --line: #e6e9ee; --band: #f7f8fa;
  --telemdb: #d55e00; --duckdb: #d49a00; --clickhouse: #0072b2; --postgres: #00916a; --other: #7a5195; }
@media (prefers-color-scheme: dark) { svg { --ground: #12161d; --ink: #e7ebf1; --soft: #98a2b3; --line: #2a313c; --band: #171c25;
  --telemdb: #ff7a2f; --duckdb: #f2bb3a; --clickhouse: #56b4e9; --postgres: #35c79b; --other: #b794d6; } }
text { font: 13px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: var(--ink); }
.title { font-size: 20px; font-weight: 650; }
.soft { fill: var(--soft); font-size: 12px; }
.name { font-weight: 600; font-variant-numeric: tabular-nums; }
.value { font-variant-numeric: tabular-nums; }
.end { text-anchor: end; }
.mid { text-anchor: middle; }
.own { font-weight: 650; }
`

// mark is how an engine is drawn.
type mark struct {
	colour string
	ring   bool
	own    bool
}

func markOf(engine string) mark {
	base, variant, _ := strings.Cut(engine, " ")
	m := mark{colour: "var(--other)", ring: variant != "", own: base == "telemdb"}
	switch base {
	case "telemdb", "duckdb", "clickhouse", "postgres":
		m.colour = "var(--" + base + ")"
	}
	return m
}

// drawing is an SVG that grows.
type drawing struct {
	strings.Builder
	w, h float64
}

func newDrawing(w, h float64, title string) *drawing {
	d := &drawing{w: w, h: h}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" role="img" aria-label="%s">`, w, h, w, h, escape(title))
	fmt.Fprintf(d, "<style>%s</style>", plotStyle)
	d.rect(0, 0, w, h, 10, "var(--ground)")
	return d
}

func (d *drawing) done() string { return d.String() + "\n</svg>\n" }

func (d *drawing) text(x, y float64, class, s string) {
	fmt.Fprintf(d, "\n<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>", x, y, class, escape(s))
}

func (d *drawing) line(x1, y1, x2, y2 float64, colour string, width float64) {
	fmt.Fprintf(d, "\n<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%g\" stroke-linecap=\"round\"/>", x1, y1, x2, y2, colour, width)
}

func (d *drawing) rect(x, y, w, h, r float64, colour string) {
	fmt.Fprintf(d, "\n<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%g\" fill=\"%s\"/>", x, y, max(w, 0), h, r, colour)
}

// dot draws an engine's mark; about is shown where the pointer rests.
func (d *drawing) dot(x, y float64, m mark, about string) {
	r, fill, stroke, width := 5.0, m.colour, "var(--ground)", 1.5
	if m.own {
		r = 6.5
	}
	if m.ring {
		fill, stroke, width, r = "var(--ground)", m.colour, 2.5, 4.5
	}
	fmt.Fprintf(d, "\n<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%g\" fill=\"%s\" stroke=\"%s\" stroke-width=\"%g\"><title>%s</title></circle>", x, y, r, fill, stroke, width, escape(about))
}

// cross stands where an engine has no dot.
func (d *drawing) cross(x, y float64, m mark, about string) {
	fmt.Fprintf(d, "\n<path d=\"M%.1f %.1fl8 8m0 -8l-8 8\" stroke=\"%s\" stroke-width=\"2.2\" stroke-linecap=\"round\" fill=\"none\"><title>%s</title></path>", x-4, y-4, m.colour, escape(about))
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// axis is a logarithmic axis over nanoseconds.
type axis struct{ from, to, left, right float64 }

// axisOver spans times with some room, at least a factor of ten.
func axisOver(least, most int64, left, right float64) axis {
	lo, hi := float64(max(least, 1))/1.25, float64(max(most, 1))*1.25
	if hi < 10*lo {
		mid := math.Sqrt(lo * hi)
		lo, hi = mid/math.Sqrt(10), mid*math.Sqrt(10)
	}
	return axis{math.Log10(lo), math.Log10(hi), left, right}
}

func (a axis) at(ns float64) float64 {
	return a.left + (math.Log10(ns)-a.from)/(a.to-a.from)*(a.right-a.left)
}

// ticks are the powers of ten, with 2 and 5 between them where there is room.
func (a axis) ticks() (out []float64) {
	steps := []float64{1, 2, 5}
	if a.to-a.from > 3.2 {
		steps = []float64{1}
	}
	for e := math.Floor(a.from); e <= a.to; e++ {
		for _, s := range steps {
			if t := s * math.Pow(10, e); math.Log10(t) >= a.from && math.Log10(t) <= a.to {
				out = append(out, t)
			}
		}
	}
	return out
}

func tickLabel(ns float64) string {
	switch {
	case ns < 999.5e3:
		return fmt.Sprintf("%g µs", math.Round(ns/1e3*1000)/1000)
	case ns < 999.5e6:
		return fmt.Sprintf("%g ms", math.Round(ns/1e6))
	}
	return fmt.Sprintf("%g s", math.Round(ns/1e9))
}

func (r *report) plots() map[string]string {
	out := map[string]string{}
	subtitle := fmt.Sprintf("%s rows, %d threads each, %s, commit %s", thousands(r.Main.Rows), r.Threads, r.Machine.CPU, r.Commit)
	out[r.Workload+"-warm.svg"] = r.Main.dotPlot(r.Workload+", warm", fmt.Sprintf("median of %d quiet rounds, logarithmic scale; %s", r.Rounds, subtitle), warmOf)
	if r.Main.hasCold() {
		out[r.Workload+"-cold.svg"] = r.Main.dotPlot(r.Workload+", cold", "engine restarted, its files out of memory, first run; logarithmic scale; "+subtitle, coldOf)
	}
	out[r.Workload+"-geomean.svg"] = r.Main.barPlot(r.Workload+", geometric means", subtitle)
	return out
}

const (
	plotWidth  = 980.0
	plotMargin = 28.0
	rowHeight  = 25.0
	titleWidth = 372.0 // the queries' names and titles
)

// dotPlot has a row for each query and a dot for each engine on a logarithmic axis.
func (r *result) dotPlot(title, subtitle string, of timeOf) string {
	qs := r.asked()
	top := 124.0
	bottom := top + rowHeight*float64(len(qs))
	d := newDrawing(plotWidth, bottom+46, title)
	d.text(plotMargin, 40, "title", title)
	d.text(plotMargin, 60, "soft", subtitle)
	r.legend(d, plotMargin, 86)
	least, most := r.span(of)
	a := axisOver(least, most, plotMargin+titleWidth, plotWidth-plotMargin-6)
	for i := range qs {
		if i%2 == 0 {
			d.rect(plotMargin-10, top+rowHeight*float64(i), plotWidth-2*plotMargin+20, rowHeight, 4, "var(--band)")
		}
	}
	for _, t := range a.ticks() {
		d.line(a.at(t), top-4, a.at(t), bottom+4, "var(--line)", 1)
		d.text(a.at(t), top-10, "soft mid", tickLabel(t))
		d.text(a.at(t), bottom+22, "soft mid", tickLabel(t))
	}
	for i, q := range qs {
		r.dotRow(d, a, q, top+rowHeight*(float64(i)+0.5), of)
	}
	return d.done()
}

func (r *result) dotRow(d *drawing, a axis, q queryResult, y float64, of timeOf) {
	d.text(plotMargin, y+4.5, "name", q.Name)
	d.text(plotMargin+44, y+4.5, "", cut(q.Title, 43))
	lo, hi := math.Inf(1), 0.0
	for _, e := range r.Engines {
		if x := q.Engines[e.Name]; x.counts() && of(x) > 0 {
			lo, hi = min(lo, float64(of(x))), max(hi, float64(of(x)))
		}
	}
	if hi == 0 {
		d.text(a.left, y+4.5, "soft", "no engine has an answer that counts")
		return
	}
	d.line(a.at(lo), y, a.at(hi), y, "var(--soft)", 1.2)
	for i := len(r.Engines) - 1; i >= 0; i-- { // telemdb, the first, on top
		e := r.Engines[i]
		if x := q.Engines[e.Name]; x.counts() && of(x) > 0 {
			d.dot(a.at(float64(of(x))), y, markOf(e.Name), fmt.Sprintf("%s, %s: %s", q.Name, e.Name, msOf(of(x))))
		}
	}
	if x := q.Engines["telemdb"]; x != nil && !x.counts() {
		d.cross(a.left-4, y, markOf("telemdb"), q.Name+", telemdb: no answer that counts")
	}
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return strings.TrimSpace(string(r[:n-1])) + "…"
	}
	return s
}

func (r *result) span(of timeOf) (least, most int64) {
	for _, q := range r.asked() {
		for _, x := range q.Engines {
			if ns := of(x); x.counts() && ns > 0 {
				if least == 0 || ns < least {
					least = ns
				}
				most = max(most, ns)
			}
		}
	}
	return least, most
}

func (r *result) legend(d *drawing, x, y float64) {
	for _, e := range r.Engines {
		m := markOf(e.Name)
		d.dot(x+6, y-4.5, m, e.Name)
		class := ""
		if m.own {
			class = "own"
		}
		d.text(x+18, y, class, e.Name)
		x += 44 + 7.6*float64(len(e.Name))
	}
}

// barPlot has a bar for each engine's geometric mean, warm and cold, and how much longer than telemdb's it is.
func (r *result) barPlot(title, subtitle string) string {
	type group struct {
		name string
		of   timeOf
		qs   []queryResult
	}
	groups := []group{{"warm", warmOf, r.common(warmOf)}}
	if r.hasCold() {
		groups = append(groups, group{"cold", coldOf, r.common(coldOf)})
	}
	const bar, gap, head = 26.0, 8.0, 34.0
	height := 92.0 + float64(len(groups))*(head+float64(len(r.Engines))*(bar+gap)+12)
	d := newDrawing(plotWidth, height, title)
	d.text(plotMargin, 40, "title", title)
	d.text(plotMargin, 60, "soft", subtitle)
	y := 88.0
	for _, g := range groups {
		d.text(plotMargin, y+12, "own", g.name)
		d.text(plotMargin+44, y+12, "soft", fmt.Sprintf("over the %d of %d queries that all engines answered alike", len(g.qs), len(r.asked())))
		y += head
		most := 0.0
		for _, e := range r.Engines {
			most = max(most, geomean(g.qs, e.Name, g.of))
		}
		own := geomean(g.qs, "telemdb", g.of)
		for _, e := range r.Engines {
			r.bar(d, e.Name, geomean(g.qs, e.Name, g.of), own, most, y, bar)
			y += bar + gap
		}
		y += 12
	}
	return d.done()
}

func (r *result) bar(d *drawing, name string, mean, own, most, y, height float64) {
	const left, room = plotMargin + 128, plotWidth - 2*plotMargin - 128 - 150
	m := markOf(name)
	class := "end"
	if m.own {
		class = "end own"
	}
	d.text(left-12, y+height/2+4.5, class, name)
	if mean == 0 {
		d.text(left, y+height/2+4.5, "soft", "no answers that count")
		return
	}
	width := mean / most * room
	if m.ring {
		fmt.Fprintf(d, "\n<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"4\" fill=\"none\" stroke=\"%s\" stroke-width=\"2.5\"/>", left+1.2, y+1.2, max(width-2.4, 1), height-2.4, m.colour)
	} else {
		d.rect(left, y, max(width, 2), height, 4, m.colour)
	}
	label := msOf(int64(mean))
	if !m.own && own > 0 {
		label += fmt.Sprintf("  ·  %.2f×", mean/own)
	}
	d.text(left+width+10, y+height/2+4.5, "value", label)
}

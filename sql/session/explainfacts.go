package session

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/telemdb/telemdb/engine/op"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/sql/opt/show"
)

// measurements is what ANALYZE tells of a node: lines of TEXT, and fields of JSON, whose numbers are numbers. PostgreSQL's
// names are used where it has the fact.
type measurements struct {
	lines  []show.Fact
	fields map[string]any
}

func (m *measurements) line(name, format string, args ...any) {
	m.lines = append(m.lines, show.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
}

// measured lists what a node did. VERBOSE adds lines; JSON has all of it always.
func (x *explained) measured(n *show.Node) *measurements {
	m := &measurements{fields: map[string]any{}}
	if x.analysis == nil {
		return m
	}
	st := x.analysis.Node(n.Plan)
	if st == nil {
		m.fields["Actual Rows"], m.fields["Actual Loops"] = 0, 0
		return m
	}
	m.fields["Actual Rows"], m.fields["Actual Loops"] = st.Rows(), 1
	if x.o.timing {
		m.fields["Actual Startup Time"], m.fields["Actual Total Time"] = ms(st.First()), ms(x.wall(n))
	}
	if n.Kind == "Delete" { // what a DELETE reads its search reads
		return m
	}
	x.work(m, n, st)
	if f := st.Fused(); f != nil {
		if ways := f.String(); ways != "" {
			m.line("Fused Row Groups", "%s", ways)
		}
		m.fields["Fused Row Groups"] = map[string]any{"Metadata": f.Metadata.Load(), "All": f.All.Load(), "Bitmap": f.Bitmap.Load(),
			"Selection": f.Selection.Load(), "Dense": f.Dense.Load(), "Combined": f.Combined.Load(), "Fallback": f.Fallback.Load()}
	}
	x.held(m, st)
	if s := st.Scan(); s != nil {
		x.scanned(m, s, st.Detail())
	}
	if d := st.Detail(); d != nil {
		x.met(m, n, d)
	}
	return m
}

// wall is the time in a node and below it as a clock on the wall has it: the mean of its workers'.
func (x *explained) wall(n *show.Node) time.Duration {
	st := x.analysis.Node(n.Plan)
	if st == nil {
		return 0
	}
	return st.Time() / time.Duration(st.Workers())
}

// own is the time in a node alone.
func (x *explained) own(n *show.Node) time.Duration {
	t := x.wall(n)
	for _, c := range n.Children {
		t -= x.wall(c)
	}
	return max(t, 0)
}

// work tells batches, time and workers.
func (x *explained) work(m *measurements, n *show.Node, st *op.NodeStats) {
	m.fields["Batches"], m.fields["Workers Launched"] = st.Batches(), st.Workers()
	if x.o.verbose {
		m.line("Batches", "%d", st.Batches())
	}
	if !x.o.timing {
		return
	}
	m.fields["Own Time"], m.fields["Worker Time"] = ms(x.own(n)), ms(st.Time())
	switch {
	case st.Workers() > 1:
		m.line("Time", "%.3f ms own of %.3f ms, %d workers: %.3f ms in all", ms(x.own(n)), ms(x.wall(n)), st.Workers(), ms(st.Time()))
	case x.o.verbose:
		m.line("Time", "%.3f ms own of %.3f ms", ms(x.own(n)), ms(x.wall(n)))
	}
}

// held tells memory and disk. Memory is a line of the summary: it differs between versions.
func (x *explained) held(m *measurements, st *op.NodeStats) {
	if peak := st.MemoryPeak(); peak > 0 {
		m.fields["Peak Memory Usage"] = (peak + 1023) / 1024 // kB, as PostgreSQL
		if x.o.summary {
			m.line("Peak Memory Usage", "%dkB", (peak+1023)/1024)
		}
	}
	if bytes, files := st.Spilled(); files > 0 {
		m.fields["Disk Usage"], m.fields["Spill Bytes"], m.fields["Spill Files"] = (bytes+1023)/1024, bytes, files
		m.line("Spilled", "%d bytes to %d files", bytes, files)
	}
}

// scanned tells what a scan left out.
func (x *explained) scanned(m *measurements, s *scan.Stats, d *scan.Detail) {
	if d != nil {
		if d.Partitions > 0 {
			m.line("Partitions", "%d of %d read", d.PartitionsRead, d.Partitions)
		}
		m.line("Segments", "%d of %d read", d.SegmentsRead, d.Segments)
		m.fields["Partitions"], m.fields["Partitions Read"] = d.Partitions, d.PartitionsRead
		m.fields["Segments"], m.fields["Segments Read"] = d.Segments, d.SegmentsRead
	}
	m.line("Row Groups", "%d, pruned %d by partition, %d by manifest, %d by filters, %d by zone maps", s.Morsels, s.MorselsOutside,
		s.MorselsPruned-s.MorselsOutside, s.MorselsFiltered, s.GroupsPruned)
	m.line("Blocks", "%d read, %d skipped", s.Blocks, s.BlocksSkipped)
	m.line("Rows", "%d in the table, %d passed", s.RowsIn, s.RowsOut)
	maps.Copy(m.fields, map[string]any{"Row Groups": s.Morsels, "Row Groups Pruned by Partition": s.MorselsOutside,
		"Row Groups Pruned by Manifest": s.MorselsPruned - s.MorselsOutside, "Row Groups Pruned by Filters": s.MorselsFiltered,
		"Row Groups Pruned by Zone Maps": s.GroupsPruned, "Blocks Read": s.Blocks, "Blocks Skipped": s.BlocksSkipped,
		"Rows in Table": s.RowsIn, "Rows Deleted": s.RowsDeleted, "Rows Passed": s.RowsOut,
		"Rows Removed by Filter": max(s.RowsIn-s.RowsOut, 0)})
}

// met tells what a scan read: bytes, encodings, how its loops took rows, and each conjunct.
func (x *explained) met(m *measurements, n *show.Node, d *scan.Detail) {
	m.fields["Bytes Read"], m.fields["Bytes Decoded"], m.fields["SIMD"] = d.Bytes, d.Decoded, d.Level.String()
	m.fields["Kernel Modes"] = map[string]int64{"All": d.All, "Bitmap": d.Bitmap, "Selection": d.Selection}
	if x.o.verbose || x.o.buffers { // there are no pages to count, as PostgreSQL does
		m.line("Bytes", "%d read, %d decoded", d.Bytes, d.Decoded)
	}
	if x.o.verbose {
		m.line("Kernels", "%s; row groups: all %d, bitmap %d, selection %d", d.Level, d.All, d.Bitmap, d.Selection)
	}
	names := columnNames(n.Plan)
	var cols []map[string]any
	for i, c := range d.Columns {
		if c.Encodings == nil {
			continue
		}
		cols = append(cols, map[string]any{"Column": names[i], "Encodings": c.Encodings, "Bytes Read": c.Bytes})
		if x.o.verbose {
			m.line("Column "+names[i], "%s, %d bytes", counts(c.Encodings), c.Bytes)
		}
	}
	if cols != nil {
		m.fields["Column Chunks"] = cols
	}
	var conds []map[string]any
	for _, c := range d.Conjuncts {
		text := show.Expr(c.Cond, names)
		f := map[string]any{"Condition": text, "Rows In": c.In, "Rows Out": c.Out}
		took := ""
		if x.o.timing {
			f["Time"], took = ms(c.Time), fmt.Sprintf(", %.3f ms", ms(c.Time))
		}
		conds = append(conds, f)
		if x.o.verbose {
			m.line("Conjunct "+text, "%d rows in, %d out%s", c.In, c.Out, took)
		}
	}
	if conds != nil {
		m.fields["Conjuncts"] = conds
	}
}

// columnNames names the columns a scan reads.
func columnNames(n plan.Node) []string {
	s, ok := n.(*plan.Scan)
	if !ok {
		return nil
	}
	names := make([]string, len(s.Read))
	for i, c := range s.Read {
		names[i] = strings.Join(append([]string{cmp.Or(c.Column, "?")}, c.Path...), ".")
	}
	return names
}

// counts prints how often each encoding was met.
func counts(of map[string]int64) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		out = append(out, fmt.Sprintf("%s %d", name, of[name]))
	}
	return strings.Join(out, ", ")
}

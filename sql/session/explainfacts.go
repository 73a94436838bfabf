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
	actual fields // rows and time, which stand before what the node is to do
	fields fields
}

func (m *measurements) line(name, format string, args ...any) {
	m.lines = append(m.lines, show.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
}

// measured lists what a node did. VERBOSE adds lines; JSON has all of it always.
func (x *explained) measured(n *show.Node) *measurements {
	m := &measurements{}
	if x.analysis == nil {
		return m
	}
	st := x.analysis.Node(n.Plan)
	if st == nil {
		m.actual.set("Actual Rows", 0)
		m.actual.set("Actual Loops", 0)
		return m
	}
	m.actual.set("Actual Rows", st.Rows())
	m.actual.set("Actual Loops", 1)
	if x.o.timing {
		m.actual.set("Actual Startup Time", ms(st.First()))
		m.actual.set("Actual Total Time", ms(x.wall(n)))
	}
	if n.Kind == "Delete" { // what a DELETE reads its search reads
		return m
	}
	x.work(m, n, st)
	if f := st.Fused(); f != nil {
		if ways := f.String(); ways != "" {
			m.line("Fused Row Groups", "%s", ways)
		}
		taken := &fields{}
		f.Each(func(name string, groups int64) { taken.set(title(name), groups) })
		m.fields.set("Fused Row Groups", taken)
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

// wall is the time in a node and below it as a clock on the wall has it.
func (x *explained) wall(n *show.Node) time.Duration {
	if st := x.analysis.Node(n.Plan); st != nil {
		return st.Wall()
	}
	return 0
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
	m.fields.set("Batches", st.Batches())
	m.fields.set("Workers Launched", st.Workers())
	if x.o.verbose {
		m.line("Batches", "%d", st.Batches())
	}
	if !x.o.timing {
		return
	}
	m.fields.set("Own Time", ms(x.own(n)))
	m.fields.set("Worker Time", ms(st.Time()))
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
		m.fields.set("Peak Memory Usage", (peak+1023)/1024) // kB, as PostgreSQL
		if x.o.summary {
			m.line("Peak Memory Usage", "%dkB", (peak+1023)/1024)
		}
	}
	if bytes, files := st.Spilled(); files > 0 {
		m.fields.set("Disk Usage", (bytes+1023)/1024)
		m.fields.set("Spill Bytes", bytes)
		m.fields.set("Spill Files", files)
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
		m.fields.set("Partitions", d.Partitions)
		m.fields.set("Partitions Read", d.PartitionsRead)
		m.fields.set("Segments", d.Segments)
		m.fields.set("Segments Read", d.SegmentsRead)
	}
	m.line("Row Groups", "%d, pruned %d by partition, %d by manifest, %d by filters, %d by zone maps", s.Morsels, s.MorselsOutside,
		s.MorselsPruned-s.MorselsOutside, s.MorselsFiltered, s.GroupsPruned)
	m.line("Blocks", "%d read, %d skipped", s.Blocks, s.BlocksSkipped)
	m.line("Rows", "%d in the table, %d passed", s.RowsIn, s.RowsOut)
	m.fields.set("Row Groups", s.Morsels)
	m.fields.set("Row Groups Pruned by Partition", s.MorselsOutside)
	m.fields.set("Row Groups Pruned by Manifest", s.MorselsPruned-s.MorselsOutside)
	m.fields.set("Row Groups Pruned by Filters", s.MorselsFiltered)
	m.fields.set("Row Groups Pruned by Zone Maps", s.GroupsPruned)
	m.fields.set("Blocks Read", s.Blocks)
	m.fields.set("Blocks Skipped", s.BlocksSkipped)
	m.fields.set("Rows in Table", s.RowsIn)
	m.fields.set("Rows Deleted", s.RowsDeleted)
	m.fields.set("Rows Passed", s.RowsOut)
	m.fields.set("Rows Removed by Filter", max(s.RowsIn-s.RowsOut, 0))
}

// met tells what a scan read: bytes, encodings, how its loops took rows, and each conjunct. VERBOSE has a line for each column and
// conjunct, with its figures.
func (x *explained) met(m *measurements, n *show.Node, d *scan.Detail) {
	m.fields.set("Bytes Read", d.Bytes)
	m.fields.set("Bytes Decoded", d.Decoded)
	m.fields.set("SIMD", d.Level.String())
	modes := &fields{}
	modes.set("All", d.All)
	modes.set("Bitmap", d.Bitmap)
	modes.set("Selection", d.Selection)
	m.fields.set("Kernel Modes", modes)
	if x.o.summary || x.o.buffers { // there are no pages to count, as PostgreSQL does
		m.line("Bytes", "%d read, %d decoded", d.Bytes, d.Decoded)
	}
	if x.o.summary { // the level differs between machines
		m.line("Kernels", "%s; row groups: all %d, bitmap %d, selection %d", d.Level, d.All, d.Bitmap, d.Selection)
	}
	names := columnNames(n.Plan)
	x.columns(m, names, d)
	x.conjuncts(m, names, d)
}

// columns tells the encodings of each column, by the number of its chunks.
func (x *explained) columns(m *measurements, names []string, d *scan.Detail) {
	var cols []any
	var brief []string
	for i, c := range d.Columns {
		if c.Encodings == nil {
			continue
		}
		f := &fields{}
		f.set("Column", names[i])
		f.set("Encodings", c.Encodings)
		f.set("Bytes Read", c.Bytes)
		cols = append(cols, f)
		brief = append(brief, names[i]+" "+strings.Join(slices.Sorted(maps.Keys(c.Encodings)), "/"))
		if x.o.verbose {
			m.line("Column "+names[i], "%s, %d bytes", counts(c.Encodings), c.Bytes)
		}
	}
	if cols == nil {
		return
	}
	m.fields.set("Column Chunks", cols)
	if !x.o.verbose {
		m.line("Encodings", "%s", strings.Join(brief, ", "))
	}
}

func (x *explained) conjuncts(m *measurements, names []string, d *scan.Detail) {
	var conds []any
	for _, c := range d.Conjuncts {
		text := show.Expr(c.Cond, names)
		f := &fields{}
		f.set("Condition", text)
		f.set("Rows In", c.In)
		f.set("Rows Out", c.Out)
		took := ""
		if x.o.timing {
			f.set("Time", ms(c.Time))
			took = fmt.Sprintf(", %.3f ms", ms(c.Time))
		}
		conds = append(conds, f)
		if x.o.verbose {
			m.line("Conjunct "+text, "%d rows in, %d out%s", c.In, c.Out, took)
		}
	}
	if conds != nil {
		m.fields.set("Conjuncts", conds)
	}
}

// title spells a name as members of JSON are.
func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

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

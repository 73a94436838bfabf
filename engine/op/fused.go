package op

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/kernel"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// An aggregation straight over a scan is fused with it: it takes row groups whole. The scan chooses a row group's rows,
// the keys are taken as the small codes they are stored as (dictionary codes, distances from the least integer), several
// keys as one index into the product of their domains, and what the aggregates need is accumulated in arrays by that
// index. Only then are the codes that occurred turned into keys, and what was accumulated is added to the groups: once a
// row group, not once a row. A row group whose keys do not come as small codes goes, its rows chosen, through the general
// path into the same groups. These are the first three rungs of the ladder; the others are the general path's.

// fused is what the workers of such an aggregation share.
type fused struct {
	n        *plan.Agg
	read     []plan.ScanCol
	out      int // of read: those behind are for the filter
	keys     []fusedKey
	filters  []expr.Expr // the distinct FILTER conditions
	measures []measure
	calls    []fusedCall
	ranged   ranged
	stats    *FusedStats
}

// fusedKey is a key that depends on one column. e is nil if it is the column.
type fusedKey struct {
	col int
	e   expr.Expr
}

// measure is one thing that is accumulated: the values of one argument under one condition.
type measure struct {
	col    int       // of the scan's Read; -1: e is computed
	e      expr.Expr // nil if there is no argument: the rows are counted
	filter int       // of fused.filters; -1: none
	needs  agg.Needs
	cols   []int // to be loaded, the filter's too
	calls  []int
	linear *linear // nil: it is not made of others
}

// fusedCall says what becomes of an aggregate: it gets partials of a measure (-1: none), or it gets the rows.
type fusedCall struct {
	measure int
	cols    []int // to be loaded for the rows
}

// FusedStats counts row groups by how a fused aggregation took them.
type FusedStats struct {
	Range     atomic.Int64 // filtered and added up in one pass
	Metadata  atomic.Int64 // no column was read for the aggregates
	All       atomic.Int64 // every row passed
	Bitmap    atomic.Int64 // many passed
	Selection atomic.Int64 // few passed: by position
	Dense     atomic.Int64 // of these, grouped by the codes of one key
	Combined  atomic.Int64 // and by those of several
	Steps     atomic.Int64 // and a key by the intervals in which it stays the same
	Runs      atomic.Int64 // and by runs of rows with equal keys
	Scattered atomic.Int64 // and not put into a table yet
	Fallback  atomic.Int64 // through the general path
}

// way is a counter with its name in EXPLAIN.
type way struct {
	name string
	n    *atomic.Int64
}

func (s *FusedStats) ways() []way {
	return []way{{"range", &s.Range}, {"metadata", &s.Metadata}, {"all", &s.All}, {"bitmap", &s.Bitmap}, {"selection", &s.Selection}, {"dense", &s.Dense},
		{"combined", &s.Combined}, {"steps", &s.Steps}, {"runs", &s.Runs}, {"scattered", &s.Scattered}, {"fallback", &s.Fallback}}
}

// String lists the ways that were taken, for EXPLAIN; "" if no row group was.
func (s *FusedStats) String() string {
	var out []string
	for _, c := range s.ways() {
		if n := c.n.Load(); n > 0 {
			out = append(out, fmt.Sprintf("%s %d", c.name, n))
		}
	}
	return strings.Join(out, ", ")
}

// newFused returns nil if the aggregation has to take the general path.
func newFused(b *builder, n *plan.Agg, p *pipeline) *fused {
	if b.x.env.NoFused || p.scan == nil || !p.bare() || !p.scan.Whole() {
		return nil
	}
	node := p.node.(*plan.Scan)
	f := &fused{n: n, read: node.Read, out: node.Out, stats: &FusedStats{}}
	if len(f.read) == 0 || slices.ContainsFunc(f.read, mayBeLong) {
		return nil // the rows are only counted, or the scan chooses how many fit a batch
	}
	for _, k := range n.Keys {
		cols := columnsRead(k)
		if len(cols) != 1 || !pure(k) {
			return nil
		}
		key := fusedKey{col: cols[0]}
		if _, ok := k.(*expr.Col); !ok {
			key.e = k
		}
		f.keys = append(f.keys, key)
	}
	for i := range n.Aggs {
		if !f.addCall(i) {
			return nil
		}
	}
	for i := range f.measures {
		f.derive(i)
	}
	f.ranged = f.rangeOf(p.scan, len(node.Filter))
	if a := b.x.env.Analyze; a != nil {
		a.holder(n).setFused(f.stats)
	}
	return f
}

// mayBeLong reports whether values of the column may be whole documents.
func mayBeLong(c plan.ScanCol) bool { return c.Type.Kind == types.JSONB && !c.Outline }

// pure reports whether e has the same value whenever its columns have, and may be computed for rows in any order.
func pure(e expr.Expr) bool {
	ok := true
	expr.Walk(e, func(x expr.Expr) bool {
		switch x := x.(type) {
		case *expr.Subplan:
			ok = false
		case *expr.Call:
			ok = ok && x.Fn.Volatile != expr.Volatile
		}
		return ok
	})
	return ok
}

// hasSubplan reports whether a query inside e may look at columns that e itself does not name.
func hasSubplan(e expr.Expr) bool {
	has := false
	if e != nil {
		expr.Walk(e, func(x expr.Expr) bool {
			_, sub := x.(*expr.Subplan)
			has = has || sub
			return !has
		})
	}
	return has
}

func columnsRead(es ...expr.Expr) []int {
	var out []int
	for _, e := range es {
		if e == nil {
			continue
		}
		expr.Walk(e, func(x expr.Expr) bool {
			if c, ok := x.(*expr.Col); ok && !slices.Contains(out, c.Idx) {
				out = append(out, c.Idx)
			}
			return true
		})
	}
	return out
}

func (f *fused) addCall(i int) bool {
	call := &f.n.Aggs[i]
	es := slices.Clone(call.Args)
	for _, k := range call.Order {
		es = append(es, k.Expr)
	}
	s, err := agg.New(call)
	if err != nil || slices.ContainsFunc(append(es, call.Filter), hasSubplan) {
		return false // the general path reports the error, and loads what a subplan looks at
	}
	c := fusedCall{measure: -1, cols: columnsRead(append(es, call.Filter)...)}
	if s, ok := s.(agg.Summed); ok && len(es) <= 1 && (s.Needs()&agg.NeedDecimals == 0 || isColumn(es[0])) {
		c.measure = f.measureOf(i, es)
	}
	f.calls = append(f.calls, c)
	return true
}

// filterOf finds or adds a filter.
func (f *fused) filterOf(cond expr.Expr) int {
	at := slices.IndexFunc(f.filters, func(e expr.Expr) bool { return reflect.DeepEqual(e, cond) })
	if at < 0 {
		at = len(f.filters)
		f.filters = append(f.filters, cond)
	}
	return at
}

func isColumn(e expr.Expr) bool {
	_, ok := e.(*expr.Col)
	return ok
}

// measureOf finds or adds the measure of a call.
func (f *fused) measureOf(i int, args []expr.Expr) int {
	call := &f.n.Aggs[i]
	s, _ := agg.New(call)
	m := measure{col: -1, filter: -1, needs: s.(agg.Summed).Needs(), cols: columnsRead(append(args, call.Filter)...)}
	if len(args) == 1 {
		m.e = args[0]
		if c, ok := m.e.(*expr.Col); ok {
			m.col = c.Idx
		}
	}
	if call.Filter != nil {
		m.filter = f.filterOf(call.Filter)
	}
	at := slices.IndexFunc(f.measures, func(o measure) bool { return o.filter == m.filter && reflect.DeepEqual(o.e, m.e) })
	if at < 0 {
		at = len(f.measures)
		f.measures = append(f.measures, m)
	}
	f.measures[at].needs |= m.needs
	f.measures[at].calls = append(f.measures[at].calls, i)
	return at
}

// rowGroup is the row group a worker is at, and its rows that passed.
type rowGroup struct {
	rows  int
	sel   vec.Bitmap // nil: all of them
	alive int
	step  int // rows of a block
}

// fusedWorker is one worker's part.
type fusedWorker struct {
	f        *fused
	end      *aggEnd
	w        *worker
	scan     *scan.Worker
	table    *groupTable // where the groups are: the end's
	group    rowGroup
	keys     []keyCodes
	index    codeIndex
	runs     runIndex
	total    tally
	counts   []int64 // rows of each code
	pos      []uint16
	groups   int // row groups so far
	filters  []filterState
	sums     []measureState
	named    namedCodes
	wide     []uint32             // groups of a block's rows
	counting []counting           // by call; nil: there are none
	lanes    kernel.WideLanes     // of the measure that counts the rows too
	masked   bool                 // masks are the row group's
	masks    [fewCodes]vec.Bitmap // the rows of each code
}

func (f *fused) newWorker(e *aggEnd, s *scan.Worker) *fusedWorker {
	x := &fusedWorker{f: f, end: e, w: e.w, scan: s, keys: make([]keyCodes, len(f.keys)), filters: make([]filterState, len(f.filters)),
		sums: make([]measureState, len(f.measures))}
	for i, e := range f.filters {
		x.filters[i].ev, x.filters[i].cols = expr.Compile(e), columnsRead(e)
		x.filters[i].cond = s.NewCondition(e)
	}
	for i := range f.measures {
		m := &f.measures[i]
		x.sums[i].measure = m
		if m.e != nil && m.col < 0 {
			x.sums[i].ev = expr.Compile(m.e)
		}
	}
	for i := range f.keys {
		if k := &f.keys[i]; k.e != nil && monotone(k.e) {
			x.keys[i].steps = newSteps(k, f.read[k.col].Type, len(f.read), x.w.ctx)
		}
	}
	x.named.init(x)
	return x
}

// morsel does row group i. spent is the time behind the scan.
func (x *fusedWorker) morsel(i int, timed bool) (rows int, spent time.Duration, err error) {
	x.table = x.end.table
	if rows, done, err := x.addRange(i); done || err != nil {
		return rows, 0, err
	}
	g, sel, alive, err := x.scan.Select(i)
	if err != nil || alive == 0 {
		return 0, 0, err
	}
	x.group = rowGroup{rows: g.Rows(), sel: sel, alive: alive, step: x.scan.Step()}
	start := time.Time{}
	if timed {
		start = time.Now()
	}
	err = x.accumulate()
	if timed {
		spent = time.Since(start)
	}
	return alive, spent, err
}

func (x *fusedWorker) accumulate() error {
	if !x.loadIndex() {
		x.f.stats.Fallback.Add(1)
		return x.general()
	}
	err := x.dense()
	x.release()
	return err
}

// book counts how the row group is taken.
func (x *fusedWorker) book() {
	s, g := x.f.stats, &x.group
	switch {
	case g.sel == nil && x.index.n == 1 && !x.reads():
		s.Metadata.Add(1)
	case g.sel == nil:
		s.All.Add(1)
	case g.alive*5 >= g.rows:
		s.Bitmap.Add(1)
	default:
		s.Selection.Add(1)
	}
	if slices.ContainsFunc(x.keys, func(k keyCodes) bool { return k.stepped }) {
		s.Steps.Add(1)
	}
	switch {
	case x.index.runs != nil:
		s.Runs.Add(1)
	case len(x.keys) > 1:
		s.Combined.Add(1)
	case len(x.keys) == 1:
		s.Dense.Add(1)
	}
}

// general gives the row group's rows to the general path, a batch at a time.
func (x *fusedWorker) general() error {
	return x.eachBlock(func(_, _ int, rows *rowSet) error {
		for c := range x.f.out {
			if _, err := x.scan.Load(c); err != nil {
				return err
			}
		}
		return x.end.push(x.scan.Batch(), rows.sel)
	})
}

// fusedLeast is the fewest rows of a row group that are worth accumulators: of fewer a batch or two are less work.
const fusedLeast = 1024

// whole implements wholeMorsels.
func (e *aggEnd) whole(i int, c *chain) (bool, error) {
	if c.maker != nil {
		return e.take(i, c)
	}
	if e.fused == nil || e.raw != nil || e.mustSpill() || c.scan.Found(i) {
		return false, nil
	}
	if c.scan.RowsOf(i) < fusedLeast {
		e.fused.stats.Fallback.Add(1)
		return false, nil
	}
	e.last = i
	if e.own == nil {
		e.own = e.fused.newWorker(e, c.scan)
	}
	rows, spent, err := e.own.morsel(i, c.meter != nil)
	for _, m := range c.meter { // the scan's, and those of what it does for stages
		m.spent += spent
		m.st.rows.Add(int64(rows))
	}
	return true, err
}

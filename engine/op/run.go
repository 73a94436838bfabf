// Package op executes query plans.
//
// A plan is cut into pipelines. A pipeline begins at a stored table or at the rows of a pipeline below, runs through
// filters, projections, set-returning functions and probes of joins, and ends where rows are gathered: in groups, in a
// sort, in a hash table, or at whoever asked. Over a stored table all workers run the whole pipeline, each on row groups
// (morsels) it takes from a counter, each with buffers, evaluators and partial results of its own; what they made is put
// together in the order of the morsels, so that one plan over one snapshot gives one answer to the last bit.
//
// Batches travel with a selection: a bitmap of the rows that are still alive, nil for all. A batch is lent to the
// function it is pushed to and is overwritten after it returns.
package op

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/engine/sched"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Env is what an execution needs from outside.
type Env struct {
	// Ctx carries parameters, session and the context that cancels the execution. Its hooks are set by Run, on a copy.
	Ctx *expr.Ctx
	// Source opens a stored table. It is called once per scan, and the source stays readable until Close.
	Source  func(*types.Table) (column.Source, error)
	Workers int   // 0: one for each core
	Memory  int64 // query_memory in bytes; 0: no limit
	// Pool counts what all executions of the process hold; nil: nobody does.
	Pool *MemoryPool
	// Spill is where operators put what does not fit into Memory; nil: they fail with error 53200 instead.
	Spill   *spill.Space
	Analyze *Analysis // nil: nothing is measured
	// Cores is what this execution shares the machine's cores by, morsel by morsel; nil: it waits for nobody.
	Cores *sched.Pool
	// Progress is told how far the execution is; nil: nobody asks.
	Progress *Progress
	// HashEqual makes all hashes of grouping keys equal, and ForceSpill makes operators that can spill do so from the first
	// row. The answers stay the same: they are for tests.
	HashEqual, ForceSpill bool
	// BatchRows is the most rows of a batch that a scan emits; 0: what is best. Tests set it.
	BatchRows int
	// TextPieces is the expressions' TextRoom. Tests set it.
	TextPieces int
	// ManyGroups is the number of groups from which an aggregation puts them together by partition; 0: 32,768. Tests set it.
	ManyGroups int
	// WorkerRows is how many rows of a table each worker of an aggregation with keys has to have; 0: any.
	WorkerRows int
	// SoonGroups is the number of groups from which aggregations of few rows put them together by partition; 0: as others do.
	SoonGroups int
	// RowKeys is the number of keys from which a table of keys numbers whole rows; 0: 4096, negative: never. Tests set it.
	RowKeys int
	// PairBytes is the bytes of texts with which the pairs of a join are put out; 0: 8 MiB. Tests set it.
	PairBytes int
	// Skip makes scans leave out rows that corruption hides, and counts them; nil: they are errors.
	Skip *scan.Skipped
	// NoTopPush keeps a top-N from telling the scan below what it need not read, and from reading columns late.
	NoTopPush bool
	// NoJoinFilter keeps joins from telling the scan of their probe side which keys have a partner.
	NoJoinFilter bool
	// NoJoinUnique makes joins copy their rows also where each has one partner at most.
	NoJoinUnique bool
	// NoJoinKeys makes semi and anti joins gather the rows of their other side, and not only the keys.
	NoJoinKeys bool
	// NoApart makes aggregations of few groups with many values each fail with error 53200 when they do not fit into Memory.
	NoApart bool
	// NoClusters makes windows sort their input row by row.
	NoClusters bool
	// Scan is what scans are to do without.
	Scan scan.Without
	// NoFused makes every aggregation take the general path, batch by batch.
	NoFused bool
	// NoCaseCodes is the expressions' PlainCase.
	NoCaseCodes bool
	// NoRuns keeps fused aggregations from numbering the runs of rows with equal keys.
	NoRuns bool
	// NoScatter keeps aggregations with many groups from scattering them without a table of all.
	NoScatter bool
	// NoScatterTexts keeps them from scattering groups with texts among the keys.
	NoScatterTexts bool
	// NoScatterRows keeps them from scattering the rows of batches without a table.
	NoScatterRows bool
}

// Run starts a plan. Nothing is read before the first Next. The batches have no Sel. Close stops what is running and
// returns when the last goroutine has ended; it is to be called exactly once, also after an error.
func Run(env *Env, n plan.Node) (plan.Rows, error) {
	parent := context.Background()
	if env.Ctx != nil && env.Ctx.Context != nil {
		parent = env.Ctx.Context
	}
	ctx, cancel := context.WithCancelCause(parent)
	x := &exec{env: env, mem: &memory{limit: env.Memory, pool: env.Pool}, workers: env.Workers, once: &sync.Map{}}
	if env.Spill != nil {
		x.spill = env.Spill.Share(0)
	}
	if env.Cores != nil {
		x.turns = env.Cores.Query()
	}
	if env.Progress != nil {
		env.Progress.begin(x)
	}
	if x.workers <= 0 {
		x.workers = runtime.GOMAXPROCS(0)
	}
	base := expr.Ctx{}
	if env.Ctx != nil {
		base = *env.Ctx
	}
	base.Context, base.TextRoom, base.PlainCase = ctx, env.TextPieces, env.NoCaseCodes
	b := newBuilder(x, &base, nil)
	rows, err := b.build(n)
	if err != nil {
		cancel(nil)
		x.mem.finish()
		return nil, err
	}
	return &result{rows: rows, mem: x.mem, ctx: b.ctx, cancel: cancel}, nil
}

// result is the outermost Rows.
type result struct {
	rows   plan.Rows
	mem    *memory
	ctx    *expr.Ctx
	cancel context.CancelCauseFunc
	out    vec.Batch
	vecs   []vec.Vector
}

// errClosed is why workers stop when the reader has had enough.
var errClosed = errors.New("result closed")

func (r *result) Next() (*vec.Batch, error) {
	for {
		if err := expr.Canceled(r.ctx); err != nil {
			return nil, err
		}
		b, err := r.rows.Next()
		if err != nil || b == nil {
			return nil, err
		}
		if b.Sel == nil {
			if b.N == 0 {
				continue
			}
			return b, nil
		}
		if len(b.Sel) == 0 {
			continue
		}
		if r.vecs == nil {
			r.vecs = make([]vec.Vector, len(b.Cols))
			for i := range r.vecs {
				r.out.Cols = append(r.out.Cols, &r.vecs[i])
			}
		}
		for i, v := range b.Cols {
			r.vecs[i].Reset(v.Type)
			vec.AppendIndexed(&r.vecs[i], v, b.Sel)
		}
		r.out.N = len(b.Sel)
		return &r.out, nil
	}
}

func (r *result) Close() {
	r.cancel(errClosed)
	r.rows.Close()
	r.mem.finish()
}

// exec is one execution: what all its pipelines share.
type exec struct {
	env     *Env
	mem     *memory
	spill   *spill.Space // this execution's part; nil: nothing is spilled
	workers int
	turns   *sched.Query // nil: nobody waits
	once    *sync.Map    // any -> *onceValue
}

// slot returns a worker's claim to a core. What runs inside the work of one that has a core does not wait for another.
func (x *exec) slot(ctx context.Context) *sched.Slot {
	if x.turns == nil || sched.Held(ctx) {
		return (*sched.Query)(nil).Slot()
	}
	return x.turns.Slot()
}

// part returns the execution of a plan that runs once per row of an enclosing one: on that row's goroutine, and what it
// holds is given back by its memory's release.
func (x *exec) part() *exec {
	return &exec{env: x.env, mem: &memory{parent: x.mem}, spill: x.spill, workers: 1, turns: x.turns, once: x.once}
}

type onceValue struct {
	do  sync.Once
	val any
	err error
}

func (x *exec) onceFor(key any, make func() (any, error)) (any, error) {
	v, _ := x.once.LoadOrStore(key, &onceValue{})
	o := v.(*onceValue)
	o.do.Do(func() { o.val, o.err = make() })
	return o.val, o.err
}

// builder turns plan nodes into Rows for one setting: the values of enclosing rows, the WITH items in scope.
type builder struct {
	x    *exec
	ctx  *expr.Ctx
	ctes map[int]*cte
}

func newBuilder(x *exec, ctx *expr.Ctx, ctes map[int]*cte) *builder {
	b := &builder{x: x, ctes: ctes}
	own := *ctx
	own.Once = x.onceFor
	own.OuterRefs = func(p any) []int { return plan.OuterRefs(p.(plan.Node)) }
	own.Run = func(ctx *expr.Ctx, p any) ([]*vec.Batch, error) {
		n, ok := p.(plan.Node)
		if !ok {
			return nil, sqlstate.New(sqlstate.Internal, "a subplan is not a plan but %T", p)
		}
		if len(ctx.Outer) == 0 {
			return newBuilder(x, ctx, ctes).collect(n)
		}
		once := x.part()
		defer once.mem.release()
		return newBuilder(once, ctx, ctes).collect(n)
	}
	b.ctx = &own
	return b
}

// build returns the rows of a node. It starts nothing.
func (b *builder) build(n plan.Node) (plan.Rows, error) {
	rows, err := b.open(n)
	if err != nil {
		return nil, err
	}
	if a := b.x.env.Analyze; a != nil {
		if !pipelined(n) {
			rows = &metered{rows: rows, st: a.node(n)}
		}
	}
	return rows, nil
}

func (b *builder) open(n plan.Node) (plan.Rows, error) {
	switch n := n.(type) {
	case *plan.Scan, *plan.Filter, *plan.Project, *plan.ProjectSet, *plan.Virtual, *plan.Window:
		return b.stream(n)
	case *plan.Join:
		if n.Kind == plan.Full {
			return b.fullJoin(n)
		}
		return b.stream(n)
	case *plan.Values:
		return &valuesRows{b: b, n: n}, nil
	case *plan.Agg:
		return b.aggregate(n)
	case *plan.Sort:
		return b.sort(n), nil
	case *plan.Limit:
		return b.limit(n)
	case *plan.Distinct:
		return b.distinct(n)
	case *plan.SetOp:
		return b.setOp(n)
	case *plan.Apply:
		return b.apply(n)
	case *plan.With:
		return b.with(n)
	case *plan.CTEScan:
		return b.cteScan(n)
	}
	return nil, sqlstate.New(sqlstate.FeatureNotSupported, "plan node %T cannot be executed", n)
}

// collect runs a node to its end and returns its rows as batches of their own, without Sel. The memory counts as the
// execution's until its end.
func (b *builder) collect(n plan.Node) ([]*vec.Batch, error) {
	rows, err := b.build(n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*vec.Batch
	for {
		in, err := rows.Next()
		if err != nil {
			return nil, err
		}
		if in == nil {
			return out, nil
		}
		own := copyBatch(in)
		if own.N == 0 {
			continue
		}
		if err := b.x.mem.add("subquery", batchBytes(own)); err != nil {
			return nil, err
		}
		out = append(out, own)
	}
}

// copyBatch returns the live rows of b in memory of their own.
func copyBatch(b *vec.Batch) *vec.Batch {
	out := &vec.Batch{N: b.Rows(), Cols: make([]*vec.Vector, len(b.Cols))}
	for i, v := range b.Cols {
		w := &vec.Vector{}
		w.Reset(v.Type)
		if b.Sel == nil {
			w.AppendRange(v, 0, b.N)
		} else {
			vec.AppendIndexed(w, v, b.Sel)
		}
		out.Cols[i] = w
	}
	return out
}

// selection returns b.Sel as a bitmap in buf, or nil if all rows are alive.
func selection(b *vec.Batch, buf *vec.Bitmap) vec.Bitmap {
	if b.Sel == nil {
		return nil
	}
	*buf = buf.Resize(b.N)
	for _, i := range b.Sel {
		buf.Set(int(i))
	}
	return *buf
}

// metered counts the rows and the time of a node that is no part of a pipeline.
type metered struct {
	rows plan.Rows
	st   *NodeStats
}

func (m *metered) Next() (*vec.Batch, error) {
	start := time.Now()
	b, err := m.rows.Next()
	total := m.st.nanos.Add(int64(time.Since(start)))
	m.st.first.CompareAndSwap(0, total)
	if b != nil {
		m.st.rows.Add(int64(b.Rows()))
		m.st.batches.Add(1)
	}
	return b, err
}

func (m *metered) Close() { m.rows.Close() }

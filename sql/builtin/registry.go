package builtin

import (
	"slices"
	"strings"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// registry holds all signatures by name. It is filled once, before main, and never changed.
type registry struct {
	scalars   map[string][]*expr.Func
	operators map[string][]*expr.Func
	aggs      map[string][]*plan.AggFunc
	sets      map[string][]*plan.TableFunc
}

var all = newRegistry()

func newRegistry() *registry {
	r := &registry{
		scalars:   map[string][]*expr.Func{},
		operators: map[string][]*expr.Func{},
		aggs:      map[string][]*plan.AggFunc{},
		sets:      map[string][]*plan.TableFunc{},
	}
	for _, add := range []func(*registry){
		addComparisons, addIntArith, addFloatArith, addNumericArith, addMath, addText, addTextSearch, addLike, addRegexp,
		addFormat, addDateArith, addDateFuncs, addDateFormat, addJSONB, addJSONBBuild, addArrays, addHistograms, addSystem,
		addSeries, addTableFuncs, addAggregates,
	} {
		add(r)
	}
	assignOIDs(r)
	markMonotone(r)
	return r
}

// Scalars returns all overloads of a function by its lower-case name. The result must not be changed.
func Scalars(name string) []*expr.Func { return all.scalars[name] }

// Operators returns all overloads of an operator, prefix ones with one argument. The result must not be changed.
func Operators(name string) []*expr.Func { return all.operators[name] }

// Aggregates returns all overloads of an aggregate.
func Aggregates(name string) []*plan.AggFunc { return all.aggs[name] }

// TableFuncs returns all overloads of a set-returning function.
func TableFuncs(name string) []*plan.TableFunc { return all.sets[name] }

// AllScalars returns every scalar function by name, for pg_proc.
func AllScalars() []*expr.Func { return flatten(all.scalars) }

// AllOperators returns every operator by name, for pg_operator.
func AllOperators() []*expr.Func { return flatten(all.operators) }

// AllAggregates returns every aggregate by name.
func AllAggregates() []*plan.AggFunc { return flatten(all.aggs) }

// AllTableFuncs returns every set-returning function by name.
func AllTableFuncs() []*plan.TableFunc { return flatten(all.sets) }

func flatten[F any](m map[string][]F) []F {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	var out []F
	for _, n := range names {
		out = append(out, m[n]...)
	}
	return out
}

type evalFunc = func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error

// fn registers a strict immutable function.
func (r *registry) fn(name string, args []types.Type, ret types.Type, eval evalFunc) *expr.Func {
	f := &expr.Func{Name: name, Args: args, Ret: ret, Eval: eval}
	r.scalars[name] = append(r.scalars[name], f)
	return f
}

// op registers a strict immutable operator.
func (r *registry) op(name string, args []types.Type, ret types.Type, eval evalFunc) *expr.Func {
	f := &expr.Func{Name: name, Args: args, Ret: ret, Eval: eval}
	r.operators[name] = append(r.operators[name], f)
	return f
}

// alias registers all overloads of name under another one as well.
func (r *registry) alias(other, name string) {
	for _, f := range r.scalars[name] {
		g := *f
		g.Name = other
		r.scalars[other] = append(r.scalars[other], &g)
	}
}

func stable(f *expr.Func) *expr.Func   { f.Volatile = expr.Stable; return f }
func volatile(f *expr.Func) *expr.Func { f.Volatile = expr.Volatile; return f }
func called(f *expr.Func) *expr.Func   { f.Called = true; return f }
func variadic(f *expr.Func) *expr.Func { f.Variadic = true; return f }

// Shorthand for signatures.
var (
	tBool        = types.Of(types.Bool)
	tInt2        = types.Of(types.Int16)
	tInt4        = types.Of(types.Int32)
	tInt8        = types.Of(types.Int64)
	tFloat4      = types.Of(types.Float32)
	tFloat8      = types.Of(types.Float64)
	tNumeric     = types.Of(types.Numeric)
	tText        = types.Of(types.Text)
	tName        = types.Of(types.Name)
	tBytea       = types.Of(types.Bytea)
	tDate        = types.Of(types.Date)
	tTime        = types.Of(types.Time)
	tTimestamp   = types.Of(types.Timestamp)
	tTimestamptz = types.Of(types.Timestamptz)
	tInterval    = types.Of(types.Interval)
	tUUID        = types.Of(types.UUID)
	tJSON        = types.Of(types.JSON)
	tJSONB       = types.Of(types.JSONB)
	tOID         = types.Of(types.OID)
	tHist        = types.Of(types.Histogram)
	tVoid        = types.Of(types.Void)
	tAny         = types.Of(types.Any)
	tAnyElement  = types.Of(types.AnyElement)
	tAnyArray    = types.Of(types.AnyArray)
	tTextArray   = types.ArrayOf(types.Text)
)

func sig(ts ...types.Type) []types.Type { return ts }

// Signature prints a function as PostgreSQL's messages do: "lower(text)".
func Signature(name string, args []types.Type) string {
	var b strings.Builder
	b.WriteString(name)
	b.WriteByte('(')
	for i, t := range args {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(t.String())
	}
	b.WriteByte(')')
	return b.String()
}

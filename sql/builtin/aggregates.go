package builtin

import (
	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
)

// addAggregates registers the signatures of the aggregates that engine/agg implements, with PostgreSQL's result types:
// sums of integers are bigint, of bigint numeric; averages of integers are numeric.
func addAggregates(r *registry) {
	r.agg("count", nil, tInt8)
	r.agg("count", sig(tAny), tInt8)
	for _, p := range [][2]types.Type{{tInt2, tInt8}, {tInt4, tInt8}, {tInt8, tNumeric}, {tFloat4, tFloat4}, {tFloat8, tFloat8},
		{tNumeric, tNumeric}, {tInterval, tInterval}} {
		r.agg("sum", sig(p[0]), p[1])
	}
	means := [][2]types.Type{{tInt2, tNumeric}, {tInt4, tNumeric}, {tInt8, tNumeric}, {tNumeric, tNumeric},
		{tFloat4, tFloat8}, {tFloat8, tFloat8}}
	for _, p := range append(means, [2]types.Type{tInterval, tInterval}) {
		r.agg("avg", sig(p[0]), p[1])
	}
	for _, name := range []string{"stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop"} {
		for _, p := range means {
			r.agg(name, sig(p[0]), p[1])
		}
	}
	ordered := []types.Type{tInt2, tInt4, tInt8, tOID, tFloat4, tFloat8, tNumeric, tText, types.Of(types.BPChar), tDate, tTime,
		tTimestamp, tTimestamptz, tInterval, tAnyArray}
	for _, name := range []string{"min", "max"} {
		for _, t := range ordered {
			r.agg(name, sig(t), t)
		}
	}
	for _, name := range []string{"bool_and", "bool_or", "every"} {
		r.agg(name, sig(tBool), tBool)
	}
	for _, name := range []string{"bit_and", "bit_or", "bit_xor"} {
		for _, t := range []types.Type{tInt2, tInt4, tInt8} {
			r.agg(name, sig(t), t)
		}
	}
	for _, name := range []string{"corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy", "regr_intercept", "regr_r2",
		"regr_slope", "regr_sxx", "regr_sxy", "regr_syy"} {
		r.agg(name, sig(tFloat8, tFloat8), tFloat8)
	}
	r.agg("regr_count", sig(tFloat8, tFloat8), tInt8)
	addCollecting(r)
	addOrderedSets(r)
	addSketches(r)
}

// addCollecting registers the aggregates that keep all their values.
func addCollecting(r *registry) {
	r.agg("array_agg", sig(tAnyElement), tAnyArray)
	r.agg("string_agg", sig(tText, tText), tText)
	r.agg("string_agg", sig(tBytea, tBytea), tBytea)
	r.agg("jsonb_agg", sig(tAnyElement), tJSONB)
	r.agg("json_agg", sig(tAnyElement), tJSON)
	r.agg("jsonb_object_agg", sig(tAny, tAny), tJSONB)
	r.agg("json_object_agg", sig(tAny, tAny), tJSON)
	for _, name := range []string{"any_value", "arbitrary"} {
		r.agg(name, sig(tAnyElement), tAnyElement)
	}
	for _, name := range []string{"max_by", "min_by", "first", "last"} {
		r.agg(name, sig(tAnyElement, tAny), tAnyElement)
	}
}

func addOrderedSets(r *registry) {
	float8s := types.ArrayOf(types.Float64)
	r.orderedSet("percentile_cont", sig(tFloat8), tFloat8)
	r.orderedSet("percentile_cont", sig(float8s), float8s)
	r.orderedSet("percentile_disc", sig(tFloat8), tAnyElement)
	r.orderedSet("percentile_disc", sig(float8s), tAnyArray)
	r.orderedSet("mode", nil, tAnyElement)
	r.agg("median", sig(tFloat8), tFloat8)
}

func addSketches(r *registry) {
	r.agg("hist_merge", sig(tHist), tHist)
	r.agg("approx_count_distinct", sig(tAny), tInt8)
	r.agg("approx_distinct", sig(tAny), tInt8)
}

func (r *registry) agg(name string, args []types.Type, ret types.Type) {
	r.addAgg(&plan.AggFunc{Name: name, Args: args, Ret: ret})
}

func (r *registry) orderedSet(name string, args []types.Type, ret types.Type) {
	r.addAgg(&plan.AggFunc{Name: name, Args: args, Ret: ret, OrderedSet: true})
}

// addAgg leaves out what the engine does not implement: the binder then says that there is no such function.
func (r *registry) addAgg(f *plan.AggFunc) {
	if agg.Exists(f.Name) {
		r.aggs[f.Name] = append(r.aggs[f.Name], f)
	}
}

package builtin

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestMonotoneFunctionsNeverTurn computes every function that is said to be monotone for ascending values of an argument,
// the others being the same: the results only rise, or only fall.
func TestMonotoneFunctionsNeverTurn(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	var fns []*expr.Func
	for _, f := range append(AllScalars(), AllOperators()...) {
		if f.Monotone != 0 {
			fns = append(fns, f)
		}
	}
	kinds := []types.Kind{types.Int16, types.Int32, types.Int64, types.Float64, types.Date, types.Timestamp}
	for _, from := range kinds {
		for _, to := range kinds {
			if f, ok := FindCast(types.Of(from), types.Of(to), Explicit); ok && f != nil && f.Monotone != 0 {
				fns = append(fns, f)
			}
		}
	}
	if len(fns) < 60 {
		t.Errorf("only %d functions are monotone", len(fns))
	}
	for _, f := range fns {
		for at := range f.Args {
			for range 8 {
				if f.MonotoneIn(at) {
					testMonotone(t, rng, f, at)
				}
			}
		}
	}
}

func testMonotone(t *testing.T, rng *rand.Rand, f *expr.Func, at int) {
	t.Helper()
	const n = 200
	args := make([]*vec.Vector, len(f.Args))
	for i, k := range f.Args {
		args[i] = &vec.Vector{}
		args[i].Reset(k)
		if i == at {
			appendAscending(rng, args[i], n)
		} else {
			appendOther(rng, args[i])
			args[i].Form, args[i].N = vec.Const, n
		}
	}
	var results []*vec.Vector
	for i := range n { // one by one: some may fail
		one := make([]*vec.Vector, len(args))
		for k, a := range args {
			one[k] = &vec.Vector{}
			one[k].SetConst(a, i, 1)
		}
		out := &vec.Vector{}
		out.Reset(f.Ret)
		if f.Eval(&expr.Ctx{}, one, vec.Bitmap{1}, 1, out) == nil {
			results = append(results, out)
		}
	}
	rises, falls := false, false
	for i := 1; i < len(results); i++ {
		c := datum.Compare(f.Ret, results[i-1], 0, results[i], 0)
		rises, falls = rises || c < 0, falls || c > 0
	}
	if rises && falls {
		t.Errorf("%s(%v) rises and falls with its argument %d", f.Name, f.Args, at+1)
	}
}

func appendAscending(rng *rand.Rand, v *vec.Vector, n int) {
	if v.Type.Phys() == types.PhysFloat64 {
		xs := make([]float64, n)
		for i := range xs {
			xs[i] = rng.NormFloat64() * []float64{1, 100, 1e6}[rng.IntN(3)]
		}
		slices.Sort(xs)
		for _, x := range xs {
			v.AppendFloat(x)
		}
		return
	}
	xs := make([]int64, n)
	spread := []int64{10, 1000, 30_000}[rng.IntN(3)]
	for i := range xs {
		if xs[i] = rng.Int64N(2*spread) - spread; v.Type.Kind == types.Timestamp {
			xs[i] = xs[i]*86_400_000_000/7 + rng.Int64N(1000)
		}
	}
	slices.Sort(xs)
	for _, x := range xs {
		v.AppendInt(x)
	}
}

// appendOther appends a value that an argument keeps.
func appendOther(rng *rand.Rand, v *vec.Vector) {
	switch v.Type.Kind {
	case types.Text:
		v.AppendString([]string{"year", "quarter", "month", "week", "day", "hour", "minute"}[rng.IntN(7)])
	case types.Interval:
		v.AppendBytes(datum.Interval{Micros: 1 + rng.Int64N(1e12)}.Append(nil))
	case types.Float64:
		v.AppendFloat(rng.NormFloat64() * 10)
	case types.Timestamp:
		v.AppendInt(rng.Int64N(1e15))
	default:
		v.AppendInt(rng.Int64N(100) - 30)
	}
}

package agg

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

var (
	tBool    = types.Of(types.Bool)
	tInt4    = types.Of(types.Int32)
	tInt     = types.Of(types.Int64)
	tFloat   = types.Of(types.Float64)
	tNumeric = types.Of(types.Numeric)
	tText    = types.Of(types.Text)
	tJSONB   = types.Of(types.JSONB)
	tSpan    = types.Of(types.Interval)
)

func col(i int, t types.Type) expr.Expr { return &expr.Col{Idx: i, T: t} }

func call(name string, ret types.Type, args ...types.Type) *plan.AggCall {
	c := &plan.AggCall{Fn: &plan.AggFunc{Name: name, Args: args, Ret: ret}, T: ret}
	for i, t := range args {
		c.Args = append(c.Args, col(i, t))
	}
	return c
}

// ordered is an ordered-set call over one sorted column; args are the direct arguments.
func ordered(name string, ret, input types.Type, args ...types.Type) *plan.AggCall {
	c := call(name, ret, args...)
	c.Fn.OrderedSet = true
	c.Order = []plan.SortKey{{Expr: col(len(args), input)}}
	return c
}

func parse(t testing.TB, v *vec.Vector, typ types.Type, s string) {
	t.Helper()
	if s == "NULL" {
		v.AppendNull()
		return
	}
	if typ.Kind == types.Histogram {
		h, err := sketch.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		v.AppendBytes(h.AppendTo(nil))
		return
	}
	if err := datum.ParseText(typ, []byte(s), nil, v); err != nil {
		t.Fatalf("%s %q: %v", typ, s, err)
	}
}

func text(v *vec.Vector, i int) string {
	if v.Null(i) {
		return "NULL"
	}
	return string(datum.AppendText(nil, v, i, nil))
}

// one evaluates an aggregate over one group of rows; each row has the texts of the arguments and ORDER BY values.
func one(t testing.TB, c *plan.AggCall, rows ...string) (string, error) {
	t.Helper()
	s, err := New(c)
	if err != nil {
		return "", err
	}
	s.Grow(1)
	in := &Input{N: len(rows)}
	add := func(k int, typ types.Type) *vec.Vector {
		v := &vec.Vector{}
		v.Reset(typ)
		for _, r := range rows {
			parse(t, v, typ, strings.Split(r, "|")[k])
		}
		return v
	}
	for k, e := range c.Args {
		in.Args = append(in.Args, add(k, e.Type()))
	}
	for k, o := range c.Order {
		in.Order = append(in.Order, add(len(c.Args)+k, o.Expr.Type()))
	}
	if len(rows) > 0 {
		if err := s.Add(in); err != nil {
			return "", err
		}
	}
	var out vec.Vector
	out.Reset(c.T)
	if err := s.Result(0, 1, &out); err != nil {
		return "", err
	}
	return text(&out, 0), nil
}

func distinct(c *plan.AggCall) *plan.AggCall { c.Distinct = true; return c }

func orderBy(c *plan.AggCall, keys ...plan.SortKey) *plan.AggCall { c.Order = keys; return c }

// The expected values are PostgreSQL 15's.
func TestValuesAreThoseOfPostgreSQL(t *testing.T) {
	float8s := types.ArrayOf(types.Float64)
	hist := types.Of(types.Histogram)
	for _, c := range []struct {
		name string
		call *plan.AggCall
		rows []string
		want string
	}{
		{"count of nothing", call("count", tInt), nil, "0"},
		{"count of a column skips NULL", call("count", tInt, tInt), []string{"1", "NULL", "3"}, "2"},
		{"sum of nothing", call("sum", tNumeric, tInt), nil, "NULL"},
		{"sum of NULLs", call("sum", tNumeric, tInt), []string{"NULL", "NULL"}, "NULL"},
		{"sum of bigint leaves 64 bits", call("sum", tNumeric, tInt), []string{"9223372036854775807", "9223372036854775807", "1"}, "18446744073709551615"},
		{"sum of negative bigint leaves 64 bits", call("sum", tNumeric, tInt), []string{"-9223372036854775808", "-9223372036854775808"}, "-18446744073709551616"},
		{"sum of integer is bigint", call("sum", tInt, tInt4), []string{"2147483647", "2147483647", "-1"}, "4294967293"},
		{"sum of numeric keeps scale", call("sum", tNumeric, tNumeric), []string{"1.10", "2.3", "NULL"}, "3.40"},
		{"sum of float", call("sum", tFloat, tFloat), []string{"0.1", "0.2"}, "0.30000000000000004"},
		{"sum of float NaN", call("sum", tFloat, tFloat), []string{"Infinity", "-Infinity"}, "NaN"},
		{"sum of interval", call("sum", tSpan, tSpan), []string{"1 day", "2 hours", "1 mon"}, "1 mon 1 day 02:00:00"},
		{"avg of integers", call("avg", tNumeric, tInt), []string{"1", "2"}, "1.5000000000000000"},
		{"avg of thirds", call("avg", tNumeric, tInt4), []string{"1", "1", "2"}, "1.3333333333333333"},
		{"avg of numeric", call("avg", tNumeric, tNumeric), []string{"1.0", "2.0"}, "1.5000000000000000"},
		{"avg of float", call("avg", tFloat, tFloat), []string{"1", "2"}, "1.5"},
		{"avg of interval", call("avg", tSpan, tSpan), []string{"1 day", "2 days"}, "1 day 12:00:00"},
		{"min of text", call("min", tText, tText), []string{"b", "NULL", "a", "B"}, "B"},
		{"max of numeric is by value", call("max", tNumeric, tNumeric), []string{"9", "10", "9.5"}, "10"},
		{"min of numeric is by value", call("min", tNumeric, tNumeric), []string{"-9", "-10", "9.5"}, "-10"},
		{"max of float: NaN is above all", call("max", tFloat, tFloat), []string{"1", "NaN", "Infinity"}, "NaN"},
		{"min of interval", call("min", tSpan, tSpan), []string{"1 mon", "29 days", "31 days"}, "29 days"},
		{"bool_and", call("bool_and", tBool, tBool), []string{"t", "NULL", "t"}, "t"},
		{"bool_or of nothing", call("bool_or", tBool, tBool), nil, "NULL"},
		{"every", call("every", tBool, tBool), []string{"t", "f"}, "f"},
		{"bit_or", call("bit_or", tInt, tInt), []string{"1", "6"}, "7"},
		{"bit_xor", call("bit_xor", tInt, tInt), []string{"1", "3"}, "2"},
		{"median", call("median", tFloat, tFloat), []string{"1", "9", "NULL", "2", "4"}, "3"},
		{"max_by", call("max_by", tText, tText, tInt), []string{"a|1", "b|3", "c|NULL", "d|3"}, "b"},
		{"first by time", call("first", tText, tText, tInt), []string{"a|2", "NULL|1"}, "NULL"},
		{"corr", call("corr", tFloat, tFloat, tFloat), []string{"1|1", "2|2", "3|4", "NULL|9"}, "0.9819805060619659"},
		{"covar_pop", call("covar_pop", tFloat, tFloat, tFloat), []string{"1|1", "2|2", "3|4"}, "1"},
		{"regr_slope", call("regr_slope", tFloat, tFloat, tFloat), []string{"1|1", "3|2", "5|3"}, "2"},
		{"regr_intercept", call("regr_intercept", tFloat, tFloat, tFloat), []string{"1|1", "3|2", "5|3"}, "-1"},
		{"regr_count", call("regr_count", tInt, tFloat, tFloat), []string{"1|NULL", "3|2", "NULL|3"}, "1"},
		{"corr of a constant", call("corr", tFloat, tFloat, tFloat), []string{"1|1", "1|2"}, "NULL"},
		{"variance of integers", call("variance", tNumeric, tInt), []string{"1", "2", "3", "4"}, "1.6666666666666667"},
		{"var_pop", call("var_pop", tNumeric, tInt), []string{"1", "2", "3", "4"}, "1.2500000000000000"},
		{"stddev", call("stddev", tNumeric, tInt), []string{"1", "2", "3", "4"}, "1.2909944487358056"},
		{"stddev_pop of numeric", call("stddev_pop", tNumeric, tNumeric), []string{"1.5", "2.5"}, "0.50000000000000000000"},
		{"variance of one", call("variance", tNumeric, tInt), []string{"7"}, "NULL"},
		{"var_pop of one", call("var_pop", tNumeric, tInt), []string{"7"}, "0"},
		{"stddev of float", call("stddev", tFloat, tFloat), []string{"1", "2", "3", "4"}, "1.2909944487358056"},
		{"array_agg keeps NULL", call("array_agg", types.ArrayOf(types.Int64), tInt), []string{"1", "NULL", "3"}, "{1,NULL,3}"},
		{"array_agg of nothing", call("array_agg", types.ArrayOf(types.Int64), tInt), nil, "NULL"},
		{"array_agg distinct sorts", distinct(call("array_agg", types.ArrayOf(types.Text), tText)), []string{"b", "a", "NULL", "b"}, "{a,b,NULL}"},
		{"array_agg in order", orderBy(call("array_agg", types.ArrayOf(types.Int64), tInt), plan.SortKey{Expr: col(1, tText), Desc: true}),
			[]string{"1|a", "2|c", "3|b"}, "{2,3,1}"},
		{"string_agg skips NULL", call("string_agg", tText, tText, tText), []string{"a|,", "NULL|,", "b|;", "c|,"}, "a;b,c"},
		{"string_agg distinct", distinct(call("string_agg", tText, tText, tText)), []string{"b|,", "a|,", "b|,"}, "a,b"},
		{"jsonb_agg", call("jsonb_agg", tJSONB, tNumeric), []string{"1.50", "NULL"}, "[1.50, null]"},
		{"jsonb_agg of text", call("jsonb_agg", tJSONB, tText), []string{`a"b\n`}, `["a\"b\\n"]`},
		{"jsonb_object_agg", call("jsonb_object_agg", tJSONB, tText, tInt), []string{"bb|1", "a|2", "a|3"}, `{"a": 3, "bb": 1}`},
		{"count distinct", distinct(call("count", tInt, tNumeric)), []string{"1.0", "1.00", "NULL", "2"}, "2"},
		{"sum distinct", distinct(call("sum", tNumeric, tInt)), []string{"5", "5", "7"}, "12"},
		{"percentile_cont", ordered("percentile_cont", tFloat, tFloat, tFloat), []string{"0.5|10", "0.5|20", "0.5|40", "0.5|NULL", "0.5|30"}, "25"},
		{"percentile_cont of an interval", ordered("percentile_cont", tSpan, tSpan, tFloat), []string{"0.5|1 day", "0.5|2 days"}, "1 day 12:00:00"},
		{"percentile_cont of fractions", ordered("percentile_cont", float8s, tFloat, float8s), []string{"{0,0.5,1}|1", "{0,0.5,1}|2", "{0,0.5,1}|9"}, "{1,2,9}"},
		{"percentile_disc", ordered("percentile_disc", tText, tText, tFloat), []string{"0.5|d", "0.5|a", "0.5|b", "0.5|c"}, "b"},
		{"mode", ordered("mode", tText, tText), []string{"b", "a", "b", "a", "c"}, "a"},
		{"approx_count_distinct of few is exact", call("approx_count_distinct", tInt, tText), []string{"a", "b", "a", "NULL"}, "2"},
		{"hist_merge", call("hist_merge", hist, hist), []string{"3;2;1;1,2;0:1,1:1,2:0", "NULL", "3;2;4;1,2;0:2,1:4,2:0"}, "3;2;5;1,2;0:3,1:5,2:0"},
	} {
		got, err := one(t, c.call, c.rows...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got != c.want {
			t.Errorf("%s: got %s want %s", c.name, got, c.want)
		}
	}
}

func TestErrorsCarryTheirCode(t *testing.T) {
	hist := types.Of(types.Histogram)
	for _, c := range []struct {
		name, code string
		call       *plan.AggCall
		rows       []string
	}{
		{"unknown aggregate", sqlstate.UndefinedFunction, call("nonsense", tInt, tInt), nil},
		{"sum of text", sqlstate.UndefinedFunction, call("sum", tInt, tText), nil},
		{"a fraction above one", sqlstate.NumericOutOfRange, ordered("percentile_cont", tFloat, tFloat, tFloat), []string{"1.5|1"}},
		{"histograms of two layouts", sqlstate.InvalidParameter, call("hist_merge", hist, hist), []string{"3;2;1;1,2;0:1", "4;2;1;1,2;0:1"}},
		{"a NULL key", sqlstate.InvalidParameter, call("jsonb_object_agg", tJSONB, tText, tInt), []string{"NULL|1"}},
	} {
		if _, err := one(t, c.call, c.rows...); sqlstate.Code(err) != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Values of a random test: nil or a number. naive computes each aggregate over the values of one group in plain Go.
type naive func(xs []any) string

func numbers(xs []any) []int64 {
	var out []int64
	for _, x := range xs {
		if x != nil {
			out = append(out, x.(int64))
		}
	}
	return out
}

func sumBig(xs []int64) *big.Int {
	s := new(big.Int)
	for _, x := range xs {
		s.Add(s, big.NewInt(x))
	}
	return s
}

var naives = map[string]naive{
	"count": func(xs []any) string { return fmt.Sprint(len(numbers(xs))) },
	"sum": func(xs []any) string {
		if n := numbers(xs); len(n) > 0 {
			return sumBig(n).String()
		}
		return "NULL"
	},
	"min": func(xs []any) string {
		if n := numbers(xs); len(n) > 0 {
			return fmt.Sprint(slices.Min(n))
		}
		return "NULL"
	},
	"max": func(xs []any) string {
		if n := numbers(xs); len(n) > 0 {
			return fmt.Sprint(slices.Max(n))
		}
		return "NULL"
	},
	"count distinct": func(xs []any) string {
		n := numbers(xs)
		slices.Sort(n)
		return fmt.Sprint(len(slices.Compact(n)))
	},
	"sum distinct": func(xs []any) string {
		n := numbers(xs)
		slices.Sort(n)
		if n = slices.Compact(n); len(n) > 0 {
			return sumBig(n).String()
		}
		return "NULL"
	},
	"var_pop": func(xs []any) string {
		n := numbers(xs)
		if len(n) == 0 {
			return "NULL"
		}
		sq := new(big.Int)
		for _, x := range n {
			sq.Add(sq, new(big.Int).Mul(big.NewInt(x), big.NewInt(x)))
		}
		s, c := sumBig(n), big.NewInt(int64(len(n)))
		num := new(big.Int).Sub(new(big.Int).Mul(c, sq), new(big.Int).Mul(s, s))
		f, _ := new(big.Rat).SetFrac(num, new(big.Int).Mul(c, c)).Float64()
		return fmt.Sprintf("%.9g", f)
	},
	"array_agg": func(xs []any) string {
		if len(xs) == 0 {
			return "NULL"
		}
		var parts []string
		for _, x := range xs {
			if x == nil {
				parts = append(parts, "NULL")
			} else {
				parts = append(parts, fmt.Sprint(x))
			}
		}
		return "{" + strings.Join(parts, ",") + "}"
	},
	"percentile_disc": func(xs []any) string {
		n := numbers(xs)
		if len(n) == 0 {
			return "NULL"
		}
		slices.Sort(n)
		return fmt.Sprint(n[max(int(math.Ceil(0.3*float64(len(n))))-1, 0)])
	},
}

func callFor(name string) *plan.AggCall {
	switch name {
	case "sum", "var_pop":
		return call(name, tNumeric, tInt)
	case "count distinct":
		return distinct(call("count", tInt, tInt))
	case "sum distinct":
		return distinct(call("sum", tNumeric, tInt))
	case "array_agg":
		return call(name, types.ArrayOf(types.Int64), tInt)
	case "percentile_disc":
		return ordered(name, tInt, tInt, tFloat)
	}
	return call(name, tInt, tInt)
}

// TestBatchesSelectionsFormsAndMerges feeds the same rows cut into batches of many sizes, in all vector forms, grouped or
// not, selected or not, through one state or several that are merged, and compares with the naive evaluation.
func TestBatchesSelectionsFormsAndMerges(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for name, want := range naives {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 64, 1024} {
				for _, groups := range []int{1, 5, 300} {
					checkRandom(t, rng, name, want, size, groups)
				}
			}
		})
	}
}

func checkRandom(t *testing.T, rng *rand.Rand, name string, want naive, size, groups int) {
	c := callFor(name)
	values := make([][]any, groups)
	states := make([]State, 3)
	for i := range states {
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		states[i] = s
		s.Grow(groups)
	}
	at := 0 // states take turns in runs, so that merging them in order keeps the order of the rows
	batches := min(60, 3000/size+1)
	for k := range batches {
		if k > (at+1)*batches/len(states) && at < len(states)-1 {
			at++
		}
		v, xs := randomVector(rng, size)
		in := &Input{N: size, Args: []*vec.Vector{v}}
		if c.Fn.OrderedSet {
			q := &vec.Vector{}
			q.Reset(tFloat)
			q.AppendFloat(0.3)
			q.Form, q.N = vec.Const, size
			in.Args, in.Order = []*vec.Vector{q}, []*vec.Vector{v}
		}
		if rng.IntN(2) == 0 {
			in.Sel = vec.MakeBitmap(size)
			density := rng.IntN(4)
			for i := range size {
				if rng.IntN(4) <= density {
					in.Sel.Set(i)
				}
			}
		}
		in.One = uint32(rng.IntN(groups))
		if rng.IntN(3) > 0 {
			in.Groups = make([]uint32, size)
			for i := range in.Groups {
				in.Groups[i] = uint32(rng.IntN(groups))
			}
		}
		for i := range size {
			if in.Sel == nil || in.Sel.Get(i) {
				g := in.group(i)
				values[g] = append(values[g], xs[i])
			}
		}
		if err := states[at].Add(in); err != nil {
			t.Fatal(err)
		}
	}
	// The groups of the others get other numbers.
	perm := make([]uint32, groups)
	for i, p := range rng.Perm(groups) {
		perm[i] = uint32(p)
	}
	total, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	total.Grow(groups)
	for _, s := range states {
		if rng.IntN(2) == 0 {
			if err := total.Merge(s, nil, perm); err != nil {
				t.Fatal(err)
			}
			continue
		}
		Seal(s)
		for part := range 3 { // some groups at a time
			from, to := []uint32{}, []uint32{}
			for g := part; g < groups; g += 3 {
				from, to = append(from, uint32(g)), append(to, perm[g])
			}
			if err := total.Merge(s, from, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out vec.Vector
	out.Reset(c.T)
	for from := 0; from < groups; from += 7 {
		if err := total.Result(from, min(from+7, groups), &out); err != nil {
			t.Fatal(err)
		}
	}
	for g, xs := range values {
		got := text(&out, int(perm[g]))
		if name == "var_pop" && got != "NULL" {
			var f float64
			fmt.Sscan(got, &f)
			got = fmt.Sprintf("%.9g", f)
		}
		if w := want(xs); got != w {
			t.Fatalf("batches of %d, %d groups: group %d of %v: got %s want %s", size, groups, g, xs, got, w)
		}
	}
}

// randomVector returns a vector in a random form and its values.
func randomVector(rng *rand.Rand, n int) (*vec.Vector, []any) {
	v := &vec.Vector{}
	v.Reset(tInt)
	xs := make([]any, n)
	wide := rng.IntN(3) == 0
	value := func() int64 {
		if wide {
			return rng.Int64() - rng.Int64()
		}
		return rng.Int64N(50) - 20
	}
	switch rng.IntN(4) {
	case 0:
		if rng.IntN(4) == 0 {
			v.SetConstNull(tInt, n)
			return v, xs
		}
		v.AppendInt(value())
		v.Form, v.N = vec.Const, n
	case 1:
		d := &vec.Vector{}
		d.Reset(tInt)
		for range 1 + rng.IntN(6) {
			d.AppendInt(value())
		}
		v.Form, v.Dict, v.N = vec.Dict, d, n
		if rng.IntN(2) == 0 {
			v.Valid = vec.MakeBitmap(n)
		}
		for i := range n {
			if v.Valid != nil && rng.IntN(3) == 0 {
				v.Codes = append(v.Codes, 0)
				continue
			}
			if v.Valid != nil {
				v.Valid.Set(i)
			}
			v.Codes = append(v.Codes, uint32(rng.IntN(d.N)))
		}
	default:
		nulls := rng.IntN(2) == 0
		for range n {
			if nulls && rng.IntN(3) == 0 {
				v.AppendNull()
			} else {
				v.AppendInt(value())
			}
		}
	}
	for i := range xs {
		if !v.Null(i) {
			xs[i] = v.Int(i)
		}
	}
	return v, xs
}

func TestApproximateCountStaysWithinItsError(t *testing.T) {
	for _, n := range []int{100, 1000, 20000, 300000} {
		s, err := New(call("approx_count_distinct", tInt, tInt))
		if err != nil {
			t.Fatal(err)
		}
		s.Grow(1)
		for from := 0; from < n; from += 1000 {
			v := &vec.Vector{}
			v.Reset(tInt)
			for i := range min(1000, n-from) {
				v.AppendInt(int64(from+i) * 7919)
			}
			for range 2 { // repeats do not count
				if err := s.Add(&Input{N: v.N, Args: []*vec.Vector{v}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		var out vec.Vector
		out.Reset(tInt)
		if err := s.Result(0, 1, &out); err != nil {
			t.Fatal(err)
		}
		if e := math.Abs(float64(out.I64[0]-int64(n))) / float64(n); e > 0.06 {
			t.Errorf("%d values: estimate %d", n, out.I64[0])
		}
	}
}

func TestFloatExtremesAgreeWithTheOrder(t *testing.T) {
	xs := []float64{math.NaN(), math.Inf(-1), -1, 0, 2, math.Inf(1)}
	for _, a := range xs {
		for _, b := range xs {
			v := &vec.Vector{}
			v.Reset(tFloat)
			v.AppendFloat(a)
			v.AppendFloat(b)
			s := newExtreme([]types.Type{tFloat}, 1)
			s.Grow(1)
			if err := s.Add(&Input{N: 2, Args: []*vec.Vector{v}}); err != nil {
				t.Fatal(err)
			}
			var out vec.Vector
			out.Reset(tFloat)
			if err := s.Result(0, 1, &out); err != nil {
				t.Fatal(err)
			}
			if got := out.F64[0]; column.CompareFloat(got, a) < 0 || column.CompareFloat(got, b) < 0 {
				t.Errorf("max(%v, %v) = %v", a, b, got)
			}
		}
	}
}

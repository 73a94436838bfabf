package agg

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// rankedCalls returns the calls that rankedState answers over a type, each with its general maker.
func rankedCalls(t types.Type, desc bool) map[string]*plan.AggCall {
	float8s := types.ArrayOf(types.Float64)
	calls := map[string]*plan.AggCall{
		"percentile_cont":         ordered("percentile_cont", tFloat, t, tFloat),
		"percentile_disc":         ordered("percentile_disc", t, t, tFloat),
		"percentile_cont (array)": ordered("percentile_cont", float8s, t, float8s),
		"percentile_disc (array)": ordered("percentile_disc", types.ArrayOf(t.Kind), t, float8s),
		"mode":                    ordered("mode", t, t),
	}
	for _, c := range calls {
		c.Order[0].Desc = desc
	}
	if t.Phys() == types.PhysFloat64 {
		calls["median"] = call("median", tFloat, t)
	}
	return calls
}

func generalOf(c *plan.AggCall) State {
	choose := map[string]func(*plan.AggCall, []types.Type) (finisher, int){
		"percentile_cont": percentileContFinish, "percentile_disc": percentileDiscFinish, "mode": modeFinish, "median": medianFinish,
	}[c.Fn.Name]
	return collecting(choose)(c, argTypes(c))
}

// TestQuantilesOfNumbersAreThoseOfTheirSortedRows compares with the state that sorts rows: integers and floats with the two
// zeros, infinities and NaN, in all forms, with fractions that change on the way or not, merged whole and by groups.
func TestQuantilesOfNumbersAreThoseOfTheirSortedRows(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, typ := range []types.Type{tInt, tInt4, types.Of(types.Timestamp), tFloat} {
		for _, desc := range []bool{false, true} {
			for name, c := range rankedCalls(typ, desc) {
				t.Run(fmt.Sprintf("%s of %v, desc %v", name, typ, desc), func(t *testing.T) {
					for _, groups := range []int{1, 4, 200} {
						for _, changing := range []bool{false, true} {
							checkRanked(t, rng, c, typ, groups, changing)
						}
					}
				})
			}
		}
	}
}

func checkRanked(t *testing.T, rng *rand.Rand, c *plan.AggCall, typ types.Type, groups int, changing bool) {
	t.Helper()
	// Fractions of groups, all one unless they change.
	qs := make([]string, groups)
	for g := range qs {
		qs[g] = qs[0]
		if g == 0 || changing {
			x, y := []float64{0, 0.5, 0.95, 1, rng.Float64()}[rng.IntN(5)], rng.Float64()
			qs[g] = fmt.Sprint(x)
			if len(c.Args) > 0 && c.Args[0].Type().Kind == types.Array {
				qs[g] = fmt.Sprintf("{%v,NULL,%v,0.5}", x, y)
			}
		}
	}
	wide, size := rng.IntN(3), 1+rng.IntN(1500)
	states := make([][2]State, 4) // of them the last takes the others
	for i := range states {
		fast, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := fast.(*rankedState); !ok {
			t.Fatalf("%s is a %T", c.Fn.Name, fast)
		}
		states[i] = [2]State{fast, generalOf(c)}
		for _, s := range states[i] {
			s.Grow(groups)
		}
	}
	for k := range 9 {
		in := rankedInput(t, rng, c, typ, size, wide, groups, qs)
		for _, s := range states[k%3] {
			if err := s.Add(in); err != nil {
				t.Fatal(err)
			}
		}
	}
	perm := make([]uint32, groups)
	for i, p := range rng.Perm(groups) {
		perm[i] = uint32(p)
	}
	for _, pair := range states[:3] {
		whole := rng.IntN(2) == 0
		for i, s := range pair {
			mergeInto(t, states[3][i], s, perm, whole)
		}
	}
	for range 2 { // a result may be asked for again
		got, want := results(t, states[3][0], c.T, groups), results(t, states[3][1], c.T, groups)
		for g := range got {
			if got[g] != want[g] {
				t.Fatalf("%d groups of %d rows, fractions %v: group %d is %s, want %s", groups, size, qs, g, got[g], want[g])
			}
		}
	}
}

func mergeInto(t *testing.T, to, from State, perm []uint32, whole bool) {
	t.Helper()
	if whole {
		if err := to.Merge(from, nil, perm); err != nil {
			t.Fatal(err)
		}
		return
	}
	Seal(from)
	for part := range 2 {
		gs, ts := []uint32{}, []uint32{}
		for g := part; g < len(perm); g += 2 {
			gs, ts = append(gs, uint32(g)), append(ts, perm[g])
		}
		if err := to.Merge(from, gs, ts); err != nil {
			t.Fatal(err)
		}
	}
}

func results(t *testing.T, s State, typ types.Type, groups int) []string {
	t.Helper()
	var out vec.Vector
	out.Reset(typ)
	for from := 0; from < groups; from += 50 {
		if err := s.Result(from, min(from+50, groups), &out); err != nil {
			t.Fatal(err)
		}
	}
	var texts []string
	for g := range groups {
		texts = append(texts, text(&out, g))
	}
	return texts
}

// rankedInput returns rows of one group, with the group's fraction, or of all groups.
func rankedInput(t *testing.T, rng *rand.Rand, c *plan.AggCall, typ types.Type, n, wide, groups int, qs []string) *Input {
	v := rankedVector(rng, typ, n, wide)
	in := &Input{N: n, One: uint32(rng.IntN(groups)), Args: []*vec.Vector{v}}
	if rng.IntN(2) == 0 {
		in.Groups = make([]uint32, n)
		for i := range in.Groups {
			in.Groups[i] = uint32(rng.IntN(groups))
		}
	}
	if rng.IntN(2) == 0 {
		in.Sel = vec.MakeBitmap(n)
		for i := range n {
			if i < n/2 || rng.IntN(2) == 0 {
				in.Sel.Set(i)
			}
		}
	}
	if len(c.Order) == 0 {
		return in
	}
	in.Args, in.Order = nil, []*vec.Vector{v}
	if len(c.Args) == 0 {
		return in
	}
	q := &vec.Vector{}
	q.Reset(c.Args[0].Type())
	same := true
	for _, x := range qs {
		same = same && x == qs[0]
	}
	if same || in.Groups == nil {
		parse(t, q, q.Type, qs[in.One])
		q.Form, q.N = vec.Const, n
	} else {
		for _, g := range in.Groups {
			parse(t, q, q.Type, qs[g])
		}
	}
	in.Args = []*vec.Vector{q}
	return in
}

func rankedVector(rng *rand.Rand, typ types.Type, n, wide int) *vec.Vector {
	one := func(v *vec.Vector) {
		if typ.Phys() == types.PhysFloat64 {
			special := []float64{math.Copysign(0, -1), 0, math.NaN(), math.Inf(1), math.Inf(-1), 1, -1}
			switch {
			case wide == 0 || rng.IntN(3) == 0:
				v.AppendFloat(special[rng.IntN(7)])
			case wide == 1:
				v.AppendFloat(rng.NormFloat64())
			default:
				v.AppendFloat(math.Ldexp(rng.NormFloat64(), rng.IntN(2000)-1000))
			}
			return
		}
		switch x := rng.Int64(); {
		case typ.Kind == types.Int32:
			v.AppendInt(int64(int32(x) >> (8 * wide)))
		case wide == 0:
			v.AppendInt(x % 20)
		case wide == 1 && typ.Kind == types.Int64:
			v.AppendInt([]int64{math.MinInt64, math.MaxInt64, 0, x}[rng.IntN(4)])
		default:
			v.AppendInt((x % (1 << 48)) >> rng.IntN(40))
		}
	}
	v := &vec.Vector{}
	v.Reset(typ)
	switch rng.IntN(4) {
	case 0:
		one(v)
		v.Form, v.N = vec.Const, n
	case 1:
		d := &vec.Vector{}
		d.Reset(typ)
		for range 1 + rng.IntN(40) {
			one(d)
		}
		v.Form, v.Dict, v.N = vec.Dict, d, n
		for range n {
			v.Codes = append(v.Codes, uint32(rng.IntN(d.N)))
		}
	default:
		nulls := rng.IntN(2) == 0
		for range n {
			if nulls && rng.IntN(4) == 0 {
				v.AppendNull()
			} else {
				one(v)
			}
		}
	}
	return v
}

func TestFractionsOutOfRangeAndNullAreAnsweredByTheRankedStateToo(t *testing.T) {
	c := ordered("percentile_cont", tFloat, tInt, tFloat)
	if _, err := one(t, c, "1.5|1"); err == nil {
		t.Error("a fraction of 1.5 is accepted")
	}
	for _, q := range []string{"0.5", "NULL", "1.5"} {
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		s.Grow(2)
		v, f := &vec.Vector{}, &vec.Vector{}
		v.Reset(tInt)
		f.Reset(tFloat)
		v.AppendInt(1)
		v.AppendInt(4)
		parse(t, f, tFloat, q)
		f.Form, f.N = vec.Const, 2
		if err := s.Add(&Input{N: 2, Args: []*vec.Vector{f}, Order: []*vec.Vector{v}}); err != nil {
			t.Fatal(err)
		}
		var out vec.Vector
		out.Reset(tFloat)
		err = s.Result(0, 2, &out)
		if q == "1.5" {
			if err == nil {
				t.Error("a fraction of 1.5 is accepted")
			}
			continue
		}
		want := map[string]string{"0.5": "2.5", "NULL": "NULL"}[q]
		if err != nil || text(&out, 0) != want || text(&out, 1) != "NULL" {
			t.Errorf("fraction %s: %s and %s (%v)", q, text(&out, 0), text(&out, 1), err)
		}
	}
}

// BenchmarkQuantiles is percentile_cont of three fractions over 1 Mi rows, beside the state that sorts rows.
func BenchmarkQuantiles(b *testing.B) {
	const n = 1 << 20
	rng := rand.New(rand.NewPCG(1, 2))
	for _, typ := range []types.Type{tInt, tFloat} {
		for _, groups := range []int{1, 8, 50000} {
			c := ordered("percentile_cont", types.ArrayOf(types.Float64), typ, types.ArrayOf(types.Float64))
			var q vec.Vector
			q.Reset(c.Args[0].Type())
			if err := datum.ParseText(q.Type, []byte("{0.5,0.95,0.99}"), nil, &q); err != nil {
				b.Fatal(err)
			}
			q.Form, q.N = vec.Const, vec.BatchRows
			v := &vec.Vector{}
			v.Reset(typ)
			in := &Input{N: vec.BatchRows, Args: []*vec.Vector{&q}, Order: []*vec.Vector{v}}
			if groups > 1 {
				in.Groups = make([]uint32, in.N)
			}
			for i := range in.N {
				if typ == tInt {
					v.AppendInt(int64(rng.ExpFloat64() * 3600))
				} else {
					v.AppendFloat(rng.ExpFloat64())
				}
				if groups > 1 {
					in.Groups[i] = rng.Uint32N(uint32(groups))
				}
			}
			for name, make := range map[string]func() State{
				"rows":   func() State { return generalOf(c) },
				"ranked": func() State { s, _ := New(c); return s },
			} {
				b.Run(fmt.Sprintf("%v/groups=%d/%s", typ, groups, name), func(b *testing.B) {
					for b.Loop() {
						s := make()
						s.Grow(groups)
						for range n / in.N {
							if err := s.Add(in); err != nil {
								b.Fatal(err)
							}
						}
						var out vec.Vector
						out.Reset(c.T)
						if err := s.Result(0, groups, &out); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
				})
			}
		}
	}
}

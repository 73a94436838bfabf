package op

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// sortTypes are the kinds of key, each with a source of values that meet often and are near each other.
var sortTypes = []struct {
	t     types.Type
	value func(rng *rand.Rand) any
}{
	{tInt, func(rng *rand.Rand) any {
		return []int64{math.MinInt64, math.MaxInt64, 0, -1, 1, rng.Int64N(20) - 10, int64(rng.Uint64())}[rng.IntN(7)]
	}},
	{tFloat, func(rng *rand.Rand) any {
		return []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), float64(rng.IntN(9)) - 4, rng.NormFloat64()}[rng.IntN(7)]
	}},
	{tBool, func(rng *rand.Rand) any { return rng.IntN(2) == 0 }},
	{tText, func(rng *rand.Rand) any {
		return []string{"", "a", "12345678", "123456789", "client-12345678", "client-1234567", "client-" + fmt.Sprint(rng.IntN(50))}[rng.IntN(7)]
	}},
	{types.Of(types.Bytea), func(rng *rand.Rand) any {
		return []string{"", "\x00", "\x00\x00", "a\x00", "a", "12345678", "12345678\x00", "12345678\x00\xff", "12345678\xff", "12345678\x00\x00"}[rng.IntN(10)]
	}},
	{types.Of(types.BPChar), func(rng *rand.Rand) any { return []string{"a", "a  ", "ab ", "ab", ""}[rng.IntN(5)] }},
	{types.Of(types.Numeric), func(rng *rand.Rand) any {
		return []string{"NaN", "Infinity", "-Infinity", "0", "0.00", "1.0", "1.00", "-1", "-1.5", "0.001", "-0.001", "0.0010", "12", "120", "12345678901234567890.5",
			"12345678901234567890.6", "-12345678901234567890.5", "9007199254740993", "9007199254740992", "99.9", "100", fmt.Sprint(rng.IntN(40) - 20)}[rng.IntN(22)]
	}},
	{types.Of(types.Interval), func(rng *rand.Rand) any {
		iv := datum.Interval{Months: int32(rng.IntN(3) - 1), Days: int32(rng.IntN(61) - 30), Micros: rng.Int64N(3) * 86400e6 * 10}
		return string(iv.Append(nil))
	}},
	{types.Of(types.JSONB), func(rng *rand.Rand) any {
		return []string{"1", "2", "1.0", `"a"`, "null", "{}", `{"a": 1}`, "[1]", "true"}[rng.IntN(9)]
	}},
}

// TestSortIsStableAndOrdersAsValuesDo compares a sort by random keys with a stable sort that compares values, whole and
// cut to the first rows, in memory and through disk.
func TestSortIsStableAndOrdersAsValuesDo(t *testing.T) {
	rng := seeded(t)
	for round := range 2 * len(sortTypes) {
		nkeys := 1 + rng.IntN(3)
		table := newTable(types.Column{Name: "id", Type: tInt})
		var keys []plan.SortKey
		var makers []func(*rand.Rand) any
		for k := range nkeys {
			s := sortTypes[rng.IntN(len(sortTypes))]
			if k == 0 {
				s = sortTypes[round%len(sortTypes)]
			}
			table.Columns = append(table.Columns, types.Column{Name: fmt.Sprint("k", k), Type: s.t})
			makers = append(makers, s.value)
			keys = append(keys, plan.SortKey{Expr: col(k+1, s.t), Desc: rng.IntN(2) == 0, NullsFirst: rng.IntN(2) == 0})
		}
		n := []int{0, 1, 50, 3000, 9000, 30000}[rng.IntN(6)]
		nulls := rng.IntN(2) == 0
		in := make([]row, n)
		for i := range in {
			in[i] = row{int64(i)}
			for _, m := range makers {
				if nulls && rng.IntN(6) == 0 {
					in[i] = append(in[i], nil)
				} else {
					in[i] = append(in[i], m(rng))
				}
			}
		}
		src := newSource(table, in, []int{700, 1024, 5000}[rng.IntN(3)])
		in = run(t, src, 1, scanOf(table)) // text in a jsonb column is a string of jsonb
		want := stableSort(in, keys)
		for _, workers := range []int{1, 3} {
			for _, limit := range []int{0, 1, 10, 2000} {
				for _, force := range []bool{false, true} {
					space := spill.New(vfs.NewMem(), "spill", 0)
					env := &Env{Ctx: &expr.Ctx{}, Workers: workers, ForceSpill: force, Spill: space,
						Source: func(*types.Table) (column.Source, error) { return src, nil }}
					got := ids(t, env, &plan.Sort{In: scanOf(table), Keys: keys, Limit: int64(limit)})
					w := want
					if limit > 0 {
						w = want[:min(limit, len(want))]
					}
					if !slices.Equal(got, w) {
						at := firstDifference(got, w)
						t.Fatalf("round %d: keys %v of %v, %d rows, %d workers, limit %d, spilled %v: row %d is %q, want %q", round, keys, table.Columns, n, workers, limit, force, at, in[got[at]], in[w[at]])
					}
					if space.Files() != 0 {
						t.Fatalf("%d files stay", space.Files())
					}
				}
			}
		}
	}
}

func firstDifference(a, b []int64) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// ids runs a plan and returns its first column.
func ids(t *testing.T, env *Env, n plan.Node) []int64 {
	t.Helper()
	r, err := Run(env, n)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []int64
	for {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return out
		}
		for i := range b.N {
			out = append(out, b.Cols[0].Int(i))
		}
	}
}

// stableSort returns the first column of the rows in order.
func stableSort(in []row, keys []plan.SortKey) []int64 {
	cols := make([]vec.Vector, len(keys))
	for k, key := range keys {
		cols[k].Reset(key.Expr.Type())
		for _, r := range in {
			appendValue(&cols[k], r[k+1])
		}
	}
	order := make([]int, len(in))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		for k := range keys {
			if c := compareKey(&cols[k], a, &cols[k], b, &keys[k]); c != 0 {
				return c
			}
		}
		return 0
	})
	out := make([]int64, len(in))
	for i, o := range order {
		out[i] = in[o][0].(int64)
	}
	return out
}

// TestWordsAndRestsOrderAsValues compares normalised keys with datum's order, pair by pair.
func TestWordsAndRestsOrderAsValues(t *testing.T) {
	rng := seeded(t)
	for _, s := range sortTypes {
		f := keyFormOf(s.t)
		if f == keyComplex {
			continue
		}
		v := &vec.Vector{}
		v.Reset(s.t)
		for range 400 {
			appendValue(v, s.value(rng))
		}
		for _, desc := range []bool{false, true} {
			keys := []plan.SortKey{{Desc: desc}, {Desc: desc}}
			words := make([]uint64, v.N)
			f.words(v, v.N, desc, words)
			for i := range v.N {
				for j := range v.N {
					want := compareKey(v, i, v, j, &keys[0])
					first := cmp.Or(cmp.Compare(words[i], words[j]),
						slices.Compare(appendRest(nil, []*vec.Vector{v}, []keyForm{f}, keys, i), appendRest(nil, []*vec.Vector{v}, []keyForm{f}, keys, j)))
					zero := &vec.Vector{}
					zero.SetConst(v, 0, v.N)
					second := slices.Compare(appendRest(nil, []*vec.Vector{zero, v}, []keyForm{f, f}, keys, i), appendRest(nil, []*vec.Vector{zero, v}, []keyForm{f, f}, keys, j))
					if sign(first) != sign(want) || sign(second) != sign(want) {
						t.Fatalf("%v, desc %v: %q against %q compares as %d and %d, want %d", s.t, desc, valueAt(v, i), valueAt(v, j), first, second, want)
					}
				}
			}
		}
	}
}

func sign(c int) int { return cmp.Compare(c, 0) }

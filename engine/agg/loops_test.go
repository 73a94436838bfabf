package agg

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/zeebo/xxh3"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func TestHashesOfWordsAreXXH3(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		x := rng.Uint64() >> (i % 64)
		if got, want := hashWord(x), xxh3.Hash(binary.LittleEndian.AppendUint64(nil, x)); got != want {
			t.Fatalf("hash of %d is %x, want %x", x, got, want)
		}
	}
}

// rowByRow are slow definitions of aggregates over the rows of a group that are not NULL, in their order.
var rowByRow = []struct {
	name string
	ret  types.Type
	arg  types.Type
	want func(v *vec.Vector, rows []int) string
}{
	{"min", tFloat, tFloat, func(v *vec.Vector, rows []int) string { return firstExtremeOf(v, rows, -1) }},
	{"max", tFloat, tFloat, func(v *vec.Vector, rows []int) string { return firstExtremeOf(v, rows, 1) }},
	{"min", tInt, tInt, func(v *vec.Vector, rows []int) string { return firstExtremeOf(v, rows, -1) }},
	{"max", tInt, tInt, func(v *vec.Vector, rows []int) string { return firstExtremeOf(v, rows, 1) }},
	{"min", tNumeric, tNumeric, func(v *vec.Vector, rows []int) string { return firstExtremeOf(v, rows, -1) }},
	{"max", tText, tText, func(v *vec.Vector, rows []int) string { return firstExtremeOf(v, rows, 1) }},
	{"var_pop", tFloat, tFloat, youngsAndCramer},
	{"approx_count_distinct", tInt, tInt, registersOf},
	{"approx_count_distinct", tInt, tFloat, registersOf},
	{"approx_count_distinct", tInt, tText, registersOf},
}

func firstExtremeOf(v *vec.Vector, rows []int, sign int) string {
	best := rows[0]
	for _, r := range rows[1:] {
		c := 0
		if v.Type.Phys() == types.PhysFloat64 {
			c = column.CompareFloat(v.Float(r), v.Float(best))
		} else {
			c = datum.Compare(v.Type, v, r, v, best)
		}
		if c*sign > 0 {
			best = r
		}
	}
	return text(v, best)
}

func youngsAndCramer(v *vec.Vector, rows []int) string {
	n, sx, sxx := 0.0, 0.0, 0.0
	for _, r := range rows {
		x := v.Float(r)
		n++
		sx += x
		if n > 1 {
			d := x*n - sx
			sxx += d * d / (n * (n - 1))
		} else if math.IsInf(x, 0) || math.IsNaN(x) {
			sxx = math.NaN()
		}
	}
	return fmt.Sprint(sxx / n)
}

func registersOf(v *vec.Vector, rows []int) string {
	seen := map[uint64]bool{}
	var p hllGroup
	for _, r := range rows {
		var key []byte
		switch v.Type.Phys() {
		case types.PhysInt64:
			key = binary.LittleEndian.AppendUint64(nil, uint64(v.Int(r)))
		case types.PhysFloat64:
			key = binary.LittleEndian.AppendUint64(nil, datum.FloatKey(v.Float(r)))
		default:
			key = v.Bytes(r)
		}
		seen[xxh3.Hash(key)] = true
	}
	if len(seen) <= hllSparse {
		return fmt.Sprint(len(seen))
	}
	p.reg = make([]byte, hllSize)
	for h := range seen {
		p.set(h)
	}
	return fmt.Sprint(p.estimate())
}

// TestLoopsOverBatchesGiveWhatTheirDefinitionGives: all forms, with and without selection and NULLs, of one group or several.
func TestLoopsOverBatchesGiveWhatTheirDefinitionGives(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, c := range rowByRow {
		t.Run(fmt.Sprintf("%s of %v", c.name, c.arg), func(t *testing.T) {
			for range 40 {
				groups := 1 + rng.IntN(6)
				s, err := New(call(c.name, c.ret, c.arg))
				if err != nil {
					t.Fatal(err)
				}
				s.Grow(groups)
				all := &vec.Vector{}
				all.Reset(c.arg)
				rows := make([][]int, groups)
				for range 3 {
					in := loopInput(rng, c.arg, 1+rng.IntN(600), groups)
					if err := s.Add(in); err != nil {
						t.Fatal(err)
					}
					for i := range in.N {
						if v := in.Args[0]; (in.Sel == nil || in.Sel.Get(i)) && !v.Null(i) {
							rows[in.group(i)] = append(rows[in.group(i)], all.N)
							all.AppendFrom(v, i)
						}
					}
				}
				got := results(t, s, c.ret, groups)
				for g := range rows {
					want := "NULL"
					if c.name == "approx_count_distinct" {
						want = "0"
					}
					if len(rows[g]) > 0 {
						want = c.want(all, rows[g])
					}
					if c.name == "var_pop" && want != "NULL" {
						var a, b float64
						fmt.Sscan(got[g], &a)
						fmt.Sscan(want, &b)
						if a == b || (a != a && b != b) {
							continue
						}
					}
					if got[g] != want {
						t.Fatalf("group %d of %d, %d rows: %s, want %s", g, groups, len(rows[g]), got[g], want)
					}
				}
			}
		})
	}
}

func loopInput(rng *rand.Rand, typ types.Type, n, groups int) *Input {
	v := loopVector(rng, typ, n)
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
			if i < n/3 || rng.IntN(3) == 0 {
				in.Sel.Set(i)
			}
		}
	}
	return in
}

func loopVector(rng *rand.Rand, typ types.Type, n int) *vec.Vector {
	if typ.Phys() != types.PhysBytes {
		return rankedVector(rng, typ, n, rng.IntN(3))
	}
	one := func(v *vec.Vector) {
		if typ.Kind == types.Numeric {
			v.AppendString([]string{"1.0", "1.00", "1", "-2", "-2.0", "10", "9"}[rng.IntN(7)])
			return
		}
		v.AppendString(fmt.Sprint(rng.IntN(500)))
	}
	v := &vec.Vector{}
	v.Reset(typ)
	switch rng.IntN(3) {
	case 0:
		d := &vec.Vector{}
		d.Reset(typ)
		for range 1 + rng.IntN(300) {
			one(d)
		}
		v.Form, v.Dict, v.N, v.Valid = vec.Dict, d, n, vec.MakeBitmap(n)
		for i := range n {
			v.Codes = append(v.Codes, 0)
			if rng.IntN(4) > 0 {
				v.Valid.Set(i)
				v.Codes[i] = uint32(rng.IntN(d.N))
			}
		}
	case 1:
		one(v)
		v.Form, v.N = vec.Const, n
	default:
		for range n {
			if rng.IntN(4) == 0 {
				v.AppendNull()
			} else {
				one(v)
			}
		}
	}
	return v
}

// TestDistinctIntegersAreCountedAsDistinctRowsAre compares the set of pairs with the table of distinct rows.
func TestDistinctIntegersAreCountedAsDistinctRowsAre(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	c := distinct(call("count", tInt, tInt))
	for _, groups := range []int{1, 3, 500} {
		var states [3][2]State
		for i := range states {
			fast, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := fast.(*intDistinctCount); !ok {
				t.Fatalf("count(DISTINCT bigint) is a %T", fast)
			}
			inner, err := newPlain(withoutOrder(c))
			if err != nil {
				t.Fatal(err)
			}
			states[i] = [2]State{fast, newDistinctRows(c, inner)}
			for _, s := range states[i] {
				s.Grow(groups)
			}
		}
		for k := range 60 {
			in := loopInput(rng, tInt, 1+rng.IntN(3000), groups)
			for _, s := range states[k%2] {
				if err := s.Add(in); err != nil {
					t.Fatal(err)
				}
			}
		}
		perm := make([]uint32, groups)
		for i, p := range rng.Perm(groups) {
			perm[i] = uint32(p)
		}
		for k, pair := range states[:2] {
			for i, s := range pair {
				mergeInto(t, states[2][i], s, perm, k == 0)
			}
		}
		got, want := results(t, states[2][0], tInt, groups), results(t, states[2][1], tInt, groups)
		for g := range got {
			if got[g] != want[g] {
				t.Fatalf("%d groups: group %d has %s, want %s", groups, g, got[g], want[g])
			}
		}
	}
}

// BenchmarkAdd adds batches to one group, or many, with or without a selection of half of the rows.
func BenchmarkAdd(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name     string
		ret, arg types.Type
		distinct bool
	}{
		{"min", tInt, tInt, false}, {"max", tFloat, tFloat, false}, {"stddev", tNumeric, tInt, false},
		{"stddev", tFloat, tFloat, false}, {"approx_count_distinct", tInt, tInt, false}, {"count", tInt, tInt, true},
	} {
		cl := call(c.name, c.ret, c.arg)
		cl.Distinct = c.distinct
		for _, groups := range []int{1, 100, 20000} {
			for _, half := range []bool{false, true} {
				v := &vec.Vector{}
				v.Reset(c.arg)
				in := &Input{N: vec.BatchRows, Args: []*vec.Vector{v}}
				if groups > 1 {
					in.Groups = make([]uint32, in.N)
				}
				if half {
					in.Sel = vec.MakeBitmap(in.N)
				}
				for i := range in.N {
					if c.arg == tInt {
						v.AppendInt(rng.Int64N(1 << 20))
					} else {
						v.AppendFloat(rng.Float64())
					}
					if groups > 1 {
						in.Groups[i] = rng.Uint32N(uint32(groups))
					}
					if half && rng.IntN(2) == 0 {
						in.Sel.Set(i)
					}
				}
				b.Run(fmt.Sprintf("%s(%v)/distinct=%v/groups=%d/half=%v", c.name, c.arg, c.distinct, groups, half), func(b *testing.B) {
					s, err := New(cl)
					if err != nil {
						b.Fatal(err)
					}
					s.Grow(groups)
					for b.Loop() {
						if err := s.Add(in); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(in.N), "ns/row")
				})
			}
		}
	}
}

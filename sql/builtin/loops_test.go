package builtin

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// find returns the operator for exactly these argument types.
func find(t testing.TB, name string, args ...types.Type) *expr.Func {
	t.Helper()
	for _, f := range Operators(name) {
		if len(f.Args) != len(args) {
			continue
		}
		same := true
		for i := range args {
			same = same && f.Args[i] == args[i]
		}
		if same {
			return f
		}
	}
	t.Fatalf("no operator %s%v", name, args)
	return nil
}

// inForm returns v as it is, as a constant of its first row, or as a dictionary with the same rows.
func inForm(v *vec.Vector, form vec.Form) *vec.Vector {
	switch form {
	case vec.Const:
		c := &vec.Vector{}
		c.SetConst(v, 0, v.N)
		return c
	case vec.Dict:
		d := &vec.Vector{Type: v.Type, Form: vec.Dict, N: v.N, Dict: v}
		for i := range v.N {
			d.Codes = append(d.Codes, uint32(i))
		}
		return d
	}
	return v
}

func randomVector(r *rand.Rand, t types.Type, n int) *vec.Vector {
	v := &vec.Vector{}
	v.Reset(t)
	specials := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1, -1.5}
	for range n {
		switch t.Phys() {
		case types.PhysBool:
			v.AppendBool(r.IntN(2) == 0)
		case types.PhysInt64:
			v.AppendInt(int64(r.IntN(7)) - 3)
		case types.PhysFloat64:
			v.AppendFloat(specials[r.IntN(len(specials))])
		default:
			v.AppendString([]string{"", "a", "ab", "b", "é"}[r.IntN(5)])
		}
	}
	return v
}

var comparedTypes = []types.Type{tBool, tInt2, tInt4, tInt8, tDate, tTimestamp, tFloat4, tFloat8, tText, tBytea}

func TestComparisonLoopsAgreeWithDatumCompare(t *testing.T) {
	const seed = 7
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	for _, ty := range comparedTypes {
		for _, n := range []int{1, 63, 64, 65, 200} {
			a, b := randomVector(r, ty, n), randomVector(r, ty, n)
			for op := opEQ; op <= opGE; op++ {
				f := find(t, cmpNames[op], ty, ty)
				for _, forms := range [][2]vec.Form{{vec.Flat, vec.Flat}, {vec.Flat, vec.Const}, {vec.Const, vec.Flat},
					{vec.Const, vec.Const}, {vec.Dict, vec.Flat}, {vec.Flat, vec.Dict}} {
					x, y := inForm(a, forms[0]), inForm(b, forms[1])
					sel := vec.MakeBitmap(n)
					sel.Fill(n)
					var out vec.Vector
					out.Reset(tBool)
					if err := f.Eval(nil, []*vec.Vector{x, y}, sel, n, &out); err != nil {
						t.Fatal(err)
					}
					for i := range n {
						if want := op.holds(datum.Compare(ty, x, i, y, i)); out.Bool(i) != want {
							t.Fatalf("%s %s %s forms %v row %d: got %v", ty, cmpNames[op], ty, forms, i, out.Bool(i))
						}
					}
					if r := uint(n) & 63; r != 0 && out.Bits[len(out.Bits)-1]>>r != 0 {
						t.Fatalf("%s %s: bits above row %d are set", ty, cmpNames[op], n)
					}
				}
			}
		}
	}
}

func TestArithmeticLoopsAgreeWithPlainGo(t *testing.T) {
	const seed = 11
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	plain := map[string]func(x, y int64) int64{
		"+": func(x, y int64) int64 { return x + y }, "-": func(x, y int64) int64 { return x - y },
		"*": func(x, y int64) int64 { return x * y },
	}
	const n = 130
	for name, g := range plain {
		for _, ty := range []types.Type{tInt2, tInt4, tInt8} {
			f := find(t, name, ty, ty)
			for _, forms := range [][2]vec.Form{{vec.Flat, vec.Flat}, {vec.Flat, vec.Const}, {vec.Const, vec.Flat}, {vec.Dict, vec.Flat}, {vec.Const, vec.Const}} {
				x, y := inForm(randomVector(r, ty, n), forms[0]), inForm(randomVector(r, ty, n), forms[1])
				out := evalAll(t, f, n, x, y)
				for i := range n {
					if want := g(x.Int(i), y.Int(i)); out.Int(i) != want {
						t.Fatalf("%s %s forms %v row %d: got %d, want %d", ty, name, forms, i, out.Int(i), want)
					}
				}
			}
		}
	}
}

func evalAll(t testing.TB, f *expr.Func, n int, args ...*vec.Vector) *vec.Vector {
	t.Helper()
	sel := vec.MakeBitmap(n)
	sel.Fill(n)
	out := &vec.Vector{}
	out.Reset(f.Ret)
	if err := f.Eval(nil, args, sel, n, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func intVector(t types.Type, xs ...int64) *vec.Vector {
	v := &vec.Vector{}
	v.Reset(t)
	for _, x := range xs {
		v.AppendInt(x)
	}
	return v
}

func TestErrorsAreRaisedForSelectedRowsOnly(t *testing.T) {
	big := intVector(tInt8, math.MaxInt64, 1, math.MinInt64, 5)
	cases := []struct {
		op   string
		x, y *vec.Vector
		bad  []int
		code string
	}{
		{"+", big, intVector(tInt8, 1, 1, 1, 1), []int{0}, sqlstate.NumericOutOfRange},
		{"-", big, intVector(tInt8, 1, 1, 1, 1), []int{2}, sqlstate.NumericOutOfRange},
		{"*", big, intVector(tInt8, 2, 2, 2, 2), []int{0, 2}, sqlstate.NumericOutOfRange},
		{"/", big, intVector(tInt8, 1, 0, -1, 2), []int{1, 2}, ""},
		{"%", big, intVector(tInt8, 1, 0, -1, 2), []int{1}, sqlstate.DivisionByZero},
		{"+", intVector(tInt4, math.MaxInt32, 1), intVector(tInt4, 1, 1), []int{0}, sqlstate.NumericOutOfRange},
		{"*", intVector(tInt2, 300, 1), intVector(tInt2, 300, 1), []int{0}, sqlstate.NumericOutOfRange},
	}
	for _, c := range cases {
		f := find(t, c.op, c.x.Type, c.y.Type)
		for i := range c.x.N {
			sel := vec.MakeBitmap(c.x.N)
			sel.Set(i)
			var out vec.Vector
			out.Reset(f.Ret)
			err := f.Eval(nil, []*vec.Vector{c.x, c.y}, sel, c.x.N, &out)
			wantErr := false
			for _, b := range c.bad {
				wantErr = wantErr || b == i
			}
			if (err != nil) != wantErr {
				t.Errorf("%s row %d: error %v", c.op, i, err)
			}
			if err != nil && c.code != "" && sqlstate.Code(err) != c.code {
				t.Errorf("%s row %d: code %s, want %s", c.op, i, sqlstate.Code(err), c.code)
			}
		}
	}
}

func TestEveryFunctionHasItsOwnOID(t *testing.T) {
	seen := map[uint32]string{}
	check := func(key string, oid uint32) {
		if oid == 0 || oid >= 16384 {
			t.Errorf("%s has oid %d", key, oid)
		}
		if other, ok := seen[oid]; ok {
			t.Errorf("%s and %s share oid %d", key, other, oid)
		}
		seen[oid] = key
	}
	for _, f := range AllScalars() {
		check(procKey(f.Name, f.Args, f.Variadic), f.OID)
	}
	for _, f := range AllTableFuncs() {
		check(procKey(f.Name, f.Args, f.Variadic), f.OID)
	}
	for _, f := range AllAggregates() {
		check(procKey(f.Name, f.Args, f.Variadic), f.OID)
	}
}

func TestNoTwoOverloadsHaveTheSameSignature(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range AllOperators() {
		key := Signature(f.Name, f.Args)
		if seen[key] {
			t.Errorf("operator %s is registered twice", key)
		}
		seen[key] = true
	}
	for _, f := range AllScalars() {
		key := "fn " + procKey(f.Name, f.Args, f.Variadic)
		if seen[key] {
			t.Errorf("function %s is registered twice", key)
		}
		seen[key] = true
	}
}

func TestCastsFollowTheContexts(t *testing.T) {
	cases := []struct {
		from, to types.Type
		least    CastContext
		never    bool
		relabel  bool
	}{
		{tInt4, tInt8, Implicit, false, false},
		{tInt8, tInt4, Assignment, false, false},
		{tInt4, tText, Assignment, false, false},
		{tText, tInt4, Explicit, false, false},
		{tText, types.Of(types.Varchar), Implicit, false, true},
		{tName, tText, Implicit, false, true},
		{tBool, tInt4, Explicit, false, false},
		{tBool, tInt8, 0, true, false},
		{tDate, tInt4, 0, true, false},
		{tJSONB, tInt4, Explicit, false, false},
		{tJSONB, tHist, Explicit, false, false},
		{types.ArrayOf(types.Int32), types.ArrayOf(types.Int64), Implicit, false, false},
		{types.ArrayOf(types.Int64), types.ArrayOf(types.Int32), Assignment, false, false},
		{types.Of(types.Int2Vector), types.ArrayOf(types.Int16), Implicit, false, false},
		{tTimestamp, tTimestamptz, Implicit, false, false},
		{tTimestamptz, tTimestamp, Assignment, false, false},
	}
	for _, c := range cases {
		for ctx := Implicit; ctx <= Explicit; ctx++ {
			fn, ok := FindCast(c.from, c.to, ctx)
			if want := !c.never && ctx >= c.least; ok != want {
				t.Errorf("%s to %s in context %d: %v", c.from, c.to, ctx, ok)
			}
			if ok && (fn == nil) != c.relabel {
				t.Errorf("%s to %s: function %v", c.from, c.to, fn)
			}
		}
	}
}

func benchVectors(t types.Type, n int) (a, b *vec.Vector) {
	r := rand.New(rand.NewPCG(1, 2))
	a, b = &vec.Vector{}, &vec.Vector{}
	a.Reset(t)
	b.Reset(t)
	for range n {
		switch t.Phys() {
		case types.PhysInt64:
			a.AppendInt(int64(r.IntN(1000)))
			b.AppendInt(int64(r.IntN(1000)))
		case types.PhysFloat64:
			a.AppendFloat(r.Float64())
			b.AppendFloat(r.Float64())
		default:
			a.AppendString(fmt.Sprintf("value %d", r.IntN(50)))
			b.AppendString(fmt.Sprintf("value %d", r.IntN(50)))
		}
	}
	return a, b
}

func BenchmarkOperators(b *testing.B) {
	const n = vec.BatchRows
	sel := vec.MakeBitmap(n)
	sel.Fill(n)
	for _, c := range []struct {
		op    string
		t     types.Type
		konst bool
	}{
		{"<", tInt8, true}, {"<", tInt8, false}, {"=", tInt4, true}, {"<", tFloat8, true}, {"<", tFloat8, false},
		{"=", tText, true}, {"<", tText, true}, {"+", tInt8, true}, {"+", tInt8, false}, {"+", tInt4, false},
		{"*", tInt8, false}, {"/", tInt8, true}, {"/", tInt8, false}, {"+", tFloat8, false}, {"*", tFloat8, true},
	} {
		name := fmt.Sprintf("%s %s", c.t.Kind, c.op)
		if c.konst {
			name += " const"
		}
		b.Run(name, func(b *testing.B) {
			f := find(b, c.op, c.t, c.t)
			x, y := benchVectors(c.t, n)
			if c.konst {
				if c.op == "/" {
					y.I64[0] = 7
				}
				y = inForm(y, vec.Const)
			}
			if c.op == "/" && !c.konst {
				for i := range y.I64 {
					y.I64[i]++
				}
			}
			args := []*vec.Vector{x, y}
			var out vec.Vector
			b.ReportAllocs()
			for b.Loop() {
				out.Reset(f.Ret)
				if err := f.Eval(nil, args, sel, n, &out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
		})
	}
}

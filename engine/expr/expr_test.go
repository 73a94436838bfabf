package expr

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

var (
	tInt  = types.Of(types.Int64)
	tText = types.Of(types.Text)
	tJSON = types.Of(types.JSONB)
)

func lit(t types.Type, text string) *Const {
	v := &vec.Vector{}
	v.Reset(t)
	appendValue(v, text)
	return &Const{V: v}
}

func appendValue(v *vec.Vector, text string) {
	if text == "NULL" {
		v.AppendNull()
		return
	}
	if err := datum.ParseText(v.Type, []byte(text), nil, v); err != nil {
		panic(err)
	}
}

func show(v *vec.Vector, i int) string {
	if v.Null(i) {
		return "NULL"
	}
	return string(datum.AppendText(nil, v, i, nil))
}

// calls counts the rows a function of the tests was asked for.
var calls int

func fn(name string, ret types.Type, f func(a []*vec.Vector, i int, out *vec.Vector) error) *Func {
	return &Func{Name: name, Ret: ret, Eval: func(_ *Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		for i := range n {
			if !sel.Get(i) {
				out.AppendNull()
				continue
			}
			calls++
			if err := f(a, i, out); err != nil {
				return err
			}
		}
		if out.Valid != nil && out.Valid.Count() == n {
			out.Valid = nil
		}
		return nil
	}}
}

func less(a, b Expr) Expr {
	return &Call{T: boolType, Args: []Expr{a, b}, Fn: fn("<", boolType, func(a []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendBool(datum.Compare(a[0].Type, a[0], i, a[1], i) < 0)
		return nil
	})}
}

// inverse fails for 0.
func inverse(a Expr) Expr {
	return &Call{T: tInt, Args: []Expr{a}, Fn: fn("inverse", tInt, func(a []*vec.Vector, i int, out *vec.Vector) error {
		x := a[0].Int(i)
		if x == 0 {
			return datum.ErrDivZero()
		}
		out.AppendInt(1000 / x)
		return nil
	})}
}

func upper(a Expr) Expr {
	return &Call{T: tText, Args: []Expr{a}, Fn: fn("upper", tText, func(a []*vec.Vector, i int, out *vec.Vector) error {
		if len(a[0].Bytes(i)) == 0 {
			out.AppendNull()
			return nil
		}
		out.AppendString(strings.ToUpper(string(a[0].Bytes(i))))
		return nil
	})}
}

// batch of (x bigint, y bigint, s text, b boolean).
func randomBatch(rng *rand.Rand, n int) *vec.Batch {
	ts := []types.Type{tInt, tInt, tText, boolType}
	b := &vec.Batch{N: n}
	for _, t := range ts {
		v := &vec.Vector{}
		v.Reset(t)
		value := func(v *vec.Vector) {
			switch t.Kind {
			case types.Bool:
				v.AppendBool(rng.IntN(2) == 0)
			case types.Text:
				v.AppendString([]string{"", "a", "bc", "zzz"}[rng.IntN(4)])
			default:
				v.AppendInt(int64(rng.IntN(7) - 3))
			}
		}
		switch rng.IntN(4) {
		case 0:
			if rng.IntN(3) == 0 {
				v.SetConstNull(t, n)
				break
			}
			value(v)
			v.Form, v.N = vec.Const, n
		case 1:
			d := &vec.Vector{}
			d.Reset(t)
			for range 1 + rng.IntN(5) {
				value(d)
			}
			v.Form, v.Dict, v.N = vec.Dict, d, n
			v.Valid = vec.MakeBitmap(n)
			for i := range n {
				if rng.IntN(4) == 0 {
					v.Codes = append(v.Codes, 0)
					continue
				}
				v.Valid.Set(i)
				v.Codes = append(v.Codes, uint32(rng.IntN(d.N)))
			}
		default:
			for range n {
				if rng.IntN(4) == 0 {
					v.AppendNull()
				} else {
					value(v)
				}
			}
		}
		b.Cols = append(b.Cols, v)
	}
	return b
}

func randomExpr(rng *rand.Rand, t types.Type, depth int) Expr {
	sub := func(t types.Type) Expr { return randomExpr(rng, t, depth-1) }
	if depth == 0 || rng.IntN(5) == 0 {
		switch {
		case rng.IntN(4) == 0:
			return lit(t, map[types.Kind][]string{types.Bool: {"t", "f", "NULL"}, types.Int64: {"1", "-2", "NULL"}, types.Text: {"a", "", "NULL"}}[t.Kind][rng.IntN(3)])
		case t.Kind == types.Int64:
			return &Col{Idx: rng.IntN(2), T: tInt}
		case t.Kind == types.Text:
			return &Col{Idx: 2, T: tText}
		}
		return &Col{Idx: 3, T: boolType}
	}
	switch rng.IntN(3) {
	case 0:
		return &Case{T: t, Whens: []When{{sub(boolType), sub(t)}, {sub(boolType), sub(t)}}, Else: sub(t)}
	case 1:
		return &Coalesce{T: t, Args: []Expr{sub(t), sub(t)}}
	}
	switch t.Kind {
	case types.Int64:
		return inverse(&Case{T: tInt, Whens: []When{{&In{Arg: sub(tInt), List: list(tInt, "0")}, lit(tInt, "5")}}, Else: lit(tInt, "3")})
	case types.Text:
		return upper(sub(tText))
	}
	switch rng.IntN(6) {
	case 0, 1:
		return &Logic{Or: rng.IntN(2) == 0, Args: []Expr{sub(boolType), sub(boolType), sub(boolType)}}
	case 2:
		return &Not{Arg: sub(boolType)}
	case 3:
		u := []types.Type{tInt, tText}[rng.IntN(2)]
		return &IsNull{Arg: sub(u), Negate: rng.IntN(2) == 0}
	case 4:
		if rng.IntN(2) == 0 {
			return &In{Arg: sub(tText), List: list(tText, "a", "bc"), HasNull: rng.IntN(2) == 0, Negate: rng.IntN(2) == 0}
		}
		return &In{Arg: sub(tInt), List: list(tInt, "-2", "1", "3"), HasNull: rng.IntN(2) == 0, Negate: rng.IntN(2) == 0}
	}
	u := []types.Type{tInt, tText}[rng.IntN(2)]
	return less(sub(u), sub(u))
}

func list(t types.Type, texts ...string) *vec.Vector {
	v := &vec.Vector{}
	v.Reset(t)
	for _, s := range texts {
		appendValue(v, s)
	}
	return v
}

// naive evaluates an expression for one row, in plain Go, by the rules of SQL.
func naive(e Expr, b *vec.Batch, i int) string {
	switch e := e.(type) {
	case *Col:
		return show(b.Cols[e.Idx], i)
	case *Const:
		return show(e.V, 0)
	case *Not:
		return map[string]string{"t": "f", "f": "t", "NULL": "NULL"}[naive(e.Arg, b, i)]
	case *IsNull:
		if (naive(e.Arg, b, i) == "NULL") != e.Negate {
			return "t"
		}
		return "f"
	case *Logic:
		decides, other := "f", "t"
		if e.Or {
			decides, other = "t", "f"
		}
		out := other
		for _, a := range e.Args {
			switch naive(a, b, i) {
			case decides:
				return decides
			case "NULL":
				out = "NULL"
			}
		}
		return out
	case *Case:
		for _, w := range e.Whens {
			if naive(w.Cond, b, i) == "t" {
				return naive(w.Then, b, i)
			}
		}
		return naive(e.Else, b, i)
	case *Coalesce:
		for _, a := range e.Args {
			if x := naive(a, b, i); x != "NULL" {
				return x
			}
		}
		return "NULL"
	case *In:
		x := naive(e.Arg, b, i)
		if x == "NULL" {
			return x
		}
		for k := range e.List.N {
			if show(e.List, k) == x {
				return map[bool]string{false: "t", true: "f"}[e.Negate]
			}
		}
		if e.HasNull {
			return "NULL"
		}
		return map[bool]string{false: "f", true: "t"}[e.Negate]
	case *Call:
		var args []*vec.Vector
		for _, a := range e.Args {
			x := naive(a, b, i)
			if x == "NULL" {
				return x
			}
			args = append(args, list(a.Type(), x))
		}
		var out vec.Vector
		out.Reset(e.T)
		if err := e.Fn.Eval(&Ctx{}, args, vec.Bitmap{1}, 1, &out); err != nil {
			return err.Error()
		}
		return show(&out, 0)
	}
	panic(fmt.Sprintf("%T", e))
}

func TestVectorsAgreeWithRowByRowEvaluation(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 9))
	for range 3000 {
		typ := []types.Type{boolType, tInt, tText}[rng.IntN(3)]
		e := randomExpr(rng, typ, 3)
		ev := Compile(e)
		for range 3 { // buffers are reused
			n := []int{1, 2, 3, 65, 200}[rng.IntN(5)]
			b := randomBatch(rng, n)
			var sel vec.Bitmap
			if rng.IntN(2) == 0 {
				sel = vec.MakeBitmap(n)
				for i := range n {
					sel.SetTo(i, rng.IntN(3) > 0)
				}
			}
			v, err := ev.Eval(&Ctx{}, b, sel)
			if err != nil {
				t.Fatal(err)
			}
			if v.N != n {
				t.Fatalf("%d rows, want %d", v.N, n)
			}
			kept := vec.MakeBitmap(n)
			if typ == boolType {
				if sel == nil {
					kept.Fill(n)
				} else {
					copy(kept, sel)
				}
				got := make([]string, n)
				for i := range n {
					got[i] = show(v, i)
				}
				if err := ev.Filter(&Ctx{}, b, kept); err != nil {
					t.Fatal(err)
				}
				for i := range n {
					if sel != nil && !sel.Get(i) {
						if kept.Get(i) {
							t.Fatal("the filter added a row")
						}
						continue
					}
					want := naive(e, b, i)
					if got[i] != want || kept.Get(i) != (want == "t") {
						t.Fatalf("row %d: got %s, kept %v, want %s", i, got[i], kept.Get(i), want)
					}
				}
				continue
			}
			for i := range n {
				if sel != nil && !sel.Get(i) {
					continue
				}
				if got, want := show(v, i), naive(e, b, i); got != want {
					t.Fatalf("row %d of a %s: got %s want %s", i, typ, got, want)
				}
			}
		}
	}
}

func TestOperandsAreNotEvaluatedForDecidedRows(t *testing.T) {
	v := list(tInt, "0", "2", "NULL", "0", "5")
	b := &vec.Batch{N: 5, Cols: []*vec.Vector{v}}
	x := &Col{Idx: 0, T: tInt}
	zero := &In{Arg: x, List: list(tInt, "0")}
	for name, e := range map[string]Expr{
		"or":       &Logic{Or: true, Args: []Expr{zero, less(inverse(x), lit(tInt, "9999"))}},
		"and":      &Logic{Args: []Expr{&Not{Arg: zero}, less(inverse(x), lit(tInt, "9999"))}},
		"case":     &Case{T: tInt, Whens: []When{{zero, lit(tInt, "0")}}, Else: inverse(x)},
		"coalesce": &Coalesce{T: tInt, Args: []Expr{&Case{T: tInt, Whens: []When{{zero, x}}, Else: lit(tInt, "NULL")}, inverse(x)}},
	} {
		if _, err := Compile(e).Eval(&Ctx{}, b, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Compile(inverse(x)).Eval(&Ctx{}, b, nil); sqlstate.Code(err) != sqlstate.DivisionByZero {
		t.Errorf("no error: %v", err)
	}
	if _, err := Compile(inverse(x)).Eval(&Ctx{}, b, vec.Bitmap{0b10110}); err != nil {
		t.Errorf("an error for a row that is not selected: %v", err)
	}
}

func TestFunctionOfADictionaryIsEvaluatedOncePerEntry(t *testing.T) {
	d := list(tText, "a", "b", "c")
	v := &vec.Vector{Type: tText, Form: vec.Dict, N: 1000, Dict: d}
	for i := range 1000 {
		v.Codes = append(v.Codes, uint32(i%3))
	}
	b := &vec.Batch{N: 1000, Cols: []*vec.Vector{v}}
	ev := Compile(upper(upper(&Col{Idx: 0, T: tText})))
	calls = 0
	for range 5 {
		out, err := ev.Eval(&Ctx{}, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		if show(out, 4) != "B" {
			t.Fatal(show(out, 4))
		}
	}
	if calls > 6+3*5 {
		t.Fatalf("%d evaluations of 3 entries", calls)
	}
}

func TestDictionaryEntryThatFailsButDoesNotOccur(t *testing.T) {
	d := list(tInt, "0", "5")
	v := &vec.Vector{Type: tInt, Form: vec.Dict, N: 4, Dict: d, Codes: []uint32{1, 1, 0, 1}}
	b := &vec.Batch{N: 4, Cols: []*vec.Vector{v}}
	ev := Compile(inverse(&Col{Idx: 0, T: tInt}))
	out, err := ev.Eval(&Ctx{}, b, vec.Bitmap{0b1011})
	if err != nil || show(out, 3) != "200" {
		t.Fatal(err)
	}
	if _, err := ev.Eval(&Ctx{}, b, nil); err == nil {
		t.Fatal("no error")
	}
}

func TestVolatileFunctionsAreCalledPerRow(t *testing.T) {
	n := int64(0)
	f := fn("next", tInt, func(_ []*vec.Vector, _ int, out *vec.Vector) error { n++; out.AppendInt(n); return nil })
	f.Volatile = Volatile
	out, err := Compile(&Call{Fn: f, T: tInt}).Eval(&Ctx{}, &vec.Batch{N: 3}, nil)
	if err != nil || show(out, 0) != "1" || show(out, 2) != "3" {
		t.Fatal(err, show(out, 2))
	}
	f.Volatile = Stable
	if out, err = Compile(&Call{Fn: f, T: tInt}).Eval(&Ctx{}, &vec.Batch{N: 3}, nil); err != nil || show(out, 0) != show(out, 2) {
		t.Fatal("a stable function has one value")
	}
}

func TestParametersAndOuterColumns(t *testing.T) {
	ctx := &Ctx{Params: []*vec.Vector{list(tInt, "7")}, Outer: [][]*vec.Vector{{nil, list(tText, "x")}}}
	in := &vec.Batch{N: 2}
	for e, want := range map[Expr]string{&Param{T: tInt}: "7", &Outer{Depth: 1, Idx: 1, T: tText}: "x"} {
		v, err := Compile(e).Eval(ctx, in, nil)
		if err != nil || show(v, 1) != want || v.N != 2 {
			t.Errorf("%T: %v", e, err)
		}
	}
	if _, err := Compile(&Param{Idx: 3, T: tInt}).Eval(ctx, in, nil); sqlstate.Code(err) != sqlstate.UndefinedParameter {
		t.Error(err)
	}
}

func TestLeafOfJSONText(t *testing.T) {
	docs := list(tJSON, `{"a": {"n": 5, "s": "5", "f": 2.50, "b": true, "z": null, "l": [1, "x"], "h": {"sum": 3, "range": [1, 2], "values": {"0": 1}, "bucket_count": 3, "histogram_type": 2}}}`)
	numeric, float := types.Of(types.Numeric), types.Of(types.Float64)
	for _, c := range []struct {
		path   string
		asText bool
		t      types.Type
		want   string
	}{
		{"a.n", false, tJSON, "5"}, {"a.n", true, tText, "5"}, {"a.n", true, tInt, "5"}, {"a.n", false, tInt, "5"},
		{"a.s", false, tJSON, `"5"`}, {"a.s", true, tText, "5"}, {"a.s", true, tInt, "5"}, {"a.s", false, tInt, "ERROR 22023"},
		{"a.f", true, numeric, "2.50"}, {"a.f", false, numeric, "2.50"}, {"a.f", false, tInt, "3"}, {"a.f", true, tInt, "ERROR 22P02"},
		{"a.f", true, float, "2.5"}, {"a.b", true, boolType, "t"}, {"a.b", false, boolType, "t"}, {"a.n", false, boolType, "ERROR 22023"},
		{"a.z", false, tJSON, "null"}, {"a.z", true, tText, "NULL"}, {"a.z", false, tInt, "NULL"}, {"a.none", true, tInt, "NULL"},
		{"a.l.1", true, tText, "x"}, {"a.l.-2", false, tJSON, "1"}, {"a.l", true, tText, `[1, "x"]`}, {"a.l", false, tInt, "ERROR 22023"},
		{"a.h", true, types.Of(types.Histogram), "3;2;3;1,2;0:1"}, {"a.n", true, types.Of(types.Histogram), "3;4;5;1,2;0:5,1:0"},
		{"a.l", true, types.Of(types.Histogram), "NULL"},
	} {
		for _, constant := range []bool{false, true} {
			b := &vec.Batch{N: 1, Cols: []*vec.Vector{docs}}
			if constant {
				v := *docs
				v.Form, v.N = vec.Const, 3
				b = &vec.Batch{N: 3, Cols: []*vec.Vector{&v}}
			}
			e := &Leaf{Base: &Col{T: tJSON}, Path: strings.Split(c.path, "."), AsText: c.asText, T: c.t}
			v, err := Compile(e).Eval(&Ctx{}, b, nil)
			got := ""
			if err != nil {
				got = "ERROR " + sqlstate.Code(err)
			} else {
				got = show(v, b.N-1)
			}
			if got != c.want {
				t.Errorf("%s as %s (text %v): got %s want %s", c.path, c.t, c.asText, got, c.want)
			}
		}
	}
}

func TestUncorrelatedSubplanRunsOncePerExecution(t *testing.T) {
	runs := 0
	shared := map[any]any{}
	ctx := &Ctx{
		Run: func(*Ctx, any) ([]*vec.Batch, error) {
			runs++
			return []*vec.Batch{{N: 1, Cols: []*vec.Vector{list(tInt, "42")}}}, nil
		},
		Once: func(key any, make func() (any, error)) (any, error) {
			if v, ok := shared[key]; ok {
				return v, nil
			}
			v, err := make()
			shared[key] = v
			return v, err
		},
	}
	e := &Subplan{Kind: SubScalar, T: tInt}
	for range 3 { // three workers
		ev := Compile(e)
		for range 2 {
			v, err := ev.Eval(ctx, &vec.Batch{N: 5}, nil)
			if err != nil || show(v, 4) != "42" {
				t.Fatal(err)
			}
		}
	}
	if runs != 1 {
		t.Fatalf("%d runs", runs)
	}
	arr, err := Compile(&Subplan{Kind: SubArray, T: types.ArrayOf(types.Int64)}).Eval(ctx, &vec.Batch{N: 1}, nil)
	if err != nil || show(arr, 0) != "{42}" {
		t.Fatal(err)
	}
}

func TestCorrelatedSubplanRunsOncePerDistinctOuterRow(t *testing.T) {
	runs := 0
	ctx := &Ctx{
		Run: func(ctx *Ctx, _ any) ([]*vec.Batch, error) {
			runs++
			if ctx.Outer[0][1] != nil {
				return nil, errors.New("a column nobody refers to was handed on")
			}
			return []*vec.Batch{{N: 1, Cols: []*vec.Vector{ctx.Outer[0][0]}}}, nil
		},
		OuterRefs: func(any) []int { return []int{0} },
	}
	b := &vec.Batch{N: 6, Cols: []*vec.Vector{list(tInt, "1", "2", "1", "NULL", "2", "NULL"), list(tInt, "1", "2", "3", "4", "5", "6")}}
	v, err := Compile(&Subplan{Kind: SubScalar, Correlated: true, T: tInt}).Eval(ctx, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.N {
		if show(v, i) != show(b.Cols[0], i) {
			t.Errorf("row %d: %s", i, show(v, i))
		}
	}
	if runs != 3 {
		t.Errorf("%d runs for 3 distinct rows", runs)
	}
}

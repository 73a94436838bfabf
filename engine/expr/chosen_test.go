package expr

import (
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/storage/vec"
)

// TestTextsOfADictionaryAndConstantsAreChosenByCode compares CASE and COALESCE by code with the same that copy, over batches of
// dictionaries that change.
func TestTextsOfADictionaryAndConstantsAreChosenByCode(t *testing.T) {
	const seed = 5
	rng := rand.New(rand.NewPCG(seed, 0))
	s, b := &Col{Idx: 2, T: tText}, &Col{Idx: 3, T: boolType}
	coded, flat := 0, 0
	for range 100 {
		arms := []Expr{s, lit(tText, ""), lit(tText, "a"), lit(tText, "other"), lit(tText, "NULL")}
		arm := func() Expr { return arms[rng.IntN(len(arms))] }
		e := Expr(&Case{T: tText, Whens: []When{{b, arm()}, {less(&Col{Idx: 0, T: tInt}, lit(tInt, "0")), arm()}}, Else: arm()})
		if rng.IntN(3) == 0 {
			e = &Coalesce{T: tText, Args: []Expr{e, arm()}}
		}
		by, copies := Compile(e), Compile(e)
		for range 6 {
			in := randomBatch(rng, 1+rng.IntN(200))
			got, err := by.Eval(&Ctx{}, in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got.Form == vec.Dict {
				coded++
			} else {
				flat++
			}
			want, err := copies.Eval(&Ctx{PlainCase: true}, in, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range in.N {
				if g, w := show(got, i), show(want, i); g != w {
					t.Fatalf("seed %d: row %d is %s, copied %s", seed, i, g, w)
				}
			}
		}
	}
	if coded == 0 || flat == 0 {
		t.Errorf("%d results by code, %d not", coded, flat)
	}
}

// TestAChosenDictionaryStays: as long as the arms' does, whoever looks at the result by code has learnt it once.
func TestAChosenDictionaryStays(t *testing.T) {
	d := &vec.Vector{}
	d.Reset(tText)
	d.AppendString("x")
	d.AppendString("y")
	e := Compile(&Case{T: tText, Whens: []When{{&Col{Idx: 1, T: boolType}, &Col{Idx: 0, T: tText}}}, Else: lit(tText, "")})
	var first *vec.Vector
	for round := range 3 {
		s := &vec.Vector{Type: tText, Form: vec.Dict, N: 3, Dict: d, Codes: []uint32{1, 0, 1}}
		b := &vec.Vector{}
		b.Reset(boolType)
		for _, x := range []bool{round != 1, false, true} {
			b.AppendBool(x)
		}
		v, err := e.Eval(&Ctx{}, &vec.Batch{N: 3, Cols: []*vec.Vector{s, b}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = v.Dict
		}
		if v.Form != vec.Dict || v.Dict != first || string(v.Bytes(1)) != "" || string(v.Bytes(2)) != "y" {
			t.Fatalf("round %d: %v", round, v)
		}
	}
	if d.N != 2 {
		t.Errorf("the arms' dictionary has %d entries now", d.N)
	}
}

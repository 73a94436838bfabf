package expr

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// maker makes long texts of short ones, as sql/builtin's functions do.
type maker struct {
	times int
	most  int // the longest result of a call so far
	rows  int // how often a row was computed
}

// long repeats a text, and stops early where it may. It fails for "bad", and for what stands in rows that were left out.
func (m *maker) long(a Expr) Expr {
	return &Call{T: tText, Args: []Expr{a}, Fn: &Func{Name: "long", Ret: tText, Eval: func(ctx *Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		p := ctx.TakePieces()
		for i := range n {
			switch {
			case !sel.Get(i):
				out.AppendString("left out")
				continue
			case string(a[0].Bytes(i)) == "bad" || string(a[0].Bytes(i)) == "left out":
				return sqlstate.New(sqlstate.InvalidParameter, "row %d is %s", i, a[0].Bytes(i))
			}
			m.rows++
			out.AppendBytes(bytes.Repeat(a[0].Bytes(i), m.times))
			m.most = max(m.most, len(out.Data))
			if p != nil && len(out.Data) > p.Room(ctx) && i+1 < n {
				p.StopBefore(i + 1)
				for out.N < n {
					out.AppendString("left out")
				}
				return nil
			}
		}
		return nil
	}}}
}

func length(a Expr) Expr {
	return &Call{T: tInt, Args: []Expr{a}, Fn: fn("length", tInt, func(a []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendInt(int64(len(a[0].Bytes(i))))
		return nil
	})}
}

// lengthen puts long around some texts of e and length around some integers' places, so that pieces lie in pieces.
func (m *maker) lengthen(rng *rand.Rand, e Expr) Expr {
	sub := func(e Expr) Expr { return m.lengthen(rng, e) }
	subs := func(es []Expr) (out []Expr) {
		for _, x := range es {
			out = append(out, sub(x))
		}
		return out
	}
	switch x := e.(type) {
	case *Call:
		e = &Call{Fn: x.Fn, T: x.T, Args: subs(x.Args)}
	case *Logic:
		e = &Logic{Or: x.Or, Args: subs(x.Args)}
	case *Not:
		e = &Not{Arg: sub(x.Arg)}
	case *IsNull:
		e = &IsNull{Arg: sub(x.Arg), Negate: x.Negate}
	case *Coalesce:
		e = &Coalesce{Args: subs(x.Args), T: x.T}
	case *In:
		e = &In{Arg: sub(x.Arg), List: x.List, HasNull: x.HasNull, Negate: x.Negate}
	case *Case:
		c := &Case{T: x.T, Else: sub(x.Else)}
		for _, w := range x.Whens {
			c.Whens = append(c.Whens, When{sub(w.Cond), sub(w.Then)})
		}
		e = c
	case *Col:
		if x.T == tInt && rng.IntN(2) == 0 {
			return length(m.long(&Col{Idx: 2, T: tText}))
		}
	}
	if e.Type() == tText && rng.IntN(2) == 0 {
		return m.long(e)
	}
	return e
}

// Pieces of a row, of some, and whole batches come to the same, for all rows that are asked for.
func TestPiecesGiveTheAnswersOfWholeBatches(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 10))
	m := &maker{times: 3}
	for range 2000 {
		typ := []types.Type{boolType, tInt, tText}[rng.IntN(3)]
		e := m.lengthen(rng, randomExpr(rng, typ, 3))
		whole, pieces := Compile(e), Compile(e)
		for range 2 {
			n := []int{1, 2, 65, 200}[rng.IntN(4)]
			b := randomBatch(rng, n)
			sel := vec.MakeBitmap(n)
			for i := range n {
				sel.SetTo(i, rng.IntN(3) > 0)
			}
			want, err := whole.Eval(&Ctx{TextRoom: -1}, b, sel)
			if err != nil {
				t.Fatal(err)
			}
			ctx := &Ctx{TextRoom: []int{1, 10, 100}[rng.IntN(3)]}
			given := append(vec.Bitmap(nil), sel...)
			for i, got := range inPiecesOf(t, pieces, ctx, b, sel) {
				if got != show(want, i) {
					t.Fatalf("%d bytes at a time: row %d is %s, at once %s", ctx.TextRoom, i, got, show(want, i))
				}
			}
			if fmt.Sprint(given) != fmt.Sprint(sel) {
				t.Fatal("the selection has changed")
			}
			if typ == boolType {
				kept := append(vec.Bitmap(nil), sel...)
				if err := pieces.Filter(ctx, b, kept); err != nil {
					t.Fatal(err)
				}
				for i := range n {
					if kept.Get(i) != (sel.Get(i) && show(want, i) == "t") {
						t.Fatalf("row %d is kept: %v", i, kept.Get(i))
					}
				}
			}
			if ctx.piece != nil || ctx.offer != nil {
				t.Fatal("pieces are still open")
			}
		}
	}
}

// inPiecesOf evaluates as operators do, and returns the rows asked for.
func inPiecesOf(t *testing.T, ev *Evaluator, ctx *Ctx, b *vec.Batch, sel vec.Bitmap) map[int]string {
	var p Pieces
	out, err := map[int]string{}, error(nil)
	p.Start(b.N, sel)
	for more := true; more; {
		v, err1 := p.Eval(ctx, ev, b)
		if err1 != nil {
			t.Fatal(err1)
		}
		p.Sel().All(func(i int) {
			if _, twice := out[i]; twice || !sel.Get(i) {
				t.Fatalf("row %d came twice, or was not asked for", i)
			}
			out[i] = show(v, i)
		})
		if more, err = p.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if len(out) != sel.Count() {
		t.Fatalf("%d rows of %d", len(out), sel.Count())
	}
	return out
}

func texts(n int, at map[int]string) *vec.Batch {
	v := &vec.Vector{}
	v.Reset(tText)
	for i := range n {
		if s, ok := at[i]; ok {
			v.AppendString(s)
		} else {
			v.AppendString("abcdefgh")
		}
	}
	return &vec.Batch{N: n, Cols: []*vec.Vector{v}}
}

// 1,000 rows of 8 kB take no more than the room and a row, are computed less than three times, and their memory is used again.
func TestABatchsTextsTakeTheRoomAndARow(t *testing.T) {
	const n, room = 1000, 100_000
	b := texts(n, nil)
	for name, e := range map[string]func(*maker) Expr{
		"one call": func(m *maker) Expr { return length(m.long(&Col{Idx: 0, T: tText})) },
		"two arguments": func(m *maker) Expr {
			return less(upper(m.long(&Col{Idx: 0, T: tText})), m.long(&Col{Idx: 0, T: tText}))
		},
		"a condition": func(m *maker) Expr {
			return &Logic{Args: []Expr{less(lit(tInt, "5"), length(m.long(&Col{Idx: 0, T: tText}))), &IsNull{Arg: m.long(&Col{Idx: 0, T: tText}), Negate: true}}}
		},
		"arms of CASE": func(m *maker) Expr {
			return &IsNull{Arg: &Case{T: tText, Whens: []When{{less(&Col{Idx: 0, T: tText}, lit(tText, "b")), m.long(&Col{Idx: 0, T: tText})}}, Else: lit(tText, "x")}}
		},
	} {
		m := &maker{times: 1000}
		if _, err := Compile(e(m)).Eval(&Ctx{TextRoom: room}, b, nil); err != nil {
			t.Fatal(err)
		}
		if m.most > room+8000 {
			t.Errorf("%s: a call had %d bytes", name, m.most)
		}
		if m.rows > 2*3*n {
			t.Errorf("%s: %d rows were computed for %d", name, m.rows, n)
		}
	}
	m := &maker{times: 1000}
	if _, err := Compile(length(m.long(&Col{Idx: 0, T: tText}))).Eval(&Ctx{TextRoom: -1}, b, nil); err != nil || m.most != n*8000 {
		t.Errorf("at once: %d bytes, %v", m.most, err)
	}
}

// A dictionary's entries are not batch rows: their texts are made at once if they fit, and row by row otherwise.
func TestADictionaryOfLongTextsIsEvaluatedByRows(t *testing.T) {
	d := &vec.Vector{}
	d.Reset(tText)
	for i := range 500 {
		d.AppendString(fmt.Sprintf("%08d", i))
	}
	v := &vec.Vector{Type: tText, Form: vec.Dict, N: 1000, Dict: d}
	for i := range 1000 {
		v.Codes = append(v.Codes, uint32(i*7%500))
	}
	b := &vec.Batch{N: 1000, Cols: []*vec.Vector{v}}
	m := &maker{times: 1000}
	ev := Compile(less(m.long(&Col{Idx: 0, T: tText}), lit(tText, "00000100")))
	out, err := ev.Eval(&Ctx{TextRoom: 50_000}, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if want := i*7%500 < 100; out.Bool(i) != want {
			t.Fatalf("row %d: %v", i, out.Bool(i))
		}
	}
	if m.most > 58_000 {
		t.Errorf("a call had %d bytes", m.most)
	}
}

// Errors are those of rows that are asked for: also in the last piece, and not for operands that are decided.
func TestErrorsInPiecesAreThoseOfRowsAskedFor(t *testing.T) {
	b := texts(100, map[int]string{70: "bad"})
	col := &Col{Idx: 0, T: tText}
	m := &maker{times: 10}
	ctx := &Ctx{TextRoom: 100}
	if _, err := Compile(length(m.long(col))).Eval(ctx, b, nil); err == nil || !strings.Contains(err.Error(), "row 70 is bad") {
		t.Errorf("the error is %v", err)
	}
	bad := &In{Arg: col, List: list(tText, "bad")}
	for name, e := range map[string]Expr{
		"or":   &Logic{Or: true, Args: []Expr{bad, less(length(m.long(col)), lit(tInt, "9999"))}},
		"case": length(&Case{T: tText, Whens: []When{{bad, lit(tText, "0")}}, Else: m.long(m.long(col))}),
	} {
		if _, err := Compile(e).Eval(ctx, b, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Two rows fail in different calls: what fails in an earlier piece is told.
	b = texts(100, map[int]string{3: "abc", 70: "bad"})
	fails := &Call{T: tInt, Args: []Expr{m.long(col)}, Fn: fn("fails", tInt, func(a []*vec.Vector, i int, out *vec.Vector) error {
		if len(a[0].Bytes(i)) == 30 {
			return fmt.Errorf("row %d is short", i)
		}
		out.AppendInt(1)
		return nil
	})}
	if _, err := Compile(fails).Eval(ctx, b, nil); err == nil || err.Error() != "row 3 is short" {
		t.Errorf("the error is %v", err)
	}
}

func TestVolatileFunctionsAreCalledOncePerRowBesideLongTexts(t *testing.T) {
	m := &maker{times: 100}
	next := fn("next", tText, func(_ []*vec.Vector, _ int, out *vec.Vector) error { out.AppendString("12345678"); return nil })
	next.Volatile = Volatile
	e := less(m.long(&Col{Idx: 0, T: tText}), &Call{Fn: next, T: tText})
	calls = 0
	if _, err := Compile(e).Eval(&Ctx{TextRoom: 10}, texts(50, nil), nil); err != nil || m.rows != 50 || calls > 2*50 {
		t.Fatalf("%v; %d texts, %d calls", err, m.rows, calls)
	}
	if MakeTexts([]Expr{m.long(&Col{Idx: 0, T: tText}), e}) || !MakeTexts([]Expr{length(&Col{Idx: 0, T: tText}), m.long(&Col{Idx: 0, T: tText})}) {
		t.Fatal("a projection with a volatile function must not be in pieces, another one may")
	}
}

func TestAStatementEndsBetweenPieces(t *testing.T) {
	c, cancel := context.WithCancel(context.Background())
	m := &maker{times: 100}
	seen := 0
	e := &Call{T: tInt, Args: []Expr{m.long(&Col{Idx: 0, T: tText})}, Fn: fn("sees", tInt, func(_ []*vec.Vector, _ int, out *vec.Vector) error {
		if seen++; seen == 10 {
			cancel()
		}
		out.AppendInt(1)
		return nil
	})}
	_, err := Compile(e).Eval(&Ctx{Context: c, TextRoom: 10}, texts(500, nil), nil)
	if sqlstate.Code(err) != sqlstate.QueryCanceled || seen > 20 {
		t.Fatalf("%v after %d rows", err, seen)
	}
}

package op

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A value of a test row: nil, bool, int64, float64 or string.
type row []any

var (
	tBool  = types.Of(types.Bool)
	tInt   = types.Of(types.Int64)
	tFloat = types.Of(types.Float64)
	tText  = types.Of(types.Text)
)

func appendValue(v *vec.Vector, x any) {
	switch x := x.(type) {
	case nil:
		v.AppendNull()
	case bool:
		v.AppendBool(x)
	case int64:
		v.AppendInt(x)
	case float64:
		v.AppendFloat(x)
	case string:
		v.AppendString(x)
	default:
		panic(fmt.Sprintf("test value %T", x))
	}
}

func valueAt(v *vec.Vector, i int) any {
	if v.Null(i) {
		return nil
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		return v.Bool(i)
	case types.PhysInt64:
		return v.Int(i)
	case types.PhysFloat64:
		return v.Float(i)
	}
	return string(v.Bytes(i))
}

// memSource is a table of rows cut into groups.
type memSource struct {
	t       *types.Table
	morsels []column.Morsel
}

func (s *memSource) Table() *types.Table      { return s.t }
func (s *memSource) Morsels() []column.Morsel { return s.morsels }

type memMorsel struct{ g *column.Mem }

func (m memMorsel) Rows() int                                  { return m.g.Rows() }
func (m memMorsel) Origin() string                             { return "test" }
func (m memMorsel) Partition() (int64, bool)                   { return 0, false }
func (m memMorsel) Deleted() vec.Bitmap                        { return nil }
func (m memMorsel) MayHold(string, *column.Pred) (bool, error) { return true, nil }
func (m memMorsel) Stats(string) (column.Stats, bool)          { return column.Stats{}, false }
func (m memMorsel) Open() (column.Group, error)                { return m.g, nil }

func newTable(cols ...types.Column) *types.Table {
	return &types.Table{ID: 1, Schema: "public", Name: "t", Kind: types.TableUser, Columns: cols}
}

func newSource(t *types.Table, rows []row, groupRows int) *memSource {
	s := &memSource{t: t}
	for from := 0; from < len(rows); from += groupRows {
		part := rows[from:min(from+groupRows, len(rows))]
		g := column.NewMem(len(part))
		for c, col := range t.Columns {
			leaf := types.LeafOf(col.Type)
			v := &vec.Vector{}
			v.Reset(leaf.Type())
			some := false
			for _, r := range part {
				appendValue(v, r[c])
				some = some || r[c] != nil
			}
			if some {
				g.Add(types.Path(col.Name), leaf, v)
			}
		}
		s.morsels = append(s.morsels, memMorsel{g})
	}
	return s
}

// scanOf reads all columns of a table.
func scanOf(t *types.Table, filter ...expr.Expr) *plan.Scan {
	n := &plan.Scan{Table: t, Out: len(t.Columns), Filter: filter}
	for _, c := range t.Columns {
		n.Read = append(n.Read, plan.ScanCol{Column: c.Name, Type: c.Type})
	}
	return n
}

// valuesOf is a constant table.
func valuesOf(ts []types.Type, rows []row) *plan.Values {
	n := &plan.Values{}
	for i, t := range ts {
		n.Out = append(n.Out, plan.Col{Name: fmt.Sprint("c", i), Type: t})
	}
	for _, r := range rows {
		var es []expr.Expr
		for i, x := range r {
			es = append(es, lit(ts[i], x))
		}
		n.Rows = append(n.Rows, es)
	}
	return n
}

func lit(t types.Type, x any) *expr.Const {
	v := &vec.Vector{}
	v.Reset(t)
	appendValue(v, x)
	return &expr.Const{V: v}
}

func col(i int, t types.Type) *expr.Col { return &expr.Col{Idx: i, T: t} }

// Functions of the tests: the real ones live in sql/builtin.

func compareFn(name string, t types.Type, holds func(c int) bool) *expr.Func {
	return &expr.Func{Name: name, Args: []types.Type{t, t}, Ret: tBool,
		Eval: func(_ *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			out.SetFlat(tBool, n)
			sel.All(func(i int) { out.Bits.SetTo(i, holds(datum.Compare(t, a[0], i, a[1], i))) })
			return nil
		}}
}

func cmpCall(name string, a, b expr.Expr) expr.Expr {
	holds := map[string]func(int) bool{
		"=": func(c int) bool { return c == 0 }, "<>": func(c int) bool { return c != 0 },
		"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 },
		">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 },
	}[name]
	return &expr.Call{Fn: compareFn(name, a.Type(), holds), Args: []expr.Expr{a, b}, T: tBool}
}

func addCall(a, b expr.Expr) expr.Expr {
	f := &expr.Func{Name: "+", Args: []types.Type{tInt, tInt}, Ret: tInt,
		Eval: func(_ *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			out.SetFlat(tInt, n)
			sel.All(func(i int) { out.I64[i] = a[0].Int(i) + a[1].Int(i) })
			return nil
		}}
	return &expr.Call{Fn: f, Args: []expr.Expr{a, b}, T: tInt}
}

func upperCall(a expr.Expr) expr.Expr {
	f := &expr.Func{Name: "upper", Args: []types.Type{tText}, Ret: tText,
		Eval: func(_ *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			for i := range n {
				if sel.Get(i) {
					out.AppendBytes(bytes.ToUpper(a[0].Bytes(i)))
				} else {
					out.AppendBytes(nil)
				}
			}
			return nil
		}}
	return &expr.Call{Fn: f, Args: []expr.Expr{a}, T: tText}
}

// run executes a plan and returns its rows.
func run(t testing.TB, src column.Source, workers int, n plan.Node) []row {
	t.Helper()
	rows, err := runErr(src, workers, 0, n)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func runErr(src column.Source, workers int, mem int64, n plan.Node) ([]row, error) {
	env := &Env{Ctx: &expr.Ctx{}, Workers: workers, Memory: mem,
		Source: func(*types.Table) (column.Source, error) { return src, nil }}
	r, err := Run(env, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []row
	for {
		b, err := r.Next()
		if err != nil {
			return out, err
		}
		if b == nil {
			return out, nil
		}
		if b.Sel != nil {
			return nil, fmt.Errorf("the result has a selection")
		}
		for i := range b.N {
			x := make(row, len(b.Cols))
			for c, v := range b.Cols {
				x[c] = valueAt(v, i)
			}
			out = append(out, x)
		}
	}
}

func show(rows []row) string {
	var s strings.Builder
	for _, r := range rows {
		fmt.Fprintln(&s, r...)
	}
	return s.String()
}

func wantRows(t testing.TB, what string, got, want []row) {
	t.Helper()
	g, w := show(got), show(want)
	if g != w {
		if len(g)+len(w) > 4000 {
			gl, wl := strings.Split(g, "\n"), strings.Split(w, "\n")
			for i := range min(len(gl), len(wl)) {
				if gl[i] != wl[i] {
					t.Fatalf("%s: %d rows, want %d; row %d is\n%s\nwant\n%s", what, len(got), len(want), i, gl[i], wl[i])
				}
			}
			t.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
		}
		t.Fatalf("%s: got\n%s\nwant\n%s", what, g, w)
	}
}

// randomRows makes rows of (channel text, sample int, x int, y float, b bool), with NULLs.
func randomRows(rng *rand.Rand, n int) []row {
	channels := []string{"release", "beta", "nightly", "esr", "aurora"}
	rows := make([]row, n)
	for i := range rows {
		r := row{channels[min(int(rng.ExpFloat64()), 4)], int64(rng.IntN(100)), rng.Int64N(2000) - 1000,
			float64(rng.IntN(1000)) / 8, rng.IntN(3) == 0}
		for c := range r {
			if rng.IntN(10) == 0 {
				r[c] = nil
			}
		}
		rows[i] = r
	}
	return rows
}

var pingTable = newTable(
	types.Column{Name: "channel", Type: tText}, types.Column{Name: "sample", Type: tInt},
	types.Column{Name: "x", Type: tInt}, types.Column{Name: "y", Type: tFloat}, types.Column{Name: "b", Type: tBool})

func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

package scan

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

var (
	tBool  = types.Of(types.Bool)
	tInt   = types.Of(types.Int64)
	tFloat = types.Of(types.Float64)
	tText  = types.Of(types.Text)
	tJSONB = types.Of(types.JSONB)
)

var table = &types.Table{ID: 1, Schema: "public", Name: "pings", Kind: types.TableUser, PartitionBy: "day", Columns: []types.Column{
	{Name: "day", Type: types.Of(types.Date)}, {Name: "channel", Type: tText}, {Name: "n", Type: types.Of(types.Int32)},
	{Name: "y", Type: tFloat}, {Name: "ok", Type: tBool}, {Name: "payload", Type: tJSONB}}}

// doc is one test row: the columns, then the payload as JSON text ("" for NULL).
type doc struct {
	day     int64
	channel string // "" is NULL
	n       int64  // 0 is NULL
	y       float64
	ok      int // 0 false, 1 true, 2 NULL
	payload string
}

type source struct{ morsels []column.Morsel }

func (s *source) Table() *types.Table      { return table }
func (s *source) Morsels() []column.Morsel { return s.morsels }

type morsel struct {
	g      column.Group
	day    int64
	stats  map[string]column.Stats
	opened *int
}

func (m *morsel) Rows() int                                  { return m.g.Rows() }
func (m *morsel) Origin() string                             { return "test" }
func (m *morsel) Partition() (int64, bool)                   { return m.day, m.day != 0 }
func (m *morsel) Deleted() vec.Bitmap                        { return nil }
func (m *morsel) MayHold(string, *column.Pred) (bool, error) { return true, nil }
func (m *morsel) Stats(c string) (column.Stats, bool)        { s, ok := m.stats[c]; return s, ok }
func (m *morsel) Open() (column.Group, error)                { *m.opened++; return m.g, nil }

// newSource cuts docs into groups. With coded, text columns are dictionaries.
func newSource(t testing.TB, docs []doc, groupRows int, coded bool) *source {
	in := column.NewInterner()
	root := in.Intern("payload")
	sh := shred.New(in, nil)
	s := &source{}
	for from := 0; from < len(docs); from += groupRows {
		part := docs[from:min(from+groupRows, len(docs))]
		rows := make([]*column.RowBuf, len(part))
		for i, d := range part {
			r := &column.RowBuf{}
			r.Int(in.Intern("day"), d.day)
			if d.channel != "" {
				r.Text(in.Intern("channel"), d.channel)
			}
			if d.n != 0 {
				r.Int(in.Intern("n"), d.n)
			}
			r.Float(in.Intern("y"), d.y)
			if d.ok != 2 {
				r.Bool(in.Intern("ok"), d.ok == 1)
			}
			if d.payload != "" {
				if err := sh.Value([]byte(d.payload), root, r); err != nil {
					t.Fatal(err)
				}
			}
			rows[i] = r
		}
		g := column.Group(groupOf(in, rows))
		if coded {
			g = codedGroup{g}
		}
		s.morsels = append(s.morsels, &morsel{g: g, opened: new(int)})
	}
	return s
}

func groupOf(in *column.Interner, rows []*column.RowBuf) *column.Mem {
	type id struct {
		path uint32
		leaf types.Leaf
	}
	vecs := map[id]*vec.Vector{}
	for i, r := range rows {
		for _, x := range r.Values {
			k := id{x.Path, x.Leaf}
			v := vecs[k]
			if v == nil {
				v = &vec.Vector{}
				v.Reset(x.Leaf.Type())
				vecs[k] = v
			}
			for v.N < i {
				v.AppendNull()
			}
			one := &vec.Vector{}
			one.Reset(x.Leaf.Type())
			switch x.Leaf.Phys() {
			case types.PhysBool:
				one.AppendBool(x.Num == 1)
			case types.PhysInt64:
				one.AppendInt(int64(x.Num))
			case types.PhysFloat64:
				one.AppendFloat(floatBits(x.Num))
			default:
				one.AppendBytes(r.Data(x))
			}
			v.AppendFrom(one, 0)
		}
	}
	g := column.NewMem(len(rows))
	for k, v := range vecs {
		for v.N < len(rows) {
			v.AppendNull()
		}
		g.Add(in.Path(k.path), k.leaf, v)
	}
	return g
}

// codedGroup gives the text columns of a group as dictionaries, as a segment does.
type codedGroup struct{ column.Group }

func (g codedGroup) Find(p types.Path, leaf types.Leaf) (column.Column, bool) {
	c, ok := g.Group.Find(p, leaf)
	if ok && leaf == types.LeafText {
		return newCoded(c, g.Rows()), true
	}
	return c, ok
}

type codedColumn struct {
	column.Column
	dict  *vec.Vector
	codes []uint32
	valid []bool
}

func newCoded(c column.Column, rows int) *codedColumn {
	x := &codedColumn{Column: c, dict: &vec.Vector{}}
	x.dict.Reset(tText)
	index := map[string]uint32{}
	var v vec.Vector
	for from := 0; from < rows; from += vec.BatchRows {
		if err := c.Read(from, min(from+vec.BatchRows, rows), &v); err != nil {
			panic(err)
		}
		for i := range v.N {
			x.valid = append(x.valid, !v.Null(i))
			if v.Null(i) {
				x.codes = append(x.codes, 0)
				continue
			}
			s := string(v.Bytes(i))
			if _, ok := index[s]; !ok {
				index[s] = uint32(x.dict.N)
				x.dict.AppendString(s)
			}
			x.codes = append(x.codes, index[s])
		}
	}
	return x
}

func (c *codedColumn) Stats() column.Stats {
	s := c.Column.Stats()
	s.Dict = c.dict
	return s
}

func (c *codedColumn) Read(from, to int, dst *vec.Vector) error {
	dst.Reset(tText)
	dst.Form, dst.Dict, dst.N = vec.Dict, c.dict, to-from
	dst.Valid = vec.MakeBitmap(dst.N)
	dst.Codes = append(dst.Codes, c.codes[from:to]...)
	for i := range dst.N {
		dst.Valid.SetTo(i, c.valid[from+i])
	}
	return nil
}

func (c *codedColumn) Filter(from, to int, p *column.Pred, sel vec.Bitmap) error {
	var v vec.Vector
	if err := c.Read(from, to, &v); err != nil {
		return err
	}
	return p.Apply(&v, sel)
}

func show(v *vec.Vector, i int) string {
	if v.Null(i) {
		return "NULL"
	}
	return string(datum.AppendText(nil, v, i, nil))
}

// read runs a scan and returns its rows as text.
func read(t testing.TB, src column.Source, n *plan.Scan) ([]string, Stats, error) {
	t.Helper()
	ctx := &expr.Ctx{}
	s, err := New(ctx, src, n)
	if err != nil {
		return nil, Stats{}, err
	}
	w := s.NewWorker(ctx)
	var out []string
	for i := range s.Morsels() {
		err = errors.Join(err, w.Morsel(i, func(b *vec.Batch, sel vec.Bitmap) error {
			if len(b.Cols) != n.Out {
				t.Fatalf("%d columns, want %d", len(b.Cols), n.Out)
			}
			for r := range b.N {
				if sel != nil && !sel.Get(r) {
					continue
				}
				var cells []string
				for c, v := range b.Cols {
					if v.N != b.N || v.Type != n.Read[c].Type {
						t.Fatalf("column %d has %d rows of type %s, want %d of %s", c, v.N, v.Type, b.N, n.Read[c].Type)
					}
					cells = append(cells, show(v, r))
				}
				out = append(out, strings.Join(cells, " | "))
			}
			return nil
		}))
	}
	w.Close()
	return out, s.Stats(), err
}

func mustRead(t testing.TB, src column.Source, n *plan.Scan) []string {
	t.Helper()
	rows, _, err := read(t, src, n)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func member(asText bool, typ types.Type, path ...string) plan.ScanCol {
	return plan.ScanCol{Column: "payload", Path: path, AsText: asText, Type: typ}
}

// The rows of mixed have every form a member can have: typed in several kinds, kept whole in an array or above, missing.
func mixed(numbersOnly bool) []doc {
	var docs []doc
	for _, x := range []string{`1`, `-7`, `2.5`, `1.10`, `1e2`, `"12"`, `null`, `123456789012345678`, `0.1`, `true`, `"x"`, `[1, 2]`,
		`{"deep": 1}`, `{}`, `"a\"b"`, `12345678901234567890123`, `1e400`} {
		if numbersOnly && strings.ContainsAny(x, `x[{"at`) && x != `"12"` {
			continue
		}
		docs = append(docs, doc{payload: fmt.Sprintf(`{"a": {"x": %s, "b": 1}, "z": %s}`, x, x)})
	}
	return append(docs, doc{}, doc{payload: `{}`}, doc{payload: `{"a": 5}`}, doc{payload: `{"a": {}}`}, doc{payload: `{"a": [{"x": 1}]}`})
}

// TestMembersReadAsTheWholeColumnWould compares the read of a member's own columns with the same member taken from the
// assembled jsonb text, for all kinds of neighbours in the group.
func TestMembersReadAsTheWholeColumnWould(t *testing.T) {
	numeric := types.Of(types.Numeric)
	for _, c := range []struct {
		col  plan.ScanCol
		docs []doc
	}{
		{member(true, tText, "a", "x"), mixed(false)},
		{member(false, tJSONB, "a", "x"), mixed(false)},
		{member(false, tJSONB, "a"), mixed(false)},
		{member(true, tText, "a"), mixed(false)},
		{member(true, tFloat, "a", "x"), mixed(true)[:8]},
		{member(true, numeric, "a", "x"), mixed(true)},
		{member(true, numeric, "z"), mixed(true)},
		{member(true, tInt, "a", "x"), []doc{{payload: `{"a": {"x": 5}}`}, {payload: `{"a": {"x": "6"}}`}, {}, {payload: `{"a": {"x": null}}`}}},
		{member(true, types.Of(types.Int32), "a", "x"), []doc{{payload: `{"a": {"x": 5}}`}, {payload: `{"a": {"x": "6"}}`}, {}}},
		{member(true, tBool, "a", "x"), []doc{{payload: `{"a": {"x": true}}`}, {payload: `{"a": {"x": "no"}}`}, {}}},
		{member(false, tBool, "a", "x"), []doc{{payload: `{"a": {"x": true}}`}, {payload: `{"a": {"x": null}}`}, {}}},
		{member(false, tInt, "a", "x"), []doc{{payload: `{"a": {"x": 2.5}}`}, {payload: `{"a": {"x": 7}}`}, {}}},
		{member(true, tText, "a", "0", "x"), mixed(false)},
	} {
		// Alone, in pairs and all together: what else is in the group must not matter.
		sets := [][]doc{c.docs}
		for i := range c.docs {
			sets = append(sets, c.docs[i:i+1])
			for j := range c.docs {
				sets = append(sets, []doc{c.docs[i], c.docs[j]})
			}
		}
		for _, docs := range sets {
			for _, coded := range []bool{false, true} {
				src := newSource(t, docs, len(docs), coded)
				got, _, err := read(t, src, &plan.Scan{Table: table, Out: 1, Read: []plan.ScanCol{c.col}})
				if err != nil {
					t.Fatalf("%s %v: %v", c.col.Type, docs, err)
				}
				if want := wholeColumn(t, src, c.col); strings.Join(got, "\n") != strings.Join(want, "\n") {
					t.Fatalf("%v as %s (text %v) of %v:\ngot %q\nwant %q", c.col.Path, c.col.Type, c.col.AsText, docs, got, want)
				}
			}
		}
	}
}

// wholeColumn evaluates the member on the jsonb text.
func wholeColumn(t *testing.T, src column.Source, c plan.ScanCol) []string {
	ctx := &expr.Ctx{}
	s, err := New(ctx, src, &plan.Scan{Table: table, Out: 1, Read: []plan.ScanCol{{Column: "payload", Type: tJSONB}}})
	if err != nil {
		t.Fatal(err)
	}
	e := &expr.Leaf{Base: &expr.Col{T: tJSONB}, Path: c.Path, AsText: c.AsText, T: c.Type}
	var out []string
	w := s.NewWorker(ctx)
	for i := range s.Morsels() {
		if err := w.Morsel(i, func(b *vec.Batch, sel vec.Bitmap) error {
			var v vec.Vector
			if err := expr.Eval(ctx, e, b, nil, &v); err != nil {
				return err
			}
			for r := range b.N {
				out = append(out, show(&v, r))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestCastErrorsOfMembersAreRaisedForSelectedRowsOnly(t *testing.T) {
	docs := []doc{{n: 1, payload: `{"x": 1}`}, {n: 2, payload: `{"x": "zwei"}`}}
	src := newSource(t, docs, 2, false)
	n := &plan.Scan{Table: table, Out: 1, Read: []plan.ScanCol{member(true, tInt, "x"), {Column: "n", Type: types.Of(types.Int32)}}}
	if _, _, err := read(t, src, n); err == nil || !strings.Contains(err.Error(), "zwei") {
		t.Fatalf("no error: %v", err)
	}
	n.Filter = []expr.Expr{compareCall("=", &expr.Col{Idx: 1, T: types.Of(types.Int32)}, constant32(1))}
	if rows := mustRead(t, src, n); len(rows) != 1 || rows[0] != "1" {
		t.Fatal(rows)
	}
}

func constant32(x int64) expr.Expr { return constOf(types.Of(types.Int32), x) }

func constOf(typ types.Type, x any) expr.Expr {
	v := &vec.Vector{}
	v.Reset(typ)
	switch x := x.(type) {
	case nil:
		v.AppendNull()
	case int64:
		v.AppendInt(x)
	case float64:
		v.AppendFloat(x)
	case bool:
		v.AppendBool(x)
	case string:
		v.AppendString(x)
	}
	return &expr.Const{V: v}
}

// evals counts the rows the comparison functions of the tests were asked for.
var evals int

func compareCall(name string, a, b expr.Expr) expr.Expr {
	op := operators[name]
	typ := a.Type()
	return &expr.Call{T: tBool, Args: []expr.Expr{a, b}, Fn: &expr.Func{Name: name, Ret: tBool,
		Eval: func(_ *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			out.SetFlat(tBool, n)
			sel.All(func(i int) {
				evals++
				out.Bits.SetTo(i, op.Holds(datum.Compare(typ, a[0], i, a[1], i)))
			})
			return nil
		}}}
}

// likeCall is a condition only the function knows how to decide; it fails on "bad".
func likeCall(a expr.Expr, part string) expr.Expr {
	return &expr.Call{T: tBool, Args: []expr.Expr{a}, Fn: &expr.Func{Name: "contains", Ret: tBool,
		Eval: func(_ *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			out.SetFlat(tBool, n)
			var err error
			sel.All(func(i int) {
				if string(a[0].Bytes(i)) == "bad" {
					err = errors.New("bad value")
				}
				out.Bits.SetTo(i, strings.Contains(string(a[0].Bytes(i)), part))
			})
			return err
		}}}
}

// TestPushedDownFiltersAgreeWithEvaluation runs random conjunctions through the scan and through the evaluator over the
// unfiltered rows.
func TestPushedDownFiltersAgreeWithEvaluation(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	cols := []plan.ScanCol{
		{Column: "channel", Type: tText}, {Column: "n", Type: types.Of(types.Int32)}, {Column: "y", Type: tFloat},
		{Column: "ok", Type: tBool}, member(true, tText, "a", "s"), member(true, tInt, "a", "i"), member(true, tFloat, "a", "i"),
		member(true, tFloat, "a", "f"), {Column: "day", Type: types.Of(types.Date)},
		member(false, tJSONB, "a"), member(false, tJSONB, "a", "f"), {Column: "payload", Type: tJSONB},
	}
	for range 150 {
		docs := randomDocs(rng, 1+rng.IntN(2500))
		src := newSource(t, docs, []int{7, 1024, 1500, 4000}[rng.IntN(4)], rng.IntN(2) == 0)
		n := &plan.Scan{Table: table, Out: len(cols), Read: cols}
		all := batches(t, src, n)
		for range 1 + rng.IntN(4) {
			n.Filter = append(n.Filter, randomCondition(rng, cols, 2))
		}
		var want []string
		for _, b := range all {
			sel := vec.MakeBitmap(b.N)
			sel.Fill(b.N)
			for _, e := range n.Filter {
				if err := expr.EvalFilter(&expr.Ctx{}, e, b, sel); err != nil {
					t.Fatal(err)
				}
			}
			sel.All(func(i int) {
				var cells []string
				for _, v := range b.Cols {
					cells = append(cells, show(v, i))
				}
				want = append(want, strings.Join(cells, " | "))
			})
		}
		got := mustRead(t, src, n)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("filter %s: %d rows, want %d", describe(n.Filter), len(got), len(want))
		}
		// The order of the output's columns and what is read for the filter only do not matter.
		few := *n
		few.Out = 2
		for i, r := range mustRead(t, src, &few) {
			if !strings.HasPrefix(want[i], r+" | ") {
				t.Fatalf("row %d of two columns is %q, want %q", i, r, want[i])
			}
		}
	}
}

func describe(es []expr.Expr) string {
	var out []string
	for _, e := range es {
		expr.Walk(e, func(x expr.Expr) bool {
			switch x := x.(type) {
			case *expr.Call:
				out = append(out, x.Fn.Name)
			case *expr.Col:
				out = append(out, fmt.Sprint("$", x.Idx))
			case *expr.Const:
				out = append(out, show(x.V, 0))
			default:
				out = append(out, fmt.Sprintf("%T", x))
			}
			return true
		})
	}
	return strings.Join(out, " ")
}

func batches(t *testing.T, src column.Source, n *plan.Scan) []*vec.Batch {
	ctx := &expr.Ctx{}
	s, err := New(ctx, src, n)
	if err != nil {
		t.Fatal(err)
	}
	var out []*vec.Batch
	w := s.NewWorker(ctx)
	for i := range s.Morsels() {
		if err := w.Morsel(i, func(b *vec.Batch, sel vec.Bitmap) error {
			own := &vec.Batch{N: b.N}
			for _, v := range b.Cols {
				c := &vec.Vector{}
				c.Reset(v.Type)
				c.AppendRange(v, 0, b.N)
				own.Cols = append(own.Cols, c)
			}
			out = append(out, own)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func randomDocs(rng *rand.Rand, n int) []doc {
	docs := make([]doc, n)
	clustered := rng.IntN(2) == 0
	for i := range docs {
		d := doc{day: int64(10 + i/600), y: float64(rng.IntN(40)) / 4, ok: rng.IntN(3)}
		if rng.IntN(6) > 0 {
			d.channel = []string{"release", "beta", "nightly", "esr"}[rng.IntN(4)]
		}
		d.n = int64(rng.IntN(30))
		if clustered {
			d.n = int64(i / 100)
		}
		switch rng.IntN(5) {
		case 0:
		case 1:
			d.payload = []string{`{"a": {}}`, `{}`, `{"a": null}`, `{"a": [{"f": 1}]}`, `{"a": {"f": null}}`, `{"b": 1}`}[rng.IntN(6)]
		default:
			d.payload = fmt.Sprintf(`{"a": {"s": "v%d", "i": %d, "f": %s}}`, rng.IntN(6), rng.IntN(20)-5,
				[]string{"1.5", "2", "0.25", "-3", "1e3"}[rng.IntN(5)])
		}
		docs[i] = d
	}
	return docs
}

func randomCondition(rng *rand.Rand, cols []plan.ScanCol, depth int) expr.Expr {
	if depth > 0 && rng.IntN(4) == 0 {
		args := []expr.Expr{randomCondition(rng, cols, depth-1), randomCondition(rng, cols, depth-1)}
		if rng.IntN(4) == 0 {
			return &expr.Not{Arg: args[0]}
		}
		return &expr.Logic{Or: rng.IntN(3) > 0, Args: args}
	}
	i := rng.IntN(len(cols))
	c := &expr.Col{Idx: i, T: cols[i].Type}
	if c.T.Kind == types.JSONB || rng.IntN(6) == 0 {
		return &expr.IsNull{Arg: c, Negate: rng.IntN(2) == 0}
	}
	value := func() any {
		switch c.T.Phys() {
		case types.PhysBool:
			return rng.IntN(2) == 0
		case types.PhysInt64:
			return int64(rng.IntN(30) - 5)
		case types.PhysFloat64:
			return float64(rng.IntN(60)-10) / 4
		}
		return []string{"release", "beta", "esr", "v1", "v2", "v5", ""}[rng.IntN(7)]
	}
	if c.T.Phys() == types.PhysBool && rng.IntN(2) == 0 {
		return c
	}
	if c.T.Phys() == types.PhysBytes && rng.IntN(4) == 0 {
		return likeCall(c, []string{"e", "v", "1", "zzz", ""}[rng.IntN(5)])
	}
	if c.T.Phys() == types.PhysInt64 && rng.IntN(4) == 0 {
		l := &vec.Vector{}
		l.Reset(c.T)
		for x := int64(rng.IntN(10)); x < 40; x += int64(1 + rng.IntN(15)) {
			l.AppendInt(x)
		}
		return &expr.In{Arg: c, List: l, HasNull: rng.IntN(4) == 0, Negate: rng.IntN(3) == 0}
	}
	ops := []string{"=", "<>", "<", "<=", ">", ">="}
	var k any
	if rng.IntN(12) > 0 {
		k = value()
	}
	a, b := expr.Expr(c), constOf(c.T, k)
	if rng.IntN(3) == 0 {
		a, b = b, a
	}
	return compareCall(ops[rng.IntN(len(ops))], a, b)
}

func TestManifestAndZoneMapsPrune(t *testing.T) {
	var docs []doc
	for i := range 4000 {
		docs = append(docs, doc{day: int64(100 + i/1000), channel: []string{"beta", "release"}[i/2000], n: int64(1 + i)})
	}
	src := newSource(t, docs, 1000, true)
	for i, m := range src.morsels {
		m := m.(*morsel)
		m.day = int64(100 + i)
		m.stats = map[string]column.Stats{"n": {Rows: 1000, Present: 1000, Bounded: true, MinI: int64(1 + i*1000), MaxI: int64(1000 + i*1000)}}
	}
	day, channel, n := plan.ScanCol{Column: "day", Type: types.Of(types.Date)}, plan.ScanCol{Column: "channel", Type: tText},
		plan.ScanCol{Column: "n", Type: types.Of(types.Int32)}
	col := func(i int, c plan.ScanCol) expr.Expr { return &expr.Col{Idx: i, T: c.Type} }
	for _, c := range []struct {
		name   string
		filter expr.Expr
		rows   int
		want   Stats
	}{
		{"partition", compareCall("=", col(0, day), constOf(day.Type, int64(102))), 1000, Stats{MorselsPruned: 3, MorselsOutside: 3, Blocks: 1}},
		{"manifest bounds", compareCall(">", col(2, n), constant32(3500)), 500, Stats{MorselsPruned: 3, Blocks: 1}},
		{"dictionary", compareCall("=", col(1, channel), constOf(tText, "release")), 2000, Stats{GroupsPruned: 2, Blocks: 2}},
		{"dictionary by function", likeCall(col(1, channel), "bet"), 2000, Stats{GroupsPruned: 2, Blocks: 2}},
		{"NULL matches nothing", compareCall("=", col(2, n), constOf(n.Type, nil)), 0, Stats{MorselsPruned: 4}},
	} {
		s := &plan.Scan{Table: table, Out: 1, Read: []plan.ScanCol{day, channel, n}, Filter: []expr.Expr{c.filter}}
		rows, st, err := read(t, src, s)
		if err != nil {
			t.Fatal(err)
		}
		c.want.Morsels, c.want.RowsIn, c.want.RowsOut = 4, 4000, int64(c.rows)
		if len(rows) != c.rows || st != c.want {
			t.Errorf("%s: %d rows, %+v; want %d, %+v", c.name, len(rows), st, c.rows, c.want)
		}
	}
}

func TestComparisonsOnColumnsAreNotEvaluatedPerRow(t *testing.T) {
	var docs []doc
	for i := range 3000 {
		docs = append(docs, doc{channel: "beta", n: int64(1 + i%7), payload: fmt.Sprintf(`{"a": {"x": %d}}`, i)})
	}
	src := newSource(t, docs, 3000, true)
	evals = 0
	n := &plan.Scan{Table: table, Out: 0, Read: []plan.ScanCol{{Column: "channel", Type: tText}, member(true, tInt, "a", "x")},
		Filter: []expr.Expr{compareCall("=", &expr.Col{Idx: 0, T: tText}, constOf(tText, "beta")),
			compareCall(">", &expr.Col{Idx: 1, T: tInt}, constOf(tInt, int64(2000)))}}
	if rows := mustRead(t, src, n); len(rows) != 999 {
		t.Fatalf("%d rows", len(rows))
	}
	// A probe of each condition with NULL is all the functions may see.
	if evals > 2 {
		t.Fatalf("the comparison was evaluated for %d rows", evals)
	}
}

func TestConditionThatFailsOnAnUnselectedValueDoesNotFail(t *testing.T) {
	var docs []doc
	for i := range 2000 {
		d := doc{channel: "beta", n: 1}
		if i%3 == 0 {
			d = doc{channel: "bad", n: 2}
		}
		docs = append(docs, d)
	}
	for _, coded := range []bool{false, true} {
		src := newSource(t, docs, 2000, coded)
		n := &plan.Scan{Table: table, Out: 1, Read: []plan.ScanCol{{Column: "channel", Type: tText}, {Column: "n", Type: types.Of(types.Int32)}},
			Filter: []expr.Expr{compareCall("=", &expr.Col{Idx: 1, T: types.Of(types.Int32)}, constant32(1)), likeCall(&expr.Col{Idx: 0, T: tText}, "bet")}}
		if rows := mustRead(t, src, n); len(rows) != 1333 {
			t.Fatalf("%d rows", len(rows))
		}
		n.Filter = n.Filter[1:]
		if _, _, err := read(t, src, n); err == nil {
			t.Fatal("the condition fails for a selected row, but the scan did not")
		}
	}
}

func TestWholeColumnAndDocument(t *testing.T) {
	src := newSource(t, []doc{{n: 1, payload: `{"b": [1, {"c": null}], "a": 1.10}`}, {n: 2}}, 2, false)
	n := &plan.Scan{Table: table, Out: 1, Read: []plan.ScanCol{{Column: "payload", Type: tJSONB}}}
	if got := strings.Join(mustRead(t, src, n), "\n"); got != `{"a": 1.10, "b": [1, {"c": null}]}`+"\nNULL" {
		t.Fatal(got)
	}
}

func TestLimitCutsTheScan(t *testing.T) {
	src := newSource(t, randomDocs(rand.New(rand.NewPCG(1, 1)), 5000), 500, false)
	for _, limit := range []int64{1, 7, 499, 500, 501, 4999, 6000} {
		n := &plan.Scan{Table: table, Out: 1, Read: []plan.ScanCol{{Column: "y", Type: tFloat}}, Limit: limit}
		rows := mustRead(t, src, n)
		if int64(len(rows)) != min(limit, 5000) {
			t.Errorf("limit %d: %d rows", limit, len(rows))
		}
	}
}

func floatBits(b uint64) float64 { return math.Float64frombits(b) }

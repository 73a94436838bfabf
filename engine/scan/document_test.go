package scan

import (
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

var pingTable = &types.Table{ID: 2, Schema: "telemetry", Name: "main", Kind: types.TablePing, Columns: []types.Column{
	{Name: "kind", Type: tJSONB, Source: "type"}, {Name: "payload", Type: tJSONB, Source: "payload"},
	{Name: colRest, Type: tJSONB}, {Name: types.ColDocument, Type: tJSONB, Hidden: true}}}

type pingSource struct{ group column.Group }

func (s *pingSource) Table() *types.Table { return pingTable }
func (s *pingSource) Morsels() []column.Morsel {
	return []column.Morsel{&morsel{g: s.group, opened: new(int)}}
}

// newPings stores rows of three values: of the columns kind and payload, and of the members without a column.
func newPings(t *testing.T, docs [][3]string) *pingSource {
	in := column.NewInterner()
	sh := shred.New(in, nil)
	var rows []*column.RowBuf
	for _, d := range docs {
		r := &column.RowBuf{}
		for i, name := range []string{"kind", "payload", colRest} {
			if d[i] == "" {
				continue
			}
			if err := sh.Value([]byte(d[i]), in.Intern(types.Path(name)), r); err != nil {
				t.Fatal(err)
			}
		}
		rows = append(rows, r)
	}
	return &pingSource{groupOf(in, rows)}
}

func TestMembersOfTheDocumentReadAsTheWholeDocumentWould(t *testing.T) {
	src := newPings(t, [][3]string{
		{`"main"`, `{"a": {"x": 5}, "type": "inner"}`, `{"clientId": "c1", "n": {"m": 1.50}}`},
		{`"crash"`, `{"a": [1, {"x": "y"}]}`, ``},
		{`7`, `"text"`, `{"n": [3]}`},
		{``, ``, ``},
	})
	for _, c := range []plan.ScanCol{
		{Path: []string{"type"}, Type: tJSONB}, {Path: []string{"type"}, AsText: true, Type: tText},
		{Path: []string{"payload"}, Type: tJSONB}, {Path: []string{"payload"}, AsText: true, Type: tText},
		{Path: []string{"payload", "a"}, Type: tJSONB}, {Path: []string{"payload", "a", "x"}, AsText: true, Type: tText},
		{Path: []string{"payload", "a", "1", "x"}, AsText: true, Type: tText},
		{Path: []string{"clientId"}, AsText: true, Type: tText}, {Path: []string{"n"}, Type: tJSONB},
		{Path: []string{"n", "m"}, AsText: true, Type: types.Of(types.Numeric)},
		{Path: []string{"kind"}, Type: tJSONB}, {Path: []string{colRest}, Type: tJSONB}, {Type: tJSONB, Outline: true},
	} {
		c.Column = types.ColDocument
		n := &plan.Scan{Table: pingTable, Out: 1, Read: []plan.ScanCol{c}}
		got, want := mustRead(t, src, n), wholeDocument(t, src, c)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%v as %s (text %v):\ngot  %q\nwant %q", c.Path, c.Type, c.AsText, got, want)
		}
		if len(c.Path) == 0 {
			continue
		}
		n.Out = 0
		n.Filter = []expr.Expr{&expr.IsNull{Arg: &expr.Col{T: c.Type}}}
		nulls := 0
		for _, v := range want {
			if v == "NULL" {
				nulls++
			}
		}
		if rows := mustRead(t, src, n); len(rows) != nulls {
			t.Errorf("%v IS NULL: %d rows, want %d", c.Path, len(rows), nulls)
		}
	}
}

// wholeDocument evaluates the member on the text of the whole document.
func wholeDocument(t *testing.T, src column.Source, c plan.ScanCol) []string {
	ctx := &expr.Ctx{}
	s, err := New(ctx, src, &plan.Scan{Table: pingTable, Out: 1, Read: []plan.ScanCol{{Column: types.ColDocument, Type: tJSONB}}})
	if err != nil {
		t.Fatal(err)
	}
	var e expr.Expr = &expr.Col{T: tJSONB}
	if len(c.Path) > 0 {
		e = &expr.Leaf{Base: e, Path: c.Path, AsText: c.AsText, T: c.Type}
	}
	var out []string
	if err := s.NewWorker(ctx).Morsel(0, func(b *vec.Batch, _ vec.Bitmap) error {
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
	return out
}

//go:build cgo

package builtin_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/bind"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/sql/parse"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// testSession is a session without a database.
type testSession struct{ format *datum.Format }

func (s *testSession) Setting(name string) (string, bool)            { return "v", name == "known" }
func (s *testSession) Now() int64                                    { return 1462104000_000000 }
func (s *testSession) Zone() string                                  { return s.format.Location().String() }
func (s *testSession) User() string                                  { return "someone" }
func (s *testSession) Database() string                              { return "telemdb" }
func (s *testSession) Format() *datum.Format                         { return s.format }
func (s *testSession) SearchPath(implicit bool) []string             { return []string{"public"} }
func (s *testSession) PID() int32                                    { return 42 }
func (s *testSession) Version() string                               { return "0.1" }
func (s *testSession) SetConfig(_, v string, _ bool) (string, error) { return v, nil }

type testCatalog struct{ s *testSession }

func (c testCatalog) Relation(_, _ string) (*bind.Relation, bool) { return nil, false }
func (c testCatalog) HasSchema(string) bool                       { return true }
func (c testCatalog) RelationNames() []types.TableName            { return nil }
func (c testCatalog) Scalars(_, name string) []*expr.Func         { return builtin.Scalars(name) }
func (c testCatalog) Operators(_, name string) []*expr.Func       { return builtin.Operators(name) }
func (c testCatalog) Aggregates(_, name string) []*plan.AggFunc   { return builtin.Aggregates(name) }
func (c testCatalog) TableFuncs(_, name string) []*plan.TableFunc { return builtin.TableFuncs(name) }
func (c testCatalog) Format() *datum.Format                       { return c.s.format }
func (c testCatalog) Ctx() *expr.Ctx {
	return &expr.Ctx{Context: context.Background(), Session: c.s}
}

func errText(err error) string {
	var e *sqlstate.Error
	if !errors.As(err, &e) {
		return "ERROR without code: " + err.Error()
	}
	return "ERROR " + e.Code + ": " + e.Message
}

// answer evaluates SELECT text and prints the one value as PostgreSQL does.
func answer(text string, f *datum.Format) (v *vec.Vector, err error) {
	stmt, err := parse.One("SELECT " + text)
	if err != nil {
		return nil, err
	}
	sel, ok := stmt.(*ast.Select)
	if !ok {
		return nil, fmt.Errorf("a %T", stmt)
	}
	cat := testCatalog{&testSession{f}}
	q, err := bind.Select(cat, sel, nil)
	if err != nil {
		return nil, err
	}
	p, ok := q.Plan.(*plan.Project)
	if !ok {
		return nil, fmt.Errorf("a %T", q.Plan)
	}
	if set, ok := p.In.(*plan.ProjectSet); ok {
		return runSet(cat.Ctx(), set.Sets[0])
	}
	v = &vec.Vector{}
	err = expr.Eval(cat.Ctx(), p.Exprs[0], expr.OneRow(), nil, v)
	return v, err
}

// runSet gives the rows of a set-returning function's first column as one array.
func runSet(ctx *expr.Ctx, s plan.SetFunc) (*vec.Vector, error) {
	args := make([]*vec.Vector, len(s.Args))
	for i, a := range s.Args {
		args[i] = &vec.Vector{}
		if err := expr.Eval(ctx, a, expr.OneRow(), nil, args[i]); err != nil {
			return nil, err
		}
	}
	outs := make([]*vec.Vector, len(s.Out))
	for i, c := range s.Out {
		outs[i] = &vec.Vector{}
		outs[i].Reset(c.Type)
	}
	n, err := s.Fn.Call(ctx, args, 0, outs)
	if err != nil {
		return nil, err
	}
	res := &vec.Vector{}
	elem := s.Out[0].Type
	if elem.Kind == types.Array { // arrays of arrays have no type here: print the texts
		texts := &vec.Vector{}
		texts.Reset(types.Of(types.Text))
		for i := range n {
			texts.AppendBytes(datum.AppendText(nil, outs[0], i, ctx.Format()))
		}
		res.Reset(types.Of(types.Text))
		var parts []string
		for i := range n {
			parts = append(parts, string(texts.Bytes(i)))
		}
		res.AppendString("{" + strings.Join(parts, ",") + "}")
		return res, nil
	}
	res.Reset(types.ArrayOf(elem.Kind))
	if n == 0 {
		res.AppendNull()
		return res, nil
	}
	res.AppendBytes(datum.EncodeArray(nil, outs[0], 0, n))
	return res, nil
}

func TestExpressionsGiveWhatPostgreSQLGives(t *testing.T) {
	for _, file := range []string{"testdata/expr.txt", "testdata/own.txt", "testdata/random.txt", "testdata/misc.txt"} {
		runGolden(t, file)
	}
}

// runGolden compares a file's answers. expr.txt, random.txt and misc.txt hold those of PostgreSQL 15.18.
func runGolden(t *testing.T, file string) {
	eachBlock(t, file, func(line int, header string, exprs, want []string) {
		f := headerFormat(t, header)
		for i, e := range exprs {
			if got := print(e, f); got != want[i] {
				t.Errorf("%s:%d: %s\n got  %s\n want %s", file, line+1+i, e, got, want[i])
			}
		}
	})
}

// eachBlock reads blocks: a header, expressions, ----, one answer for each (␀ is an empty one).
func eachBlock(t *testing.T, file string, f func(line int, header string, exprs, want []string)) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	line := 1
	for block := range strings.SplitSeq(string(data), "\n\n") {
		start := line
		line += strings.Count(block, "\n") + 2
		lines := strings.Split(strings.Trim(block, "\n"), "\n")
		at := slices.Index(lines, "----")
		if at < 0 {
			continue
		}
		exprs, want := lines[1:at], lines[at+1:]
		if len(exprs) != len(want) {
			t.Fatalf("%s:%d: %d expressions, %d answers", file, start, len(exprs), len(want))
		}
		for i := range want {
			want[i] = strings.ReplaceAll(want[i], "␀", "")
		}
		f(start, lines[0], exprs, want)
	}
}

func headerFormat(t *testing.T, header string) *datum.Format {
	f := &datum.Format{Zone: time.UTC, Now: 1462104000_000000}
	for _, w := range strings.Fields(header)[1:] {
		if zone, ok := strings.CutPrefix(w, "zone="); ok {
			loc, err := datum.LoadZone(zone)
			if err != nil {
				t.Fatal(err)
			}
			f.Zone = loc
		}
	}
	return f
}

func print(e string, f *datum.Format) string {
	v, err := answer(e, f)
	switch {
	case err != nil:
		return errText(err)
	case v.Null(0):
		return "NULL"
	}
	return strings.ReplaceAll(string(datum.AppendText(nil, v, 0, f)), "\n", `\n`)
}

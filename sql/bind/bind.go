// Package bind gives names and types to parsed SQL: sql/ast in, engine/plan with engine/expr out. The rules are
// PostgreSQL's: scopes, overload resolution, unknown literals, parameter types, error codes, texts and positions.
//
// Files: scope.go (names), coerce.go and common.go (types), resolve.go (overloads), expr*.go (expressions), func.go
// (calls), leaf.go (jsonb paths), query.go, group.go, sort.go, setop.go, from.go, join.go, with.go (queries), insert.go.
package bind

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/storage/types"
)

// Catalog is what the binder asks of the session. Names are already folded; an empty schema means the search path.
type Catalog interface {
	// Relation finds a table, a view or a table made when asked.
	Relation(schema, name string) (*Relation, bool)
	HasSchema(name string) bool
	// RelationNames lists relations on the search path, for hints.
	RelationNames() []types.TableName
	Scalars(schema, name string) []*expr.Func
	Operators(schema, name string) []*expr.Func
	Aggregates(schema, name string) []*plan.AggFunc
	TableFuncs(schema, name string) []*plan.TableFunc
	// Ctx is what constants are evaluated with, Format what literals are read with.
	Ctx() *expr.Ctx
	Format() *datum.Format
}

// Relation is something FROM can name. Exactly one of Table, Rows and View is set.
type Relation struct {
	Name  types.TableName
	OID   uint32
	Table *types.Table
	Cols  []plan.Col // of Rows and View
	Rows  func(ctx *expr.Ctx, want plan.VirtualScan) (plan.Rows, error)
	View  *ast.Select
	// Within is where names in the view's text are looked up.
	Within Catalog
}

// Column is a result column.
type Column struct {
	Name     string
	Type     types.Type
	TableOID uint32 // of a plain column reference
	Attr     int16
}

// Query is a bound query.
type Query struct {
	Plan   plan.Node
	Cols   []Column
	Params []types.Type
}

// binder binds one statement.
type binder struct {
	cat    Catalog
	params []*expr.Param
	// seen[i] tells that $i+1 occurs; fixed[i] that its type was declared.
	seen []bool
	// pos holds where expressions stand in the text, for errors found later.
	pos     map[expr.Expr]int
	nextCTE int
	views   int // how deep views are nested
	// casts are the functions of the casts of this statement: an expression that is written twice has to be one and the
	// same (tree.Key), in the select list and in GROUP BY.
	casts map[castKey]castFunc
}

type castKey struct {
	from, to types.Type
	context  builtin.CastContext
}

type castFunc struct {
	fn *expr.Func
	ok bool
}

// findCast is builtin.FindCast with one function for equal casts.
func (b *binder) findCast(from, to types.Type, cc builtin.CastContext) (*expr.Func, bool) {
	key := castKey{from, to, cc}
	c, known := b.casts[key]
	if !known {
		c.fn, c.ok = builtin.FindCast(from, to, cc)
		b.casts[key] = c
	}
	return c.fn, c.ok
}

const (
	paramsMax = 65535
	viewsMax  = 64
)

func newBinder(cat Catalog, params []types.Type) *binder {
	b := &binder{cat: cat, pos: map[expr.Expr]int{}, casts: map[castKey]castFunc{}}
	for i, t := range params {
		if t.Kind == types.Invalid {
			t = types.Of(types.Unknown)
		}
		b.params = append(b.params, &expr.Param{Idx: i, T: t})
		b.seen = append(b.seen, false)
	}
	return b
}

// Select binds a query. params are the declared parameter types, Invalid for undeclared ones; more may be inferred.
func Select(cat Catalog, q *ast.Select, params []types.Type) (*Query, error) {
	b := newBinder(cat, params)
	r, err := b.query(q, outerEnv{}, false)
	if err != nil {
		return nil, err
	}
	return b.finish(r)
}

// finish decides what is still open and makes the result.
func (b *binder) finish(r *relation) (*Query, error) {
	params, err := b.finishParams()
	if err != nil {
		return nil, err
	}
	q := &Query{Plan: r.node, Params: params}
	for _, c := range r.cols {
		q.Cols = append(q.Cols, Column{Name: c.name, Type: c.typ, TableOID: c.oid, Attr: c.attr})
	}
	return q, nil
}

func (b *binder) finishParams() ([]types.Type, error) {
	out := make([]types.Type, len(b.params))
	for i, p := range b.params {
		if p.T.Kind == types.Unknown {
			if !b.seen[i] {
				return nil, sqlstate.New(sqlstate.IndeterminateType, "could not determine data type of parameter $%d", i+1)
			}
			p.T = types.Of(types.Text)
		}
		out[i] = p.T
	}
	return out, nil
}

// param returns the one expression that stands for $n.
func (b *binder) param(p *ast.Param) (expr.Expr, error) {
	if p.N < 1 || p.N > paramsMax {
		return nil, sqlstate.New(sqlstate.UndefinedParameter, "there is no parameter $%d", p.N).At(p.Pos())
	}
	for len(b.params) < p.N {
		b.params = append(b.params, &expr.Param{Idx: len(b.params), T: types.Of(types.Unknown)})
		b.seen = append(b.seen, false)
	}
	b.seen[p.N-1] = true
	return b.params[p.N-1], nil
}

// Exprs binds expressions that see no columns, each to the type wanted: the arguments of EXECUTE.
func Exprs(cat Catalog, es []ast.Expr, want []types.Type) ([]expr.Expr, error) {
	b := newBinder(cat, nil)
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		en := &env{b: b, sc: &scope{}, clause: "EXECUTE"}
		x, err := en.expr(e)
		if err != nil {
			return nil, err
		}
		if out[i], err = b.assign(x, want[i], e.Pos(), func() error {
			return sqlstate.New(sqlstate.DatatypeMismatch, "parameter $%d of type %s cannot be coerced to the expected type %s",
				i+1, typeName(x.Type()), typeName(want[i]))
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func typeName(t types.Type) string { return datum.FormatType(types.Type{Kind: t.Kind, Elem: t.Elem}) }

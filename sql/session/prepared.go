package session

import (
	"context"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/bind"
	"github.com/telemdb/telemdb/sql/opt"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// prepared implements Prepared.
type prepared struct {
	c        *conn
	stmt     ast.Stmt
	text     string
	declared []types.Type
	params   []types.Type
	cols     []Column
	plan     plan.Node // of a query; made again when the schema or a setting changed
	version  uint64
	setGen   uint64
}

func (p *prepared) Params() []types.Type { return p.params }
func (p *prepared) Columns() []Column    { return p.cols }

// prepare binds one statement.
func (c *conn) prepare(st ast.Stmt, text string, declared []types.Type) (*prepared, error) {
	if err := c.checkFailed(st); err != nil {
		return nil, err
	}
	p := &prepared{c: c, stmt: st, text: text, declared: declared}
	if err := p.bind(); err != nil {
		c.fail()
		return nil, sqlstate.Wrap(sqlstate.Internal, err)
	}
	return p, nil
}

// checkFailed lets only the end of a failed block through.
func (c *conn) checkFailed(st ast.Stmt) error {
	if !c.tx.explicit || !c.tx.failed {
		return nil
	}
	if t, ok := st.(*ast.Tx); ok {
		switch t.Kind {
		case ast.TxCommit, ast.TxRollback, ast.TxRollbackTo:
			return nil
		}
	}
	return sqlstate.New(sqlstate.FailedTransaction, "current transaction is aborted, commands ignored until end of transaction block")
}

// bind works out parameters and columns, and the plan of a query.
func (p *prepared) bind() error {
	switch st := p.stmt.(type) {
	case *ast.Select:
		return p.bindQuery(st)
	case *ast.Insert:
		k, t, err := p.c.insertTarget(st)
		if err != nil {
			return err
		}
		q, err := bind.Insert(k, st, t, p.declared)
		if err != nil {
			return err
		}
		p.params = q.Params
	case *ast.Delete:
		_, q, err := p.c.bindDelete(st, p.declared)
		if err != nil {
			return err
		}
		p.params = q.Params
	case *ast.Explain:
		p.cols = explainColumns(st)
		return p.bindExplained(st.Query)
	case *ast.Show:
		p.cols = showColumns(st)
	case *ast.Execute:
		q, err := p.c.lookup(st.Name)
		if err != nil {
			return err
		}
		p.cols = q.cols
	case *ast.Fetch:
		cur, err := p.c.cursor(st.Name)
		if err != nil {
			return err
		}
		if !st.Move {
			p.cols = cur.cols
		}
	case *ast.CreateTableAs:
		return p.bindParams(st.Query)
	case *ast.Copy:
		if st.Query != nil {
			return p.bindParams(st.Query)
		}
	case *ast.Declare:
		return p.bindParams(st.Query)
	}
	return nil
}

// bindParams binds a query for its errors and parameters.
func (p *prepared) bindParams(q *ast.Select) error {
	inner := &prepared{c: p.c, stmt: q, declared: p.declared}
	if err := inner.bindQuery(q); err != nil {
		return err
	}
	p.params = inner.params
	return nil
}

func (p *prepared) bindExplained(st ast.Stmt) error {
	switch st := st.(type) {
	case *ast.Select:
		return p.bindParams(st)
	case *ast.CreateTableAs:
		return p.bindParams(st.Query)
	case *ast.Declare:
		return p.bindParams(st.Query)
	case *ast.Insert, *ast.Delete:
		inner := &prepared{c: p.c, stmt: st, declared: p.declared}
		err := inner.bind()
		p.params = inner.params
		return err
	}
	return nil
}

func (p *prepared) bindQuery(q *ast.Select) error {
	k, err := p.c.catalog()
	if err != nil {
		return err
	}
	declared := p.declared
	if p.params != nil {
		declared = p.params
	}
	b, err := bind.Select(k, q, declared)
	if err != nil {
		return err
	}
	p.params, p.cols = b.Params, resultColumns(b.Cols)
	p.plan = opt.Optimize(b.Plan, p.c.optEnv(k))
	p.version, p.setGen = k.n.version, p.c.set.gen
	return nil
}

func resultColumns(cols []bind.Column) []Column {
	out := make([]Column, len(cols))
	for i, c := range cols {
		out[i] = Column{Name: c.Name, Type: c.Type, TableOID: c.TableOID, Attr: c.Attr}
	}
	return out
}

// optEnv is what the optimiser may ask.
func (c *conn) optEnv(k *catalog) *opt.Env {
	return &opt.Env{Ctx: k.ctx, Off: rulesOff(c.set.value("telemdb.optimizer_off")), Rows: func(t *types.Table) int64 {
		src, err := k.snap.Source(t)
		if err != nil {
			return 0
		}
		n := int64(0)
		for _, m := range src.Morsels() {
			n += int64(column.Live(m))
		}
		return n
	}}
}

// fresh binds a query again if the schema or the settings changed since; the shape of its result may not.
func (p *prepared) fresh(q *ast.Select) error {
	s, err := p.c.snapshot()
	if err != nil {
		return err
	}
	if p.plan != nil && p.version == s.Version() && p.setGen == p.c.set.gen {
		return nil
	}
	before := p.cols
	if err := p.bindQuery(q); err != nil {
		return err
	}
	if len(before) != len(p.cols) {
		return errShape()
	}
	for i := range before {
		if before[i].Name != p.cols[i].Name || before[i].Type != p.cols[i].Type {
			return errShape()
		}
	}
	return nil
}

func errShape() error {
	return sqlstate.New(sqlstate.FeatureNotSupported, "cached plan must not change result type")
}

func (p *prepared) Execute(ctx context.Context, args []*vec.Vector) (Result, error) {
	if err := p.c.checkFailed(p.stmt); err != nil {
		return nil, err
	}
	if len(args) != len(p.params) {
		return nil, sqlstate.New(sqlstate.ProtocolViolation, "bind message supplies %d parameters, but prepared statement \"\" requires %d",
			len(args), len(p.params))
	}
	p.c.now()
	s := p.c.begin(ctx, p.text)
	r, err := p.execute(s, args)
	if err != nil {
		err = s.explain(err)
		p.c.fail()
		s.end()
		return nil, err
	}
	return r, nil
}

// execute runs the statement. Whoever returns a Result that goes on after it ends s when it is closed.
func (p *prepared) execute(s *statementCtx, args []*vec.Vector) (Result, error) {
	c := p.c
	switch st := p.stmt.(type) {
	case *ast.Select:
		if err := p.fresh(st); err != nil {
			return nil, err
		}
		return c.run(s, p.plan, p.cols, args)
	case *ast.Insert:
		return c.insert(s, st, p.params, args)
	case *ast.Delete:
		return c.delete(s, st, p.params, args)
	case *ast.Explain:
		return c.explain(s, st, p.params, args)
	case *ast.Show:
		return c.show(s, st)
	case *ast.Execute:
		return c.executeStmt(s, st)
	case *ast.Fetch:
		return c.fetch(s, st)
	case *ast.Copy:
		return c.copy(s, st, p.params, args)
	case *ast.CreateTableAs:
		return c.createTableAs(s, st, p.params, args)
	case *ast.Cluster:
		tag, err := c.cluster(s, st)
		return done(s, tag, err)
	case *ast.Declare:
		tag, err := c.declare(s, st, p.params, args)
		return done(s, tag, err)
	}
	tag, err := c.utility(s, p.stmt)
	return done(s, tag, err)
}

// utility runs the statements that return nothing but a tag.
func (c *conn) utility(ctx context.Context, st ast.Stmt) (string, error) {
	switch st := st.(type) {
	case *ast.Tx:
		return c.txStatement(ctx, st)
	case *ast.SetVar:
		return c.setVar(st)
	case *ast.CreateTable:
		return c.createTable(ctx, st)
	case *ast.CreateView:
		return c.createView(ctx, st)
	case *ast.CreateSchema:
		return c.createSchema(ctx, st)
	case *ast.Drop:
		return c.drop(ctx, st)
	case *ast.Truncate:
		return c.truncate(st)
	case *ast.AlterTable:
		return c.alterTable(ctx, st)
	case *ast.Prepare:
		return c.prepareStmt(st)
	case *ast.Deallocate:
		return c.deallocate(st)
	case *ast.Close:
		return c.closeCursor(st)
	case *ast.Discard:
		return c.discard(st)
	case *ast.Ignored:
		return st.Tag, nil
	case *ast.Unsupported:
		return "", errUnsupported(st)
	}
	return "", sqlstate.New(sqlstate.FeatureNotSupported, "a statement of kind %T is not supported", st)
}

func errUnsupported(st *ast.Unsupported) error {
	err := sqlstate.New(sqlstate.FeatureNotSupported, "%s is not supported", st.What)
	err.Hint = st.Hint
	return err
}

// prepareStmt is SQL PREPARE.
func (c *conn) prepareStmt(st *ast.Prepare) (string, error) {
	declared := make([]types.Type, len(st.Types))
	for i, n := range st.Types {
		t, err := bind.TypeOf(n)
		if err != nil {
			return "", err
		}
		declared[i] = t
	}
	p, err := c.prepare(st.Query, "", declared)
	if err != nil {
		return "", err
	}
	return "PREPARE", c.Store(st.Name, p)
}

// executeStmt is SQL EXECUTE.
func (c *conn) executeStmt(s *statementCtx, st *ast.Execute) (Result, error) {
	p, err := c.lookup(st.Name)
	if err != nil {
		return nil, err
	}
	if len(st.Args) != len(p.params) {
		return nil, sqlstate.New(sqlstate.Syntax, "wrong number of parameters for prepared statement \"%s\"", st.Name).
			WithDetail("Expected %d parameters but got %d.", len(p.params), len(st.Args))
	}
	k, err := c.catalog()
	if err != nil {
		return nil, err
	}
	es, err := bind.Exprs(k, st.Args, p.params)
	if err != nil {
		return nil, err
	}
	args, err := evalConsts(k.ctx, es)
	if err != nil {
		return nil, err
	}
	return p.execute(s, args)
}

func (c *conn) deallocate(st *ast.Deallocate) (string, error) {
	if st.Name == "" {
		clear(c.prepared)
		return "DEALLOCATE ALL", nil
	}
	if _, err := c.lookup(st.Name); err != nil {
		return "", err
	}
	delete(c.prepared, st.Name)
	return "DEALLOCATE", nil
}

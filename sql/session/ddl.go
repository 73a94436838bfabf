package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/bind"
	"github.com/telemdb/telemdb/sql/opt"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func (c *conn) optimize(k *catalog, n plan.Node) plan.Node { return opt.Optimize(n, c.optEnv(k)) }

// ddl runs a schema change: outside blocks, after the batch's own writes, and with a new snapshot behind it.
func (c *conn) ddl(ctx context.Context, what string, change func() error) error {
	if err := c.needWrite(what); err != nil {
		return err
	}
	if err := c.needOutside(what); err != nil {
		return err
	}
	if err := c.publish(ctx); err != nil {
		return err
	}
	err := change()
	c.renew()
	return wrapNil(err)
}

// createIn is the schema a new object goes to: the one named, or the first of the search path that is not ours.
func (c *conn) createIn(ref ast.TableRef) (types.TableName, error) {
	if _, err := c.snapshot(); err != nil {
		return types.TableName{}, err // a store that has failed says so, rather than having no schemas
	}
	if ref.Schema != "" {
		if !c.schemaExists(ref.Schema) {
			return types.TableName{}, sqlstate.New(sqlstate.InvalidSchema, "schema \"%s\" does not exist", ref.Schema).At(ref.Pos())
		}
		if err := userSchema(ref.Schema); err != nil {
			return types.TableName{}, err
		}
		return types.TableName{Schema: ref.Schema, Name: ref.Name}, nil
	}
	for _, s := range c.searchPath(false) {
		if userSchema(s) == nil {
			return types.TableName{Schema: s, Name: ref.Name}, nil
		}
	}
	return types.TableName{}, sqlstate.New(sqlstate.InvalidSchema, "no schema has been selected to create in").At(ref.Pos())
}

func userSchema(s string) error {
	switch s {
	case "pg_catalog", "information_schema", "telemdb", "rollups":
		return sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied: schema \"%s\" belongs to the system", s)
	}
	return nil
}

func (c *conn) createTable(ctx context.Context, st *ast.CreateTable) (string, error) {
	name, err := c.createIn(st.Name)
	if err != nil {
		return "", err
	}
	t := &types.Table{Schema: name.Schema, Name: name.Name, Kind: types.TableUser, PartitionBy: st.PartitionBy}
	if st.Temporary {
		return "", sqlstate.New(sqlstate.FeatureNotSupported, "temporary tables are not supported")
	}
	for _, d := range st.Columns {
		typ, err := columnType(d)
		if err != nil {
			return "", err
		}
		t.Columns = append(t.Columns, types.Column{Name: d.Name, Type: typ, NotNull: d.NotNull})
	}
	if err := tableOptions(t, st.Options); err != nil {
		return "", err
	}
	if err := checkTable(t, st.PartitionPos); err != nil {
		return "", err
	}
	return "CREATE TABLE", c.makeTable(ctx, t, st.IfNotExists)
}

// makeTable creates t; one that exists is a notice with IF NOT EXISTS.
func (c *conn) makeTable(ctx context.Context, t *types.Table, ifNotExists bool) error {
	return c.ddl(ctx, "CREATE TABLE", func() error {
		_, err := c.cfg.DB.CreateTable(ctx, t)
		if err != nil && ifNotExists && sqlstate.Code(err) == sqlstate.DuplicateTable {
			c.notice("NOTICE", sqlstate.DuplicateTable, fmt.Sprintf("relation \"%s\" already exists, skipping", t.Name))
			return nil
		}
		return errTaken(err, t.Name)
	})
}

// errTaken says of any kind of relation in one way that its name is taken.
func errTaken(err error, name string) error {
	if sqlstate.Code(err) == sqlstate.DuplicateTable {
		return sqlstate.New(sqlstate.DuplicateTable, "relation \"%s\" already exists", name)
	}
	return err
}

func columnType(d ast.ColumnDef) (types.Type, error) {
	t, err := bind.TypeOf(d.Type)
	if err != nil {
		if n := len(d.Type.Names); n > 0 && strings.HasSuffix(d.Type.Names[n-1], "serial") {
			return t, sqlstate.New(sqlstate.FeatureNotSupported, "type %s is not supported: there are no sequences", d.Type.Names[n-1]).At(d.Type.Pos())
		}
		return t, err
	}
	if i := datum.InfoOf(t.Kind); i != nil && (i.Pseudo || t.Kind == types.PgNodeTree) {
		return t, sqlstate.New(sqlstate.InvalidTableDefinition, "column \"%s\" has pseudo-type %s", d.Name, t).At(d.Pos())
	}
	return t, nil
}

func tableOptions(t *types.Table, os []ast.Option) error {
	for _, o := range os {
		var err error
		switch o.Name {
		case "partition_by":
			t.PartitionBy = o.Value
		case "sort_key":
			err = sortKeyOption(t, o)
		case "encoding":
			err = encodingOption(t, o)
		default:
			err = tableOption(&t.Retention, o)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkTable(t *types.Table, pos int) error {
	seen := map[string]bool{}
	if len(t.Columns) > columnsMax {
		return sqlstate.New(sqlstate.TooManyColumns, "tables can have at most %d columns", columnsMax)
	}
	for _, c := range t.Columns {
		if seen[c.Name] {
			return sqlstate.New(sqlstate.DuplicateColumn, "column \"%s\" specified more than once", c.Name)
		}
		if c.Name == types.ColLSN || c.Name == types.ColRow || c.Name == types.ColDocument {
			return sqlstate.New(sqlstate.DuplicateColumn, "column name \"%s\" conflicts with a system column name", c.Name)
		}
		seen[c.Name] = true
	}
	if t.PartitionBy == "" {
		if t.Retention != (types.Retention{}) {
			return sqlstate.New(sqlstate.InvalidParameter, "table \"%s\" cannot have a retention: it has no partitions", t.Name).
				WithHint("Name its date column: PARTITION BY RANGE (…), or WITH (partition_by = …).")
		}
		return nil
	}
	i := t.Col(t.PartitionBy)
	if i < 0 {
		return sqlstate.New(sqlstate.UndefinedColumn, "column \"%s\" named in partition key does not exist", t.PartitionBy).At(pos)
	}
	if t.Columns[i].Type.Kind != types.Date {
		return sqlstate.New(sqlstate.InvalidTableDefinition, "partition key column \"%s\" must be of type date, not %s", t.PartitionBy, t.Columns[i].Type).At(pos)
	}
	return nil
}

const columnsMax = 1600

func (c *conn) createTableAs(s *statementCtx, st *ast.CreateTableAs, params []types.Type, args []*vec.Vector) (Result, error) {
	if st.Temporary {
		return nil, sqlstate.New(sqlstate.FeatureNotSupported, "temporary tables are not supported")
	}
	name, err := c.createIn(st.Name)
	if err != nil {
		return nil, err
	}
	k, err := c.catalog()
	if err != nil {
		return nil, err
	}
	if _, exists := k.lookup(name.Schema, name.Name); exists && st.IfNotExists {
		c.notice("NOTICE", sqlstate.DuplicateTable, fmt.Sprintf("relation \"%s\" already exists, skipping", name.Name))
		return done(s, "CREATE TABLE AS", nil)
	} else if exists {
		return nil, sqlstate.New(sqlstate.DuplicateTable, "relation \"%s\" already exists", name.Name)
	}
	q, err := bind.Select(k, st.Query, params)
	if err != nil {
		return nil, err
	}
	t, err := tableOfQuery(name, q, st)
	if err != nil {
		return nil, err
	}
	n := c.optimize(k, q.Plan)
	var w *writer
	if err := c.ddl(s, "CREATE TABLE AS", func() error {
		w, err = c.newTableWriter(s, t)
		return err
	}); err != nil {
		return nil, errTaken(err, name.Name)
	}
	if st.NoData {
		err = w.finish()
	} else {
		err = c.fill(s, w, n, args)
	}
	if err != nil {
		return nil, errTaken(err, name.Name)
	}
	if st.NoData {
		return done(s, "CREATE TABLE AS", nil)
	}
	return done(s, fmt.Sprintf("SELECT %d", w.count), nil)
}

func tableOfQuery(name types.TableName, q *bind.Query, st *ast.CreateTableAs) (*types.Table, error) {
	t := &types.Table{Schema: name.Schema, Name: name.Name, Kind: types.TableUser}
	if len(st.Name.Cols) > len(q.Cols) {
		return nil, sqlstate.New(sqlstate.Syntax, "too many column names were specified").At(st.Name.Pos())
	}
	for i, col := range q.Cols {
		n := col.Name
		if i < len(st.Name.Cols) {
			n = st.Name.Cols[i]
		}
		if info := datum.InfoOf(col.Type.Kind); info != nil && info.Pseudo {
			return nil, sqlstate.New(sqlstate.InvalidTableDefinition, "column \"%s\" has pseudo-type %s", n, col.Type)
		}
		t.Columns = append(t.Columns, types.Column{Name: n, Type: col.Type})
	}
	if err := tableOptions(t, st.Options); err != nil {
		return nil, err
	}
	return t, checkTable(t, 0)
}

func (c *conn) createSchema(ctx context.Context, st *ast.CreateSchema) (string, error) {
	if strings.HasPrefix(st.Name, "pg_") {
		return "", sqlstate.New("42939", "unacceptable schema name \"%s\"", st.Name).WithDetail("The prefix \"pg_\" is reserved for system schemas.")
	}
	if c.schemaExists(st.Name) {
		if st.IfNotExists {
			c.notice("NOTICE", sqlstate.DuplicateSchema, fmt.Sprintf("schema \"%s\" already exists, skipping", st.Name))
			return "CREATE SCHEMA", nil
		}
		return "", sqlstate.New(sqlstate.DuplicateSchema, "schema \"%s\" already exists", st.Name)
	}
	return "CREATE SCHEMA", c.ddl(ctx, "CREATE SCHEMA", func() error { return c.cfg.DB.CreateSchema(ctx, st.Name) })
}

func (c *conn) createView(ctx context.Context, st *ast.CreateView) (string, error) {
	name, err := c.createIn(st.Name)
	if err != nil {
		return "", err
	}
	k, err := c.catalog()
	if err != nil {
		return "", err
	}
	here, err := bind.Select(k, st.Query, nil)
	if err != nil {
		return "", err
	}
	if len(here.Params) > 0 {
		return "", sqlstate.New(sqlstate.UndefinedParameter, "there is no parameter $1")
	}
	// A view's names are looked up on the default search path whenever it is used, so they must mean the same there.
	there, err := bind.Select(k.within(name.Schema), st.Query, nil)
	if err != nil || !sameColumns(here.Cols, there.Cols) {
		return "", sqlstate.New(sqlstate.InvalidTableDefinition, "names in the view mean something else on the default search path").
			WithHint("Qualify the names of tables with their schema.")
	}
	v := View{Name: name, SQL: st.SQL}
	if len(st.Cols) > len(here.Cols) {
		return "", sqlstate.New(sqlstate.Syntax, "CREATE VIEW specifies more column names than columns")
	}
	seen := map[string]bool{}
	for i, col := range here.Cols {
		n := col.Name
		if i < len(st.Cols) {
			n = st.Cols[i]
		}
		if seen[n] {
			return "", sqlstate.New(sqlstate.DuplicateColumn, "column \"%s\" specified more than once", n)
		}
		seen[n] = true
		v.Cols = append(v.Cols, plan.Col{Name: n, Type: col.Type})
	}
	if t, taken := k.n.tables[name]; taken {
		return "", errNotAView(st.Replace, t)
	}
	return "CREATE VIEW", c.ddl(ctx, "CREATE VIEW", func() error {
		return errTaken(c.cfg.DB.CreateView(ctx, v, st.Replace), name.Name)
	})
}

func errNotAView(replace bool, t *types.Table) error {
	if replace {
		return sqlstate.New(sqlstate.WrongObjectType, "\"%s\" is not a view", t.Name)
	}
	return sqlstate.New(sqlstate.DuplicateTable, "relation \"%s\" already exists", t.Name)
}

func sameColumns(a, b []bind.Column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (c *conn) drop(ctx context.Context, st *ast.Drop) (string, error) {
	tag := "DROP " + [...]string{ast.ObjectTable: "TABLE", ast.ObjectView: "VIEW", ast.ObjectSchema: "SCHEMA"}[st.Kind]
	for _, ref := range st.Names {
		if err := c.dropOne(ctx, st, ref, tag); err != nil {
			return "", err
		}
	}
	return tag, nil
}

func (c *conn) dropOne(ctx context.Context, st *ast.Drop, ref ast.TableRef, tag string) error {
	if st.Kind == ast.ObjectSchema {
		return c.dropSchema(ctx, st, ref.Name)
	}
	k, err := c.catalog()
	if err != nil {
		return err
	}
	word := strings.ToLower(strings.TrimPrefix(tag, "DROP "))
	r, ok := k.Relation(ref.Schema, ref.Name)
	if !ok {
		if st.IfExists {
			c.notice("NOTICE", "00000", fmt.Sprintf("%s \"%s\" does not exist, skipping", word, refName(ref)))
			return nil
		}
		return sqlstate.New(sqlstate.UndefinedTable, "%s \"%s\" does not exist", word, refName(ref))
	}
	if err := userSchema(r.Name.Schema); err != nil {
		return err
	}
	if (st.Kind == ast.ObjectTable) != (r.Table != nil) {
		other := "TABLE"
		if r.View != nil {
			other = "VIEW"
		}
		return sqlstate.New(sqlstate.WrongObjectType, "\"%s\" is not a %s", ref.Name, word).WithHint("Use DROP %s to remove a %s.", other, strings.ToLower(other))
	}
	deps := c.dependents(k, []types.TableName{r.Name})
	if len(deps) > 0 && !st.Cascade {
		return sqlstate.New(sqlstate.DependentObjects, "cannot drop %s %s because other objects depend on it", word, ref.Name).
			WithDetail("view %s depends on %s %s", deps[0].Name, word, ref.Name).
			WithHint("Use DROP ... CASCADE to drop the dependent objects too.")
	}
	return c.ddl(ctx, tag, func() error {
		for _, v := range deps {
			if err := c.cfg.DB.DropView(ctx, v); err != nil {
				return err
			}
		}
		if st.Kind == ast.ObjectView {
			return c.cfg.DB.DropView(ctx, r.Name)
		}
		return c.cfg.DB.DropTable(ctx, r.Name)
	})
}

// dependents lists the views that use any of the named relations, and the views that use those, the last made first.
func (c *conn) dependents(k *catalog, of []types.TableName) []types.TableName {
	var out []types.TableName
	hit := map[types.TableName]bool{}
	for _, n := range of {
		hit[n] = true
	}
	for again := true; again; {
		again = false
		for _, v := range k.snap.Views() {
			if !hit[v.Name] && c.uses(k, v, hit) {
				hit[v.Name], again = true, true
				out = append(out, v.Name)
			}
		}
	}
	slices.Reverse(out)
	return out
}

// uses reports whether a view's query names any of the relations. A view that no longer binds uses what it finds.
func (c *conn) uses(k *catalog, v View, names map[types.TableName]bool) bool {
	r, ok := k.view(v)
	if !ok {
		return false
	}
	rec := &recorder{catalog: k.within(v.Name.Schema), names: names}
	// Only the lookups matter.
	_, _ = bind.Select(rec, r.View, nil)
	return rec.hit
}

// recorder is a catalog that notes whether certain relations are asked for.
type recorder struct {
	*catalog
	names map[types.TableName]bool
	hit   bool
}

func (r *recorder) Relation(schema, name string) (*bind.Relation, bool) {
	rel, ok := r.catalog.Relation(schema, name)
	r.hit = r.hit || ok && r.names[rel.Name]
	return rel, ok
}

func (c *conn) dropSchema(ctx context.Context, st *ast.Drop, name string) error {
	if !c.schemaExists(name) {
		if st.IfExists {
			c.notice("NOTICE", "00000", fmt.Sprintf("schema \"%s\" does not exist, skipping", name))
			return nil
		}
		return sqlstate.New(sqlstate.InvalidSchema, "schema \"%s\" does not exist", name)
	}
	if err := userSchema(name); err != nil {
		return err
	}
	s, err := c.snapshot()
	if err != nil {
		return err
	}
	tables, views := objectsIn(s, name)
	k, err := c.catalog()
	if err != nil {
		return err
	}
	for _, v := range c.dependents(k, append(slices.Clone(tables), views...)) {
		if !slices.Contains(views, v) {
			views = append(views, v)
		}
	}
	if len(tables)+len(views) > 0 && !st.Cascade {
		return sqlstate.New(sqlstate.DependentObjects, "cannot drop schema %s because other objects depend on it", name).
			WithHint("Use DROP ... CASCADE to drop the dependent objects too.")
	}
	return c.ddl(ctx, "DROP SCHEMA", func() error {
		for _, v := range views {
			if err := c.cfg.DB.DropView(ctx, v); err != nil {
				return err
			}
		}
		for _, t := range tables {
			if err := c.cfg.DB.DropTable(ctx, t); err != nil {
				return err
			}
		}
		return c.cfg.DB.DropSchema(ctx, name)
	})
}

func objectsIn(s Snapshot, schema string) (tables, views []types.TableName) {
	for _, t := range s.Tables() {
		if t.Schema == schema {
			tables = append(tables, t.FullName())
		}
	}
	for _, v := range s.Views() {
		if v.Name.Schema == schema {
			views = append(views, v.Name)
		}
	}
	return tables, views
}

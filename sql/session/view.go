package session

import (
	"context"
	"slices"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/bind"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/sql/parse"
	"github.com/telemdb/telemdb/storage/types"
)

// names is a snapshot's relations by name.
type names struct {
	version uint64
	tables  map[types.TableName]*types.Table
	views   map[types.TableName]View
	schemas map[string]bool
	system  map[types.TableName]SystemTable
}

func newNames(c *conn, s Snapshot) *names {
	n := &names{version: s.Version(), tables: map[types.TableName]*types.Table{}, views: map[types.TableName]View{},
		schemas: map[string]bool{"pg_catalog": true, "information_schema": true, "public": true, "telemdb": true},
		system:  map[types.TableName]SystemTable{}}
	for _, t := range s.Tables() {
		n.tables[t.FullName()] = t
		n.schemas[t.Schema] = true
	}
	for _, v := range s.Views() {
		n.views[v.Name] = v
		n.schemas[v.Name.Schema] = true
	}
	for _, name := range s.Schemas() {
		n.schemas[name] = true
	}
	for _, t := range c.cfg.DB.SystemTables() {
		n.system[t.Name] = t
		n.schemas[t.Name.Schema] = true
	}
	return n
}

// namesOf returns the names of a snapshot, made once per version of the schema.
func (c *conn) namesOf(s Snapshot) *names {
	if c.names == nil || c.names.version != s.Version() {
		c.names = newNames(c, s)
	}
	return c.names
}

// catalog implements bind.Catalog for one statement.
type catalog struct {
	c    *conn
	snap *snapshotRef
	n    *names
	path []string
	ctx  *expr.Ctx

	format *datum.Format
}

func (c *conn) catalog() (*catalog, error) {
	s, err := c.snapshot()
	if err != nil {
		return nil, err
	}
	k := &catalog{c: c, snap: s, n: c.namesOf(s)}
	k.path = c.searchPath(true)
	i := c.info()
	k.format, k.ctx = i.fmt, &expr.Ctx{Context: context.Background(), Session: i}
	return k, nil
}

// searchPath lists the schemas of the search path that exist, and pg_catalog where it is searched: first, unless the
// path names it.
func (c *conn) searchPath(implicit bool) []string {
	return c.expandPath(c.set.value("search_path"), implicit)
}

func (c *conn) expandPath(setting string, implicit bool) []string {
	var out []string
	for _, p := range splitIdentifiers(setting) {
		if p == "$user" {
			p = c.opts.User
		}
		if c.schemaExists(p) && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if implicit && !slices.Contains(out, "pg_catalog") {
		out = append([]string{"pg_catalog"}, out...)
	}
	return out
}

func (c *conn) schemaExists(name string) bool {
	s, err := c.snapshot()
	return err == nil && c.namesOf(s).schemas[name]
}

// splitIdentifiers takes a comma-separated list of identifiers apart; quoted ones keep their case.
func splitIdentifiers(s string) []string {
	var out []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		var word string
		if s[0] == '"' {
			word, s = quotedIdentifier(s)
		} else {
			end := strings.IndexByte(s, ',')
			if end < 0 {
				end = len(s)
			}
			word, s = strings.ToLower(strings.TrimSpace(s[:end])), s[end:]
		}
		if word != "" {
			out = append(out, word)
		}
		s = strings.TrimPrefix(strings.TrimSpace(s), ",")
	}
	return out
}

func quotedIdentifier(s string) (word, rest string) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		return b.String(), s[i+1:]
	}
	return b.String(), ""
}

func (k *catalog) Relation(schema, name string) (*bind.Relation, bool) {
	if schema != "" {
		return k.lookup(schema, name)
	}
	for _, s := range k.path {
		if r, ok := k.lookup(s, name); ok {
			return r, true
		}
	}
	return nil, false
}

func (k *catalog) lookup(schema, name string) (*bind.Relation, bool) {
	full := types.TableName{Schema: schema, Name: name}
	if t, ok := k.n.tables[full]; ok {
		return &bind.Relation{Name: full, OID: TableOID(t.ID), Table: t}, true
	}
	if v, ok := k.n.views[full]; ok {
		return k.view(v)
	}
	if t, ok := k.n.system[full]; ok {
		return systemRelation(t), true
	}
	if k.c.cfg.Catalog != nil && (schema == "pg_catalog" || schema == "information_schema") {
		if t, ok := k.c.cfg.Catalog.Lookup(schema, name); ok {
			return systemRelation(t), true
		}
	}
	return nil, false
}

// systemRelation reads the snapshot of the session that runs the plan, so that a plan may outlive a snapshot.
func systemRelation(t SystemTable) *bind.Relation {
	return &bind.Relation{Name: t.Name, OID: SystemTableOID(t), Cols: t.Cols,
		Rows: func(ctx *expr.Ctx, want plan.VirtualScan) (plan.Rows, error) {
			info, ok := ctx.Session.(Info)
			if !ok {
				return nil, sqlstate.New(sqlstate.Internal, "table %s needs a session", t.Name)
			}
			return t.Rows(ctx, info.Snapshot(), want)
		}}
}

// view gives a view's query, to be bound where its names were looked up when it was made: its own schema, then the
// default path.
func (k *catalog) view(v View) (*bind.Relation, bool) {
	q, ok := k.c.views[v.SQL].(*ast.Select)
	if !ok {
		st, err := parse.One(v.SQL)
		if err != nil {
			return nil, false
		}
		if q, ok = st.(*ast.Select); !ok {
			return nil, false
		}
		k.c.views[v.SQL] = q
	}
	return &bind.Relation{Name: v.Name, OID: ViewOID(v.ID), Cols: v.Cols, View: q, Within: k.within(v.Name.Schema)}, true
}

// within is the catalog as a view in a schema sees it.
func (k *catalog) within(schema string) *catalog {
	in := *k
	in.path = k.c.expandPath(quoteIdentifier(schema)+", "+settingByName["search_path"].initial, true)
	return &in
}

func quoteIdentifier(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func (k *catalog) HasSchema(name string) bool { return k.n.schemas[name] }

func (k *catalog) RelationNames() []types.TableName {
	var out []types.TableName
	for _, t := range k.snap.Tables() {
		if t.Kind != types.TableStates {
			out = append(out, t.FullName())
		}
	}
	for _, v := range k.snap.Views() {
		out = append(out, v.Name)
	}
	return out
}

// ownSchema reports the schemas whose functions are the built-in ones.
func ownSchema(schema string) bool {
	return schema == "" || schema == "pg_catalog" || schema == "information_schema" || schema == "telemdb"
}

func (k *catalog) Scalars(schema, name string) []*expr.Func {
	if !ownSchema(schema) {
		return nil
	}
	out := builtin.Scalars(name)
	if schema == "telemdb" {
		out = slices.Concat(out, telemdbFuncs[name])
	}
	if k.c.cfg.Catalog != nil {
		out = slices.Concat(out, k.c.cfg.Catalog.Scalars(name))
	}
	return out
}

func (k *catalog) Operators(schema, name string) []*expr.Func {
	if !ownSchema(schema) {
		return nil
	}
	return builtin.Operators(name)
}

func (k *catalog) Aggregates(schema, name string) []*plan.AggFunc {
	if !ownSchema(schema) {
		return nil
	}
	return builtin.Aggregates(name)
}

func (k *catalog) TableFuncs(schema, name string) []*plan.TableFunc {
	if !ownSchema(schema) {
		return nil
	}
	out := builtin.TableFuncs(name)
	if k.c.cfg.Catalog != nil {
		out = slices.Concat(out, k.c.cfg.Catalog.TableFuncs(name))
	}
	return out
}

func (k *catalog) Ctx() *expr.Ctx        { return k.ctx }
func (k *catalog) Format() *datum.Format { return k.format }

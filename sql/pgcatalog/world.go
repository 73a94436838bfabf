package pgcatalog

import (
	"slices"
	"strings"
	"sync"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Object ids that are the same in every PostgreSQL.
const (
	oidOwner      = 10 // the bootstrap role: owner of everything
	oidDatabase   = 5
	oidHeap       = 2
	oidTablespace = 1663
	ownerName     = "telemdb"
)

// class is a row of pg_class: a table, a view, or a table made when asked.
type class struct {
	oid, typeOID uint32
	name         types.TableName
	kind         byte // r, v
	attrs        []attr
	view         string // the query of a stored view
	stored       *types.Table
	system       bool // cannot be written
}

// attr is a column that SELECT * shows; its number is its place among those, from 1.
type attr struct {
	name    string
	typ     types.Type
	notNull bool
}

// world is the objects of a snapshot. It does not change, but for the rows kept in it.
type world struct {
	version uint64
	schemas []string // sorted
	classes []*class // by schema and name
	byOID   map[uint32]*class
	byType  map[uint32]*class
	byName  map[types.TableName]*class

	mu struct {
		sync.Mutex
		rows map[*relation][]*vec.Batch
	}
}

// worldOf returns the objects of the snapshot that a statement reads.
func (c *Catalog) worldOf(info session.Info) *world {
	s := info.Snapshot()
	version := s.Version()
	c.mu.Lock()
	w := c.mu.world
	c.mu.Unlock()
	if w != nil && w.version == version {
		return w
	}
	w = c.newWorld(info, s)
	c.mu.Lock()
	if old := c.mu.world; old == nil || old.version <= version {
		c.mu.world = w
	}
	c.mu.Unlock()
	return w
}

func (c *Catalog) newWorld(info session.Info, s session.Snapshot) *world {
	w := &world{version: s.Version(), byOID: map[uint32]*class{}, byType: map[uint32]*class{}, byName: map[types.TableName]*class{}}
	w.mu.rows = map[*relation][]*vec.Batch{}
	schemas := map[string]bool{"pg_catalog": true, "information_schema": true, "public": true, "telemdb": true}
	for _, name := range s.Schemas() {
		schemas[name] = true
	}
	for _, t := range s.Tables() {
		if t.Kind != types.TableStates { // read through their roll-up
			w.add(storedClass(t))
		}
	}
	for _, v := range s.Views() {
		w.add(&class{oid: session.ViewOID(v.ID), typeOID: session.ViewTypeOID(v.ID), name: v.Name, kind: 'v', view: v.SQL, attrs: attrsOf(v.Cols)})
	}
	for _, t := range info.SystemTables() {
		w.add(c.systemClass(t))
	}
	for _, k := range w.classes {
		schemas[k.name.Schema] = true
	}
	for name := range schemas {
		w.schemas = append(w.schemas, name)
	}
	slices.Sort(w.schemas)
	slices.SortFunc(w.classes, func(a, b *class) int {
		if n := strings.Compare(a.name.Schema, b.name.Schema); n != 0 {
			return n
		}
		return strings.Compare(a.name.Name, b.name.Name)
	})
	return w
}

func storedClass(t *types.Table) *class {
	k := &class{oid: session.TableOID(t.ID), typeOID: session.TableTypeOID(t.ID), name: t.FullName(), kind: 'r', stored: t}
	for _, col := range t.Columns {
		if !col.Hidden {
			k.attrs = append(k.attrs, attr{col.Name, col.Type, col.NotNull})
		}
	}
	return k
}

func attrsOf(cols []plan.Col) []attr {
	out := make([]attr, len(cols))
	for i, c := range cols {
		out[i] = attr{name: c.Name, typ: c.Type}
	}
	return out
}

// systemClass is a table made when asked: one of ours, or a view of the server's state.
func (c *Catalog) systemClass(t session.SystemTable) *class {
	k := &class{oid: session.SystemTableOID(t), name: t.Name, kind: 'v', attrs: attrsOf(t.Cols), system: true}
	if r, ok := c.relations[t.Name]; ok {
		k.kind = r.kind
		for i := range k.attrs {
			k.attrs[i].notNull = r.notNull[i]
		}
	}
	return k
}

func (w *world) add(k *class) {
	w.classes = append(w.classes, k)
	w.byOID[k.oid] = k
	w.byName[k.name] = k
	if k.typeOID != 0 {
		w.byType[k.typeOID] = k
	}
}

// read returns a relation's rows, made when first asked for.
func (w *world) read(r *relation, e *env) (plan.Rows, error) {
	if r.fill.fresh {
		b, err := fill(r, e)
		return &rows{b}, err
	}
	w.mu.Lock()
	b, ok := w.mu.rows[r]
	w.mu.Unlock()
	if ok {
		return &rows{b}, nil
	}
	b, err := fill(r, e) // twice at worst, by two sessions at once
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.mu.rows[r] = b
	w.mu.Unlock()
	return &rows{b}, nil
}

func fill(r *relation, e *env) ([]*vec.Batch, error) {
	w := newWriter(r)
	if err := r.fill.rows(e, w); err != nil {
		return nil, err
	}
	w.flush()
	return w.done, nil
}

// visible reports whether a relation is what its bare name means.
func (e *env) visible(k *class) bool {
	for _, schema := range e.info.SearchPath(true) {
		if schema == k.name.Schema {
			return true
		}
		if e.w.byName[types.TableName{Schema: schema, Name: k.name.Name}] != nil {
			return false
		}
	}
	return false
}

// find looks a relation up by the text a client wrote: name or schema.name, quoted or not.
func (e *env) find(text string) (*class, bool) {
	parts, ok := splitName(text)
	switch {
	case !ok || len(parts) > 3:
		return nil, false
	case len(parts) == 3 && parts[0] == e.info.Database():
		parts = parts[1:]
	}
	if len(parts) == 2 {
		k, ok := e.w.byName[types.TableName{Schema: parts[0], Name: parts[1]}]
		return k, ok
	}
	for _, schema := range e.info.SearchPath(true) {
		if k, ok := e.w.byName[types.TableName{Schema: schema, Name: parts[0]}]; ok && len(parts) == 1 {
			return k, true
		}
	}
	return nil, false
}

// splitName takes a qualified name apart; unquoted parts are folded to lower case.
func splitName(s string) (parts []string, ok bool) {
	for {
		s = strings.TrimLeft(s, " \t\n")
		var part strings.Builder
		if strings.HasPrefix(s, `"`) {
			i := 1
			for ; i < len(s); i++ {
				if s[i] == '"' {
					if i+1 == len(s) || s[i+1] != '"' {
						break
					}
					i++
				}
				part.WriteByte(s[i])
			}
			if i >= len(s) {
				return nil, false
			}
			s = s[i+1:]
		} else {
			i := strings.IndexAny(s, ". \t\n")
			if i < 0 {
				i = len(s)
			}
			part.WriteString(strings.ToLower(s[:i]))
			s = s[i:]
		}
		if part.Len() == 0 {
			return nil, false
		}
		parts = append(parts, part.String())
		s = strings.TrimLeft(s, " \t\n")
		if s == "" {
			return parts, true
		}
		if s[0] != '.' {
			return nil, false
		}
		s = s[1:]
	}
}

// quoteIdent quotes an identifier that would not read back as it is.
func quoteIdent(s string) string {
	plain := s != ""
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

package pgcatalog

import (
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
)

// RegOID resolves the names of functions, and of what the session did not find: the row types of tables.
func (c *Catalog) RegOID(s session.Info, kind types.Kind, name string) (uint32, error) {
	e := &env{c: c, w: c.worldOf(s), info: s}
	switch kind {
	case types.Regclass:
		if k, ok := e.find(name); ok {
			return k.oid, nil
		}
		return 0, sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", name)
	case types.Regtype:
		if k, ok := e.find(name); ok && k.typeOID != 0 {
			return k.typeOID, nil
		}
		if p, ok := c.pseudoType(name); ok {
			return p.oid, nil
		}
		return 0, sqlstate.New(sqlstate.UndefinedObject, "type \"%s\" does not exist", name)
	case types.Regnamespace:
		if parts, ok := splitName(name); ok && len(parts) == 1 {
			for _, n := range e.w.schemas {
				if n == parts[0] {
					return session.SchemaOID(n), nil
				}
			}
		}
		return 0, sqlstate.New(sqlstate.InvalidSchema, "schema \"%s\" does not exist", name)
	}
	return c.procOID(name)
}

// pseudoType finds a type that no value has: cstring, internal.
func (c *Catalog) pseudoType(name string) (*pgType, bool) {
	parts, ok := splitName(name)
	if !ok || len(parts) > 2 || len(parts) == 2 && parts[0] != "pg_catalog" {
		return nil, false
	}
	for _, p := range c.types.all {
		if p.name == parts[len(parts)-1] {
			return p, true
		}
	}
	return nil, false
}

func (c *Catalog) procOID(name string) (uint32, error) {
	parts, ok := splitName(name)
	if ok && len(parts) <= 2 && (len(parts) == 1 || parts[0] == "pg_catalog" || parts[0] == "telemdb") {
		last := parts[len(parts)-1]
		switch ps := c.procs.byName[last]; {
		case len(ps) == 1:
			return ps[0].oid, nil
		case len(ps) > 1:
			return 0, sqlstate.New(sqlstate.AmbiguousFunction, "more than one function named \"%s\"", name)
		}
		if oid, ok := c.types.funcOID[last]; ok {
			return oid, nil
		}
	}
	return 0, sqlstate.New(sqlstate.UndefinedFunction, "function \"%s\" does not exist", name)
}

// RegName is the inverse of RegOID. A function whose name has overloads is printed with its schema, as PostgreSQL does.
func (c *Catalog) RegName(s session.Info, kind types.Kind, oid uint32) (string, bool) {
	switch kind {
	case types.Regclass:
		e := &env{c: c, w: c.worldOf(s), info: s}
		k := e.w.byOID[oid]
		if k == nil {
			return "", false
		}
		if e.visible(k) {
			return quoteIdent(k.name.Name), true
		}
		return quoteIdent(k.name.Schema) + "." + quoteIdent(k.name.Name), true
	case types.Regtype:
		e := &env{c: c, w: c.worldOf(s), info: s}
		name := e.formatType(oid, -1)
		return name, name != "???"
	case types.Regnamespace:
		for _, n := range c.worldOf(s).schemas {
			if session.SchemaOID(n) == oid {
				return quoteIdent(n), true
			}
		}
		return "", false
	}
	if p := c.procs.byOID[oid]; p != nil {
		if len(c.procs.byName[p.name]) == 1 {
			return quoteIdent(p.name), true
		}
		return p.schema + "." + quoteIdent(p.name), true
	}
	name, ok := c.types.funcName[oid]
	return name, ok
}

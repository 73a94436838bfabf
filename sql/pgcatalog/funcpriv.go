package pgcatalog

import (
	"slices"
	"strings"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// There is one kind of user yet: everybody may do what the server can do at all. So the has_*_privilege functions answer
// whether an object exists and whether the statement in question is possible on it.

// addPrivileges registers has_*_privilege with their forms: the user left out, by name or by oid, the object by name or
// by oid.
func addPrivileges(f *funcs) {
	objects := []struct {
		name  string
		known []string
		may   func(e *env, v *vec.Vector, i int) (allowed []string, ok bool, err error)
	}{
		{"table", tablePrivileges, mayOnTable},
		{"any_column", []string{"SELECT", "INSERT", "UPDATE", "REFERENCES"}, mayOnTable},
		{"schema", []string{"CREATE", "USAGE"}, mayOnSchema},
		{"database", []string{"CREATE", "CONNECT", "TEMPORARY", "TEMP"}, mayOnDatabase},
		{"function", []string{"EXECUTE"}, mayOnFunction},
		{"type", []string{"USAGE"}, mayOnType},
		{"language", []string{"USAGE"}, mayOnLanguage},
		{"tablespace", []string{"CREATE"}, mayOnTablespace},
	}
	for _, o := range objects {
		name := "has_" + o.name + "_privilege"
		for _, object := range sig(tText, tOID) {
			eval := func(skip int) rowFunc {
				return func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
					if skip == 1 {
						if err := e.checkRole(a[0], i); err != nil {
							return err
						}
					}
					allowed, ok, err := o.may(e, a[skip], i)
					if err != nil {
						return err
					}
					if !ok {
						out.AppendNull()
						return nil
					}
					return appendPrivilege(out, text(a[skip+1], i), o.known, allowed)
				}
			}
			f.fn(name, sig(object, tText), tBool, eval(0))
			f.fn(name, sig(tName, object, tText), tBool, eval(1))
			f.fn(name, sig(tOID, object, tText), tBool, eval(1))
		}
	}
	addColumnPrivileges(f)
	addRolePrivileges(f)
}

// appendPrivilege reads a list such as "SELECT, INSERT WITH GRANT OPTION"; one that is allowed is enough.
func appendPrivilege(out *vec.Vector, list string, known, allowed []string) error {
	yes := false
	for p := range strings.SplitSeq(list, ",") {
		p = strings.ToUpper(strings.TrimSpace(p))
		p = strings.TrimSuffix(p, " WITH GRANT OPTION")
		if !slices.Contains(known, p) {
			return sqlstate.New(sqlstate.InvalidParameter, "unrecognized privilege type: \"%s\"", list)
		}
		yes = yes || slices.Contains(allowed, p)
	}
	out.AppendBool(yes)
	return nil
}

// checkRole refuses a name that is no role. Object ids are not looked at: PostgreSQL treats an unknown one as a role
// without rights, and here there is none without.
func (e *env) checkRole(v *vec.Vector, i int) error {
	if v.Type.Kind != types.Name {
		return nil
	}
	if name := text(v, i); name != "public" && !e.roleExists(name) {
		return sqlstate.New(sqlstate.UndefinedObject, "role \"%s\" does not exist", name)
	}
	return nil
}

var (
	tablePrivileges = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"}
	readOnly        = []string{"SELECT"}
	readInsert      = []string{"SELECT", "INSERT"}
)

func (k *class) may() []string {
	if writable(k) {
		return readInsert
	}
	return readOnly
}

// class is the relation an argument names; ok is false for an oid of nothing.
func (e *env) class(v *vec.Vector, i int) (k *class, ok bool, err error) {
	if v.Type.Kind == types.OID {
		k, ok = e.w.byOID[oidOf(v, i)]
		return k, ok, nil
	}
	if k, ok = e.find(text(v, i)); !ok {
		return nil, false, noRelation(text(v, i))
	}
	return k, true, nil
}

func mayOnTable(e *env, v *vec.Vector, i int) ([]string, bool, error) {
	k, ok, err := e.class(v, i)
	if !ok {
		return nil, false, err
	}
	return k.may(), true, nil
}

func mayOnSchema(e *env, v *vec.Vector, i int) ([]string, bool, error) {
	var name string
	if v.Type.Kind == types.OID {
		var ok bool
		if name, ok = e.schemaName(oidOf(v, i)); !ok {
			return nil, false, nil
		}
	} else if name = text(v, i); !slices.Contains(e.w.schemas, name) {
		return nil, false, sqlstate.New(sqlstate.InvalidSchema, "schema \"%s\" does not exist", name)
	}
	switch name {
	case "pg_catalog", "information_schema", "telemdb", "rollups":
		return []string{"USAGE"}, true, nil
	}
	return []string{"USAGE", "CREATE"}, true, nil
}

func mayOnDatabase(e *env, v *vec.Vector, i int) ([]string, bool, error) {
	all := []string{"CREATE", "CONNECT"}
	if v.Type.Kind == types.OID {
		switch oidOf(v, i) {
		case oidDatabase:
			return all, true, nil
		case 1, 4: // the templates
			return nil, true, nil
		}
		return nil, false, nil
	}
	switch name := text(v, i); name {
	case e.info.Database():
		return all, true, nil
	case "template0", "template1":
		return nil, true, nil
	default:
		return nil, false, sqlstate.New(sqlstate.InvalidCatalog, "database \"%s\" does not exist", name)
	}
}

func mayOnFunction(e *env, v *vec.Vector, i int) ([]string, bool, error) {
	allowed := []string{"EXECUTE"}
	if v.Type.Kind == types.OID {
		return allowed, e.c.procs.byOID[oidOf(v, i)] != nil, nil
	}
	name := text(v, i)
	bare, _, _ := strings.Cut(name, "(")
	if parts, ok := splitName(bare); ok && len(e.c.procs.byName[parts[len(parts)-1]]) > 0 {
		return allowed, true, nil
	}
	return nil, false, sqlstate.New(sqlstate.UndefinedFunction, "function \"%s\" does not exist", name)
}

func mayOnType(e *env, v *vec.Vector, i int) ([]string, bool, error) {
	allowed := []string{"USAGE"}
	if v.Type.Kind == types.OID {
		oid := oidOf(v, i)
		return allowed, e.c.types.byOID[oid] != nil || e.w.byType[oid] != nil, nil
	}
	_, err := e.info.RegOID(types.Regtype, text(v, i))
	return allowed, err == nil, err
}

func mayOnLanguage(_ *env, v *vec.Vector, i int) ([]string, bool, error) {
	allowed := []string{"USAGE"}
	if v.Type.Kind == types.OID {
		oid := oidOf(v, i)
		return allowed, oid >= 12 && oid <= 14, nil
	}
	switch name := text(v, i); name {
	case "internal", "c", "sql":
		return allowed, true, nil
	default:
		return nil, false, sqlstate.New(sqlstate.UndefinedObject, "language \"%s\" does not exist", name)
	}
}

func mayOnTablespace(_ *env, v *vec.Vector, i int) ([]string, bool, error) {
	if v.Type.Kind == types.OID {
		oid := oidOf(v, i)
		return nil, oid == oidTablespace || oid == 1664, nil
	}
	switch name := text(v, i); name {
	case "pg_default", "pg_global":
		return nil, true, nil
	default:
		return nil, false, sqlstate.New(sqlstate.UndefinedObject, "tablespace \"%s\" does not exist", name)
	}
}

// addColumnPrivileges registers has_column_privilege: table by text or oid, column by name or number.
func addColumnPrivileges(f *funcs) {
	known := []string{"SELECT", "INSERT", "UPDATE", "REFERENCES"}
	eval := func(skip int) rowFunc {
		return func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
			if skip == 1 {
				if err := e.checkRole(a[0], i); err != nil {
					return err
				}
			}
			k, ok, err := e.class(a[skip], i)
			if err != nil {
				return err
			}
			if ok {
				if col := a[skip+1]; col.Type.Kind == types.Text {
					if k.attr(text(col, i)) < 0 {
						return noColumn(k, text(col, i))
					}
				} else if n := col.Int(i); n < 1 || n > int64(len(k.attrs)) {
					ok = false
				}
			}
			if !ok {
				out.AppendNull()
				return nil
			}
			return appendPrivilege(out, text(a[skip+2], i), known, k.may())
		}
	}
	for _, table := range sig(tText, tOID) {
		for _, col := range sig(tText, tInt2) {
			f.fn("has_column_privilege", sig(table, col, tText), tBool, eval(0))
			f.fn("has_column_privilege", sig(tName, table, col, tText), tBool, eval(1))
			f.fn("has_column_privilege", sig(tOID, table, col, tText), tBool, eval(1))
		}
	}
}

// addRolePrivileges registers pg_has_role: every role that exists is a member of every other.
func addRolePrivileges(f *funcs) {
	known := []string{"MEMBER", "USAGE"}
	eval := func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
		for _, v := range a[:len(a)-1] {
			if err := e.checkRole(v, i); err != nil {
				return err
			}
		}
		return appendPrivilege(out, text(a[len(a)-1], i), known, known)
	}
	for _, role := range sig(tName, tOID) {
		f.fn("pg_has_role", sig(role, tText), tBool, eval)
		f.fn("pg_has_role", sig(tName, role, tText), tBool, eval)
		f.fn("pg_has_role", sig(tOID, role, tText), tBool, eval)
	}
}

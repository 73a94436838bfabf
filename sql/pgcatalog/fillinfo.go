package pgcatalog

import (
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/storage/types"
)

func fillTables(e *env, w *writer) error {
	schema, name, owner := w.col("schemaname"), w.col("tablename"), w.col("tableowner")
	flags := []cell{w.col("hasindexes"), w.col("hasrules"), w.col("hastriggers"), w.col("rowsecurity")}
	for _, k := range e.w.classes {
		if k.kind != 'r' {
			continue
		}
		schema.str(k.name.Schema)
		name.str(k.name.Name)
		owner.str(ownerName)
		for _, f := range flags {
			f.bool(false)
		}
		w.next()
	}
	return nil
}

func fillViews(e *env, w *writer) error {
	schema, name, owner, def := w.col("schemaname"), w.col("viewname"), w.col("viewowner"), w.col("definition")
	for _, k := range e.w.classes {
		if k.kind != 'v' {
			continue
		}
		schema.str(k.name.Schema)
		name.str(k.name.Name)
		owner.str(ownerName)
		if k.view != "" {
			def.str(viewText(k))
		}
		w.next()
	}
	return nil
}

// viewText is the definition of a stored view, as pg_get_viewdef gives it.
func viewText(k *class) string {
	return strings.TrimSuffix(strings.TrimSpace(k.view), ";") + ";"
}

func fillCatalogName(e *env, w *writer) error {
	w.col("catalog_name").str(e.info.Database())
	w.next()
	return nil
}

func fillSchemata(e *env, w *writer) error {
	db, name, owner := w.col("catalog_name"), w.col("schema_name"), w.col("schema_owner")
	for _, s := range e.w.schemas {
		db.str(e.info.Database())
		name.str(s)
		owner.str(ownerName)
		w.next()
	}
	return nil
}

func fillInfoTables(e *env, w *writer) error {
	db, schema, name, typ := w.col("table_catalog"), w.col("table_schema"), w.col("table_name"), w.col("table_type")
	insertable, typed := w.col("is_insertable_into"), w.col("is_typed")
	for _, k := range e.w.classes {
		db.str(e.info.Database())
		schema.str(k.name.Schema)
		name.str(k.name.Name)
		if k.kind == 'r' {
			typ.str("BASE TABLE")
		} else {
			typ.str("VIEW")
		}
		insertable.yes(writable(k))
		typed.yes(false)
		w.next()
	}
	return nil
}

// writable reports whether INSERT may name a relation: tables made by CREATE TABLE.
func writable(k *class) bool { return k.stored != nil && k.stored.Kind == types.TableUser }

func fillInfoViews(e *env, w *writer) error {
	db, schema, name, def, check := w.col("table_catalog"), w.col("table_schema"), w.col("table_name"), w.col("view_definition"), w.col("check_option")
	var no []cell
	for _, c := range []string{"is_updatable", "is_insertable_into", "is_trigger_updatable", "is_trigger_deletable", "is_trigger_insertable_into"} {
		no = append(no, w.col(c))
	}
	for _, k := range e.w.classes {
		if k.kind != 'v' {
			continue
		}
		db.str(e.info.Database())
		schema.str(k.name.Schema)
		name.str(k.name.Name)
		if k.view != "" {
			def.str(viewText(k))
		}
		check.str("NONE")
		for _, c := range no {
			c.yes(false)
		}
		w.next()
	}
	return nil
}

// typeCellsInfo are the columns by which information_schema describes a type.
type typeCellsInfo struct {
	dataType, udtCatalog, udtSchema, udtName               cell
	charMax, charOctets, precision, radix, scale, datetime cell
}

func newTypeCellsInfo(w *writer) typeCellsInfo {
	return typeCellsInfo{w.col("data_type"), w.col("udt_catalog"), w.col("udt_schema"), w.col("udt_name"), w.col("character_maximum_length"),
		w.col("character_octet_length"), w.col("numeric_precision"), w.col("numeric_precision_radix"), w.col("numeric_scale"), w.col("datetime_precision")}
}

func (c typeCellsInfo) set(e *env, t types.Type) {
	c.dataType.str(dataType(t))
	c.udtCatalog.str(e.info.Database())
	c.udtSchema.str("pg_catalog")
	c.udtName.str(e.c.types.of(t).name)
	mod := int64(datum.TypMod(t))
	number := func(precision, radix, scale int64) {
		c.precision.int(precision)
		c.radix.int(radix)
		if scale >= 0 {
			c.scale.int(scale)
		}
	}
	switch t.Kind {
	case types.Text, types.Varchar, types.BPChar:
		octets := int64(1 << 30)
		if mod >= 4 {
			c.charMax.int(mod - 4)
			octets = 4 * (mod - 4)
		}
		c.charOctets.int(octets)
	case types.Int16:
		number(16, 2, 0)
	case types.Int32:
		number(32, 2, 0)
	case types.Int64:
		number(64, 2, 0)
	case types.Float32:
		number(24, 2, -1)
	case types.Float64:
		number(53, 2, -1)
	case types.Numeric:
		if mod < 0 {
			c.radix.int(10)
			return
		}
		p, s := datum.NumericMod(int32(mod))
		number(int64(p), 10, int64(s))
	case types.Date:
		c.datetime.int(0)
	case types.Time, types.Timestamp, types.Timestamptz:
		if mod < 0 {
			mod = 6
		}
		c.datetime.int(mod)
	case types.Interval:
		c.datetime.int(6)
	}
}

// dataType is the type's name as information_schema has it: without modifier, and ARRAY for every array.
func dataType(t types.Type) string {
	if t.Kind == types.Array {
		return "ARRAY"
	}
	return datum.FormatType(types.Of(t.Kind))
}

func fillInfoColumns(e *env, w *writer) error {
	db, schema, table, name, num := w.col("table_catalog"), w.col("table_schema"), w.col("table_name"), w.col("column_name"), w.col("ordinal_position")
	nullable, dtd, self, identity := w.col("is_nullable"), w.col("dtd_identifier"), w.col("is_self_referencing"), w.col("is_identity")
	cycle, generated, updatable := w.col("identity_cycle"), w.col("is_generated"), w.col("is_updatable")
	typ := newTypeCellsInfo(w)
	for _, k := range e.w.classes {
		for i, a := range k.attrs {
			db.str(e.info.Database())
			schema.str(k.name.Schema)
			table.str(k.name.Name)
			name.str(a.name)
			num.int(int64(i + 1))
			nullable.yes(!a.notNull)
			typ.set(e, a.typ)
			dtd.str(strconv.Itoa(i + 1))
			self.yes(false)
			identity.yes(false)
			cycle.yes(false)
			generated.str("NEVER")
			updatable.yes(writable(k))
			w.next()
		}
	}
	return nil
}

// specificName tells overloads apart.
func specificName(p *proc) string { return p.name + "_" + strconv.FormatUint(uint64(p.oid), 10) }

func fillRoutines(e *env, w *writer) error {
	sdb, sschema, sname := w.col("specific_catalog"), w.col("specific_schema"), w.col("specific_name")
	db, schema, name, kind := w.col("routine_catalog"), w.col("routine_schema"), w.col("routine_name"), w.col("routine_type")
	dataTyp, udb, uschema, uname := w.col("data_type"), w.col("type_udt_catalog"), w.col("type_udt_schema"), w.col("type_udt_name")
	body, lang, deterministic, nullCall := w.col("routine_body"), w.col("external_language"), w.col("is_deterministic"), w.col("is_null_call")
	for _, p := range e.c.procs.all {
		sdb.str(e.info.Database())
		sschema.str(p.schema)
		sname.str(specificName(p))
		db.str(e.info.Database())
		schema.str(p.schema)
		name.str(p.name)
		if p.kind == 'f' {
			kind.str("FUNCTION")
		}
		dataTyp.str(dataType(p.ret))
		udb.str(e.info.Database())
		uschema.str("pg_catalog")
		uname.str(e.c.types.of(p.ret).name)
		body.str("EXTERNAL")
		lang.str("INTERNAL")
		deterministic.yes(p.volatility == 'i')
		nullCall.yes(p.strict)
		w.next()
	}
	return nil
}

func fillParameters(e *env, w *writer) error {
	db, schema, name, num, mode := w.col("specific_catalog"), w.col("specific_schema"), w.col("specific_name"), w.col("ordinal_position"), w.col("parameter_mode")
	result, locator, param, dtd := w.col("is_result"), w.col("as_locator"), w.col("parameter_name"), w.col("dtd_identifier")
	dataTyp, udb, uschema, uname := w.col("data_type"), w.col("udt_catalog"), w.col("udt_schema"), w.col("udt_name")
	for _, p := range e.c.procs.all {
		n := 0
		add := func(m string, t types.Type, label string) {
			n++
			db.str(e.info.Database())
			schema.str(p.schema)
			name.str(specificName(p))
			num.int(int64(n))
			mode.str(m)
			result.yes(false)
			locator.yes(false)
			if label != "" {
				param.str(label)
			}
			dataTyp.str(dataType(t))
			udb.str(e.info.Database())
			uschema.str("pg_catalog")
			uname.str(e.c.types.of(t).name)
			dtd.str(strconv.Itoa(n))
			w.next()
		}
		for _, oid := range p.argTypes() {
			t, _ := datum.TypeOfOID(uint32(oid))
			add("IN", t, "")
		}
		for _, c := range p.out {
			add("OUT", c.Type, c.Name)
		}
	}
	return nil
}

func fillCharacterSets(e *env, w *writer) error {
	w.col("character_set_name").str("UTF8")
	w.col("character_repertoire").str("UCS")
	w.col("form_of_use").str("UTF8")
	w.col("default_collate_catalog").str(e.info.Database())
	w.col("default_collate_schema").str("pg_catalog")
	w.col("default_collate_name").str("C")
	w.next()
	return nil
}

func fillInfoCollations(e *env, w *writer) error {
	db, schema, name, pad := w.col("collation_catalog"), w.col("collation_schema"), w.col("collation_name"), w.col("pad_attribute")
	for _, c := range collations {
		db.str(e.info.Database())
		schema.str("pg_catalog")
		name.str(c.name)
		pad.str("NO PAD")
		w.next()
	}
	return nil
}

func fillEnabledRoles(e *env, w *writer) error {
	name := w.col("role_name")
	for _, r := range e.roles() {
		name.str(r.name)
		w.next()
	}
	return nil
}

func fillTablePrivileges(e *env, w *writer) error {
	grantor, grantee, db, schema, name := w.col("grantor"), w.col("grantee"), w.col("table_catalog"), w.col("table_schema"), w.col("table_name")
	privilege, grantable, hierarchy := w.col("privilege_type"), w.col("is_grantable"), w.col("with_hierarchy")
	for _, k := range e.w.classes {
		may := []string{"SELECT"}
		if writable(k) {
			may = append(may, "INSERT")
		}
		for _, p := range may {
			grantor.str(ownerName)
			grantee.str(e.info.User())
			db.str(e.info.Database())
			schema.str(k.name.Schema)
			name.str(k.name.Name)
			privilege.str(p)
			grantable.yes(false)
			hierarchy.yes(p == "SELECT")
			w.next()
		}
	}
	return nil
}

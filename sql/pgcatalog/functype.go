package pgcatalog

import (
	"strconv"

	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// encodings are PostgreSQL's numbers of the character sets. Only UTF8 is in use.
var encodings = []string{"SQL_ASCII", "EUC_JP", "EUC_CN", "EUC_KR", "EUC_TW", "EUC_JIS_2004", "UTF8", "MULE_INTERNAL", "LATIN1", "LATIN2",
	"LATIN3", "LATIN4", "LATIN5", "LATIN6", "LATIN7", "LATIN8", "LATIN9", "LATIN10", "WIN1256", "WIN1258", "WIN866", "WIN874", "KOI8R", "WIN1251",
	"WIN1252", "ISO_8859_5", "ISO_8859_6", "ISO_8859_7", "ISO_8859_8", "WIN1250", "WIN1253", "WIN1254", "WIN1255", "WIN1257", "KOI8U"}

func addTypeFuncs(f *funcs) {
	f.fn("format_type", sig(tOID, tInt4), tText, func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
		if a[0].Null(i) {
			out.AppendNull()
			return nil
		}
		oid, mod := oidOf(a[0], i), int32(-1)
		if !a[1].Null(i) {
			if mod = int32(a[1].Int(i)); mod < 0 && oid == 1042 {
				out.AppendString("bpchar") // "character" would mean character(1)
				return nil
			}
		}
		out.AppendString(e.formatType(oid, mod))
		return nil
	}).Called = true
	f.fn("pg_encoding_to_char", sig(tInt4), tName, func(_ *env, a []*vec.Vector, i int, out *vec.Vector) error {
		if n := a[0].Int(i); n >= 0 && n < int64(len(encodings)) {
			out.AppendString(encodings[n])
		} else {
			out.AppendString("")
		}
		return nil
	})
	f.fn("pg_char_to_encoding", sig(tName), tInt4, func(_ *env, a []*vec.Vector, i int, out *vec.Vector) error {
		for n, name := range encodings {
			if name == text(a[0], i) {
				out.AppendInt(int64(n))
				return nil
			}
		}
		out.AppendInt(-1)
		return nil
	})
	utf8 := func(_ *env, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendString("UTF8")
		return nil
	}
	f.fn("getdatabaseencoding", nil, tName, utf8)
	f.fn("pg_client_encoding", nil, tName, utf8)
	f.fn("pg_get_userbyid", sig(tOID), tName, func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
		oid := oidOf(a[0], i)
		name, ok := e.roleName(oid)
		if !ok {
			name = "unknown (OID=" + strconv.FormatUint(uint64(oid), 10) + ")"
		}
		out.AppendString(name)
		return nil
	})
}

// addVisibility registers pg_*_is_visible: whether an object is found by its bare name. NULL for no object.
func addVisibility(f *funcs) {
	visible := func(k func(e *env, oid uint32) *class, known func(e *env, oid uint32) bool) rowFunc {
		return func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
			oid := oidOf(a[0], i)
			if c := k(e, oid); c != nil {
				out.AppendBool(e.visible(c))
			} else if known(e, oid) {
				out.AppendBool(true)
			} else {
				out.AppendNull()
			}
			return nil
		}
	}
	noClass := func(*env, uint32) *class { return nil }
	unknown := func(*env, uint32) bool { return false }
	f.fn("pg_table_is_visible", sig(tOID), tBool, visible(func(e *env, oid uint32) *class { return e.w.byOID[oid] }, unknown))
	f.fn("pg_type_is_visible", sig(tOID), tBool, visible(func(e *env, oid uint32) *class { return e.w.byType[oid] },
		func(e *env, oid uint32) bool { return e.c.types.byOID[oid] != nil }))
	f.fn("pg_function_is_visible", sig(tOID), tBool, visible(noClass, func(e *env, oid uint32) bool { return e.c.procs.byOID[oid] != nil }))
	operators := map[uint32]bool{}
	for _, o := range builtin.AllOperators() {
		operators[nameOID("operator "+builtin.Signature(o.Name, o.Args))] = true
	}
	f.fn("pg_operator_is_visible", sig(tOID), tBool, visible(noClass, func(_ *env, oid uint32) bool { return operators[oid] }))
	f.fn("pg_collation_is_visible", sig(tOID), tBool, visible(noClass, func(_ *env, oid uint32) bool {
		return oid == 100 || oid == 950 || oid == 951
	}))
	for _, none := range []string{"opclass", "opfamily", "conversion", "statistics_obj", "ts_config", "ts_dict", "ts_parser", "ts_template"} {
		f.fn("pg_"+none+"_is_visible", sig(tOID), tBool, null)
	}
}

func addRegFuncs(f *funcs) {
	for name, kind := range map[string]types.Kind{"to_regclass": types.Regclass, "to_regtype": types.Regtype, "to_regproc": types.Regproc, "to_regnamespace": types.Regnamespace} {
		f.fn(name, sig(tText), types.Of(kind), func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
			oid, err := e.info.RegOID(kind, text(a[0], i))
			if err != nil {
				out.AppendNull() // that is what sets these functions apart from a cast
				return nil
			}
			out.AppendInt(int64(oid))
			return nil
		})
	}
}

func addSession(f *funcs) {
	f.fn("current_schema", nil, tName, func(e *env, _ []*vec.Vector, _ int, out *vec.Vector) error {
		if path := e.info.SearchPath(false); len(path) > 0 {
			out.AppendString(path[0])
		} else {
			out.AppendNull()
		}
		return nil
	})
	f.fn("current_schemas", sig(tBool), types.ArrayOf(types.Name), func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendBytes(encodeStrings(types.Name, e.info.SearchPath(a[0].Bool(i))))
		return nil
	})
	f.fn("current_database", nil, tName, func(e *env, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendString(e.info.Database())
		return nil
	})
	f.fn("pg_backend_pid", nil, tInt4, func(e *env, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendInt(int64(e.info.PID()))
		return nil
	})
	never := func(_ *env, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendBool(false)
		return nil
	}
	f.fn("pg_is_in_recovery", nil, tBool, never)
	f.fn("pg_is_other_temp_schema", sig(tOID), tBool, never)
	f.each("row_security_active", tBool, never, sig(tOID), sig(tText))
	f.fn("pg_relation_is_publishable", sig(tRegclass), tBool, never)
	f.fn("pg_my_temp_schema", nil, tOID, func(_ *env, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendInt(0)
		return nil
	})
	f.fn("pg_advisory_unlock_all", nil, tVoid, func(_ *env, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendBytes(nil) // no session ever holds one
		return nil
	})
	started := func(_ *env, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendInt(f.c.started)
		return nil
	}
	f.fn("pg_postmaster_start_time", nil, tTimestamp, started)
	f.fn("pg_conf_load_time", nil, tTimestamp, started)
	f.fn("pg_tablespace_location", sig(tOID), tText, func(_ *env, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendString("")
		return nil
	})
	f.fn("pg_partition_root", sig(tRegclass), tRegclass, null)
}

// schemaName finds a schema by its object id.
func (e *env) schemaName(oid uint32) (string, bool) {
	for _, s := range e.w.schemas {
		if session.SchemaOID(s) == oid {
			return s, true
		}
	}
	return "", false
}

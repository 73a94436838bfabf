package pgcatalog

import (
	"time"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/column"
)

const encodingUTF8 = 6

func fillDatabases(e *env, w *writer) error {
	oid, name, dba, encoding, provider := w.col("oid"), w.col("datname"), w.col("datdba"), w.col("encoding"), w.col("datlocprovider")
	template, allow, limit, space := w.col("datistemplate"), w.col("datallowconn"), w.col("datconnlimit"), w.col("dattablespace")
	collate, ctype := w.col("datcollate"), w.col("datctype")
	for _, d := range []struct {
		oid             uint32
		name            string
		template, allow bool
	}{{oidDatabase, e.info.Database(), false, true}, {1, "template1", true, false}, {4, "template0", true, false}} {
		oid.oid(d.oid)
		name.str(d.name)
		dba.oid(oidOwner)
		encoding.int(encodingUTF8)
		provider.char('c')
		template.bool(d.template)
		allow.bool(d.allow)
		limit.int(-1)
		space.oid(oidTablespace)
		collate.str(e.setting("lc_collate"))
		ctype.str(e.setting("lc_ctype"))
		w.next()
	}
	return nil
}

func (e *env) setting(name string) string {
	v, _ := e.info.Setting(name)
	return v
}

func fillTablespaces(_ *env, w *writer) error {
	oid, name, owner := w.col("oid"), w.col("spcname"), w.col("spcowner")
	for _, s := range []struct {
		oid  uint32
		name string
	}{{oidTablespace, "pg_default"}, {1664, "pg_global"}} {
		oid.oid(s.oid)
		name.str(s.name)
		owner.oid(oidOwner)
		w.next()
	}
	return nil
}

func fillAccessMethods(_ *env, w *writer) error {
	oid, name, typ := w.col("oid"), w.col("amname"), w.col("amtype")
	for _, a := range []struct {
		oid  uint32
		name string
		typ  byte
	}{{oidHeap, "heap", 't'}, {403, "btree", 'i'}} {
		oid.oid(a.oid)
		name.str(a.name)
		typ.char(a.typ)
		w.next()
	}
	return nil
}

func fillLanguages(_ *env, w *writer) error {
	oid, name, owner, trusted := w.col("oid"), w.col("lanname"), w.col("lanowner"), w.col("lanpltrusted")
	for i, n := range []string{"internal", "c", "sql"} {
		oid.oid(uint32(12 + i))
		name.str(n)
		owner.oid(oidOwner)
		trusted.bool(n == "sql")
		w.next()
	}
	return nil
}

// collations are what COLLATE may name: all are byte order.
var collations = []struct {
	oid      uint32
	name     string
	provider byte
	locale   string
}{{100, "default", 'd', ""}, {950, "C", 'c', "C"}, {951, "POSIX", 'c', "POSIX"}}

func fillCollations(_ *env, w *writer) error {
	oid, name, schema, owner, provider := w.col("oid"), w.col("collname"), w.col("collnamespace"), w.col("collowner"), w.col("collprovider")
	deterministic, encoding, collate, ctype := w.col("collisdeterministic"), w.col("collencoding"), w.col("collcollate"), w.col("collctype")
	for _, c := range collations {
		oid.oid(c.oid)
		name.str(c.name)
		schema.oid(session.SchemaOID("pg_catalog"))
		owner.oid(oidOwner)
		provider.char(c.provider)
		deterministic.bool(true)
		encoding.int(-1)
		if c.locale != "" {
			collate.str(c.locale)
			ctype.str(c.locale)
		}
		w.next()
	}
	return nil
}

// role is a row of pg_authid: the owner of all objects and the user of this session, who may do the same, and the roles
// that PostgreSQL predefines, which clients ask about by name.
type role struct {
	oid   uint32
	name  string
	login bool
}

var predefinedRoles = []role{{6171, "pg_database_owner", false}, {6181, "pg_read_all_data", false}, {6182, "pg_write_all_data", false},
	{3373, "pg_monitor", false}, {3374, "pg_read_all_settings", false}, {3375, "pg_read_all_stats", false}, {3377, "pg_stat_scan_tables", false},
	{4569, "pg_read_server_files", false}, {4570, "pg_write_server_files", false}, {4571, "pg_execute_server_program", false},
	{4200, "pg_signal_backend", false}, {4544, "pg_checkpoint", false}}

func (e *env) roles() []role {
	out := []role{{oidOwner, ownerName, true}}
	if u := e.info.User(); u != ownerName && u != "" {
		out = append(out, role{nameOID("role " + u), u, true})
	}
	return append(out, predefinedRoles...)
}

func (e *env) roleName(oid uint32) (string, bool) {
	for _, r := range e.roles() {
		if r.oid == oid {
			return r.name, true
		}
	}
	return "", false
}

func (e *env) roleExists(name string) bool {
	for _, r := range e.roles() {
		if r.name == name {
			return true
		}
	}
	return false
}

// fillAuthIDs and fillRoles differ in the order of columns only.
func fillAuthIDs(e *env, w *writer) error { return fillRoles(e, w) }

func fillRoles(e *env, w *writer) error {
	oid, name, limit := w.col("oid"), w.col("rolname"), w.col("rolconnlimit")
	var can []cell
	for _, c := range []string{"rolsuper", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolbypassrls"} {
		can = append(can, w.col(c))
	}
	inherit, replication := w.col("rolinherit"), w.col("rolreplication")
	for _, r := range e.roles() {
		oid.oid(r.oid)
		name.str(r.name)
		limit.int(-1)
		for _, c := range can {
			c.bool(r.login)
		}
		inherit.bool(true)
		replication.bool(false)
		w.next()
	}
	return nil
}

func fillUsers(e *env, w *writer) error {
	name, oid, create, super := w.col("usename"), w.col("usesysid"), w.col("usecreatedb"), w.col("usesuper")
	repl, bypass := w.col("userepl"), w.col("usebypassrls")
	for _, r := range e.roles() {
		if !r.login {
			continue
		}
		name.str(r.name)
		oid.oid(r.oid)
		create.bool(true)
		super.bool(true)
		repl.bool(false)
		bypass.bool(true)
		w.next()
	}
	return nil
}

func fillSettings(e *env, w *writer) error {
	name, value, unit, category, desc := w.col("name"), w.col("setting"), w.col("unit"), w.col("category"), w.col("short_desc")
	context, typ, source, boot, reset, pending := w.col("context"), w.col("vartype"), w.col("source"), w.col("boot_val"), w.col("reset_val"), w.col("pending_restart")
	for _, s := range e.info.Settings() {
		name.str(s.Name)
		value.str(s.Value)
		if s.Unit != "" {
			unit.str(s.Unit)
		}
		category.str("Client Connection Defaults")
		desc.str(s.Description)
		if s.Changeable {
			context.str("user")
		} else {
			context.str("internal")
		}
		typ.str(s.Type)
		source.str(s.Source)
		boot.str(s.Default)
		reset.str(s.Default)
		pending.bool(false)
		w.next()
	}
	return nil
}

// fillZones lists the time zones with their offset at the start of the transaction.
func fillZones(e *env, w *writer) error {
	name, abbrev, offset, dst := w.col("name"), w.col("abbrev"), w.col("utc_offset"), w.col("is_dst")
	now := time.UnixMicro(e.info.Now())
	for _, z := range datum.ZoneNames() {
		loc, err := datum.LoadZone(z)
		if err != nil {
			continue
		}
		at := now.In(loc)
		short, seconds := at.Zone()
		name.str(z)
		abbrev.str(short)
		datum.AppendIntervalValue(w.cur[offset.i], datum.Interval{Micros: int64(seconds) * 1e6})
		dst.bool(at.IsDST())
		w.next()
	}
	return nil
}

// fillTableStats counts the rows of each stored table. Nothing else is counted.
func fillTableStats(e *env, w *writer) error {
	oid, schema, name, live := w.col("relid"), w.col("schemaname"), w.col("relname"), w.col("n_live_tup")
	s := e.info.Snapshot()
	for _, k := range e.w.classes {
		if k.stored == nil {
			continue
		}
		src, err := s.Source(k.stored)
		if err != nil {
			return err
		}
		n := int64(0)
		for _, m := range src.Morsels() {
			n += int64(column.Live(m))
		}
		oid.oid(k.oid)
		schema.str(k.name.Schema)
		name.str(k.name.Name)
		live.int(n)
		w.next()
	}
	return nil
}

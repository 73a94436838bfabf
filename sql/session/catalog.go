package session

import (
	"context"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
)

// CatalogProvider makes what PostgreSQL's tools look for: the schemas pg_catalog and information_schema, and the
// functions that need them (format_type, pg_table_is_visible, pg_get_expr …). It is built once for a process and asked
// by all sessions at once; whatever depends on the session or the moment comes with the call: Rows of a SystemTable
// gets the Snapshot, and the expr.Ctx of every call carries a Session that can be asserted to Info.
type CatalogProvider interface {
	// Lookup returns the relation schema.name; the schema is pg_catalog or information_schema, never empty.
	Lookup(schema, name string) (SystemTable, bool)
	// Tables lists all relations Lookup knows.
	Tables() []SystemTable
	// Scalars and TableFuncs return the overloads of a function name. The binder looks here and in sql/builtin, for names
	// without a schema and with pg_catalog or information_schema.
	Scalars(name string) []*expr.Func
	TableFuncs(name string) []*plan.TableFunc
	// RegOID resolves the text of a reg* value that is not a number: 'pg_class'::regclass, 'int4'::regtype,
	// 'array_in'::regproc, 'public'::regnamespace. Stored tables and views are tried by the session first. Errors are
	// 42P01, 42704, 42883 and 3F000 with PostgreSQL's texts.
	RegOID(s Info, kind types.Kind, name string) (uint32, error)
	// RegName is the text form of a reg* value, qualified only if it is not visible; ok is false where there is no such
	// object, and the value prints as its number.
	RegName(s Info, kind types.Kind, oid uint32) (name string, ok bool)
}

// Info is the session as functions see it: assert expr.Ctx.Session to it.
type Info interface {
	expr.SessionInfo
	// Snapshot is the moment the statement reads. It must not be released by the caller.
	Snapshot() Snapshot
	// SearchPath lists the schemas that exist on the search path, in order; implicit adds pg_catalog where it is searched.
	SearchPath(implicit bool) []string
	// SystemTables lists the tables that are made when asked, those of the CatalogProvider included.
	SystemTables() []SystemTable
	// Settings lists all run-time parameters by name.
	Settings() []SettingInfo
	// SetConfig changes a setting, as SET does; it returns the new value.
	SetConfig(name, value string, local bool) (string, error)
	// RegName and RegOID ask the session and its CatalogProvider.
	RegName(kind types.Kind, oid uint32) (string, bool)
	RegOID(kind types.Kind, name string) (uint32, error)
	// PID is the backend's number, Version the product's, Flush seals and publishes all heads.
	PID() int32
	Version() string
	Flush(ctx context.Context) error
	// Activity lists the sessions of the process, and stops them; nil if nobody keeps a list.
	Activity() *Activity
	// Replay decodes records of the landfill again; see Replayer.
	Replay(ctx context.Context, r Replay) (string, error)
	// Repair makes again what is damaged; see Repairer.
	Repair(ctx context.Context) (string, error)
}

// Repairer is what a Database has besides if it can make again what is damaged.
type Repairer interface {
	// Repair tells, in a line for each thing that was damaged, what it did about it or why it could do nothing.
	Repair(ctx context.Context) (string, error)
}

// Replay says which records to decode again: received from From until before To (texts of timestamps, empty: no bound), and
// passing Where, a condition over namespace, document_type, document_id, submission_timestamp, error_type and
// error_message of their rows (empty: all).
type Replay struct {
	From, To, Where string
	DryRun          bool
}

// Replayer is what a Database has besides if it keeps what it was sent.
type Replayer interface {
	// Replay swaps rows that today's decoder makes otherwise, and tells in a line what it did.
	Replay(ctx context.Context, r Replay) (string, error)
}

// SettingInfo describes a run-time parameter.
type SettingInfo struct {
	Name, Value, Default, Description string
	Type                              string // bool, integer, string, enum
	Unit                              string
	Source                            string // default, session, client
	Changeable                        bool
}

// Object ids of user objects begin here. They are a function of the stored ID, so they are the same after a restart.
const firstUserOID = 16384

// TableOID is the object id of a stored table.
func TableOID(id uint32) uint32 { return firstUserOID + 4*id }

// TableTypeOID is the object id of a stored table's row type.
func TableTypeOID(id uint32) uint32 { return firstUserOID + 4*id + 1 }

// ViewOID is the object id of a view.
func ViewOID(id uint32) uint32 { return firstUserOID + 4*id + 2 }

// ViewTypeOID is the object id of a view's row type.
func ViewTypeOID(id uint32) uint32 { return firstUserOID + 4*id + 3 }

// SystemTableOID is the object id of a table made when asked: its own if it has one (pg_class is 1259), or a number
// from its name, above all others.
func SystemTableOID(t SystemTable) uint32 {
	if t.OID != 0 {
		return t.OID
	}
	return hashOID(t.Name.String())
}

// SchemaOID is the object id of a schema.
func SchemaOID(name string) uint32 {
	switch name {
	case "pg_catalog":
		return 11
	case "pg_toast":
		return 99
	case "public":
		return 2200
	case "information_schema":
		return 13000
	}
	return hashOID("schema " + name)
}

// hashOID maps a name to [2^31, 2^32): FNV-1a.
func hashOID(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h | 1<<31
}

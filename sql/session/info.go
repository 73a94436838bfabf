package session

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/bind"
	"github.com/telemdb/telemdb/sql/parse"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// info implements Info. A running statement has one of its own, with the snapshot and the time it began with, so that
// its goroutines see nothing of what the session does next.
type info struct {
	c    *conn
	snap *snapshotRef
	n    *names
	now  int64
	path [2][]string
	fmt  *datum.Format
	mu   struct {
		sync.Mutex
		set map[string]string
	}
}

// info returns what functions see of the session at this moment.
func (c *conn) info() *info {
	i := &info{c: c, now: c.now(), n: &names{}}
	i.mu.set = c.set.clone()
	if s, err := c.snapshot(); err == nil {
		i.snap, i.n = s, c.namesOf(s)
		i.path = [2][]string{c.searchPath(false), c.searchPath(true)}
	}
	f := *c.Format()
	f.Now, f.Reg, f.RegID = i.now, i.RegName, i.RegOID
	i.fmt = &f
	return i
}

func (i *info) Setting(name string) (string, bool) {
	i.mu.Lock()
	v, ok := i.mu.set[strings.ToLower(name)]
	i.mu.Unlock()
	if ok {
		return v, true
	}
	if d, known := settingByName[strings.ToLower(name)]; known {
		return d.initial, true
	}
	return "", false
}

func (i *info) Now() int64       { return i.now }
func (i *info) User() string     { return i.c.opts.User }
func (i *info) Database() string { return i.c.cfg.DB.Name() }
func (i *info) PID() int32       { return i.c.opts.PID }
func (i *info) Version() string  { return i.c.cfg.DB.Version() }

func (i *info) Zone() string { v, _ := i.Setting("TimeZone"); return v }

// Format is how values are read and written in this statement.
func (i *info) Format() *datum.Format { return i.fmt }

func (i *info) Snapshot() Snapshot { return i.snap.Snapshot }

func (i *info) SearchPath(implicit bool) []string {
	if implicit {
		return i.path[1]
	}
	return i.path[0]
}

func (i *info) SystemTables() []SystemTable {
	out := i.c.cfg.DB.SystemTables()
	if i.c.cfg.Catalog != nil {
		out = append(out[:len(out):len(out)], i.c.cfg.Catalog.Tables()...)
	}
	return out
}

func (i *info) Settings() []SettingInfo {
	var out []SettingInfo
	for _, d := range settingTable {
		s := SettingInfo{Name: d.name, Default: d.initial, Description: d.desc, Type: d.typ, Unit: d.unit, Changeable: !d.readonly, Source: "default"}
		s.Value, _ = i.Setting(d.name)
		if s.Value != d.initial {
			s.Source = "session"
		}
		out = append(out, s)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for k, v := range i.mu.set {
		if _, known := settingByName[k]; !known {
			out = append(out, SettingInfo{Name: k, Value: v, Type: "string", Source: "session", Changeable: true})
		}
	}
	return out
}

func (i *info) SetConfig(name, value string, local bool) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	v, err := i.c.set.set(name, value, local)
	if err == nil {
		i.mu.set[strings.ToLower(name)] = v
	}
	return v, err
}

func (i *info) Activity() *Activity { return i.c.cfg.Activity }

func (i *info) Flush(ctx context.Context) error { return i.c.cfg.DB.Flush(ctx) }

func (i *info) Replay(ctx context.Context, r Replay) (string, error) {
	db, ok := i.c.cfg.DB.(Replayer)
	if !ok {
		return "", sqlstate.New(sqlstate.FeatureNotSupported, "this database has nothing to replay")
	}
	return db.Replay(ctx, r)
}

func (i *info) Repair(ctx context.Context) (string, error) {
	db, ok := i.c.cfg.DB.(Repairer)
	if !ok {
		return "", sqlstate.New(sqlstate.FeatureNotSupported, "this database has nothing to repair")
	}
	return db.Repair(ctx)
}

// RegOID reads the text of a reg* value.
func (i *info) RegOID(kind types.Kind, name string) (uint32, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), nil
	}
	if name == "-" {
		return 0, nil
	}
	switch kind {
	case types.Regclass:
		if oid, ok := i.classOID(name); ok {
			return oid, nil
		}
	case types.Regtype:
		if t, err := parse.TypeName(name); err == nil {
			if typ, err := bind.TypeOf(t); err == nil {
				return datum.OID(typ), nil
			}
		}
	case types.Regnamespace:
		if parts := splitName(name); len(parts) == 1 && i.n.schemas[parts[0]] {
			return SchemaOID(parts[0]), nil
		}
	}
	if i.c.cfg.Catalog != nil {
		return i.c.cfg.Catalog.RegOID(i, kind, name)
	}
	return 0, noReg(kind, name)
}

func noReg(kind types.Kind, name string) error {
	switch kind {
	case types.Regclass:
		return sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", name)
	case types.Regtype:
		return sqlstate.New(sqlstate.UndefinedObject, "type \"%s\" does not exist", name)
	case types.Regnamespace:
		return sqlstate.New(sqlstate.InvalidSchema, "schema \"%s\" does not exist", name)
	}
	return sqlstate.New(sqlstate.UndefinedFunction, "function \"%s\" does not exist", name)
}

// splitName takes a qualified name apart.
func splitName(s string) []string {
	var out []string
	for _, part := range strings.Split(s, ".") {
		part = strings.TrimSpace(part)
		if strings.HasPrefix(part, `"`) {
			part, _ = quotedIdentifier(part)
		} else {
			part = strings.ToLower(part)
		}
		out = append(out, part)
	}
	return out
}

func (i *info) classOID(name string) (uint32, bool) {
	parts := splitName(name)
	switch len(parts) {
	case 1:
		for _, schema := range i.path[1] {
			if oid, ok := i.oidOf(types.TableName{Schema: schema, Name: parts[0]}); ok {
				return oid, true
			}
		}
	case 2:
		return i.oidOf(types.TableName{Schema: parts[0], Name: parts[1]})
	}
	return 0, false
}

func (i *info) oidOf(name types.TableName) (uint32, bool) {
	if t, ok := i.n.tables[name]; ok {
		return TableOID(t.ID), true
	}
	if v, ok := i.n.views[name]; ok {
		return ViewOID(v.ID), true
	}
	if t, ok := i.n.system[name]; ok {
		return SystemTableOID(t), true
	}
	if i.c.cfg.Catalog != nil {
		if t, ok := i.c.cfg.Catalog.Lookup(name.Schema, name.Name); ok {
			return SystemTableOID(t), true
		}
	}
	return 0, false
}

// RegName is the text form of a reg* value.
func (i *info) RegName(kind types.Kind, oid uint32) (string, bool) {
	if oid == 0 {
		return "-", true
	}
	switch kind {
	case types.Regtype:
		if t, ok := datum.TypeOfOID(oid); ok {
			return datum.FormatType(t), true
		}
	case types.Regclass:
		if name, ok := i.className(oid); ok {
			return name, true
		}
	case types.Regnamespace:
		for s := range i.n.schemas {
			if SchemaOID(s) == oid {
				return plainOrQuoted(s), true
			}
		}
	}
	if i.c.cfg.Catalog != nil {
		return i.c.cfg.Catalog.RegName(i, kind, oid)
	}
	return "", false
}

func (i *info) className(oid uint32) (string, bool) {
	n := i.n
	shown := func(name types.TableName) string {
		if at, ok := i.classOID(quoteIdentifier(name.Name)); ok && at == oid {
			return plainOrQuoted(name.Name)
		}
		return plainOrQuoted(name.Schema) + "." + plainOrQuoted(name.Name)
	}
	for name, t := range n.tables {
		if TableOID(t.ID) == oid {
			return shown(name), true
		}
	}
	for name, v := range n.views {
		if ViewOID(v.ID) == oid {
			return shown(name), true
		}
	}
	for name, t := range n.system {
		if SystemTableOID(t) == oid {
			return shown(name), true
		}
	}
	return "", false
}

// plainOrQuoted quotes an identifier that would not come back as it is.
func plainOrQuoted(s string) string {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return quoteIdentifier(s)
		}
	}
	return s
}

// telemdbFuncs are the functions of the schema telemdb that act on the database.
var telemdbFuncs = map[string][]*expr.Func{
	"flush":  {{Name: "flush", Ret: types.Of(types.Void), Volatile: expr.Volatile, Called: true, Eval: flush}},
	"repair": {{Name: "repair", Ret: types.Of(types.Text), Volatile: expr.Volatile, Called: true, Eval: repair}},
	"replay": {{Name: "replay", Args: []types.Type{types.Of(types.Text), types.Of(types.Text), types.Of(types.Text), types.Of(types.Bool)},
		Ret: types.Of(types.Text), Volatile: expr.Volatile, Called: true, Eval: replay}},
}

// replay is telemdb.replay(from, to, where, dry_run): it returns when the replay is done. NULL is as good as an empty text.
func replay(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
	i, ok := ctx.Session.(Info)
	if !ok {
		return sqlstate.New(sqlstate.Internal, "telemdb.replay() needs a session")
	}
	text := func(v *vec.Vector, row int) string {
		if v.Null(row) {
			return ""
		}
		return string(v.Bytes(row))
	}
	for row := range n {
		if !sel.Get(row) {
			out.AppendNull()
			continue
		}
		said, err := i.Replay(ctx.Context, Replay{From: text(args[0], row), To: text(args[1], row), Where: text(args[2], row),
			DryRun: !args[3].Null(row) && args[3].Bool(row)})
		if err != nil {
			return err
		}
		out.AppendString(said)
	}
	return nil
}

// repair is telemdb.repair(): it returns when everything has been tried, with a line for each thing that was damaged.
func repair(ctx *expr.Ctx, _ []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
	i, ok := ctx.Session.(Info)
	if !ok {
		return sqlstate.New(sqlstate.Internal, "telemdb.repair() needs a session")
	}
	for row := range n {
		if !sel.Get(row) {
			out.AppendNull()
			continue
		}
		said, err := i.Repair(ctx.Context)
		if err != nil {
			return err
		}
		out.AppendString(said)
	}
	return nil
}

// flush is telemdb.flush(): it returns when all rows are sealed and published.
func flush(ctx *expr.Ctx, _ []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
	i, ok := ctx.Session.(Info)
	if !ok {
		return sqlstate.New(sqlstate.Internal, "telemdb.flush() needs a session")
	}
	if sel.Count() > 0 {
		if err := i.Flush(ctx.Context); err != nil {
			return err
		}
	}
	for range n {
		out.AppendBytes(nil)
	}
	return nil
}

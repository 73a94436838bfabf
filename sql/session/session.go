package session

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/op"
	"github.com/telemdb/telemdb/engine/sched"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/sql/parse"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// Config is what sessions of one database share. It may be used for any number of them.
type Config struct {
	DB Database
	// Catalog makes pg_catalog and information_schema; nil for none.
	Catalog CatalogProvider
	Workers int            // of a query; 0: one for each core
	Memory  int64          // of a query, in bytes; 0: no limit
	Pool    *op.MemoryPool // of all queries together; nil: nobody counts
	Spill   *spill.Space   // of all queries together; nil: what does not fit in Memory is an error
	Cores   *sched.Pool    // what all queries share; nil: they do not wait for each other
	// Activity lists the sessions; nil: nobody asks.
	Activity *Activity
	Now      func() int64 // microseconds since 1970; nil: the clock
}

// conn implements Conn.
type conn struct {
	cfg  Config
	opts Options

	set      *settings
	base     map[string]string // what RESET goes back to
	reported map[string]string // as announced last
	notices  []Notice

	tx       tx
	prepared map[string]*prepared
	cursors  map[string]*cursor
	names    *names              // of the last snapshot looked at
	views    map[string]ast.Stmt // parsed views, by text

	format    *datum.Format
	formatGen uint64
	formatNow int64

	mu struct {
		sync.Mutex
		running *statementCtx
	}
}

// New opens a session. The options' settings are checked: an unknown one is 42704, a bad value 22023.
func New(cfg Config, o Options) (Conn, error) {
	if cfg.Now == nil {
		cfg.Now = func() int64 { return time.Now().UnixMicro() }
	}
	c := &conn{cfg: cfg, opts: o, set: newSettings(), prepared: map[string]*prepared{}, cursors: map[string]*cursor{},
		views: map[string]ast.Stmt{}}
	c.set.values["session_authorization"] = o.User
	c.set.values["server_version"] = "15.0 (telemdb " + cfg.DB.Version() + ")"
	for name, value := range o.Settings {
		if _, err := c.set.set(name, value, false); err != nil {
			return nil, err
		}
	}
	c.base = c.set.clone()
	cfg.Activity.enter(c)
	return c, nil
}

// statement implements Statement.
type statement struct {
	parse.Statement
}

func (s *statement) Text() string { return s.Statement.Text }
func (s *statement) Offset() int  { return s.Statement.Offset }
func (s *statement) Empty() bool  { return s.Stmt == nil }

func (c *conn) Split(query string) ([]Statement, error) {
	all, err := parse.Parse(query)
	if err != nil {
		return nil, err
	}
	out := make([]Statement, len(all))
	for i, s := range all {
		out[i] = &statement{s}
	}
	return out, nil
}

func (c *conn) Prepare(_ context.Context, s Statement, params []uint32) (Prepared, error) {
	st, ok := s.(*statement)
	if !ok {
		return nil, sqlstate.New(sqlstate.Internal, "a statement of kind %T was not made by Split", s)
	}
	declared := make([]types.Type, len(params))
	for i, oid := range params {
		if oid == 0 || oid == 705 {
			continue
		}
		t, ok := datum.TypeOfOID(oid)
		if !ok {
			return nil, sqlstate.New(sqlstate.UndefinedObject, "type with OID %d does not exist (parameter $%d)", oid, i+1)
		}
		declared[i] = t
	}
	return c.prepare(st.Stmt, st.Text(), declared)
}

func (c *conn) Store(name string, p Prepared) error {
	if _, taken := c.prepared[name]; taken {
		return sqlstate.New(sqlstate.DuplicatePrepared, "prepared statement \"%s\" already exists", name)
	}
	q, ok := p.(*prepared)
	if !ok {
		return sqlstate.New(sqlstate.Internal, "a prepared statement of kind %T was not made by Prepare", p)
	}
	c.prepared[name] = q
	return nil
}

func (c *conn) Lookup(name string) (Prepared, error) {
	p, err := c.lookup(name)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (c *conn) lookup(name string) (*prepared, error) {
	p, ok := c.prepared[name]
	if !ok {
		return nil, sqlstate.New(sqlstate.InvalidStatementName, "prepared statement \"%s\" does not exist", name)
	}
	return p, nil
}

func (c *conn) Drop(name string) { delete(c.prepared, name) }

func (c *conn) Reported() []Setting {
	if c.reported == nil {
		c.reported = map[string]string{}
	}
	var out []Setting
	for i := range settingTable {
		d := &settingTable[i]
		if !d.reported {
			continue
		}
		v := c.set.value(d.name)
		if old, announced := c.reported[d.name]; announced && old == v {
			continue
		}
		c.reported[d.name] = v
		out = append(out, Setting{Name: d.name, Value: v})
	}
	return out
}

func (c *conn) Notices() []Notice {
	out := c.notices
	c.notices = nil
	return out
}

// noticeRanks orders the levels of client_min_messages. INFO is what a statement was asked to tell: it always comes.
var noticeRanks = map[string]int{"debug5": 0, "debug4": 1, "debug3": 2, "debug2": 3, "debug1": 4, "log": 5, "notice": 6, "warning": 7, "error": 8, "info": 9}

func (c *conn) notice(severity, code, message string) {
	if noticeRanks[strings.ToLower(severity)] >= noticeRanks[c.set.value("client_min_messages")] {
		c.notices = append(c.notices, Notice{Severity: severity, Code: code, Message: message})
	}
}

// Format is made anew when a setting or the transaction's time changed: what was handed out stays as it was.
func (c *conn) Format() *datum.Format {
	now := c.tx.started
	if now == 0 {
		now = c.cfg.Now()
	}
	if c.format != nil && c.formatGen == c.set.gen && c.formatNow == now {
		return c.format
	}
	f := &datum.Format{Now: now, ByteaEscape: c.set.value("bytea_output") == "escape"}
	if loc, err := datum.LoadZone(c.set.value("TimeZone")); err == nil {
		f.Zone = loc
	}
	if n, err := strconv.Atoi(c.set.value("extra_float_digits")); err == nil {
		f.SetExtraFloatDigits(n)
	}
	if st, ok := datum.ParseIntervalStyle(c.set.value("IntervalStyle")); ok {
		f.IntervalStyle = st
	}
	switch style := c.set.value("DateStyle"); {
	case strings.HasSuffix(style, "DMY"):
		f.DateOrder = datum.OrderDMY
	case strings.HasSuffix(style, "YMD"):
		f.DateOrder = datum.OrderYMD
	}
	f.Reg = func(k types.Kind, oid uint32) (string, bool) { return c.info().RegName(k, oid) }
	f.RegID = func(k types.Kind, name string) (uint32, error) { return c.info().RegOID(k, name) }
	c.format, c.formatGen, c.formatNow = f, c.set.gen, now
	return f
}

func (c *conn) Cancel(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.running != nil {
		c.mu.running.cancel(sqlstate.New(sqlstate.QueryCanceled, "%s", reason))
	}
}

func (c *conn) Close() {
	for name, cur := range c.cursors {
		cur.close()
		delete(c.cursors, name)
	}
	c.tx.drop()
	c.cfg.Activity.leave(c)
}

// statementCtx is the context of one running statement.
type statementCtx struct {
	context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	c      *conn

	progress op.Progress
}

// begin makes a statement the running one: the one Cancel and statement_timeout stop.
func (c *conn) begin(parent context.Context, text string) *statementCtx {
	ctx, cancel := context.WithCancelCause(parent)
	s := &statementCtx{Context: ctx, cancel: cancel, c: c}
	if ms, err := millis(c.set.value("statement_timeout")); err == nil && ms > 0 {
		s.timer = time.AfterFunc(time.Duration(ms)*time.Millisecond, func() {
			cancel(sqlstate.New(sqlstate.QueryCanceled, "canceling statement due to statement timeout"))
		})
	}
	c.mu.Lock()
	c.mu.running = s
	c.mu.Unlock()
	c.cfg.Activity.begins(c, s, text)
	return s
}

// detached is the context of a query that no single statement runs: a cursor's.
func (c *conn) detached() *statementCtx {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &statementCtx{Context: ctx, cancel: cancel, c: c}
}

// end forgets the statement. It may be called more than once.
func (s *statementCtx) end() {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.c.mu.Lock()
	if s.c.mu.running == s {
		s.c.mu.running = nil
	}
	s.c.mu.Unlock()
	s.c.cfg.Activity.ends(s.c, s)
	s.cancel(nil)
}

// explain turns the error of a stopped statement into the reason it was stopped for.
func (s *statementCtx) explain(err error) error {
	if err == nil {
		return nil
	}
	if s.Err() != nil {
		if e, ok := context.Cause(s).(*sqlstate.Error); ok {
			return e
		}
		return sqlstate.New(sqlstate.QueryCanceled, "canceling statement due to user request")
	}
	if errors.Is(err, column.ErrCorrupt) {
		return sqlstate.Wrap(sqlstate.DataCorrupted, err)
	}
	return sqlstate.Wrap(sqlstate.Internal, err)
}

package wire

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// fakeDB opens fake sessions. Its language, statements separated by semicolons:
//
//	rows N            N rows of (n int4, s text)
//	failrow N         N rows, then error 22012
//	echo T…           one row of its parameters, of these types
//	none              SELECT of no columns, two rows
//	write X           a row that is there when its transaction commits
//	written           the rows committed
//	fail CODE         error at execution; failbind CODE at preparation; both at character 3 of the statement
//	failcommit        makes the commit fail
//	begin, commit, rollback, set NAME VALUE, notice TEXT, sleep, panic, copyin, copyinbin, copyout N, big N
//
// syntax error is a syntax error.
type fakeDB struct {
	mu      sync.Mutex
	written []string
	open    int
	results int           // open results
	asleep  chan struct{} // a statement sleeps now
	rows    int           // made by all results
	change  *sync.Cond    // on mu: open or results changed
}

func newFakeDB() *fakeDB {
	d := &fakeDB{asleep: make(chan struct{}, 16)}
	d.change = sync.NewCond(&d.mu)
	return d
}

// await blocks until no session (or no result) is open.
func (d *fakeDB) await(ok func(open, results int) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for !ok(d.open, d.results) {
		d.change.Wait()
	}
}

func (d *fakeDB) Open(_ context.Context, o session.Options) (session.Conn, error) {
	if o.User == "panic" {
		panic("opening")
	}
	c := &fakeConn{db: d, o: o, status: 'I', stmts: map[string]session.Prepared{}, cancelled: make(chan string, 1)}
	c.settings = []session.Setting{{Name: "application_name", Value: o.Settings["application_name"]},
		{Name: "client_encoding", Value: "UTF8"}, {Name: "DateStyle", Value: "ISO, MDY"}, {Name: "integer_datetimes", Value: "on"},
		{Name: "server_version", Value: "15.0 (fake)"}, {Name: "standard_conforming_strings", Value: "on"},
		{Name: "TimeZone", Value: "UTC"}}
	for k := range o.Settings {
		switch k {
		case "application_name", "client_encoding", "datestyle", "DateStyle", "TimeZone", "extra_float_digits":
		default:
			return nil, sqlstate.New(sqlstate.UndefinedObject, "unrecognized configuration parameter \"%s\"", k)
		}
	}
	c.changed = c.settings
	d.mu.Lock()
	d.open++
	d.mu.Unlock()
	return c, nil
}

type fakeConn struct {
	db         *fakeDB
	o          session.Options
	status     byte
	pending    []string
	failCommit bool
	settings   []session.Setting
	changed    []session.Setting
	notes      []session.Notice
	stmts      map[string]session.Prepared
	mu         sync.Mutex
	running    int
	cancelled  chan string
}

type fakeStmt struct {
	text   string
	offset int
}

func (s fakeStmt) Text() string { return s.text }
func (s fakeStmt) Offset() int  { return s.offset }
func (s fakeStmt) Empty() bool  { return s.text == "" }

func (c *fakeConn) Split(q string) ([]session.Statement, error) {
	if i := strings.Index(q, "syntax error"); i >= 0 {
		e := sqlstate.New(sqlstate.Syntax, "syntax error at or near \"error\"")
		return nil, e.At(utf8.RuneCountInString(q[:i]) + 8)
	}
	var out []session.Statement
	at := 0
	for _, part := range strings.Split(q, ";") {
		text := strings.TrimSpace(part)
		if strings.HasPrefix(text, "--") {
			text = ""
		}
		out = append(out, fakeStmt{text, at + strings.Index(part, text)})
		at += utf8.RuneCountInString(part) + 1
	}
	return out, nil
}

func (c *fakeConn) failure(s fakeStmt, code string) error {
	return sqlstate.New(code, "told to fail").At(s.offset + 3).WithHint("do not").WithDetail("it was told")
}

var intText = []session.Column{{Name: "n", Type: types.Of(types.Int32), TableOID: 16400, Attr: 1}, {Name: "s", Type: types.Of(types.Text)}}

func (c *fakeConn) Prepare(_ context.Context, st session.Statement, params []uint32) (session.Prepared, error) {
	s := st.(fakeStmt)
	verb, rest, _ := strings.Cut(s.text, " ")
	if c.status == 'E' && verb != "commit" && verb != "rollback" {
		return nil, sqlstate.New(sqlstate.FailedTransaction, "current transaction is aborted, commands ignored until end of transaction block")
	}
	verb = strings.ToLower(verb)
	p := &fakePrepared{c: c, s: s, verb: verb, rest: rest}
	switch verb {
	case "failbind":
		return nil, c.failure(s, rest)
	case "rows", "failrow", "sleep", "big":
		p.cols = intText
	case "written":
		p.cols = intText[1:]
	case "none":
		p.cols = []session.Column{}
	case "echo":
		for i, name := range strings.Fields(rest) {
			name, array := strings.CutSuffix(name, "[]")
			t, ok := datum.TypeByName(name)
			if !ok {
				return nil, sqlstate.New(sqlstate.UndefinedObject, "type \"%s\" does not exist", name)
			}
			if array {
				t = types.ArrayOf(t.Kind)
			}
			if i < len(params) && params[i] != 0 {
				t, _ = datum.TypeOfOID(params[i])
			}
			p.params = append(p.params, t)
			p.cols = append(p.cols, session.Column{Name: "c" + strconv.Itoa(i+1), Type: t})
		}
	case "write", "fail", "failcommit", "begin", "commit", "rollback", "set", "notice", "panic", "copyin", "copyinbin", "copyout":
	default:
		return nil, sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", verb).At(s.offset + 1)
	}
	return p, nil
}

func (c *fakeConn) Store(name string, p session.Prepared) error {
	if _, mine := p.(*fakePrepared); !mine {
		return sqlstate.New(sqlstate.Internal, "a prepared statement of kind %T was not made by Prepare", p)
	}
	if c.stmts[name] != nil {
		return sqlstate.New(sqlstate.DuplicatePrepared, "prepared statement \"%s\" already exists", name)
	}
	c.stmts[name] = p
	return nil
}

func (c *fakeConn) Lookup(name string) (session.Prepared, error) {
	if p := c.stmts[name]; p != nil {
		return p, nil
	}
	return nil, sqlstate.New(sqlstate.InvalidStatementName, "prepared statement \"%s\" does not exist", name)
}

func (c *fakeConn) Drop(name string) { delete(c.stmts, name) }
func (c *fakeConn) TxStatus() byte   { return c.status }

func (c *fakeConn) EndBatch(_ context.Context, failed bool) error {
	if c.status != 'I' {
		if failed {
			c.status = 'E'
		}
		return nil
	}
	return c.commit(failed)
}

func (c *fakeConn) commit(failed bool) error {
	fail := c.failCommit
	pending := c.pending
	c.failCommit, c.pending = false, nil
	if failed {
		return nil
	}
	if fail {
		return sqlstate.New(sqlstate.DiskFull, "no room to commit")
	}
	c.db.mu.Lock()
	c.db.written = append(c.db.written, pending...)
	c.db.mu.Unlock()
	return nil
}

func (c *fakeConn) Reported() []session.Setting {
	out := c.changed
	c.changed = nil
	return out
}

func (c *fakeConn) Notices() []session.Notice {
	out := c.notes
	c.notes = nil
	return out
}

func (c *fakeConn) Format() *datum.Format { return datum.Default }

func (c *fakeConn) Cancel(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == 0 {
		return
	}
	select {
	case c.cancelled <- reason:
	default:
	}
}

func (c *fakeConn) run(by int) {
	c.mu.Lock()
	c.running += by
	if c.running == 0 {
		select {
		case <-c.cancelled:
		default:
		}
	}
	c.mu.Unlock()
	c.db.mu.Lock()
	c.db.results += by
	c.db.mu.Unlock()
	c.db.change.Broadcast()
}

func (c *fakeConn) Close() {
	c.db.mu.Lock()
	c.db.open--
	c.db.mu.Unlock()
	c.db.change.Broadcast()
}

type fakePrepared struct {
	c          *fakeConn
	s          fakeStmt
	verb, rest string
	params     []types.Type
	cols       []session.Column
}

func (p *fakePrepared) Params() []types.Type      { return p.params }
func (p *fakePrepared) Columns() []session.Column { return p.cols }

func (p *fakePrepared) Execute(ctx context.Context, args []*vec.Vector) (session.Result, error) {
	c := p.c
	if c.status == 'E' && p.verb != "commit" && p.verb != "rollback" {
		return nil, sqlstate.New(sqlstate.FailedTransaction, "current transaction is aborted, commands ignored until end of transaction block")
	}
	r := &fakeResult{c: c, p: p, ctx: ctx, tag: strings.ToUpper(p.verb)}
	n, _ := strconv.Atoi(p.rest)
	switch p.verb {
	case "rows", "failrow", "none", "big":
		if p.verb == "none" {
			n = 2
		}
		r.left = n
	case "echo":
		b := &vec.Batch{N: 1}
		for _, a := range args {
			v := &vec.Vector{}
			v.Reset(a.Type)
			v.AppendFrom(a, 0)
			b.Cols = append(b.Cols, v)
		}
		r.only = b
	case "written":
		v := &vec.Vector{}
		v.Reset(types.Of(types.Text))
		c.db.mu.Lock()
		for _, w := range c.db.written {
			v.AppendString(w)
		}
		c.db.mu.Unlock()
		r.only = &vec.Batch{N: v.N, Cols: []*vec.Vector{v}}
	case "write":
		c.pending = append(c.pending, p.rest)
		r.tag = "INSERT 0 1"
	case "fail":
		return nil, c.failure(p.s, p.rest)
	case "failcommit":
		c.failCommit = true
	case "begin":
		c.status = 'T'
	case "commit", "rollback":
		if c.status == 'E' {
			r.tag = "ROLLBACK"
		}
		failed := r.tag == "ROLLBACK"
		c.status = 'I'
		if err := c.commit(failed); err != nil {
			return nil, err
		}
	case "set":
		name, value, _ := strings.Cut(p.rest, " ")
		c.changed = append(c.changed, session.Setting{Name: name, Value: value})
	case "notice":
		c.notes = append(c.notes, session.Notice{Severity: "NOTICE", Code: "00000", Message: p.rest})
	case "panic":
		panic("told to")
	}
	c.run(1)
	return r, nil
}

type fakeResult struct {
	c      *fakeConn
	p      *fakePrepared
	ctx    context.Context
	tag    string
	left   int
	sent   int
	only   *vec.Batch
	data   []byte
	batch  vec.Batch
	closed bool
}

func (r *fakeResult) Columns() []session.Column { return r.p.cols }

func (r *fakeResult) stopped() error {
	select {
	case reason := <-r.c.cancelled:
		return sqlstate.New(sqlstate.QueryCanceled, "%s", reason)
	default:
		return nil
	}
}

func (r *fakeResult) Next() (*vec.Batch, error) {
	if r.p.verb == "sleep" {
		r.c.db.asleep <- struct{}{}
		return nil, sqlstate.New(sqlstate.QueryCanceled, "%s", <-r.c.cancelled)
	}
	if err := r.stopped(); err != nil {
		return nil, err
	}
	if r.only != nil {
		b := r.only
		r.only = nil
		r.sent += b.N
		return b, nil
	}
	if r.left == 0 {
		if r.p.verb == "failrow" {
			return nil, sqlstate.New(sqlstate.DivisionByZero, "division by zero")
		}
		return nil, nil
	}
	n := min(r.left, 3)
	if r.p.verb == "big" {
		n = min(r.left, 1024)
	}
	r.left -= n
	r.batch = vec.Batch{N: n}
	if r.p.verb != "none" {
		num, str := &vec.Vector{}, &vec.Vector{}
		num.Reset(types.Of(types.Int32))
		str.Reset(types.Of(types.Text))
		for i := range n {
			num.AppendInt(int64(r.sent + i + 1))
			str.AppendString(fmt.Sprintf("row %d", r.sent+i+1))
		}
		r.batch.Cols = []*vec.Vector{num, str}
	}
	r.sent += n
	r.c.db.mu.Lock()
	r.c.db.rows += n
	r.c.db.mu.Unlock()
	return &r.batch, nil
}

func (r *fakeResult) Tag() string {
	switch {
	case r.p.cols != nil:
		return "SELECT " + strconv.Itoa(r.sent)
	case strings.HasPrefix(r.p.verb, "copy"):
		return "COPY " + strconv.Itoa(r.sent)
	}
	return r.tag
}

func (r *fakeResult) CopyIn() session.CopyIn {
	if strings.HasPrefix(r.p.verb, "copyin") {
		return (*fakeCopyIn)(r)
	}
	return nil
}

func (r *fakeResult) CopyOut() session.CopyOut {
	if r.p.verb == "copyout" {
		r.left, _ = strconv.Atoi(r.p.rest)
		return (*fakeCopyOut)(r)
	}
	return nil
}

func (r *fakeResult) Close() error {
	if !r.closed {
		r.closed = true
		r.c.run(-1)
	}
	return nil
}

type fakeCopyIn fakeResult

func (r *fakeCopyIn) Format() session.CopyFormat {
	return session.CopyFormat{Binary: r.p.verb == "copyinbin", Columns: 2}
}

func (r *fakeCopyIn) Write(p []byte) error {
	r.data = append(r.data, p...)
	if strings.Contains(string(r.data), "bad") {
		return &sqlstate.Error{Code: sqlstate.BadCopyFormat, Message: "bad data", Where: "COPY t, line 1"}
	}
	return nil
}

func (r *fakeCopyIn) Done() error {
	lines := strings.Split(strings.TrimSuffix(string(r.data), "\n"), "\n")
	r.sent = len(lines)
	r.c.pending = append(r.c.pending, lines...)
	return nil
}

func (r *fakeCopyIn) Fail(reason string) error {
	return sqlstate.New(sqlstate.QueryCanceled, "COPY from stdin failed: %s", reason)
}

type fakeCopyOut fakeResult

func (r *fakeCopyOut) Format() session.CopyFormat { return session.CopyFormat{Columns: 2} }

func (r *fakeCopyOut) Next() ([]byte, error) {
	if r.left == 0 {
		return nil, nil
	}
	r.left--
	r.sent++
	return []byte(fmt.Sprintf("%d\trow\n", r.sent)), nil
}

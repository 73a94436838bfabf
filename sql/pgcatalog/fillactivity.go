package pgcatalog

import (
	"net"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/vec"
)

// fillActivity lists the sessions of the process. Without roles, everybody sees everybody's.
func fillActivity(e *env, w *writer) error {
	db, name, pid, user, userName := w.col("datid"), w.col("datname"), w.col("pid"), w.col("usesysid"), w.col("usename")
	app, addr, port := w.col("application_name"), w.col("client_addr"), w.col("client_port")
	connected, began, changed := w.col("backend_start"), w.col("query_start"), w.col("state_change")
	waitType, wait, state, query, kind := w.col("wait_event_type"), w.col("wait_event"), w.col("state"), w.col("query"), w.col("backend_type")
	for _, b := range e.info.Activity().Backends() {
		db.oid(oidDatabase)
		name.str(b.Database)
		pid.int(int64(b.PID))
		user.oid(oidOwner)
		userName.str(b.User)
		app.str(b.Application)
		if host, p, err := net.SplitHostPort(b.Remote); err == nil {
			addr.str(host)
			if n, err := strconv.ParseInt(p, 10, 32); err == nil {
				port.int(n)
			}
		}
		at := func(c cell, t time.Time) {
			if !t.IsZero() {
				c.int(t.UnixMicro())
			}
		}
		at(connected, b.Connected)
		at(began, b.Began)
		at(changed, b.Changed)
		if b.State != "active" {
			waitType.str("Client")
			wait.str("ClientRead")
		}
		state.str(b.State)
		query.str(cutText(b.Query, 1<<10)) // as long as PostgreSQL's track_activity_query_size
		kind.str("client backend")
		w.next()
	}
	return nil
}

// cutText returns at most n bytes of s, whole characters.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// addActivity registers what stops others.
func addActivity(f *funcs) {
	f.fn("pg_cancel_backend", sig(tInt4), tBool, func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendBool(e.info.Activity().Cancel(int32(a[0].Int(i))))
		return nil
	}).Volatile = expr.Volatile
	terminate := func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendBool(e.info.Activity().Terminate(int32(a[0].Int(i))))
		return nil
	}
	// The second argument is how long to wait for the end; the answer is given at once whatever it says.
	f.fn("pg_terminate_backend", sig(tInt4), tBool, terminate).Volatile = expr.Volatile
	f.fn("pg_terminate_backend", sig(tInt4, tInt8), tBool, terminate).Volatile = expr.Volatile
}

package builtin

import (
	"crypto/rand"
	"strconv"
	"strings"
	"time"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// SessionFuncs is what the functions about the session ask of it, beside expr.SessionInfo. sql/session's Info has all
// of it.
type SessionFuncs interface {
	expr.SessionInfo
	// SearchPath lists the schemas on the search path that exist; implicit adds pg_catalog where it is searched.
	SearchPath(implicit bool) []string
	// SetConfig changes a setting and returns the new value.
	SetConfig(name, value string, local bool) (string, error)
	PID() int32
	Version() string
}

// ServerVersion is the PostgreSQL version whose behaviour is offered: drivers read it.
const ServerVersion = "15.0"

// VersionText is what version() answers. Drivers look for "PostgreSQL N" at the start.
func VersionText(product string) string {
	return "PostgreSQL " + ServerVersion + " (telemdb " + product + ")"
}

func session(ctx *expr.Ctx) (SessionFuncs, error) {
	if ctx != nil {
		if s, ok := ctx.Session.(SessionFuncs); ok {
			return s, nil
		}
	}
	return nil, sqlstate.New(sqlstate.FeatureNotSupported, "this function needs a session")
}

// sessionFn registers a stable function of the session without arguments.
func (r *registry) sessionFn(name string, ret types.Type, f func(s SessionFuncs, out *vec.Vector)) {
	stable(r.fn(name, nil, ret, func(ctx *expr.Ctx, _ []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
		s, err := session(ctx)
		if err != nil {
			return err
		}
		f(s, out)
		out.Form, out.N = vec.Const, n
		return nil
	}))
}

func addSystem(r *registry) {
	addSessionInfo(r)
	addSettings(r)
	// pg_typeof is answered from the argument's type, whatever its value.
	called(r.fn("pg_typeof", sig(tAny), types.Of(types.Regtype), func(_ *expr.Ctx, args []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
		t := args[0].Type
		if t.Kind == types.Unknown {
			t = tText
		}
		out.AppendInt(int64(datum.OID(t)))
		out.Form, out.N = vec.Const, n
		return nil
	}))
	volatile(r.fn("gen_random_uuid", nil, tUUID, func(_ *expr.Ctx, _ []*vec.Vector, _ vec.Bitmap, n int, out *vec.Vector) error {
		var u [16]byte
		for range n {
			if _, err := rand.Read(u[:]); err != nil {
				return sqlstate.Wrap(sqlstate.IOError, err)
			}
			u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
			out.AppendBytes(u[:])
		}
		return nil
	}))
	volatile(r.fn("pg_sleep", sig(tFloat8), tVoid, byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendBytes(nil)
		return sleep(ctx, args[0].Float(i))
	})))
	for _, t := range []types.Type{tInt8, tNumeric} {
		r.fn("pg_size_pretty", sig(t), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			n, err := asNumeric(args[0], i)
			if err != nil {
				return err
			}
			x, err := n.Int64(types.Int64)
			out.AppendString(SizePretty(x))
			return err
		}))
	}
	r.fn("num_nonnulls", sig(tAny), tInt4, countNulls(false))
	r.fn("num_nulls", sig(tAny), tInt4, countNulls(true))
	for _, name := range []string{"num_nonnulls", "num_nulls"} {
		variadic(called(r.scalars[name][0]))
	}
}

func countNulls(nulls bool) evalFunc {
	return byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		n := int64(0)
		for _, a := range args {
			if a.Null(i) == nulls {
				n++
			}
		}
		out.AppendInt(n)
		return nil
	})
}

// sleep waits, but not longer than the statement lives.
func sleep(ctx *expr.Ctx, seconds float64) error {
	if !(seconds > 0) {
		return nil
	}
	t := time.NewTimer(time.Duration(min(seconds, 1e9) * float64(time.Second)))
	defer t.Stop()
	var done <-chan struct{}
	if ctx != nil && ctx.Context != nil {
		done = ctx.Context.Done()
	}
	select {
	case <-t.C:
		return nil
	case <-done:
		return sqlstate.New(sqlstate.QueryCanceled, "canceling statement due to user request")
	}
}

func addSessionInfo(r *registry) {
	text := func(name string, f func(s SessionFuncs) string) {
		r.sessionFn(name, tText, func(s SessionFuncs, out *vec.Vector) { out.AppendString(f(s)) })
	}
	name := func(name string, f func(s SessionFuncs) string) {
		r.sessionFn(name, tName, func(s SessionFuncs, out *vec.Vector) { out.AppendString(f(s)) })
	}
	text("version", func(s SessionFuncs) string { return VersionText(s.Version()) })
	name("current_database", func(s SessionFuncs) string { return s.Database() })
	name("current_catalog", func(s SessionFuncs) string { return s.Database() })
	for _, n := range []string{"current_user", "session_user", "user", "current_role"} {
		name(n, func(s SessionFuncs) string { return s.User() })
	}
	r.sessionFn("current_schema", tName, func(s SessionFuncs, out *vec.Vector) {
		if p := s.SearchPath(false); len(p) > 0 {
			out.AppendString(p[0])
		} else {
			out.AppendNull()
		}
	})
	r.sessionFn("pg_backend_pid", tInt4, func(s SessionFuncs, out *vec.Vector) { out.AppendInt(int64(s.PID())) })
	stable(r.fn("current_schemas", sig(tBool), types.ArrayOf(types.Name), byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		s, err := session(ctx)
		if err != nil {
			return err
		}
		var names vec.Vector
		names.Reset(tName)
		for _, n := range s.SearchPath(args[0].Bool(i)) {
			names.AppendString(n)
		}
		out.AppendBytes(datum.EncodeArray(nil, &names, 0, names.N))
		return nil
	})))
}

func addSettings(r *registry) {
	current := byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		name := string(args[0].Bytes(i))
		if ctx != nil && ctx.Session != nil {
			if v, ok := ctx.Session.Setting(strings.ToLower(name)); ok {
				out.AppendString(v)
				return nil
			}
		}
		if len(args) > 1 && args[1].Bool(i) {
			out.AppendNull()
			return nil
		}
		return sqlstate.New(sqlstate.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
	})
	stable(r.fn("current_setting", sig(tText), tText, current))
	stable(r.fn("current_setting", sig(tText, tBool), tText, current))
	volatile(called(r.fn("set_config", sig(tText, tText, tBool), tText, byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		s, err := session(ctx)
		if err != nil {
			return err
		}
		if args[0].Null(i) {
			return sqlstate.New("22004", "SET requires parameter name")
		}
		local := !args[2].Null(i) && args[2].Bool(i)
		v, err := s.SetConfig(strings.ToLower(string(args[0].Bytes(i))), string(args[1].Bytes(i)), local)
		out.AppendString(v)
		return err
	}))))
}

// SizePretty prints a number of bytes as pg_size_pretty does: kB from 10 kB on, and so forth.
func SizePretty(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB", "PB"}
	u, half := 0, false
	for ; u < len(units)-1 && absInt(n) >= limitOf(u); u++ {
		// One bit is kept for rounding at the end.
		shift := 10
		if u == 0 {
			shift = 9
		}
		n /= 1 << shift
		half = true
	}
	if half {
		if n >= 0 {
			n = (n + 1) / 2
		} else {
			n = (n - 1) / 2
		}
	}
	return strconv.FormatInt(n, 10) + " " + units[u]
}

// limitOf is where a unit gives way to the next: 10 of the next one, counted in halves above bytes.
func limitOf(u int) int64 {
	if u == 0 {
		return 10 * 1024
	}
	return 20*1024 - 1
}

package pgcatalog

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

//go:embed procoids.txt
var procOIDText string

// funcs gathers the functions of the package.
type funcs struct {
	c       *Catalog
	oids    map[string]uint32
	scalars map[string][]*expr.Func
	sets    map[string][]*plan.TableFunc
}

// rowFunc computes one row: it appends exactly one value to out.
type rowFunc = func(e *env, args []*vec.Vector, i int, out *vec.Vector) error

// setFunc appends the rows for one row of arguments to out and returns their number.
type setFunc = func(e *env, args []*vec.Vector, i int, out []*vec.Vector) (int, error)

func (c *Catalog) functions() (map[string][]*expr.Func, map[string][]*plan.TableFunc) {
	f := &funcs{c: c, oids: parseProcOIDs(), scalars: map[string][]*expr.Func{}, sets: map[string][]*plan.TableFunc{}}
	for _, add := range []func(*funcs){addTypeFuncs, addVisibility, addDefinitions, addPrivileges, addSizes, addSession, addRegFuncs, addSetFuncs, addActivity} {
		add(f)
	}
	return f.scalars, f.sets
}

// parseProcOIDs reads procoids.txt: an oid and a signature a line.
func parseProcOIDs() map[string]uint32 {
	m := map[string]uint32{}
	for line := range strings.Lines(procOIDText) {
		oid, sig, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || oid == "#" {
			continue
		}
		n, err := strconv.ParseUint(oid, 10, 32)
		if err != nil {
			panic(fmt.Sprintf("BUG: pgcatalog: procoids.txt: %q: %v", line, err))
		}
		m[sig] = uint32(n)
	}
	return m
}

// Shorthand for signatures.
var (
	tBool      = types.Of(types.Bool)
	tInt2      = types.Of(types.Int16)
	tInt4      = types.Of(types.Int32)
	tInt8      = types.Of(types.Int64)
	tText      = types.Of(types.Text)
	tName      = types.Of(types.Name)
	tOID       = types.Of(types.OID)
	tNumeric   = types.Of(types.Numeric)
	tRegclass  = types.Of(types.Regclass)
	tTree      = types.Of(types.PgNodeTree)
	tTimestamp = types.Of(types.Timestamptz)
	tVoid      = types.Of(types.Void)
)

func sig(ts ...types.Type) []types.Type { return ts }

// fn registers a strict function whose value is the same throughout a statement. What sql/builtin has already is left
// to it.
func (f *funcs) fn(name string, args []types.Type, ret types.Type, eval rowFunc) *expr.Func {
	fn := &expr.Func{Name: name, Args: args, Ret: ret, Volatile: expr.Stable, OID: f.oids[builtin.Signature(name, args)]}
	fn.Eval = func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		e, err := f.c.env(ctx)
		if err != nil {
			return err
		}
		e.memo = map[string]int64{}
		for i := range n {
			if !sel.Get(i) {
				out.AppendNull()
				continue
			}
			if err := eval(e, args, i, out); err != nil {
				return err
			}
		}
		return nil
	}
	for _, b := range builtin.Scalars(name) {
		if slices.Equal(b.Args, args) {
			return fn
		}
	}
	f.scalars[name] = append(f.scalars[name], fn)
	return fn
}

// each registers the same function for several signatures.
func (f *funcs) each(name string, ret types.Type, eval rowFunc, sigs ...[]types.Type) {
	for _, s := range sigs {
		f.fn(name, s, ret, eval)
	}
}

// set registers a set-returning function.
func (f *funcs) set(name string, args []types.Type, ret []plan.Col, call setFunc) *plan.TableFunc {
	fn := &plan.TableFunc{Name: name, Args: args, Ret: ret, OID: f.oids[builtin.Signature(name, args)]}
	fn.Call = func(ctx *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
		for _, a := range args {
			if a.Null(i) {
				return 0, nil
			}
		}
		e, err := f.c.env(ctx)
		if err != nil {
			return 0, err
		}
		return call(e, args, i, out)
	}
	for _, b := range builtin.TableFuncs(name) {
		if slices.Equal(b.Args, args) {
			return fn
		}
	}
	f.sets[name] = append(f.sets[name], fn)
	return fn
}

// null is a function of objects that do not exist here: its value is NULL for every argument.
func null(_ *env, _ []*vec.Vector, _ int, out *vec.Vector) error {
	out.AppendNull()
	return nil
}

// text is row i of an argument.
func text(v *vec.Vector, i int) string { return string(v.Bytes(i)) }

func oidOf(v *vec.Vector, i int) uint32 { return uint32(v.Int(i)) }

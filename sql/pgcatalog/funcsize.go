package pgcatalog

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func addSizes(f *funcs) {
	relation := func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
		k := e.w.byOID[oidOf(a[0], i)]
		if k == nil {
			out.AppendNull()
			return nil
		}
		n, err := e.size(k.name.String())
		if err != nil {
			return err
		}
		out.AppendInt(n)
		return nil
	}
	f.fn("pg_relation_size", sig(tRegclass), tInt8, relation)
	f.fn("pg_table_size", sig(tRegclass), tInt8, relation)
	f.fn("pg_total_relation_size", sig(tRegclass), tInt8, relation)
	f.fn("pg_relation_size", sig(tRegclass, tText), tInt8, func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
		switch fork := text(a[1], i); fork {
		case "main":
			return relation(e, a, i, out)
		case "fsm", "vm", "init":
			out.AppendInt(0)
			return nil
		default:
			return sqlstate.New(sqlstate.InvalidParameter, "invalid fork name").WithHint("Valid fork names are \"main\", \"fsm\", \"vm\", and \"init\".")
		}
	})
	f.fn("pg_indexes_size", sig(tRegclass), tInt8, func(_ *env, _ []*vec.Vector, _ int, out *vec.Vector) error {
		out.AppendInt(0)
		return nil
	})
	for _, what := range []struct {
		fn   string
		name func(e *env) string
		oid  uint32
		code string
	}{
		{"database", func(e *env) string { return e.info.Database() }, oidDatabase, sqlstate.InvalidCatalog},
		{"tablespace", func(*env) string { return "pg_default" }, oidTablespace, sqlstate.UndefinedObject},
	} {
		whole := func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
			if a[0].Type.Kind == types.OID {
				if oidOf(a[0], i) != what.oid {
					out.AppendNull()
					return nil
				}
			} else if n := text(a[0], i); n != what.name(e) {
				if n == "template0" || n == "template1" || n == "pg_global" {
					out.AppendInt(0)
					return nil
				}
				return sqlstate.New(what.code, "%s \"%s\" does not exist", what.fn, n)
			}
			n, err := e.size("")
			if err != nil {
				return err
			}
			out.AppendInt(n)
			return nil
		}
		f.each("pg_"+what.fn+"_size", tInt8, whole, sig(tName), sig(tOID))
	}
	f.fn("pg_size_pretty", sig(tInt8), tText, func(_ *env, a []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendString(sizePretty(big.NewInt(a[0].Int(i)), ""))
		return nil
	})
	f.fn("pg_size_pretty", sig(tNumeric), tText, func(_ *env, a []*vec.Vector, i int, out *vec.Vector) error {
		whole, frac, _ := strings.Cut(text(a[0], i), ".")
		n, ok := new(big.Int).SetString(whole, 10)
		if !ok {
			out.AppendString(text(a[0], i) + " bytes") // NaN, Infinity
			return nil
		}
		out.AppendString(sizePretty(n, frac))
		return nil
	})
}

// size is the bytes a table has in segments, "" meaning all tables. The head's bytes are in memory and not counted. The
// sums are made once for the batch that is evaluated.
func (e *env) size(table string) (int64, error) {
	if _, made := e.memo[""]; !made {
		e.memo[""] = 0
		if err := e.sumSegments(); err != nil {
			return 0, err
		}
	}
	return e.memo[table], nil
}

// sumSegments adds up telemdb.segments.
func (e *env) sumSegments() error {
	for _, t := range e.info.SystemTables() {
		if t.Name != (types.TableName{Schema: "telemdb", Name: "segments"}) {
			continue
		}
		r, err := t.Rows(e.ctx, e.info.Snapshot(), plan.VirtualScan{})
		if err != nil {
			return err
		}
		defer r.Close()
		return e.addSegments(t, r)
	}
	return nil
}

func (e *env) addSegments(t session.SystemTable, r plan.Rows) error {
	schema, name, bytes := columnOf(t, "schema_name"), columnOf(t, "table_name"), columnOf(t, "bytes")
	if schema < 0 || name < 0 || bytes < 0 {
		return sqlstate.New(sqlstate.Internal, "telemdb.segments lacks a column that sizes are made from")
	}
	for {
		b, err := r.Next()
		if err != nil || b == nil {
			return err
		}
		for i := range b.N {
			n := b.Cols[bytes].Int(i)
			e.memo[""] += n
			e.memo[text(b.Cols[schema], i)+"."+text(b.Cols[name], i)] += n
		}
	}
}

func columnOf(t session.SystemTable, name string) int {
	for i, c := range t.Cols {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// sizeUnits are PostgreSQL's: from each unit's limit on the next one is used.
var sizeUnits = []struct {
	name  string
	limit int64
	round bool
	shift uint // from bytes, of which one bit is kept for rounding where round says so
}{{"bytes", 10 * 1024, false, 0}, {"kB", 20*1024 - 1, true, 9}, {"MB", 20*1024 - 1, true, 19}, {"GB", 20*1024 - 1, true, 29}, {"TB", 20*1024 - 1, true, 39}, {"PB", 20*1024 - 1, true, 49}}

// sizePretty prints a number of bytes; frac is the decimals of a numeric, which only bytes keep.
func sizePretty(n *big.Int, frac string) string {
	for i, u := range sizeUnits {
		v := new(big.Int).Quo(n, new(big.Int).Lsh(big.NewInt(1), u.shift))
		last := i == len(sizeUnits)-1
		if !last && new(big.Int).Abs(v).Cmp(big.NewInt(u.limit)) >= 0 {
			continue
		}
		if !u.round {
			s := n.String()
			if frac != "" {
				s += "." + frac
			}
			return s + " " + u.name
		}
		if v.Sign() >= 0 {
			v.Add(v, big.NewInt(1))
		} else {
			v.Sub(v, big.NewInt(1))
		}
		return v.Quo(v, big.NewInt(2)).String() + " " + u.name
	}
	return strconv.Itoa(0)
}

package pgcatalog

import (
	"slices"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/storage/types"
)

// Functions below this oid are PostgreSQL's, with its very signature.
const firstOwnProc = 16000

// postgresNames are functions that PostgreSQL has with other lists of arguments.
var postgresNames = []string{"convert_from", "convert_to", "jsonb_insert", "jsonb_set", "make_interval"}

// keywords are words of the grammar, which have no row in pg_proc though the registry makes their values.
var keywords = []string{"current_catalog", "current_date", "current_role", "current_time", "current_timestamp", "localtime", "localtimestamp", "trim", "user"}

// proc is a row of pg_proc.
type proc struct {
	oid        uint32
	name       string
	schema     string // telemdb for what only telemdb has: that too is found without a schema
	kind       byte   // f, a
	volatility byte   // i s v
	strict     bool
	set        bool
	variadic   bool
	args       []types.Type
	ret        types.Type
	out        []plan.Col // of a set with several columns
	direct     int        // of an ordered-set aggregate: the number of arguments before ORDER BY; -1 for others
}

// procTable is all functions that can be called.
type procTable struct {
	all    []*proc // by name, then oid
	byOID  map[uint32]*proc
	byName map[string][]*proc
}

func newProcTable(c *Catalog) *procTable {
	t := &procTable{byOID: map[uint32]*proc{}, byName: map[string][]*proc{}}
	for _, f := range builtin.AllScalars() {
		t.scalar(f)
	}
	for _, fs := range c.scalars {
		for _, f := range fs {
			t.scalar(f)
		}
	}
	for _, f := range builtin.AllTableFuncs() {
		t.set(f)
	}
	for _, fs := range c.sets {
		for _, f := range fs {
			t.set(f)
		}
	}
	for _, f := range builtin.AllAggregates() {
		p := &proc{oid: f.OID, name: f.Name, kind: 'a', volatility: 'i', variadic: f.Variadic, args: f.Args, ret: f.Ret, direct: -1}
		if f.OrderedSet {
			p.direct = len(f.Args)
			p.args = append(slices.Clone(f.Args), types.Of(types.AnyElement))
		}
		t.add(p)
	}
	for name, ps := range t.byName {
		schema := schemaOfProc(name, ps)
		for _, p := range ps {
			p.schema = schema
		}
	}
	slices.SortFunc(t.all, func(a, b *proc) int {
		if n := strings.Compare(a.name, b.name); n != 0 {
			return n
		}
		return int(int64(a.oid) - int64(b.oid))
	})
	return t
}

func schemaOfProc(name string, overloads []*proc) string {
	switch {
	case strings.HasPrefix(name, "_pg_"):
		return "information_schema"
	case slices.Contains(postgresNames, name), slices.ContainsFunc(overloads, func(p *proc) bool { return p.oid < firstOwnProc }):
		return "pg_catalog"
	}
	return "telemdb"
}

func (t *procTable) scalar(f *expr.Func) {
	t.add(&proc{oid: f.OID, name: f.Name, kind: 'f', volatility: "isv"[f.Volatile], strict: !f.Called, variadic: f.Variadic, args: f.Args, ret: f.Ret, direct: -1})
}

func (t *procTable) set(f *plan.TableFunc) {
	p := &proc{oid: f.OID, name: f.Name, kind: 'f', volatility: 's', strict: true, set: true, variadic: f.Variadic, args: f.Args, direct: -1}
	if len(f.Ret) == 1 {
		p.ret = f.Ret[0].Type
	} else {
		p.ret, p.out = types.Of(types.Record), f.Ret
	}
	t.add(p)
}

func (t *procTable) add(p *proc) {
	if slices.Contains(keywords, p.name) {
		return
	}
	if p.oid == 0 {
		p.oid = nameOID(builtin.Signature(p.name, p.args))
	}
	t.all = append(t.all, p)
	t.byOID[p.oid] = p
	t.byName[p.name] = append(t.byName[p.name], p)
}

// nameOID makes an object id from a name, in the range [2^30, 2^31): FNV-1a.
func nameOID(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h>>2 | 1<<30
}

// argTypes are the oids of proargtypes. The last one of a variadic function is an array, or "any".
func (p *proc) argTypes() []int64 {
	out := make([]int64, len(p.args))
	for i, t := range p.args {
		if p.variadic && i == len(p.args)-1 && datum.ArrayOID(t.Kind) != 0 {
			t = types.ArrayOf(t.Kind)
		}
		out[i] = int64(datum.OID(t))
	}
	return out
}

// arguments is pg_get_function_arguments.
func (p *proc) arguments() string {
	var b strings.Builder
	for i, oid := range p.argTypes() {
		switch {
		case p.direct == i:
			b.WriteString(" ORDER BY ")
		case i > 0:
			b.WriteString(", ")
		}
		if p.variadic && i == len(p.args)-1 {
			b.WriteString("VARIADIC ")
		}
		t, _ := datum.TypeOfOID(uint32(oid))
		b.WriteString(datum.FormatType(t))
	}
	for i, c := range p.out {
		if i > 0 || len(p.args) > 0 {
			b.WriteString(", ")
		}
		b.WriteString("OUT " + quoteIdent(c.Name) + " " + datum.FormatType(c.Type))
	}
	return strings.TrimPrefix(b.String(), " ")
}

// result is pg_get_function_result.
func (p *proc) result() string {
	if p.set {
		return "SETOF " + datum.FormatType(p.ret)
	}
	return datum.FormatType(p.ret)
}

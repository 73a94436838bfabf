package pgcatalog

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/sql/builtin"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
)

func fillNamespaces(e *env, w *writer) error {
	oid, name, owner := w.col("oid"), w.col("nspname"), w.col("nspowner")
	for _, s := range e.w.schemas {
		oid.oid(session.SchemaOID(s))
		name.str(s)
		owner.oid(oidOwner)
		w.next()
	}
	return nil
}

func fillClasses(e *env, w *writer) error {
	oid, name, schema, typ, owner, am := w.col("oid"), w.col("relname"), w.col("relnamespace"), w.col("reltype"), w.col("relowner"), w.col("relam")
	tuples, kind, persistence, natts, rules := w.col("reltuples"), w.col("relkind"), w.col("relpersistence"), w.col("relnatts"), w.col("relhasrules")
	populated, identity, options := w.col("relispopulated"), w.col("relreplident"), w.col("reloptions")
	for _, k := range e.w.classes {
		oid.oid(k.oid)
		name.str(k.name.Name)
		schema.oid(session.SchemaOID(k.name.Schema))
		typ.oid(k.typeOID)
		owner.oid(oidOwner)
		tuples.float(-1) // not known
		kind.char(k.kind)
		persistence.char('p')
		natts.int(int64(len(k.attrs)))
		rules.bool(k.view != "")
		populated.bool(true)
		if k.kind == 'r' {
			am.oid(oidHeap)
		}
		if k.kind == 'r' && !k.system {
			identity.char('d')
		} else {
			identity.char('n')
		}
		if k.stored != nil {
			if opts := session.TableOptions(k.stored); opts != nil {
				options.strs(opts)
			}
		}
		w.next()
	}
	return nil
}

func fillAttributes(e *env, w *writer) error {
	rel, name, typ, target, length := w.col("attrelid"), w.col("attname"), w.col("atttypid"), w.col("attstattarget"), w.col("attlen")
	num, dims, cache, mod, byVal := w.col("attnum"), w.col("attndims"), w.col("attcacheoff"), w.col("atttypmod"), w.col("attbyval")
	align, storage, notNull, local, collation := w.col("attalign"), w.col("attstorage"), w.col("attnotnull"), w.col("attislocal"), w.col("attcollation")
	for _, k := range e.w.classes {
		for i, a := range k.attrs {
			t := e.c.types.of(a.typ)
			rel.oid(k.oid)
			name.str(a.name)
			typ.oid(t.oid)
			target.int(-1)
			length.int(int64(t.len))
			num.int(int64(i + 1))
			dims.int(int64(b2i(a.typ.Kind == types.Array)))
			cache.int(-1)
			mod.int(int64(datum.TypMod(a.typ)))
			byVal.bool(t.byVal)
			align.char(t.align)
			storage.char(t.storage)
			notNull.bool(a.notNull)
			local.bool(true)
			if t.collation == 100 && k.name.Schema == "pg_catalog" {
				collation.oid(950)
			} else {
				collation.oid(t.collation)
			}
			w.next()
		}
	}
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// rowTypeFuncs are record_in, record_out, record_recv and record_send: what the row type of a table is read with.
var rowTypeFuncs = [4]uint32{2290, 2291, 2402, 2403}

func fillTypes(e *env, w *writer) error {
	row := newTypeCells(w)
	for _, p := range e.c.types.all {
		row.set(p, session.SchemaOID("pg_catalog"), 0)
		w.next()
	}
	for _, k := range e.w.classes {
		if k.typeOID == 0 {
			continue
		}
		p := &pgType{oid: k.typeOID, name: k.name.Name, len: -1, typtype: 'c', category: 'C', align: 'd', storage: 'x'}
		copy(p.funcs[:], rowTypeFuncs[:])
		row.set(p, session.SchemaOID(k.name.Schema), k.oid)
		w.next()
	}
	return nil
}

// typeCells are the columns of pg_type.
type typeCells struct {
	oid, name, schema, owner, length, byVal, typtype, category, preferred, defined, delim, rel, elem, array cell
	funcs                                                                                                   [8]cell
	align, storage, mod, collation                                                                          cell
}

func newTypeCells(w *writer) *typeCells {
	c := &typeCells{oid: w.col("oid"), name: w.col("typname"), schema: w.col("typnamespace"), owner: w.col("typowner"), length: w.col("typlen"),
		byVal: w.col("typbyval"), typtype: w.col("typtype"), category: w.col("typcategory"), preferred: w.col("typispreferred"),
		defined: w.col("typisdefined"), delim: w.col("typdelim"), rel: w.col("typrelid"), elem: w.col("typelem"), array: w.col("typarray"),
		align: w.col("typalign"), storage: w.col("typstorage"), mod: w.col("typtypmod"), collation: w.col("typcollation")}
	for i, n := range []string{"typinput", "typoutput", "typreceive", "typsend", "typmodin", "typmodout", "typanalyze", "typsubscript"} {
		c.funcs[i] = w.col(n)
	}
	return c
}

func (c *typeCells) set(p *pgType, schema, rel uint32) {
	c.oid.oid(p.oid)
	c.name.str(p.name)
	c.schema.oid(schema)
	c.owner.oid(oidOwner)
	c.length.int(int64(p.len))
	c.byVal.bool(p.byVal)
	c.typtype.char(p.typtype)
	c.category.char(p.category)
	c.preferred.bool(p.preferred)
	c.defined.bool(true)
	c.delim.char(',')
	c.rel.oid(rel)
	c.elem.oid(p.elem)
	c.array.oid(p.array)
	for i, f := range p.funcs {
		c.funcs[i].oid(f)
	}
	c.align.char(p.align)
	c.storage.char(p.storage)
	c.mod.int(-1)
	c.collation.oid(p.collation)
}

func fillProcs(e *env, w *writer) error {
	oid, name, schema, owner, lang := w.col("oid"), w.col("proname"), w.col("pronamespace"), w.col("proowner"), w.col("prolang")
	cost, rowsEst, variadic, kind, strict := w.col("procost"), w.col("prorows"), w.col("provariadic"), w.col("prokind"), w.col("proisstrict")
	set, volatility, parallel, nargs, ret := w.col("proretset"), w.col("provolatile"), w.col("proparallel"), w.col("pronargs"), w.col("prorettype")
	args, all, modes, names, src := w.col("proargtypes"), w.col("proallargtypes"), w.col("proargmodes"), w.col("proargnames"), w.col("prosrc")
	for _, p := range e.c.procs.all {
		oid.oid(p.oid)
		name.str(p.name)
		schema.oid(session.SchemaOID(p.schema))
		owner.oid(oidOwner)
		lang.oid(12) // internal
		cost.float(1)
		if p.set {
			rowsEst.float(1000)
		}
		in := p.argTypes()
		if p.variadic && len(p.args) > 0 {
			last := p.args[len(p.args)-1]
			variadic.oid(datum.OID(last))
		}
		kind.char(p.kind)
		strict.bool(p.strict)
		set.bool(p.set)
		volatility.char(p.volatility)
		parallel.char('s')
		nargs.int(int64(len(in)))
		ret.oid(datum.OID(p.ret))
		args.ints(in)
		if len(p.out) > 0 {
			var m, n []string
			for range in {
				m, n = append(m, "i"), append(n, "")
			}
			for _, c := range p.out {
				in, m, n = append(in, int64(datum.OID(c.Type))), append(m, "o"), append(n, c.Name)
			}
			all.ints(in)
			modes.strs(m)
			names.strs(n)
		}
		src.str(p.name)
		w.next()
	}
	return nil
}

func fillAggregates(e *env, w *writer) error {
	oid, kind, direct := w.col("aggfnoid"), w.col("aggkind"), w.col("aggnumdirectargs")
	finalModify, moveModify := w.col("aggfinalmodify"), w.col("aggmfinalmodify")
	for _, p := range e.c.procs.all {
		if p.kind != 'a' {
			continue
		}
		oid.oid(p.oid)
		if p.direct >= 0 {
			kind.char('o')
			direct.int(int64(p.direct))
		} else {
			kind.char('n')
		}
		finalModify.char('r')
		moveModify.char('r')
		w.next()
	}
	return nil
}

func fillOperators(e *env, w *writer) error {
	oid, name, schema, owner, kind := w.col("oid"), w.col("oprname"), w.col("oprnamespace"), w.col("oprowner"), w.col("oprkind")
	left, right, result := w.col("oprleft"), w.col("oprright"), w.col("oprresult")
	for _, f := range builtin.AllOperators() {
		oid.oid(nameOID("operator " + builtin.Signature(f.Name, f.Args)))
		name.str(f.Name)
		schema.oid(session.SchemaOID("pg_catalog"))
		owner.oid(oidOwner)
		if len(f.Args) == 1 {
			kind.char('l')
		} else {
			kind.char('b')
			left.oid(datum.OID(f.Args[0]))
		}
		right.oid(datum.OID(f.Args[len(f.Args)-1]))
		result.oid(datum.OID(f.Ret))
		w.next()
	}
	return nil
}

// fillRewrites gives each stored view the rule that makes it one.
func fillRewrites(e *env, w *writer) error {
	oid, name, class, event, enabled, instead := w.col("oid"), w.col("rulename"), w.col("ev_class"), w.col("ev_type"), w.col("ev_enabled"), w.col("is_instead")
	for _, k := range e.w.classes {
		if k.view == "" {
			continue
		}
		oid.oid(nameOID("rule _RETURN " + k.name.String()))
		name.str("_RETURN")
		class.oid(k.oid)
		event.char('1')
		enabled.char('O')
		instead.bool(true)
		w.next()
	}
	return nil
}

// fillCasts asks the registry of casts for every pair of types. Casts through the text form are none of pg_cast; they
// are told by a string on one side.
func fillCasts(_ *env, w *writer) error {
	oid, source, target, context, method := w.col("oid"), w.col("castsource"), w.col("casttarget"), w.col("castcontext"), w.col("castmethod")
	for _, from := range datum.Types {
		for _, to := range datum.Types {
			if from.Kind == to.Kind || from.Pseudo || to.Pseudo {
				continue
			}
			last := builtin.Explicit
			if from.Category == 'S' || to.Category == 'S' {
				last = builtin.Implicit
			}
			for c := builtin.Implicit; c <= last; c++ {
				fn, ok := builtin.FindCast(types.Of(from.Kind), types.Of(to.Kind), c)
				if !ok {
					continue
				}
				oid.oid(nameOID("cast " + from.Name + " " + to.Name))
				source.oid(from.OID)
				target.oid(to.OID)
				context.char("iae"[c])
				if fn == nil {
					method.char('b')
				} else {
					method.char('f')
				}
				w.next()
				break
			}
		}
	}
	return nil
}

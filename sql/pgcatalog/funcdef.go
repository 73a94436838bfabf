package pgcatalog

import (
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func addDefinitions(f *funcs) {
	f.each("pg_get_expr", tText, func(_ *env, a []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendBytes(a[0].Bytes(i)) // a tree is kept as the text it stands for
		return nil
	}, sig(tTree, tOID), sig(tTree, tOID, tBool))
	f.each("pg_get_viewdef", tText, viewDef, sig(tOID), sig(tOID, tBool), sig(tOID, tInt4))
	f.each("pg_get_viewdef", tText, viewDefByName, sig(tText), sig(tText, tBool))

	// Objects that do not exist here.
	for _, name := range []string{"pg_get_constraintdef", "pg_get_ruledef", "pg_get_triggerdef"} {
		f.each(name, tText, null, sig(tOID), sig(tOID, tBool))
	}
	f.each("pg_get_indexdef", tText, null, sig(tOID), sig(tOID, tInt4, tBool))
	for _, name := range []string{"pg_get_partkeydef", "pg_get_partition_constraintdef", "pg_get_statisticsobjdef", "pg_get_statisticsobjdef_columns", "pg_get_function_sqlbody"} {
		f.fn(name, sig(tOID), tText, null)
	}
	f.fn("pg_get_function_arg_default", sig(tOID, tInt4), tText, null)
	f.each("obj_description", tText, null, sig(tOID), sig(tOID, tName))
	f.fn("shobj_description", sig(tOID, tName), tText, null)
	f.fn("col_description", sig(tOID, tInt4), tText, null)
	f.fn("pg_get_serial_sequence", sig(tText, tText), tText, func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
		k, ok := e.find(text(a[0], i))
		if !ok {
			return noRelation(text(a[0], i))
		}
		if k.attr(text(a[1], i)) < 0 {
			return noColumn(k, text(a[1], i))
		}
		out.AppendNull()
		return nil
	})

	procText := func(of func(p *proc) string) rowFunc {
		return func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
			if p := e.c.procs.byOID[oidOf(a[0], i)]; p != nil {
				out.AppendString(of(p))
			} else {
				out.AppendNull()
			}
			return nil
		}
	}
	f.fn("pg_get_function_arguments", sig(tOID), tText, procText((*proc).arguments))
	f.fn("pg_get_function_identity_arguments", sig(tOID), tText, procText((*proc).arguments))
	f.fn("pg_get_function_result", sig(tOID), tText, procText((*proc).result))
	f.fn("pg_get_functiondef", sig(tOID), tText, func(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
		p := e.c.procs.byOID[oidOf(a[0], i)]
		switch {
		case p == nil:
			out.AppendNull()
		case p.kind == 'a':
			return sqlstate.New(sqlstate.WrongObjectType, "\"%s\" is an aggregate function", p.name)
		default:
			out.AppendString(p.definition())
		}
		return nil
	})
}

// definition is what CREATE FUNCTION would say, if functions were created.
func (p *proc) definition() string {
	var b strings.Builder
	b.WriteString("CREATE OR REPLACE FUNCTION " + p.schema + "." + quoteIdent(p.name) + "(" + p.arguments() + ")\n RETURNS " + p.result() + "\n LANGUAGE internal\n")
	switch p.volatility {
	case 'i':
		b.WriteString(" IMMUTABLE")
	case 's':
		b.WriteString(" STABLE")
	}
	b.WriteString(" PARALLEL SAFE")
	if p.strict {
		b.WriteString(" STRICT")
	}
	b.WriteString("\nAS $function$" + p.name + "$function$\n")
	return b.String()
}

func viewDef(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
	k := e.w.byOID[oidOf(a[0], i)]
	if k == nil || k.view == "" {
		out.AppendNull()
		return nil
	}
	out.AppendString(viewText(k))
	return nil
}

func viewDefByName(e *env, a []*vec.Vector, i int, out *vec.Vector) error {
	k, ok := e.find(text(a[0], i))
	if !ok {
		return noRelation(text(a[0], i))
	}
	if k.view == "" {
		out.AppendNull()
		return nil
	}
	out.AppendString(viewText(k))
	return nil
}

func noRelation(name string) error {
	return sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", name)
}

func noColumn(k *class, name string) error {
	return sqlstate.New(sqlstate.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", name, k.name.Name)
}

// attr finds a column by name: its index, or -1.
func (k *class) attr(name string) int {
	for i := range k.attrs {
		if k.attrs[i].name == name {
			return i
		}
	}
	return -1
}

func addSetFuncs(f *funcs) {
	f.set("pg_partition_ancestors", sig(tRegclass), []plan.Col{{Name: "relid", Type: tRegclass}},
		func(*env, []*vec.Vector, int, []*vec.Vector) (int, error) { return 0, nil })
	f.set("pg_options_to_table", sig(types.ArrayOf(types.Text)), []plan.Col{{Name: "option_name", Type: tText}, {Name: "option_value", Type: tText}},
		func(_ *env, a []*vec.Vector, i int, out []*vec.Vector) (int, error) {
			arr, err := datum.OpenArray(types.Text, a[0].Bytes(i))
			if err != nil {
				return 0, err
			}
			var e vec.Vector
			e.Reset(tText)
			for k := range arr.N {
				arr.AppendElem(&e, k)
				name, value, ok := strings.Cut(text(&e, k), "=")
				out[0].AppendString(name)
				if ok {
					out[1].AppendString(value)
				} else {
					out[1].AppendNull()
				}
			}
			return arr.N, nil
		})
	expand := f.set("_pg_expandarray", sig(types.Of(types.AnyArray)), []plan.Col{{Name: "x", Type: types.Of(types.AnyElement)}, {Name: "n", Type: tInt4}}, expandArray)
	expand.Cols = func(args []types.Type) []plan.Col {
		elem, _ := datum.ElemOf(args[0])
		return []plan.Col{{Name: "x", Type: types.Of(elem)}, {Name: "n", Type: tInt4}}
	}
	zones := f.c.relations[types.TableName{Schema: "pg_catalog", Name: "pg_timezone_names"}]
	f.set("pg_timezone_names", nil, zones.cols, func(e *env, _ []*vec.Vector, _ int, out []*vec.Vector) (int, error) {
		w := newWriter(zones)
		if err := fillZones(e, w); err != nil {
			return 0, err
		}
		w.flush()
		n := 0
		for _, b := range w.done {
			n += b.N
			for c, v := range b.Cols {
				out[c].AppendRange(v, 0, b.N)
			}
		}
		return n, nil
	})
}

// expandArray gives the elements of an array with their places, counted from 1 whatever the subscripts are.
func expandArray(_ *env, a []*vec.Vector, i int, out []*vec.Vector) (int, error) {
	elem, ok := datum.ElemOf(a[0].Type)
	if !ok {
		return 0, sqlstate.New(sqlstate.DatatypeMismatch, "_pg_expandarray needs an array, not %s", a[0].Type)
	}
	arr, err := datum.OpenArray(elem, a[0].Bytes(i))
	if err != nil {
		return 0, err
	}
	for k := range arr.N {
		if arr.Null(k) {
			out[0].AppendNull()
		} else {
			arr.AppendElem(out[0], k)
		}
		out[1].AppendInt(int64(k + 1))
	}
	return arr.N, nil
}

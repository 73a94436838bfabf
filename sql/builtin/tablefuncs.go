package builtin

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

type setFunc = func(ctx *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error)

// set registers a set-returning function of one column, named as the function.
func (r *registry) set(name string, args []types.Type, ret types.Type, call setFunc) *plan.TableFunc {
	return r.table(name, args, []plan.Col{{Name: name, Type: ret}}, call)
}

func (r *registry) table(name string, args []types.Type, ret []plan.Col, call setFunc) *plan.TableFunc {
	f := &plan.TableFunc{Name: name, Args: args, Ret: ret, Call: strictSet(call)}
	r.sets[name] = append(r.sets[name], f)
	return f
}

// strictSet gives no rows where an argument is NULL.
func strictSet(f setFunc) setFunc {
	return func(ctx *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
		for _, a := range args {
			if a.Null(i) {
				return 0, nil
			}
		}
		return f(ctx, args, i, out)
	}
}

func addTableFuncs(r *registry) {
	addUnnest(r)
	addJSONSets(r)
	addTextSets(r)
	r.table("hist_buckets", sig(tHist), []plan.Col{{Name: "bucket", Type: tInt8}, {Name: "count", Type: tInt8}},
		func(_ *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
			var h sketch.Histogram
			if err := h.Decode(args[0].Bytes(i)); err != nil {
				return 0, sqlstate.Wrap(sqlstate.DataCorrupted, err)
			}
			for _, b := range h.Buckets {
				out[0].AppendInt(b.Bound)
				out[1].AppendInt(b.Count)
			}
			return len(h.Buckets), nil
		})
}

func addUnnest(r *registry) {
	r.set("unnest", sig(tAnyArray), tAnyElement, func(_ *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
		a, err := openArg(args[0], i)
		if err != nil {
			return 0, err
		}
		for j := range a.N {
			a.AppendElem(out[0], j)
		}
		return a.N, nil
	})
	r.sets["unnest"] = append(r.sets["unnest"], &plan.TableFunc{Name: "unnest", Args: sig(tAnyArray), Variadic: true,
		Cols: unnestCols, Call: unnestMany})
	r.set("generate_subscripts", sig(tAnyArray, tInt4), tInt4, subscripts)
	r.set("generate_subscripts", sig(tAnyArray, tInt4, tBool), tInt4, subscripts)
	r.table("_pg_expandarray", sig(tAnyArray), []plan.Col{{Name: "x", Type: tAnyElement}, {Name: "n", Type: tInt4}},
		func(_ *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
			a, err := openArg(args[0], i)
			if err != nil {
				return 0, err
			}
			for j := range a.N {
				a.AppendElem(out[0], j)
				out[1].AppendInt(int64(j + 1))
			}
			return a.N, nil
		})
}

func unnestCols(args []types.Type) []plan.Col {
	cols := make([]plan.Col, len(args))
	for i, t := range args {
		elem, _ := datum.ElemOf(t)
		cols[i] = plan.Col{Name: "unnest", Type: types.Of(elem)}
	}
	return cols
}

// unnestMany runs through several arrays side by side; shorter ones end in NULLs.
func unnestMany(_ *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
	arrays := make([]datum.Array, len(args))
	rows := 0
	for c, v := range args {
		if v.Null(i) {
			continue
		}
		a, err := openArg(v, i)
		if err != nil {
			return 0, err
		}
		arrays[c] = a
		rows = max(rows, a.N)
	}
	for c := range arrays {
		for j := range rows {
			if j < arrays[c].N {
				arrays[c].AppendElem(out[c], j)
			} else {
				out[c].AppendNull()
			}
		}
	}
	return rows, nil
}

func subscripts(_ *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
	a, err := openArg(args[0], i)
	if err != nil {
		return 0, err
	}
	d := args[1].Int(i) - 1
	if d < 0 || d >= int64(a.NDim) {
		return 0, nil
	}
	n, lower := int(a.Dims[d].Len), int64(a.Dims[d].Lower)
	for j := range n {
		if len(args) > 2 && args[2].Bool(i) {
			j = n - 1 - j
		}
		out[0].AppendInt(lower + int64(j))
	}
	return n, nil
}

func addJSONSets(r *registry) {
	for _, p := range []struct {
		prefix string
		t      types.Type
	}{{"jsonb", tJSONB}, {"json", tJSON}} {
		asJSON := jsonArg(p.t)
		r.set(p.prefix+"_object_keys", sig(p.t), tText, func(_ *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
			j, err := asJSON(args[0].Bytes(i))
			if err != nil {
				return 0, err
			}
			if err := wantObject(j, p.prefix+"_object_keys", "call %s on"); err != nil {
				return 0, err
			}
			n := 0
			for k := range shred.JSONBEach(j) {
				out[0].AppendBytes(k)
				n++
			}
			return n, nil
		})
		for _, asText := range []bool{false, true} {
			name, elem, val := p.prefix+"_each", p.prefix+"_array_elements", p.t
			if asText {
				name, elem, val = name+"_text", elem+"_text", tText
			}
			r.table(name, sig(p.t), []plan.Col{{Name: "key", Type: tText}, {Name: "value", Type: val}},
				func(_ *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
					j, err := asJSON(args[0].Bytes(i))
					if err != nil {
						return 0, err
					}
					if err := wantObject(j, name, "call %s on"); err != nil {
						return 0, err
					}
					n := 0
					for k, v := range shred.JSONBEach(j) {
						out[0].AppendBytes(k)
						appendJSONValue(out[1], v, asText)
						n++
					}
					return n, nil
				})
			r.table(elem, sig(p.t), []plan.Col{{Name: "value", Type: val}},
				func(_ *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
					j, err := asJSON(args[0].Bytes(i))
					if err != nil {
						return 0, err
					}
					if shred.JSONBTypeof(j) != "array" {
						what := "a scalar"
						if shred.JSONBTypeof(j) == "object" {
							what = "an object"
						}
						return 0, errParam("cannot extract elements from %s", what)
					}
					n := 0
					for v := range shred.JSONBElements(j) {
						appendJSONValue(out[0], v, asText)
						n++
					}
					return n, nil
				})
		}
	}
}

// jsonArg reads an argument as jsonb text; json is normalised first.
func jsonArg(t types.Type) func([]byte) ([]byte, error) {
	if t.Kind == types.JSONB {
		return func(b []byte) ([]byte, error) { return b, nil }
	}
	return func(b []byte) ([]byte, error) {
		j, err := shred.AppendJSONB(nil, b)
		if err != nil {
			return nil, sqlstate.Wrap(sqlstate.InvalidText, err)
		}
		return j, nil
	}
}

func wantObject(j []byte, name, verb string) error {
	switch shred.JSONBTypeof(j) {
	case "object":
		return nil
	case "array":
		return errParam("cannot "+verb+" an array", name)
	}
	return errParam("cannot "+verb+" a scalar", name)
}

// appendJSONValue appends a value as jsonb, or as its text (null is NULL then).
func appendJSONValue(out *vec.Vector, v []byte, asText bool) {
	if !asText {
		out.AppendBytes(v)
		return
	}
	t, ok := shred.AppendText(nil, v)
	if !ok {
		out.AppendNull()
		return
	}
	out.AppendBytes(t)
}

// openArg opens an array argument, int2vector and oidvector included.
func openArg(v *vec.Vector, i int) (datum.Array, error) {
	elem, ok := datum.ElemOf(v.Type)
	if !ok {
		return datum.Array{}, sqlstate.New(sqlstate.DatatypeMismatch, "type %s is not an array type", v.Type)
	}
	return datum.OpenArray(elem, v.Bytes(i))
}

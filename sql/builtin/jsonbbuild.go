package builtin

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// addJSONBBuild registers what makes JSON from values of any type.
func addJSONBBuild(r *registry) {
	for _, t := range []types.Type{tJSONB, tJSON} {
		jsonb := t.Kind == types.JSONB
		prefix := t.Kind.String()
		stable(r.fn("to_"+prefix, sig(tAnyElement), t, byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			b, err := AppendAsJSON(nil, args[0], i, ctx.Format(), jsonb)
			out.AppendBytes(b)
			return err
		})))
		array := byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			b := []byte{'['}
			first := true
			for _, a := range args {
				var err error
				if b, err = AppendAsJSON(appendSep(b, &first), a, i, ctx.Format(), jsonb); err != nil {
					return err
				}
			}
			out.AppendBytes(append(b, ']'))
			return nil
		})
		stable(called(r.fn(prefix+"_build_array", nil, t, array)))
		stable(variadic(called(r.fn(prefix+"_build_array", sig(tAny), t, array))))
		object := byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			b, err := buildObject(args, i, ctx.Format(), jsonb)
			out.AppendBytes(b)
			return err
		})
		stable(called(r.fn(prefix+"_build_object", nil, t, object)))
		stable(variadic(called(r.fn(prefix+"_build_object", sig(tAny), t, object))))
	}
	stable(r.fn("array_to_json", sig(tAnyArray), tJSON, byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		b, err := appendArrayAsJSON(nil, args[0], i, ctx.Format(), false)
		out.AppendBytes(b)
		return err
	})))
}

// buildObject takes keys and values in turn. json keeps them as they come, with " : " between, as PostgreSQL prints them.
func buildObject(args []*vec.Vector, i int, f *datum.Format, jsonb bool) ([]byte, error) {
	if len(args)%2 != 0 {
		fn := "json_build_object"
		if jsonb {
			fn = "jsonb_build_object"
		}
		return nil, sqlstate.New(sqlstate.InvalidParameter, "argument list must have even number of elements").
			WithHint("The arguments of %s() must consist of alternating keys and values.", fn)
	}
	b, first := []byte{'{'}, true
	for k := 0; k < len(args); k += 2 {
		if args[k].Null(i) {
			if jsonb {
				return nil, errParam("argument %d: key must not be null", k+1)
			}
			return nil, sqlstate.New(sqlstate.InvalidParameter, "argument %d cannot be null", k+1).
				WithHint("Object keys should be text.")
		}
		b = shred.AppendQuoted(appendSep(b, &first), datum.AppendText(nil, args[k], i, f))
		if jsonb {
			b = append(b, ": "...)
		} else {
			b = append(b, " : "...)
		}
		var err error
		if b, err = AppendAsJSON(b, args[k+1], i, f, jsonb); err != nil {
			return nil, err
		}
	}
	b = append(b, '}')
	if !jsonb {
		return b, nil
	}
	return shred.AppendJSONB(nil, b)
}

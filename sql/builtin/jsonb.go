package builtin

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func addJSONB(r *registry) {
	for _, t := range []types.Type{tJSONB, tJSON} {
		addJSONAccess(r, t)
	}
	contains := byRowBool(func(a, b []byte) (bool, error) { return shred.JSONBContains(a, b), nil })
	r.op("@>", sig(tJSONB, tJSONB), tBool, contains)
	r.op("<@", sig(tJSONB, tJSONB), tBool, swap(contains))
	r.fn("jsonb_contains", sig(tJSONB, tJSONB), tBool, contains)
	exists := byRowBool(func(a, b []byte) (bool, error) { return shred.JSONBExists(a, b), nil })
	r.op("?", sig(tJSONB, tText), tBool, exists)
	r.fn("jsonb_exists", sig(tJSONB, tText), tBool, exists)
	r.op("?|", sig(tJSONB, tTextArray), tBool, existsSome(false))
	r.fn("jsonb_exists_any", sig(tJSONB, tTextArray), tBool, existsSome(false))
	r.op("?&", sig(tJSONB, tTextArray), tBool, existsSome(true))
	r.fn("jsonb_exists_all", sig(tJSONB, tTextArray), tBool, existsSome(true))
	addJSONBChanges(r)
}

// jsonGetter finds a value inside a document.
type jsonGetter = func(args []*vec.Vector, i int, doc []byte) (value []byte, ok bool, err error)

// addJSONAccess registers -> ->> #> #>> and the functions on the structure, for jsonb and for json.
func addJSONAccess(r *registry, t types.Type) {
	prefix := t.Kind.String()
	asJSON := jsonArg(t)
	get := func(asText bool, find jsonGetter) evalFunc {
		return byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			doc, err := asJSON(args[0].Bytes(i))
			if err != nil {
				return err
			}
			v, ok, err := find(args, i, doc)
			if err != nil {
				return err
			}
			if !ok {
				out.AppendNull()
				return nil
			}
			appendJSONValue(out, v, asText)
			return nil
		})
	}
	key := func(args []*vec.Vector, i int, doc []byte) ([]byte, bool, error) {
		v, ok := shred.JSONBGet(doc, args[1].Bytes(i))
		return v, ok, nil
	}
	index := func(args []*vec.Vector, i int, doc []byte) ([]byte, bool, error) {
		at := int(args[1].Int(i))
		if k := jsonType(doc); k != "array" && k != "object" && t.Kind == types.JSONB {
			return doc, at == 0 || at == -1, nil // PostgreSQL keeps a scalar as an array of one
		}
		v, ok := shred.JSONBIndex(doc, at)
		return v, ok, nil
	}
	path := func(args []*vec.Vector, i int, doc []byte) ([]byte, bool, error) {
		p, hasNull, err := textElems(args[1], i)
		if err != nil || hasNull {
			return nil, false, err
		}
		v, ok := shred.JSONBGetPath(doc, p)
		return v, ok, nil
	}
	spread := func(args []*vec.Vector, i int, doc []byte) ([]byte, bool, error) {
		p := make([]string, 0, len(args)-1)
		for _, a := range args[1:] {
			if a.Null(i) {
				return nil, false, nil
			}
			p = append(p, string(a.Bytes(i)))
		}
		v, ok := shred.JSONBGetPath(doc, p)
		return v, ok, nil
	}
	r.op("->", sig(t, tText), t, get(false, key))
	r.op("->>", sig(t, tText), tText, get(true, key))
	r.op("->", sig(t, tInt4), t, get(false, index))
	r.op("->>", sig(t, tInt4), tText, get(true, index))
	r.op("#>", sig(t, tTextArray), t, get(false, path))
	r.op("#>>", sig(t, tTextArray), tText, get(true, path))
	variadic(r.fn(prefix+"_extract_path", sig(t, tText), t, get(false, spread)))
	variadic(r.fn(prefix+"_extract_path_text", sig(t, tText), tText, get(true, spread)))
	r.fn(prefix+"_typeof", sig(t), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		doc, err := asJSON(args[0].Bytes(i))
		out.AppendString(jsonType(doc))
		return err
	}))
	r.fn(prefix+"_array_length", sig(t), tInt4, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		doc, err := asJSON(args[0].Bytes(i))
		if err != nil {
			return err
		}
		n, ok := shred.JSONBLen(doc)
		if !ok {
			what := "a scalar"
			if jsonType(doc) == "object" {
				what = "a non-array"
			}
			return errParam("cannot get array length of %s", what)
		}
		out.AppendInt(int64(n))
		return nil
	}))
	strip := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		doc, err := asJSON(args[0].Bytes(i))
		out.AppendBytes(stripNulls(nil, doc))
		return err
	})
	r.fn(prefix+"_strip_nulls", sig(t), t, strip)
}

// textElems returns the elements of a text[] argument.
func textElems(v *vec.Vector, i int) (elems []string, hasNull bool, err error) {
	a, err := openArg(v, i)
	if err != nil {
		return nil, false, err
	}
	elems = make([]string, a.N)
	for j := range a.N {
		hasNull = hasNull || a.Null(j)
		elems[j] = string(a.Bytes(j))
	}
	return elems, hasNull, nil
}

func existsSome(all bool) evalFunc {
	return byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		a, err := openArg(args[1], i)
		if err != nil {
			return err
		}
		res := all
		for j := range a.N {
			if !a.Null(j) && shred.JSONBExists(args[0].Bytes(i), a.Bytes(j)) != all {
				res = !all
				break
			}
		}
		out.AppendBool(res)
		return nil
	})
}

// stripNulls copies a value without the object members that are null.
func stripNulls(dst, doc []byte) []byte {
	switch jsonType(doc) {
	case "object":
		dst = append(dst, '{')
		first := true
		for k, v := range shred.JSONBEach(doc) {
			if jsonType(v) == "null" {
				continue
			}
			dst = appendSep(dst, &first)
			dst = append(shred.AppendQuoted(dst, k), ": "...)
			dst = stripNulls(dst, v)
		}
		return append(dst, '}')
	case "array":
		dst = append(dst, '[')
		first := true
		for v := range shred.JSONBElements(doc) {
			dst = appendSep(dst, &first)
			dst = stripNulls(dst, v)
		}
		return append(dst, ']')
	}
	return append(dst, doc...)
}

func appendSep(dst []byte, first *bool) []byte {
	if !*first {
		dst = append(dst, ", "...)
	}
	*first = false
	return dst
}

func addJSONBChanges(r *registry) {
	r.op("||", sig(tJSONB, tJSONB), tJSONB, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		b, err := concatJSONB(args[0].Bytes(i), args[1].Bytes(i))
		out.AppendBytes(b)
		return err
	}))
	r.op("-", sig(tJSONB, tText), tJSONB, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		b, err := deleteKeys(args[0].Bytes(i), [][]byte{args[1].Bytes(i)})
		out.AppendBytes(b)
		return err
	}))
	r.op("-", sig(tJSONB, tTextArray), tJSONB, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		a, err := openArg(args[1], i)
		if err != nil {
			return err
		}
		var keys [][]byte
		for j := range a.N {
			if !a.Null(j) {
				keys = append(keys, a.Bytes(j))
			}
		}
		b, err := deleteKeys(args[0].Bytes(i), keys)
		out.AppendBytes(b)
		return err
	}))
	r.op("-", sig(tJSONB, tInt4), tJSONB, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		b, err := deleteIndex(args[0].Bytes(i), args[1].Int(i))
		out.AppendBytes(b)
		return err
	}))
	deletePath := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		p, _, err := textElems(args[1], i)
		if err != nil {
			return err
		}
		b, err := setPath(args[0].Bytes(i), p, nil, setOptions{remove: true})
		out.AppendBytes(b)
		return err
	})
	r.op("#-", sig(tJSONB, tTextArray), tJSONB, deletePath)
	r.fn("jsonb_delete_path", sig(tJSONB, tTextArray), tJSONB, deletePath)
	for _, insert := range []bool{false, true} {
		name := "jsonb_set"
		if insert {
			name = "jsonb_insert"
		}
		set := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			p, hasNull, err := textElems(args[1], i)
			if err != nil {
				return err
			}
			if hasNull {
				return sqlstate.New("22004", "path element at position %d is null", 1+slices.Index(p, ""))
			}
			o := setOptions{create: true, insert: insert}
			if len(args) > 3 {
				o.create, o.after = args[3].Bool(i) || insert, insert && args[3].Bool(i)
			}
			b, err := setPath(args[0].Bytes(i), p, args[2].Bytes(i), o)
			out.AppendBytes(b)
			return err
		})
		r.fn(name, sig(tJSONB, tTextArray, tJSONB), tJSONB, set)
		r.fn(name, sig(tJSONB, tTextArray, tJSONB, tBool), tJSONB, set)
	}
	r.fn("jsonb_pretty", sig(tJSONB), tText, byRowBytes(func(dst, doc []byte) ([]byte, error) { return prettyJSON(dst, doc, 0), nil }))
}

// concatJSONB merges two objects, or joins two arrays; anything beside an array is an element.
func concatJSONB(a, b []byte) ([]byte, error) {
	ka, kb := jsonType(a), jsonType(b)
	if ka == "object" && kb == "object" {
		if len(a) == 2 {
			return b, nil
		}
		if len(b) == 2 {
			return a, nil
		}
		joined := append(append([]byte(nil), a[:len(a)-1]...), ", "...)
		return shred.AppendJSONB(nil, append(joined, b[1:]...)) // the last of equal keys wins
	}
	elems := func(dst, v []byte, kind string, first *bool) []byte {
		if kind != "array" {
			return append(appendSep(dst, first), v...)
		}
		if len(v) > 2 {
			dst = append(appendSep(dst, first), v[1:len(v)-1]...)
		}
		return dst
	}
	first := true
	out := elems([]byte{'['}, a, ka, &first)
	return append(elems(out, b, kb, &first), ']'), nil
}

func errDelete(what, from string) error { return errParam("cannot delete %sfrom %s", what, from) }

// deleteKeys removes members of an object, or string elements of an array.
func deleteKeys(doc []byte, keys [][]byte) ([]byte, error) {
	is := func(k []byte) bool {
		return slices.ContainsFunc(keys, func(x []byte) bool { return bytes.Equal(x, k) })
	}
	first := true
	switch jsonType(doc) {
	case "object":
		out := []byte{'{'}
		for k, v := range shred.JSONBEach(doc) {
			if !is(k) {
				out = append(shred.AppendQuoted(appendSep(out, &first), k), ": "...)
				out = append(out, v...)
			}
		}
		return append(out, '}'), nil
	case "array":
		out := []byte{'['}
		for v := range shred.JSONBElements(doc) {
			if s, ok := shred.AppendText(nil, v); ok && v[0] == '"' && is(s) {
				continue
			}
			out = append(appendSep(out, &first), v...)
		}
		return append(out, ']'), nil
	}
	return nil, errDelete("", "scalar")
}

func deleteIndex(doc []byte, at int64) ([]byte, error) {
	switch jsonType(doc) {
	case "object":
		return nil, errParam("cannot delete from object using integer index")
	case "array":
	default:
		return nil, errDelete("", "scalar")
	}
	n, _ := shred.JSONBLen(doc)
	if at < 0 {
		at += int64(n)
	}
	out, first, i := []byte{'['}, true, int64(0)
	for v := range shred.JSONBElements(doc) {
		if i != at {
			out = append(appendSep(out, &first), v...)
		}
		i++
	}
	return append(out, ']'), nil
}

type setOptions struct {
	create bool // add what is not there
	insert bool // jsonb_insert: keep what is there
	after  bool // jsonb_insert: behind the element
	remove bool
}

// setPath rebuilds a document with one place changed.
func setPath(doc []byte, path []string, value []byte, o setOptions) ([]byte, error) {
	kind := jsonType(doc)
	if kind != "object" && kind != "array" {
		if o.remove {
			return nil, errParam("cannot delete path in scalar")
		}
		return nil, errParam("cannot set path in scalar")
	}
	if len(path) == 0 {
		return doc, nil
	}
	return changePath(nil, doc, path, 0, value, o)
}

func changePath(dst, doc []byte, path []string, depth int, value []byte, o setOptions) ([]byte, error) {
	switch jsonType(doc) {
	case "object":
		return changeObject(dst, doc, path, depth, value, o)
	case "array":
		return changeArray(dst, doc, path, depth, value, o)
	}
	return append(dst, doc...), nil // the path ends in a scalar: nothing changes
}

func changeObject(dst, doc []byte, path []string, depth int, value []byte, o setOptions) ([]byte, error) {
	last := depth == len(path)-1
	first, found := true, false
	start := len(dst)
	dst = append(dst, '{')
	for k, v := range shred.JSONBEach(doc) {
		hit := string(k) == path[depth]
		found = found || hit
		if hit && last {
			if o.remove {
				continue
			}
			if o.insert {
				return nil, sqlstate.New(sqlstate.InvalidParameter, "cannot replace existing key").WithHint("Try using the function jsonb_set to replace key value.")
			}
		}
		dst = append(shred.AppendQuoted(appendSep(dst, &first), k), ": "...)
		switch {
		case hit && last:
			dst = append(dst, value...)
		case hit:
			var err error
			if dst, err = changePath(dst, v, path, depth+1, value, o); err != nil {
				return nil, err
			}
		default:
			dst = append(dst, v...)
		}
	}
	if found || !last || o.remove || !o.create {
		return append(dst, '}'), nil
	}
	dst = append(shred.AppendQuoted(appendSep(dst, &first), path[depth]), ": "...)
	dst = append(append(dst, value...), '}')
	return shred.AppendJSONB(dst[:start:start], dst[start:]) // the new key has its place in the order
}

func changeArray(dst, doc []byte, path []string, depth int, value []byte, o setOptions) ([]byte, error) {
	last := depth == len(path)-1
	at, err := strconv.ParseInt(path[depth], 10, 32)
	if err != nil {
		return nil, sqlstate.New(sqlstate.InvalidText, "path element at position %d is not an integer: \"%s\"", depth+1, path[depth])
	}
	n, _ := shred.JSONBLen(doc)
	if at < 0 {
		at += int64(n)
	}
	first, i := true, int64(0)
	dst = append(dst, '[')
	add := func() { dst = append(appendSep(dst, &first), value...) }
	if last && o.create && !o.remove && at < 0 {
		add()
	}
	for v := range shred.JSONBElements(doc) {
		switch {
		case i != at:
			dst = append(appendSep(dst, &first), v...)
		case !last:
			dst = appendSep(dst, &first)
			if dst, err = changePath(dst, v, path, depth+1, value, o); err != nil {
				return nil, err
			}
		case o.remove:
		case o.insert && o.after:
			dst = append(appendSep(dst, &first), v...)
			add()
		case o.insert:
			add()
			dst = append(appendSep(dst, &first), v...)
		default:
			add()
		}
		i++
	}
	if last && o.create && !o.remove && at >= int64(n) {
		add()
	}
	return append(dst, ']'), nil
}

// prettyJSON is jsonb_pretty: four blanks for each level.
func prettyJSON(dst, doc []byte, depth int) []byte {
	line := func(d int) {
		dst = append(dst, '\n')
		for range d {
			dst = append(dst, "    "...)
		}
	}
	first := true
	next := func() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		line(depth + 1)
	}
	switch jsonType(doc) {
	case "object":
		dst = append(dst, '{')
		for k, v := range shred.JSONBEach(doc) {
			next()
			dst = append(shred.AppendQuoted(dst, k), ": "...)
			dst = prettyJSON(dst, v, depth+1)
		}
		line(depth)
		return append(dst, '}')
	case "array":
		dst = append(dst, '[')
		for v := range shred.JSONBElements(doc) {
			next()
			dst = prettyJSON(dst, v, depth+1)
		}
		line(depth)
		return append(dst, ']')
	}
	return append(dst, doc...)
}

// AppendAsJSON appends row i of v as a JSON value, as to_jsonb does: numbers and booleans as they are, jsonb and json
// inside, arrays as arrays, everything else as a string. NULL is null. jsonb tells which of the two forms is wanted.
func AppendAsJSON(dst []byte, v *vec.Vector, i int, f *datum.Format, jsonb bool) ([]byte, error) {
	if v.Null(i) {
		return append(dst, "null"...), nil
	}
	switch v.Type.Kind {
	case types.Bool:
		if v.Bool(i) {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	case types.Int16, types.Int32, types.Int64:
		return datum.AppendText(dst, v, i, f), nil
	case types.Float32, types.Float64, types.Numeric:
		return appendJSONNumber(dst, datum.AppendText(nil, v, i, f), jsonb)
	case types.JSONB:
		return append(dst, v.Bytes(i)...), nil
	case types.JSON:
		if !jsonb {
			return append(dst, v.Bytes(i)...), nil
		}
		return shred.AppendJSONB(dst, v.Bytes(i))
	case types.Timestamp, types.Timestamptz:
		b := datum.AppendText(nil, v, i, f)
		if at := bytes.IndexByte(b, ' '); at == 10 {
			b[at] = 'T'
		}
		if v.Type.Kind == types.Timestamptz {
			b = fullOffset(b)
		}
		return shred.AppendQuoted(dst, b), nil
	case types.Array, types.Int2Vector, types.OIDVector:
		return appendArrayAsJSON(dst, v, i, f, jsonb)
	}
	return shred.AppendQuoted(dst, datum.AppendText(nil, v, i, f)), nil
}

// fullOffset gives a zone offset its minutes: JSON has +00:00 where text has +00.
func fullOffset(b []byte) []byte {
	if n := len(b); n > 3 && (b[n-3] == '+' || b[n-3] == '-') && n > 13 {
		return append(b, ":00"...)
	}
	return b
}

// appendJSONNumber quotes what JSON has no number for.
func appendJSONNumber(dst, text []byte, jsonb bool) ([]byte, error) {
	if c := text[len(text)-1]; c < '0' || c > '9' {
		return shred.AppendQuoted(dst, text), nil
	}
	if !jsonb {
		return append(dst, text...), nil
	}
	return shred.AppendJSONB(dst, text)
}

func appendArrayAsJSON(dst []byte, v *vec.Vector, i int, f *datum.Format, jsonb bool) ([]byte, error) {
	a, err := openArg(v, i)
	if err != nil {
		return nil, err
	}
	var elems vec.Vector
	elems.Reset(types.Of(a.Elem))
	for j := range a.N {
		a.AppendElem(&elems, j)
	}
	if a.N == 0 {
		return append(dst, "[]"...), nil
	}
	sep := ","
	if jsonb {
		sep = ", "
	}
	inner := make([]int, a.NDim+1)
	inner[a.NDim] = 1
	for d := a.NDim - 1; d >= 0; d-- {
		inner[d] = inner[d+1] * int(a.Dims[d].Len)
	}
	for j := range a.N {
		if j > 0 {
			dst = append(dst, sep...)
		}
		for d := range a.NDim {
			if j%inner[d] == 0 {
				dst = append(dst, '[')
			}
		}
		if dst, err = AppendAsJSON(dst, &elems, j, f, jsonb); err != nil {
			return nil, err
		}
		for d := a.NDim - 1; d >= 0; d-- {
			if (j+1)%inner[d] == 0 {
				dst = append(dst, ']')
			}
		}
	}
	return dst, nil
}

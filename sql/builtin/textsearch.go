package builtin

import (
	"bytes"
	"unicode/utf8"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func addTextSearch(r *registry) {
	pos := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendInt(charPosition(args[0].Bytes(i), args[1].Bytes(i)))
		return nil
	})
	r.fn("position", sig(tText, tText), tInt4, pos) // position(a in b) arrives as position(b, a)
	r.fn("strpos", sig(tText, tText), tInt4, pos)
	r.fn("position", sig(tBytea, tBytea), tInt4, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendInt(int64(bytes.Index(args[0].Bytes(i), args[1].Bytes(i)) + 1))
		return nil
	}))
	prefix := byRowBool(func(s, p []byte) (bool, error) { return bytes.HasPrefix(s, p), nil })
	r.fn("starts_with", sig(tText, tText), tBool, prefix)
	r.op("^@", sig(tText, tText), tBool, prefix)
	r.fn("replace", sig(tText, tText, tText), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		s, from, to := args[0].Bytes(i), args[1].Bytes(i), args[2].Bytes(i)
		if len(from) == 0 {
			out.AppendBytes(s)
			return nil
		}
		if n := bytes.Count(s, from); len(s)+n*(len(to)-len(from)) > maxText {
			return errTextSize()
		}
		out.AppendBytes(bytes.ReplaceAll(s, from, to))
		return nil
	}))
	r.fn("translate", sig(tText, tText, tText), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendBytes(translate(args[0].Bytes(i), []rune(string(args[1].Bytes(i))), []rune(string(args[2].Bytes(i)))))
		return nil
	}))
	addSplitting(r)
}

// charPosition is the number of the first character of sub in s, 0 if it does not occur.
func charPosition(s, sub []byte) int64 {
	at := bytes.Index(s, sub)
	if at < 0 {
		return 0
	}
	return int64(utf8.RuneCount(s[:at])) + 1
}

// translate replaces characters one by one; those without a counterpart are dropped.
func translate(s []byte, from, to []rune) []byte {
	out := make([]byte, 0, len(s))
next:
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		for j, f := range from {
			if f == r {
				if j < len(to) {
					out = utf8.AppendRune(out, to[j])
				}
				s = s[n:]
				continue next
			}
		}
		out = append(out, s[:n]...)
		s = s[n:]
	}
	return out
}

func addSplitting(r *registry) {
	split := byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		if args[0].Null(i) {
			out.AppendNull()
			return nil
		}
		var parts vec.Vector
		parts.Reset(tText)
		if err := splitText(ctx, args, i, &parts); err != nil {
			return err
		}
		out.AppendBytes(datum.EncodeArray(nil, &parts, 0, parts.N))
		return nil
	})
	called(r.fn("string_to_array", sig(tText, tText), tTextArray, split))
	called(r.fn("string_to_array", sig(tText, tText, tText), tTextArray, split))
	join := byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		if args[0].Null(i) || args[1].Null(i) {
			out.AppendNull()
			return nil
		}
		var null []byte
		hasNull := len(args) > 2 && !args[2].Null(i)
		if hasNull {
			null = args[2].Bytes(i)
		}
		a, err := openArg(args[0], i)
		if err != nil {
			return err
		}
		out.AppendBytes(joinArray(&a, args[1].Bytes(i), null, hasNull, ctx.Format()))
		return nil
	})
	stable(called(r.fn("array_to_string", sig(tAnyArray, tText), tText, join)))
	stable(called(r.fn("array_to_string", sig(tAnyArray, tText, tText), tText, join)))
}

// splitText appends the parts of a string: no separator (NULL) splits into characters, an empty one does not split; parts
// equal to the third argument become NULL.
func splitText(ctx *expr.Ctx, args []*vec.Vector, i int, parts *vec.Vector) error {
	s, look := args[0].Bytes(i), watch{ctx: ctx}
	add := func(p []byte) error {
		if err := makeRoom(ctx, parts, len(p)); err != nil {
			return err
		}
		if len(args) > 2 && !args[2].Null(i) && string(p) == string(args[2].Bytes(i)) {
			parts.AppendNull()
		} else {
			parts.AppendBytes(p)
		}
		return look.before(len(p) + partWork)
	}
	if len(s) == 0 {
		return nil
	}
	if args[1].Null(i) {
		for len(s) > 0 {
			_, n := utf8.DecodeRune(s)
			if err := add(s[:n]); err != nil {
				return err
			}
			s = s[n:]
		}
		return nil
	}
	sep := args[1].Bytes(i)
	for len(sep) > 0 {
		at := bytes.Index(s, sep)
		if at < 0 {
			break
		}
		if err := add(s[:at]); err != nil {
			return err
		}
		s = s[at+len(sep):]
	}
	return add(s)
}

// partWork is what a part counts besides its bytes: see watch.
const partWork = 16

func joinArray(a *datum.Array, sep, null []byte, hasNull bool, f *datum.Format) []byte {
	var elems vec.Vector
	elems.Reset(types.Of(a.Elem))
	for j := range a.N {
		a.AppendElem(&elems, j)
	}
	var b []byte
	first := true
	for j := range a.N {
		if elems.Null(j) && !hasNull {
			continue
		}
		if !first {
			b = append(b, sep...)
		}
		first = false
		if elems.Null(j) {
			b = append(b, null...)
		} else {
			b = datum.AppendText(b, &elems, j, f)
		}
	}
	return b
}

func addTextSets(r *registry) {
	call := func(ctx *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
		if args[0].Null(i) {
			return 0, nil
		}
		before := out[0].N
		err := splitText(ctx, args, i, out[0])
		return out[0].N - before, err
	}
	for _, args := range [][]types.Type{sig(tText, tText), sig(tText, tText, tText)} {
		r.set("string_to_table", args, tText, nil).Call = call
	}
	addRegexpSets(r)
}

package builtin

import (
	"unicode/utf8"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func addRegexp(r *registry) {
	for _, t := range []types.Type{tText, tName} {
		r.op("~", sig(t, tText), tBool, evalRegex(false, false))
		r.op("!~", sig(t, tText), tBool, evalRegex(false, true))
		r.op("~*", sig(t, tText), tBool, evalRegex(true, false))
		r.op("!~*", sig(t, tText), tBool, evalRegex(true, true))
	}
	r.regex("regexp_match", 2, 2, tTextArray, func(ctx *expr.Ctx, re *pattern, f regexFlags, args []*vec.Vector, i int, out *vec.Vector) error {
		if f.global {
			return sqlstate.New(sqlstate.InvalidParameter, "regexp_match() does not support the \"global\" option").
				WithHint("Use the regexp_matches function instead.")
		}
		s := args[0].Bytes(i)
		m, err := re.search(ctx, s)
		if m == nil || err != nil {
			out.AppendNull()
			return err
		}
		var groups vec.Vector
		matchGroups(s, m, &groups)
		out.AppendBytes(datum.EncodeArray(nil, &groups, 0, groups.N))
		return nil
	})
	r.regex("regexp_like", 2, 2, tBool, func(ctx *expr.Ctx, re *pattern, _ regexFlags, args []*vec.Vector, i int, out *vec.Vector) error {
		ok, err := re.matches(ctx, args[0].Bytes(i))
		out.AppendBool(ok)
		return err
	})
	r.fn("regexp_replace", sig(tText, tText, tText), tText, evalReplace)
	r.fn("regexp_replace", sig(tText, tText, tText, tText), tText, evalReplace)
	r.regex("regexp_split_to_array", 2, 2, tTextArray, func(ctx *expr.Ctx, re *pattern, _ regexFlags, args []*vec.Vector, i int, out *vec.Vector) error {
		var parts vec.Vector
		parts.Reset(tText)
		if err := splitRegex(ctx, re, args[0].Bytes(i), &parts); err != nil {
			return err
		}
		out.AppendBytes(datum.EncodeArray(nil, &parts, 0, parts.N))
		return nil
	})
	r.regex("regexp_count", 2, 0, tInt4, func(ctx *expr.Ctx, re *pattern, _ regexFlags, args []*vec.Vector, i int, out *vec.Vector) error {
		n := int64(0)
		err := re.each(ctx, args[0].Bytes(i), -1, func([]int) error { n++; return nil })
		out.AppendInt(n)
		return err
	})
	r.regex("regexp_substr", 2, 0, tText, func(ctx *expr.Ctx, re *pattern, _ regexFlags, args []*vec.Vector, i int, out *vec.Vector) error {
		m, err := re.search(ctx, args[0].Bytes(i))
		appendMatch(out, args[0].Bytes(i), m)
		return err
	})
	r.regex("regexp_instr", 2, 0, tInt4, func(ctx *expr.Ctx, re *pattern, _ regexFlags, args []*vec.Vector, i int, out *vec.Vector) error {
		at := int64(0)
		m, err := re.search(ctx, args[0].Bytes(i))
		if m != nil {
			at = int64(utf8.RuneCount(args[0].Bytes(i)[:m[0]])) + 1
		}
		out.AppendInt(at)
		return err
	})
	// substring(s from pattern): the first group, or the whole match.
	r.regex("substring", 2, 0, tText, func(ctx *expr.Ctx, re *pattern, _ regexFlags, args []*vec.Vector, i int, out *vec.Vector) error {
		s := args[0].Bytes(i)
		m, err := re.search(ctx, s)
		if len(m) > 2 {
			m = m[2:]
		}
		appendMatch(out, s, m)
		return err
	})
	esc := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		e := []byte{'\\'}
		if len(args) > 1 {
			e = args[1].Bytes(i)
		}
		p, err := similarToRegex(args[0].Bytes(i), e)
		out.AppendBytes(p)
		return err
	})
	r.fn("similar_to_escape", sig(tText), tText, esc)
	r.fn("similar_to_escape", sig(tText, tText), tText, esc)
}

// evalRegex matches row by row; a constant pattern is compiled once.
func evalRegex(fold, negate bool) evalFunc {
	flags := regexFlags{fold: fold}
	return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		bits := setBits(out, n)
		s, p := args[0], args[1]
		var re *pattern
		work := 0
		for i := range n {
			if !sel.Get(i) {
				continue
			}
			if re == nil || p.Form != vec.Const {
				var err error
				if re, err = compileRegex(p.Bytes(i), flags); err != nil {
					return err
				}
			}
			text := s.Bytes(i)
			found, err := re.matches(ctx, text)
			if err != nil {
				return err
			}
			if found != negate {
				bits.Set(i)
			}
			if work += rowWork + len(text); work > lookEvery {
				work = 0
				if err := canceled(ctx); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

type regexFunc = func(ctx *expr.Ctx, re *pattern, f regexFlags, args []*vec.Vector, i int, out *vec.Vector) error

// regex registers a function whose second argument is a pattern, with text arguments; flagsAt, if not 0, adds an
// overload with flags in that place.
func (r *registry) regex(name string, nargs, flagsAt int, ret types.Type, f regexFunc) {
	eval := func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		var re *pattern
		var flags regexFlags
		same := sameRegex(args, flagsAt)
		return byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) (err error) {
			if re == nil || !same {
				if re, flags, err = regexArgs(args, i, flagsAt); err != nil {
					return err
				}
			}
			return f(ctx, re, flags, args, i, out)
		})(ctx, args, sel, n, out)
	}
	args := sig(tText, tText, tText, tText)
	r.fn(name, args[:nargs:nargs], ret, eval)
	if flagsAt > 0 {
		r.fn(name, args[:flagsAt+1:flagsAt+1], ret, eval)
	}
}

// regexArgs compiles the pattern with the flags argument, if the call has one.
func regexArgs(args []*vec.Vector, i, flagsAt int) (*pattern, regexFlags, error) {
	var f regexFlags
	if flagsAt > 0 && len(args) > flagsAt {
		var err error
		if f, err = parseRegexFlags(string(args[flagsAt].Bytes(i))); err != nil {
			return nil, f, err
		}
	}
	re, err := compileRegex(args[1].Bytes(i), f)
	return re, f, err
}

// appendMatch appends a found range, NULL for none.
func appendMatch(out *vec.Vector, s []byte, m []int) {
	if len(m) < 2 || m[0] < 0 {
		out.AppendNull()
		return
	}
	out.AppendBytes(s[m[0]:m[1]])
}

// matchGroups appends the groups of a match, or the whole match if the pattern has none.
func matchGroups(s []byte, m []int, out *vec.Vector) {
	out.Reset(tText)
	if len(m) > 2 {
		m = m[2:]
	}
	for g := 0; g < len(m); g += 2 {
		appendMatch(out, s, m[g:g+2])
	}
}

// splitRegex appends the parts between matches; an empty match splits between characters, but not at the ends nor right
// behind the match before.
func splitRegex(ctx *expr.Ctx, re *pattern, s []byte, out *vec.Vector) error {
	last := 0
	err := re.each(ctx, s, -1, func(m []int) error {
		if m[1] == m[0] && (m[0] == 0 || m[0] == len(s) || m[0] == last) {
			return nil
		}
		if err := makeRoom(ctx, out, m[0]-last); err != nil {
			return err
		}
		out.AppendBytes(s[last:m[0]])
		last = m[1]
		return nil
	})
	out.AppendBytes(s[last:])
	return err
}

func addRegexpSets(r *registry) {
	for _, args := range [][]types.Type{sig(tText, tText), sig(tText, tText, tText)} {
		r.set("regexp_matches", args, tTextArray, func(ctx *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
			re, f, err := regexArgs(args, i, 2)
			if err != nil {
				return 0, err
			}
			times := 1
			if f.global {
				times = -1
			}
			s := args[0].Bytes(i)
			var groups vec.Vector
			n := 0
			err = re.each(ctx, s, times, func(m []int) error {
				matchGroups(s, m, &groups)
				if err := makeRoom(ctx, out[0], m[1]-m[0]); err != nil {
					return err
				}
				out[0].AppendBytes(datum.EncodeArray(nil, &groups, 0, groups.N))
				n++
				return nil
			})
			return n, err
		})
		r.set("regexp_split_to_table", args, tText, func(ctx *expr.Ctx, args []*vec.Vector, i int, out []*vec.Vector) (int, error) {
			re, _, err := regexArgs(args, i, 2)
			if err != nil {
				return 0, err
			}
			before := out[0].N
			err = splitRegex(ctx, re, args[0].Bytes(i), out[0])
			return out[0].N - before, err
		})
	}
}

package builtin

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/vec"
)

// replacement is the text that takes the place of a match, taken apart once: \1 to \9 are groups, \& is the match.
type replacement []replacePiece

// replacePiece is a text, or a group if it has none.
type replacePiece struct {
	text  []byte
	group int // 0: the whole match
}

func newReplacement(with []byte) replacement {
	var r replacement
	var text []byte
	group := func(g int) {
		if len(text) > 0 {
			r, text = append(r, replacePiece{text: text}), nil
		}
		r = append(r, replacePiece{group: g})
	}
	for i := 0; i < len(with); i++ {
		c := with[i]
		if c != '\\' || i+1 >= len(with) {
			text = append(text, c)
			continue
		}
		i++
		switch g := with[i]; {
		case g >= '1' && g <= '9':
			group(int(g - '0'))
		case g == '&':
			group(0)
		case g == '\\':
			text = append(text, '\\')
		default:
			text = append(text, '\\', g)
		}
	}
	if len(text) > 0 {
		r = append(r, replacePiece{text: text})
	}
	return r
}

// append adds what takes the place of the match of s that has the bounds m.
func (r replacement) append(dst, s []byte, m []int) []byte {
	for i := range r {
		switch p := &r[i]; {
		case p.text != nil:
			dst = append(dst, p.text...)
		case 2*p.group+1 < len(m) && m[2*p.group] >= 0:
			dst = append(dst, s[m[2*p.group]:m[2*p.group+1]]...)
		}
	}
	return dst
}

// replaceRegex appends s with its first matches replaced (times < 0: all).
func replaceRegex(ctx *expr.Ctx, dst []byte, re *pattern, s []byte, with replacement, times int) ([]byte, error) {
	from := len(dst)
	if re.whole != nil {
		var room [16]int
		if m, ok, decided := re.whole.find(s, room[:0]); decided {
			if !ok {
				return append(dst, s...), nil
			}
			if dst = with.append(dst, s, m); len(dst)-from > maxText {
				return nil, errTextSize()
			}
			return dst, nil
		}
	}
	last := 0
	err := re.each(ctx, s, times, func(m []int) error {
		dst = append(dst, s[last:m[0]]...)
		dst = with.append(dst, s, m)
		last = m[1]
		if len(dst)-from > maxText {
			return errTextSize()
		}
		return nil
	})
	return append(dst, s[last:]...), err
}

// evalReplace is regexp_replace(text, pattern, replacement [, flags]). What is constant is taken apart once a batch.
func evalReplace(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
	text, with := args[0], args[2]
	var re *pattern
	var flags regexFlags
	var parts replacement
	var err error
	out.Off = append(out.Off[:0], 0)
	room := roomOf(ctx)
	work, prior := 0, 0 // as in byRow
	for i := range n {
		if !sel.Get(i) {
			out.Off = append(out.Off, uint32(len(out.Data)))
			out.N++
			continue
		}
		if re == nil || !sameRegex(args, 3) {
			if re, flags, err = regexArgs(args, i, 3); err != nil {
				return err
			}
		}
		if parts == nil || with.Form != vec.Const {
			parts = newReplacement(with.Bytes(i))
		}
		times := 1
		if flags.global {
			times = -1
		}
		s, before := text.Bytes(i), len(out.Data)
		if err := makeRoom(ctx, out, before-prior); err != nil {
			return err
		}
		prior = before
		if out.Data, err = replaceRegex(ctx, out.Data, re, s, parts, times); err != nil {
			return err
		}
		out.Off = append(out.Off, uint32(len(out.Data)))
		out.N++
		if work += rowWork + len(s) + len(out.Data) - before; work > lookEvery {
			work = 0
			if err := canceled(ctx); err != nil {
				return err
			}
		}
		if len(out.Data) > room.bytes {
			if stop, err := room.full(out, i+1, n); stop || err != nil {
				return err
			}
		}
	}
	return nil
}

// sameRegex reports whether all rows have the same pattern and flags.
func sameRegex(args []*vec.Vector, flagsAt int) bool {
	return args[1].Form == vec.Const && (flagsAt == 0 || len(args) <= flagsAt || args[flagsAt].Form == vec.Const)
}

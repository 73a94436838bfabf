package builtin

import (
	"strconv"
	"unicode/utf8"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/vec"
)

func addFormat(r *registry) {
	r.text1("quote_ident", QuoteIdent)
	r.text1("quote_literal", QuoteLiteral)
	stable(r.fn("quote_literal", sig(tAnyElement), tText, byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendBytes(QuoteLiteral(nil, datum.AppendText(nil, args[0], i, ctx.Format())))
		return nil
	})))
	nullable := byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		if args[0].Null(i) {
			out.AppendString("NULL")
			return nil
		}
		out.AppendBytes(QuoteLiteral(nil, datum.AppendText(nil, args[0], i, ctx.Format())))
		return nil
	})
	called(r.fn("quote_nullable", sig(tText), tText, nullable))
	stable(called(r.fn("quote_nullable", sig(tAnyElement), tText, nullable)))
	format := byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		if args[0].Null(i) {
			out.AppendNull()
			return nil
		}
		b, err := formatText(args[0].Bytes(i), args[1:], i, ctx.Format())
		out.AppendBytes(b)
		return err
	})
	stable(called(r.fn("format", sig(tText), tText, format)))
	stable(variadic(called(r.fn("format", sig(tText, tAny), tText, format))))
}

// QuoteIdent appends an identifier, in double quotes unless it is plain lower case and no keyword that needs them.
func QuoteIdent(dst, s []byte) []byte {
	safe := len(s) > 0 && (s[0] >= 'a' && s[0] <= 'z' || s[0] == '_')
	for _, c := range s {
		safe = safe && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_')
	}
	if safe && !reservedWords[string(s)] {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for _, c := range s {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// QuoteLiteral appends a string literal; one with backslashes gets the E prefix.
func QuoteLiteral(dst, s []byte) []byte {
	for _, c := range s {
		if c == '\\' {
			dst = append(dst, 'E')
			break
		}
	}
	dst = append(dst, '\'')
	for _, c := range s {
		if c == '\'' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '\'')
}

// formatSpec is one %[position$][flags][width]type.
type formatSpec struct {
	arg   int // from 1; 0 for the next
	left  bool
	width int
	star  int // the width comes from this argument, from 1; -1 from the next; 0 from the text
	conv  byte
}

func formatText(f []byte, args []*vec.Vector, i int, form *datum.Format) ([]byte, error) {
	var out []byte
	next := 0
	take := func(n int) (*vec.Vector, error) {
		if n == 0 {
			n = next + 1
		}
		if n > len(args) {
			return nil, errParam("too few arguments for format()")
		}
		next = n
		return args[n-1], nil
	}
	for p := 0; p < len(f); {
		if f[p] != '%' {
			out = append(out, f[p])
			p++
			continue
		}
		p++
		if p < len(f) && f[p] == '%' {
			out = append(out, '%')
			p++
			continue
		}
		spec, n, err := parseSpec(f[p:])
		if err != nil {
			return nil, err
		}
		p += n
		if spec.star != 0 {
			v, err := take(max(spec.star, 0))
			if err != nil {
				return nil, err
			}
			w := 0
			if !v.Null(i) {
				if w, err = strconv.Atoi(string(datum.AppendText(nil, v, i, form))); err != nil {
					return nil, sqlstate.New(sqlstate.InvalidText, "invalid width in format()")
				}
			}
			spec.width = w
			if w < 0 {
				spec.left, spec.width = true, -w
			}
		}
		v, err := take(spec.arg)
		if err != nil {
			return nil, err
		}
		s, err := convert(spec.conv, v, i, form)
		if err != nil {
			return nil, err
		}
		if spec.width > maxText/4 {
			return nil, errTextSize()
		}
		fill := spec.width - utf8.RuneCount(s)
		if spec.left {
			out = append(out, s...)
		}
		for ; fill > 0; fill-- {
			out = append(out, ' ')
		}
		if !spec.left {
			out = append(out, s...)
		}
		if len(out) > maxText {
			return nil, errTextSize()
		}
	}
	return out, nil
}

func errFormatEnd() error {
	return sqlstate.New(sqlstate.InvalidParameter, "unterminated format() type specifier").
		WithHint("For a single \"%%\" use \"%%%%\".")
}

func parseSpec(s []byte) (spec formatSpec, n int, err error) {
	number := func() int {
		v := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' && v < 1<<26 {
			v = v*10 + int(s[n]-'0')
			n++
		}
		return v
	}
	if n < len(s) && s[n] >= '1' && s[n] <= '9' || n < len(s) && s[n] == '0' {
		v := number()
		if n < len(s) && s[n] == '$' {
			if v == 0 {
				return spec, n, errParam("format specifies argument 0, but arguments are numbered from 1")
			}
			spec.arg = v
			n++
		} else {
			spec.width = v
		}
	}
	for n < len(s) && s[n] == '-' {
		spec.left = true
		n++
	}
	if n < len(s) && s[n] == '*' {
		n++
		spec.star = -1
		if v := number(); n < len(s) && s[n] == '$' && v > 0 {
			spec.star = v
			n++
		}
	} else if w := number(); w > 0 {
		spec.width = w
	}
	if n >= len(s) {
		return spec, n, errFormatEnd()
	}
	spec.conv = s[n]
	return spec, n + 1, nil
}

func convert(c byte, v *vec.Vector, i int, form *datum.Format) ([]byte, error) {
	null := v.Null(i)
	switch c {
	case 's':
		if null {
			return nil, nil
		}
		return datum.AppendText(nil, v, i, form), nil
	case 'I':
		if null {
			return nil, sqlstate.New("22004", "null values cannot be formatted as an SQL identifier")
		}
		return QuoteIdent(nil, datum.AppendText(nil, v, i, form)), nil
	case 'L':
		if null {
			return []byte("NULL"), nil
		}
		return QuoteLiteral(nil, datum.AppendText(nil, v, i, form)), nil
	}
	return nil, sqlstate.New(sqlstate.InvalidParameter, "unrecognized format() type specifier \"%c\"", c).
		WithHint("For a single \"%%\" use \"%%%%\".")
}

package builtin

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// maxText bounds a string that a function makes larger than its input.
const maxText = 64 << 20

func errTextSize() error {
	return sqlstate.New(sqlstate.ProgramLimit, "requested length too large")
}

func addText(r *registry) {
	addCase(r)
	addLengths(r)
	addParts(r)
	addPadding(r)
	addConcat(r)
	addEncodings(r)
}

// text1 registers a function of one text to text.
func (r *registry) text1(name string, f func(dst, s []byte) []byte) {
	r.fn(name, sig(tText), tText, byRowBytes(func(dst, s []byte) ([]byte, error) { return f(dst, s), nil }))
}

func addCase(r *registry) {
	r.text1("lower", func(dst, s []byte) []byte { return mapCase(dst, s, 'A', 'Z', unicode.ToLower) })
	r.text1("upper", func(dst, s []byte) []byte { return mapCase(dst, s, 'a', 'z', unicode.ToUpper) })
	r.text1("initcap", initcap)
	r.text1("reverse", func(dst, s []byte) []byte {
		for len(s) > 0 {
			_, n := utf8.DecodeLastRune(s)
			dst = append(dst, s[len(s)-n:]...)
			s = s[:len(s)-n]
		}
		return dst
	})
}

// mapCase changes ASCII letters from lo to hi byte by byte and leaves the rest to f.
func mapCase(dst, s []byte, lo, hi byte, f func(rune) rune) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= lo && c <= hi {
				c ^= 0x20
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		dst = utf8.AppendRune(dst, f(r))
		i += n
	}
	return dst
}

func initcap(dst, s []byte) []byte {
	inWord := false
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		s = s[n:]
		if inWord {
			r = unicode.ToLower(r)
		} else {
			r = unicode.ToUpper(r)
		}
		inWord = unicode.IsLetter(r) || unicode.IsDigit(r)
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

func addLengths(r *registry) {
	chars := func(s []byte) int64 { return int64(utf8.RuneCount(s)) }
	size := func(s []byte) int64 { return int64(len(s)) }
	for _, name := range []string{"length", "char_length", "character_length"} {
		r.fn(name, sig(tText), tInt4, byRowInt(chars))
	}
	r.fn("length", sig(tBytea), tInt4, byRowInt(size))
	for _, t := range []types.Type{tText, tBytea} {
		r.fn("octet_length", sig(t), tInt4, byRowInt(size))
		r.fn("bit_length", sig(t), tInt4, byRowInt(func(s []byte) int64 { return 8 * int64(len(s)) }))
	}
	r.fn("ascii", sig(tText), tInt4, byRowInt(func(s []byte) int64 {
		if len(s) == 0 {
			return 0
		}
		c, _ := utf8.DecodeRune(s)
		return int64(c)
	}))
	r.fn("chr", sig(tInt4), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		c := args[0].Int(i)
		switch {
		case c == 0:
			return sqlstate.New(sqlstate.ProgramLimit, "null character not permitted")
		case c < 0:
			return sqlstate.New(sqlstate.ProgramLimit, "character number must be positive")
		case c > utf8.MaxRune:
			return sqlstate.New(sqlstate.ProgramLimit, "requested character too large for encoding: %d", c)
		case !utf8.ValidRune(rune(c)):
			return sqlstate.New(sqlstate.ProgramLimit, "requested character not valid for encoding: %d", c)
		}
		out.AppendBytes(utf8.AppendRune(nil, rune(c)))
		return nil
	}))
}

// charOffset returns the byte offset of character n (from 0), or len(s) if there are fewer.
func charOffset(s []byte, n int64) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		_, w := utf8.DecodeRune(s[i:])
		i += w
	}
	return i
}

// substring returns the characters from start (1 is the first) up to, without, end; both may lie outside.
func substring(s []byte, start, end int64) []byte {
	start = max(start, 1)
	if end <= start {
		return nil
	}
	from := charOffset(s, start-1)
	return s[from : from+charOffset(s[from:], end-start)]
}

func errNegativeLength() error {
	return sqlstate.New("22011", "negative substring length not allowed")
}

// maxChars is beyond any text.
const maxChars = int64(1) << 40

func addParts(r *registry) {
	whole := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendBytes(substring(args[0].Bytes(i), args[1].Int(i), maxChars))
		return nil
	})
	part := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		if args[2].Int(i) < 0 {
			return errNegativeLength()
		}
		out.AppendBytes(substring(args[0].Bytes(i), args[1].Int(i), args[1].Int(i)+args[2].Int(i)))
		return nil
	})
	for _, name := range []string{"substr", "substring"} {
		r.fn(name, sig(tText, tInt4), tText, whole)
		r.fn(name, sig(tText, tInt4, tInt4), tText, part)
		r.fn(name, sig(tBytea, tInt4), tBytea, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			out.AppendBytes(subBytes(args[0].Bytes(i), args[1].Int(i), maxChars))
			return nil
		}))
		r.fn(name, sig(tBytea, tInt4, tInt4), tBytea, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			if args[2].Int(i) < 0 {
				return errNegativeLength()
			}
			out.AppendBytes(subBytes(args[0].Bytes(i), args[1].Int(i), args[1].Int(i)+args[2].Int(i)))
			return nil
		}))
	}
	r.fn("left", sig(tText, tInt4), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		s, n := args[0].Bytes(i), args[1].Int(i)
		if n < 0 {
			n = max(int64(utf8.RuneCount(s))+n, 0)
		}
		out.AppendBytes(s[:charOffset(s, n)])
		return nil
	}))
	r.fn("right", sig(tText, tInt4), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		s, n := args[0].Bytes(i), args[1].Int(i)
		skip := -n
		if n >= 0 {
			skip = max(int64(utf8.RuneCount(s))-n, 0)
		}
		out.AppendBytes(s[charOffset(s, skip):])
		return nil
	}))
	overlay := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		s, with, from := args[0].Bytes(i), args[1].Bytes(i), args[2].Int(i)
		n := int64(utf8.RuneCount(with))
		if len(args) > 3 {
			n = args[3].Int(i)
		}
		if from <= 0 {
			return errNegativeLength()
		}
		b := append([]byte(nil), substring(s, 1, from)...)
		b = append(b, with...)
		out.AppendBytes(append(b, substring(s, from+n, maxChars)...))
		return nil
	})
	r.fn("overlay", sig(tText, tText, tInt4), tText, overlay)
	r.fn("overlay", sig(tText, tText, tInt4, tInt4), tText, overlay)
	r.fn("split_part", sig(tText, tText, tInt4), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		p, err := splitPart(args[0].Bytes(i), args[1].Bytes(i), args[2].Int(i))
		out.AppendBytes(p)
		return err
	}))
}

func subBytes(s []byte, start, end int64) []byte {
	n := int64(len(s))
	start, end = min(max(start, 1), n+1), min(end, n+1)
	if end <= start {
		return nil
	}
	return s[start-1 : end-1]
}

// splitPart returns field n, counted from the end if it is negative; fields that are not there are empty.
func splitPart(s, sep []byte, n int64) ([]byte, error) {
	if n == 0 {
		return nil, errParam("field position must not be zero")
	}
	if len(sep) == 0 {
		if n == 1 || n == -1 {
			return s, nil
		}
		return nil, nil
	}
	if n < 0 {
		for ; n < -1; n++ {
			at := bytes.LastIndex(s, sep)
			if at < 0 {
				return nil, nil
			}
			s = s[:at]
		}
		return s[bytes.LastIndex(s, sep)+boolLen(bytes.Contains(s, sep), len(sep)):], nil
	}
	for ; n > 1; n-- {
		at := bytes.Index(s, sep)
		if at < 0 {
			return nil, nil
		}
		s = s[at+len(sep):]
	}
	if at := bytes.Index(s, sep); at >= 0 {
		s = s[:at]
	}
	return s, nil
}

// boolLen is what to add to LastIndex to stand behind the separator, or at the start if there is none.
func boolLen(found bool, n int) int {
	if found {
		return n
	}
	return 1
}

func addPadding(r *registry) {
	r.fn("repeat", sig(tText, tInt4), tText, byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) (err error) {
		s, n := args[0].Bytes(i), max(args[1].Int(i), 0)
		if int64(len(s))*n > maxText {
			return errTextSize()
		}
		out.AppendBytes(nil)
		out.Data, err = appendRepeated(ctx, out.Data, s, int(n))
		out.Off[len(out.Off)-1] = uint32(len(out.Data))
		return err
	}))
	for _, left := range []bool{true, false} {
		name := "rpad"
		if left {
			name = "lpad"
		}
		f := byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			fill := []byte{' '}
			if len(args) > 2 {
				fill = args[2].Bytes(i)
			}
			p, err := pad(args[0].Bytes(i), args[1].Int(i), fill, left)
			out.AppendBytes(p)
			return err
		})
		r.fn(name, sig(tText, tInt4), tText, f)
		r.fn(name, sig(tText, tInt4, tText), tText, f)
	}
	for _, p := range []struct {
		name        string
		left, right bool
	}{{"btrim", true, true}, {"trim", true, true}, {"ltrim", true, false}, {"rtrim", false, true}} {
		r.text1(p.name, func(dst, s []byte) []byte { return append(dst, trimChars(s, []byte{' '}, p.left, p.right)...) })
		r.fn(p.name, sig(tText, tText), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			out.AppendBytes(trimChars(args[0].Bytes(i), args[1].Bytes(i), p.left, p.right))
			return nil
		}))
	}
}

// appendRepeated appends s n times: what is there of it already, over and over, while that is short enough to be in the cache.
func appendRepeated(ctx *expr.Ctx, dst, s []byte, n int) ([]byte, error) {
	size := len(s) * n
	if size == 0 {
		return dst, nil
	}
	from, look := len(dst), watch{ctx: ctx}
	dst = slices.Grow(dst, size)
	dst = append(dst, s...)
	for len(dst)-from < size {
		done := len(dst) - from
		most := max(repeatUnit/len(s), 1) * len(s) // whole times of s, so that each copy goes on where the one before ended
		piece := min(done, size-done, most)
		dst = append(dst, dst[from:from+piece]...)
		if err := look.before(piece); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

const repeatUnit = 32 << 10

// pad fills s up to n characters, or cuts it.
func pad(s []byte, n int64, fill []byte, left bool) ([]byte, error) {
	n = max(n, 0)
	have := int64(utf8.RuneCount(s))
	if have >= n || len(fill) == 0 {
		return s[:charOffset(s, n)], nil
	}
	if n*4 > maxText {
		return nil, errTextSize()
	}
	var p []byte
	width := int64(utf8.RuneCount(fill))
	missing := n - have
	for ; missing >= width; missing -= width {
		p = append(p, fill...)
	}
	p = append(p, fill[:charOffset(fill, missing)]...)
	if left {
		return append(p, s...), nil
	}
	return append(append(make([]byte, 0, len(s)+len(p)), s...), p...), nil
}

func trimChars(s, set []byte, left, right bool) []byte {
	if left {
		for len(s) > 0 {
			r, n := utf8.DecodeRune(s)
			if !bytes.ContainsRune(set, r) {
				break
			}
			s = s[n:]
		}
	}
	if right {
		for len(s) > 0 {
			r, n := utf8.DecodeLastRune(s)
			if !bytes.ContainsRune(set, r) {
				break
			}
			s = s[:len(s)-n]
		}
	}
	return s
}

func addConcat(r *registry) {
	for _, t := range []types.Type{tText, tBytea} {
		r.op("||", sig(t, t), t, func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
			out.Off = append(out.Off[:0], 0)
			a, b := args[0], args[1]
			for i := range n {
				if sel.Get(i) {
					out.Data = append(append(out.Data, a.Bytes(i)...), b.Bytes(i)...)
					if len(out.Data) > maxBatch {
						return errTextSize()
					}
				}
				out.Off = append(out.Off, uint32(len(out.Data)))
			}
			out.N = n
			return nil
		})
	}
	// text || x and x || text print the other side, whatever it is but an array.
	for _, k := range []types.Kind{types.Varchar, types.BPChar, types.Name, types.Char} {
		r.op("||", sig(types.Of(k), types.Of(k)), tText, concatStrings)
	}
	for _, k := range concatKinds {
		t := types.Of(k)
		for _, f := range []*expr.Func{r.op("||", sig(tText, t), tText, concatAny), r.op("||", sig(t, tText), tText, concatAny)} {
			if textDependsOnSession(t) {
				stable(f)
			}
		}
	}
	stable(variadic(called(r.fn("concat", sig(tAny), tText, byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		out.AppendBytes(joinAny(ctx, nil, args, nil, i))
		return nil
	})))))
	stable(variadic(called(r.fn("concat_ws", sig(tText, tAny), tText, byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		if args[0].Null(i) {
			out.AppendNull()
			return nil
		}
		out.AppendBytes(joinAny(ctx, nil, args[1:], args[0].Bytes(i), i))
		return nil
	})))))
}

// concatStrings joins two strings; the blanks that pad a character(n) do not count.
var concatStrings = byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
	var b []byte
	for _, a := range args {
		s := a.Bytes(i)
		if a.Type.Kind == types.BPChar {
			s = bytes.TrimRight(s, " ")
		}
		b = append(b, s...)
	}
	out.AppendBytes(b)
	return nil
})

// concatKinds have no || with text of their own.
var concatKinds = []types.Kind{types.Bool, types.Int16, types.Int32, types.Int64, types.Float32, types.Float64, types.Numeric,
	types.Date, types.Time, types.Timestamp, types.Timestamptz, types.Interval, types.UUID, types.OID, types.Regclass,
	types.Regtype, types.Regproc, types.Regnamespace, types.Xid, types.Char, types.Histogram, types.JSON}

// concatAny casts its arguments to text; unlike output, the cast writes booleans out.
var concatAny = byRow(func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
	var b []byte
	f := ctx.Format()
	for _, a := range args {
		b = appendCastText(b, a, i, f)
	}
	out.AppendBytes(b)
	return nil
})

// joinAny appends the text forms of the arguments that are not NULL, with sep between them.
func joinAny(ctx *expr.Ctx, dst []byte, args []*vec.Vector, sep []byte, i int) []byte {
	f := ctx.Format()
	first := true
	for _, a := range args {
		if a.Null(i) {
			continue
		}
		if !first {
			dst = append(dst, sep...)
		}
		first = false
		dst = datum.AppendText(dst, a, i, f)
	}
	return dst
}

func addEncodings(r *registry) {
	for _, t := range []types.Type{tText, tBytea} {
		r.fn("md5", sig(t), tText, byRowBytes(func(dst, s []byte) ([]byte, error) {
			sum := md5.Sum(s)
			return hex.AppendEncode(dst, sum[:]), nil
		}))
	}
	r.fn("sha224", sig(tBytea), tBytea, byRowBytes(func(dst, s []byte) ([]byte, error) {
		sum := sha256.Sum224(s)
		return append(dst, sum[:]...), nil
	}))
	r.fn("sha256", sig(tBytea), tBytea, byRowBytes(func(dst, s []byte) ([]byte, error) {
		sum := sha256.Sum256(s)
		return append(dst, sum[:]...), nil
	}))
	r.fn("sha384", sig(tBytea), tBytea, byRowBytes(func(dst, s []byte) ([]byte, error) {
		sum := sha512.Sum384(s)
		return append(dst, sum[:]...), nil
	}))
	r.fn("sha512", sig(tBytea), tBytea, byRowBytes(func(dst, s []byte) ([]byte, error) {
		sum := sha512.Sum512(s)
		return append(dst, sum[:]...), nil
	}))
	r.fn("encode", sig(tBytea, tText), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		b, err := encodeBytes(args[0].Bytes(i), string(args[1].Bytes(i)))
		out.AppendBytes(b)
		return err
	}))
	r.fn("decode", sig(tText, tText), tBytea, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		b, err := decodeBytes(args[0].Bytes(i), string(args[1].Bytes(i)))
		out.AppendBytes(b)
		return err
	}))
	r.fn("convert_from", sig(tBytea, tText), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		if err := wantUTF8(args[1].Bytes(i)); err != nil {
			return err
		}
		return datum.ParseText(tText, args[0].Bytes(i), nil, out)
	}))
	r.fn("convert_to", sig(tText, tText), tBytea, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
		if err := wantUTF8(args[1].Bytes(i)); err != nil {
			return err
		}
		out.AppendBytes(args[0].Bytes(i))
		return nil
	}))
	for _, t := range []types.Type{tInt4, tInt8} {
		wide := t.Kind == types.Int64
		r.fn("to_hex", sig(t), tText, byRow(func(_ *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error {
			u := uint64(args[0].Int(i))
			if !wide {
				u = uint64(uint32(u))
			}
			out.AppendString(strconv.FormatUint(u, 16))
			return nil
		}))
	}
}

func wantUTF8(name []byte) error {
	if s := string(bytes.ToLower(name)); s != "utf8" && s != "utf-8" {
		return sqlstate.New(sqlstate.FeatureNotSupported, "encoding \"%s\" is not supported; only UTF8 is", name)
	}
	return nil
}

func encodeBytes(b []byte, format string) ([]byte, error) {
	switch format {
	case "hex":
		return hex.AppendEncode(nil, b), nil
	case "base64": // lines of 76 characters, as MIME has them
		s := base64.StdEncoding.EncodeToString(b)
		var out []byte
		for len(s) > 76 {
			out = append(append(out, s[:76]...), '\n')
			s = s[76:]
		}
		return append(out, s...), nil
	case "escape":
		var out []byte
		for _, c := range b {
			switch {
			case c == '\\':
				out = append(out, '\\', '\\')
			case c == 0 || c >= 0x80:
				out = append(out, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			default:
				out = append(out, c)
			}
		}
		return out, nil
	}
	return nil, errParam("unrecognized encoding: \"%s\"", format)
}

func decodeBytes(s []byte, format string) ([]byte, error) {
	switch format {
	case "hex":
		return datum.ParseHex(s)
	case "base64":
		clean := bytes.Map(func(r rune) rune {
			if r == ' ' || r == '\n' || r == '\r' || r == '\t' {
				return -1
			}
			return r
		}, s)
		b, err := base64.StdEncoding.DecodeString(string(clean))
		if err != nil {
			return nil, errParam("invalid base64 end sequence")
		}
		return b, nil
	case "escape":
		return datum.ParseBytea(s)
	}
	return nil, errParam("unrecognized encoding: \"%s\"", format)
}

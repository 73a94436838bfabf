package datum

import (
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// ParseText reads PostgreSQL's text form of a value of type t and appends it to out, as leniently as the server does.
// The modifier of t is not applied (see ApplyMod), except that it tells what a bare number in an interval means. f may
// be nil. On error nothing is appended.
func ParseText(t types.Type, s []byte, f *Format, out *vec.Vector) error {
	switch t.Kind {
	case types.Bool:
		b, ok := ParseBool(s)
		if !ok {
			return errSyntax(t.Kind, s)
		}
		out.AppendBool(b)
		return nil
	case types.Int16, types.Int32, types.Int64:
		x, err := ParseInt(s, t.Kind)
		if err != nil {
			return err
		}
		out.AppendInt(x)
		return nil
	case types.OID, types.Xid:
		x, err := parseOID(s, t.Kind)
		if err != nil {
			return err
		}
		out.AppendInt(x)
		return nil
	case types.Regclass, types.Regtype, types.Regproc, types.Regnamespace:
		x, err := parseReg(s, t.Kind, f)
		if err != nil {
			return err
		}
		out.AppendInt(x)
		return nil
	case types.Float32, types.Float64:
		x, err := ParseFloat(s, t.Kind)
		if err != nil {
			return err
		}
		out.AppendFloat(x)
		return nil
	case types.Date, types.Time, types.Timestamp, types.Timestamptz:
		x, err := parseDatetime(t.Kind, s, f)
		if err != nil {
			return err
		}
		out.AppendInt(x)
		return nil
	}
	return parseBytesText(t, s, f, out)
}

func parseDatetime(k types.Kind, s []byte, f *Format) (int64, error) {
	switch k {
	case types.Date:
		return ParseDate(s, f)
	case types.Time:
		return ParseTime(s, f)
	case types.Timestamp:
		return ParseTimestamp(s, f)
	}
	return ParseTimestamptz(s, f)
}

func parseBytesText(t types.Type, s []byte, f *Format, out *vec.Vector) error {
	switch t.Kind {
	case types.Numeric:
		var n Numeric
		if err := n.Parse(s); err != nil {
			return err
		}
		AppendNumeric(out, &n)
		return nil
	case types.Text, types.Varchar, types.BPChar, types.Unknown, types.PgNodeTree, types.AclItem, types.Record:
		if err := checkText(s); err != nil {
			return err
		}
		out.AppendBytes(s)
		return nil
	case types.Name:
		if err := checkText(s); err != nil {
			return err
		}
		out.AppendBytes(TruncateName(s))
		return nil
	case types.Char:
		out.AppendBytes(s[:min(len(s), 1)])
		return nil
	case types.Bytea:
		b, err := ParseBytea(s)
		if err != nil {
			return err
		}
		out.AppendBytes(b)
		return nil
	case types.Interval:
		iv, err := ParseInterval(s, f, TypMod(t))
		if err != nil {
			return err
		}
		AppendIntervalValue(out, iv)
		return nil
	case types.UUID:
		u, ok := parseUUID(s)
		if !ok {
			return errSyntax(t.Kind, s)
		}
		out.AppendBytes(u[:])
		return nil
	case types.JSON:
		if err := shred.Valid(s); err != nil {
			return errJSON(err)
		}
		out.AppendBytes(s)
		return nil
	case types.JSONB:
		b, err := shred.AppendJSONB(nil, s)
		if err != nil {
			return errJSON(err)
		}
		out.AppendBytes(b)
		return nil
	case types.Array:
		return parseArray(t, s, f, out)
	case types.Int2Vector, types.OIDVector:
		return parseVector(t, s, out)
	case types.Histogram:
		h, err := sketch.Parse(string(s))
		if err != nil {
			return sqlstate.New(sqlstate.InvalidText, "invalid input syntax for type histogram: \"%s\"", clip(s)).WithDetail("%s", err)
		}
		out.AppendBytes(h.AppendTo(nil))
		return nil
	case types.HLL:
		b, err := ParseBytea(s)
		if err != nil {
			return err
		}
		out.AppendBytes(b)
		return nil
	case types.Void:
		out.AppendBytes(nil)
		return nil
	}
	return sqlstate.New(sqlstate.FeatureNotSupported, "cannot accept a value of type %s", t)
}

// clip bounds what an error message repeats of a value.
func clip(s []byte) []byte { return s[:min(len(s), 200)] }

func errJSON(err error) error {
	return sqlstate.New(sqlstate.InvalidText, "invalid input syntax for type json").WithDetail("%s", err)
}

// checkText accepts valid UTF-8 without NUL.
func checkText(s []byte) error {
	for i, c := range s {
		if c == 0 {
			return sqlstate.New("22021", "invalid byte sequence for encoding \"UTF8\": 0x00")
		}
		if c >= utf8.RuneSelf {
			if !utf8.Valid(s[i:]) {
				return errUTF8(s[i:])
			}
			break
		}
	}
	return nil
}

func errUTF8(s []byte) error {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			return sqlstate.New("22021", "invalid byte sequence for encoding \"UTF8\": 0x%x", s[0])
		}
		s = s[n:]
	}
	return sqlstate.New("22021", "invalid byte sequence for encoding \"UTF8\"")
}

// TruncateName cuts an identifier to 63 bytes at a character's end.
func TruncateName(s []byte) []byte {
	const nameMax = 63
	if len(s) <= nameMax {
		return s
	}
	n := nameMax
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// ParseBool reads true, yes, on, 1, their negatives and unique prefixes, in any case, with blanks around.
func ParseBool(s []byte) (value, ok bool) {
	s = trimSpace(s)
	if len(s) == 0 {
		return false, false
	}
	is := func(word string, least int) bool {
		return len(s) >= least && len(s) <= len(word) && equalFold(s, word[:len(s)])
	}
	switch s[0] {
	case 't', 'T':
		return true, is("true", 1)
	case 'f', 'F':
		return false, is("false", 1)
	case 'y', 'Y':
		return true, is("yes", 1)
	case 'n', 'N':
		return false, is("no", 1)
	case 'o', 'O':
		if is("on", 2) {
			return true, true
		}
		return false, is("off", 2)
	case '1':
		return true, len(s) == 1
	case '0':
		return false, len(s) == 1
	}
	return false, false
}

// ParseInt reads a decimal integer of the kind.
func ParseInt(s []byte, k types.Kind) (int64, error) {
	t := trimSpace(s)
	neg, i := false, 0
	if len(t) > 0 && (t[0] == '-' || t[0] == '+') {
		neg, i = t[0] == '-', 1
	}
	if i == len(t) {
		return 0, errSyntax(k, s)
	}
	var u uint64
	over := false
	for ; i < len(t); i++ {
		d := t[i] - '0'
		if d > 9 {
			return 0, errSyntax(k, s)
		}
		over = over || u > math.MaxUint64/10-1
		u = u*10 + uint64(d)
	}
	lo, hi := IntRange(k)
	if over || !neg && u > uint64(hi) || neg && u > uint64(-lo) {
		return 0, errTextRange(k, s)
	}
	if neg {
		return -int64(u), nil
	}
	return int64(u), nil
}

// parseOID reads an unsigned 32-bit number; a negative one wraps, as strtoul does.
func parseOID(s []byte, k types.Kind) (int64, error) {
	x, err := ParseInt(s, types.Int64)
	switch {
	case err != nil && sqlstate.Code(err) == sqlstate.NumericOutOfRange, err == nil && (x > math.MaxUint32 || x < math.MinInt32):
		return 0, errTextRange(k, s)
	case err != nil:
		return 0, errSyntax(k, s)
	}
	return int64(uint32(x)), nil
}

func parseReg(s []byte, k types.Kind, f *Format) (int64, error) {
	t := trimSpace(s)
	if len(t) == 1 && t[0] == '-' {
		return 0, nil
	}
	if len(t) > 0 && isDigit(t[0]) {
		return parseOID(s, types.OID)
	}
	if f != nil && f.RegID != nil {
		oid, err := f.RegID(k, string(s))
		return int64(oid), err
	}
	if k == types.Regtype {
		if ty, ok := TypeByName(string(lowerASCII(nil, t))); ok {
			return int64(OID(ty)), nil
		}
		return 0, sqlstate.New(sqlstate.UndefinedObject, "type \"%s\" does not exist", t)
	}
	return 0, errSyntax(k, s)
}

// ParseFloat reads a real or double precision.
func ParseFloat(s []byte, k types.Kind) (float64, error) {
	t := trimSpace(s)
	if len(t) == 0 {
		return 0, errSyntax(k, s)
	}
	switch body, neg := t, t[0] == '-'; {
	case equalFold(t, "nan"):
		return math.NaN(), nil
	default:
		if neg || t[0] == '+' {
			body = t[1:]
		}
		if equalFold(body, "infinity") || equalFold(body, "inf") {
			if neg {
				return math.Inf(-1), nil
			}
			return math.Inf(1), nil
		}
	}
	for _, c := range t { // what ParseFloat takes beyond C: digits separated by _, names, hexadecimal
		if c == '_' || isAlpha(c) && c|0x20 != 'e' {
			return 0, errSyntax(k, s)
		}
	}
	bits := 64
	if k == types.Float32 {
		bits = 32
	}
	x, err := strconv.ParseFloat(string(t), bits)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			return 0, errTextRange(k, t)
		}
		return 0, errSyntax(k, s)
	}
	if x == 0 && nonZeroDigits(t) {
		return 0, errTextRange(k, t) // underflow is an error too
	}
	return x, nil
}

func nonZeroDigits(t []byte) bool {
	for _, c := range t {
		if c|0x20 == 'e' {
			return false
		}
		if c >= '1' && c <= '9' {
			return true
		}
	}
	return false
}

// ParseBytea reads the hex form \x… or the escape form.
func ParseBytea(s []byte) ([]byte, error) {
	if len(s) >= 2 && s[0] == '\\' && s[1] == 'x' {
		return ParseHex(s[2:])
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '\\' {
			out = append(out, c)
			continue
		}
		if i+1 < len(s) && s[i+1] == '\\' {
			out = append(out, '\\')
			i++
			continue
		}
		if i+3 < len(s) && s[i+1] >= '0' && s[i+1] <= '3' && isOctal(s[i+2]) && isOctal(s[i+3]) {
			out = append(out, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
			continue
		}
		return nil, sqlstate.New(sqlstate.InvalidText, "invalid input syntax for type bytea")
	}
	return out, nil
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }

// ParseHex reads pairs of hexadecimal digits with blanks between them; error 22023.
func ParseHex(s []byte) ([]byte, error) {
	out := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); {
		if isSpace(s[i]) {
			i++
			continue
		}
		if i+1 >= len(s) {
			if _, err := hex.DecodeString("0" + string(s[i:])); err != nil {
				return nil, errHexDigit(s[i:])
			}
			return nil, sqlstate.New(sqlstate.InvalidParameter, "invalid hexadecimal data: odd number of digits")
		}
		var b [1]byte
		if _, err := hex.Decode(b[:], s[i:i+2]); err != nil {
			return nil, errHexDigit(s[i : i+2])
		}
		out = append(out, b[0])
		i += 2
	}
	return out, nil
}

func errHexDigit(s []byte) error {
	for len(s) > 0 {
		c := s[0]
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			_, n := utf8.DecodeRune(s)
			return sqlstate.New(sqlstate.InvalidParameter, "invalid hexadecimal digit: \"%s\"", s[:n])
		}
		s = s[1:]
	}
	return sqlstate.New(sqlstate.InvalidParameter, "invalid hexadecimal data")
}

// parseUUID reads 32 hexadecimal digits with hyphens after any group of four and braces around.
func parseUUID(s []byte) (u [16]byte, ok bool) {
	if len(s) > 1 && s[0] == '{' {
		if s[len(s)-1] != '}' {
			return u, false
		}
		s = s[1 : len(s)-1]
	}
	for i := range u {
		if len(s) < 2 {
			return u, false
		}
		if _, err := hex.Decode(u[i:i+1], s[:2]); err != nil {
			return u, false
		}
		s = s[2:]
		if i%2 == 1 && i < 15 && len(s) > 0 && s[0] == '-' {
			s = s[1:]
		}
	}
	return u, len(s) == 0
}

// parseVector reads int2vector and oidvector: numbers between blanks.
func parseVector(t types.Type, s []byte, out *vec.Vector) error {
	elem, _ := ElemOf(t)
	var vals vec.Vector
	vals.Reset(types.Of(elem))
	rest := trimSpace(s)
	for len(rest) > 0 {
		n := 0
		for n < len(rest) && !isSpace(rest[n]) {
			n++
		}
		x, err := parseVectorElem(elem, rest[:n])
		if err != nil {
			return err
		}
		vals.AppendInt(x)
		rest = trimSpace(rest[n:])
	}
	out.AppendBytes(EncodeArrayLower(nil, &vals, 0, vals.N, 0))
	return nil
}

func parseVectorElem(elem types.Kind, s []byte) (int64, error) {
	if elem == types.OID {
		return parseOID(s, elem)
	}
	return ParseInt(s, elem)
}

// AppendNumeric appends n to a numeric vector.
func AppendNumeric(out *vec.Vector, n *Numeric) {
	var buf [64]byte
	out.AppendBytes(n.AppendText(buf[:0]))
}

// AppendIntervalValue appends iv to an interval vector.
func AppendIntervalValue(out *vec.Vector, iv Interval) {
	var buf [intervalSize]byte
	out.AppendBytes(iv.Append(buf[:0]))
}

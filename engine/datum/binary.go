package datum

import (
	"encoding/binary"
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// pgEpochMicros is PostgreSQL's epoch in microseconds since 1970.
const pgEpochMicros = DateEpochPG * int64(usDay)

// AppendBinary appends the binary form of row i of v, which is not NULL.
func AppendBinary(dst []byte, v *vec.Vector, i int) ([]byte, error) {
	switch v.Type.Kind {
	case types.Bool:
		if v.Bool(i) {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case types.Int16:
		return binary.BigEndian.AppendUint16(dst, uint16(v.Int(i))), nil
	case types.Int32, types.OID, types.Xid, types.Regclass, types.Regtype, types.Regproc, types.Regnamespace:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Int(i))), nil
	case types.Int64, types.Time:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int(i))), nil
	case types.Float32:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(v.Float(i)))), nil
	case types.Float64:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Float(i))), nil
	case types.Date:
		return binary.BigEndian.AppendUint32(dst, uint32(dateToPG(v.Int(i)))), nil
	case types.Timestamp, types.Timestamptz:
		us := v.Int(i)
		if !isInf(us) {
			us -= pgEpochMicros
		}
		return binary.BigEndian.AppendUint64(dst, uint64(us)), nil
	}
	return appendBytesBinary(dst, v.Type, v.Bytes(i))
}

func dateToPG(d int64) int32 {
	switch d {
	case PosInfinity:
		return math.MaxInt32
	case NegInfinity:
		return math.MinInt32
	}
	return int32(d - DateEpochPG)
}

func appendBytesBinary(dst []byte, t types.Type, b []byte) ([]byte, error) {
	switch t.Kind {
	case types.Numeric:
		var n Numeric
		if err := n.Parse(b); err != nil {
			return dst, err
		}
		return n.AppendBinary(dst), nil
	case types.Interval:
		iv := GetInterval(b)
		dst = binary.BigEndian.AppendUint64(dst, uint64(iv.Micros))
		dst = binary.BigEndian.AppendUint32(dst, uint32(iv.Days))
		return binary.BigEndian.AppendUint32(dst, uint32(iv.Months)), nil
	case types.JSONB:
		return append(append(dst, 1), b...), nil
	case types.Char:
		if len(b) == 0 {
			return append(dst, 0), nil
		}
	case types.Array, types.Int2Vector, types.OIDVector:
		elem, _ := ElemOf(t)
		return appendArrayBinary(dst, elem, b)
	case types.Histogram:
		var h sketch.Histogram
		if err := h.Decode(b); err != nil {
			return dst, sqlstate.Wrap(sqlstate.DataCorrupted, err)
		}
		return h.AppendText(dst), nil
	case types.Record:
		return dst, sqlstate.New(sqlstate.FeatureNotSupported, "binary output of type record is not supported; ask for text results")
	}
	return append(dst, b...), nil
}

func appendArrayBinary(dst []byte, elem types.Kind, b []byte) ([]byte, error) {
	a, err := OpenArray(elem, b)
	if err != nil {
		return dst, err
	}
	flags := uint32(0)
	if a.HasNulls() {
		flags = 1
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(a.NDim))
	dst = binary.BigEndian.AppendUint32(dst, flags)
	dst = binary.BigEndian.AppendUint32(dst, OID(types.Of(elem)))
	for d := range a.NDim {
		dst = binary.BigEndian.AppendUint32(dst, uint32(a.Dims[d].Len))
		dst = binary.BigEndian.AppendUint32(dst, uint32(a.Dims[d].Lower))
	}
	var one vec.Vector
	for i := range a.N {
		if a.Null(i) {
			dst = binary.BigEndian.AppendUint32(dst, math.MaxUint32)
			continue
		}
		one.Reset(types.Of(elem))
		a.AppendElem(&one, i)
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		if dst, err = AppendBinary(dst, &one, 0); err != nil {
			return dst, err
		}
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return dst, nil
}

func errBinary(t types.Type) error {
	return sqlstate.New(sqlstate.InvalidBinary, "incorrect binary data format for type %s", t)
}

// ParseBinary reads the binary form of a value of type t and appends it to out. On error nothing is appended.
func ParseBinary(t types.Type, b []byte, out *vec.Vector) error {
	want := 0
	switch t.Kind {
	case types.Bool:
		want = 1
	case types.Int16:
		want = 2
	case types.Int32, types.OID, types.Xid, types.Regclass, types.Regtype, types.Regproc, types.Regnamespace, types.Float32, types.Date:
		want = 4
	case types.Int64, types.Time, types.Float64, types.Timestamp, types.Timestamptz:
		want = 8
	case types.UUID, types.Interval:
		want = 16
	}
	if want != 0 && len(b) != want {
		return errBinary(t)
	}
	switch t.Kind {
	case types.Bool:
		out.AppendBool(b[0] != 0)
	case types.Int16:
		out.AppendInt(int64(int16(binary.BigEndian.Uint16(b))))
	case types.Int32:
		out.AppendInt(int64(int32(binary.BigEndian.Uint32(b))))
	case types.OID, types.Xid, types.Regclass, types.Regtype, types.Regproc, types.Regnamespace:
		out.AppendInt(int64(binary.BigEndian.Uint32(b)))
	case types.Int64:
		out.AppendInt(int64(binary.BigEndian.Uint64(b)))
	case types.Float32:
		out.AppendFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(b))))
	case types.Float64:
		out.AppendFloat(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case types.Date, types.Time, types.Timestamp, types.Timestamptz:
		return parseBinaryDatetime(t, b, out)
	default:
		return parseBinaryBytes(t, b, out)
	}
	return nil
}

func parseBinaryDatetime(t types.Type, b []byte, out *vec.Vector) error {
	if t.Kind == types.Date {
		d := int64(int32(binary.BigEndian.Uint32(b)))
		switch d {
		case math.MaxInt32:
			d = PosInfinity
		case math.MinInt32:
			d = NegInfinity
		default:
			d += DateEpochPG
		}
		if err := checkDate(d); err != nil {
			return err
		}
		out.AppendInt(d)
		return nil
	}
	us := int64(binary.BigEndian.Uint64(b))
	if t.Kind == types.Time {
		if us < 0 || us > usDay {
			return ErrDateRange(types.Time)
		}
		out.AppendInt(us)
		return nil
	}
	if !isInf(us) {
		if us > math.MaxInt64-pgEpochMicros || !ValidTimestamp(us+pgEpochMicros) {
			return ErrDateRange(t.Kind)
		}
		us += pgEpochMicros
	}
	out.AppendInt(us)
	return nil
}

func parseBinaryBytes(t types.Type, b []byte, out *vec.Vector) error {
	switch t.Kind {
	case types.Numeric:
		var n Numeric
		if err := n.ParseBinary(b); err != nil {
			return err
		}
		AppendNumeric(out, &n)
		return nil
	case types.Interval:
		AppendIntervalValue(out, Interval{
			Micros: int64(binary.BigEndian.Uint64(b)),
			Days:   int32(binary.BigEndian.Uint32(b[8:])),
			Months: int32(binary.BigEndian.Uint32(b[12:])),
		})
		return nil
	case types.UUID, types.Bytea, types.HLL, types.Void:
		out.AppendBytes(b)
		return nil
	case types.JSONB:
		if len(b) == 0 || b[0] != 1 {
			return sqlstate.New(sqlstate.InvalidBinary, "unsupported jsonb version number")
		}
		j, err := shred.AppendJSONB(nil, b[1:])
		if err != nil {
			return errJSON(err)
		}
		out.AppendBytes(j)
		return nil
	case types.Char:
		if len(b) != 1 {
			return errBinary(t)
		}
		if b[0] == 0 {
			b = nil
		}
		out.AppendBytes(b)
		return nil
	case types.Array, types.Int2Vector, types.OIDVector:
		return parseArrayBinary(t, b, out)
	}
	return ParseText(t, b, nil, out) // the string types, json, histogram: the binary form is the text
}

func parseArrayBinary(t types.Type, b []byte, out *vec.Vector) error {
	elem, _ := ElemOf(t)
	if len(b) < 12 {
		return errBinary(t)
	}
	nd, flags, oid := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	if nd > MaxDims || flags > 1 {
		return errBinary(t)
	}
	if got, ok := TypeOfOID(oid); !ok || got.Kind != elem {
		return sqlstate.New(sqlstate.DatatypeMismatch, "binary data has array element type %d (%s) instead of expected %d (%s)",
			oid, got, OID(types.Of(elem)), types.Of(elem))
	}
	b = b[12:]
	if len(b) < 8*int(nd) {
		return errBinary(t)
	}
	dims := make([]Dim, nd)
	n := uint64(1)
	for d := range dims {
		l, lower := binary.BigEndian.Uint32(b), int32(binary.BigEndian.Uint32(b[4:]))
		n *= uint64(l)
		if n > maxArrayElems || int64(lower)+int64(l) > math.MaxInt32 {
			return errBinary(t)
		}
		dims[d] = Dim{int32(l), lower}
		b = b[8:]
	}
	if nd == 0 {
		n = 0
	}
	if n*4 > uint64(len(b)) {
		return errBinary(t)
	}
	var vals vec.Vector
	vals.Reset(types.Of(elem))
	for range n {
		if len(b) < 4 {
			return errBinary(t)
		}
		l := int32(binary.BigEndian.Uint32(b))
		b = b[4:]
		if l == -1 {
			vals.AppendNull()
			continue
		}
		if l < 0 || int(l) > len(b) {
			return errBinary(t)
		}
		if err := ParseBinary(types.Of(elem), b[:l], &vals); err != nil {
			return err
		}
		b = b[l:]
	}
	if len(b) != 0 {
		return errBinary(t)
	}
	if n == 0 {
		dims = nil
	}
	out.AppendBytes(EncodeArrayDims(nil, &vals, 0, dims))
	return nil
}

// The sign words of a binary numeric.
const (
	numericPos    = 0x0000
	numericNeg    = 0x4000
	numericNaN    = 0xC000
	numericPosInf = 0xD000
	numericNegInf = 0xF000

	numericInfScale = 0x20 // what PostgreSQL sends beside an infinity
)

// AppendBinary appends the wire form: counts, weight, sign, scale, then base-10000 digits.
func (n *Numeric) AppendBinary(dst []byte) []byte {
	scale := uint16(n.scale)
	head := func(ndigits, weight int, sign uint16) {
		dst = binary.BigEndian.AppendUint16(dst, uint16(ndigits))
		dst = binary.BigEndian.AppendUint16(dst, uint16(int16(weight)))
		dst = binary.BigEndian.AppendUint16(dst, sign)
		dst = binary.BigEndian.AppendUint16(dst, scale)
	}
	switch n.form {
	case nan:
		head(0, 0, numericNaN)
		return dst
	case posInf:
		scale = numericInfScale
		head(0, 0, numericPosInf)
		return dst
	case negInf:
		scale = numericInfScale
		head(0, 0, numericNegInf)
		return dst
	}
	sign := uint16(numericPos)
	if n.coef.Sign() < 0 {
		sign = numericNeg
	}
	var abs apd.BigInt
	abs.Abs(&n.coef)
	text := abs.Append(make([]byte, 0, 64), 10)
	if n.coef.Sign() == 0 {
		head(0, 0, numericPos)
		return dst
	}
	// Pad on the right to whole base-10000 digits behind the point, on the left before it.
	for range (4 - int(n.scale)%4) % 4 {
		text = append(text, '0')
	}
	fracDigits := (int(n.scale) + 3) / 4
	if lead := (4 - len(text)%4) % 4; lead > 0 {
		text = append([]byte("000")[:lead:lead], text...)
	}
	digits := make([]uint16, 0, len(text)/4)
	for i := 0; i < len(text); i += 4 {
		digits = append(digits, uint16(text[i]-'0')*1000+uint16(text[i+1]-'0')*100+uint16(text[i+2]-'0')*10+uint16(text[i+3]-'0'))
	}
	weight := len(digits) - fracDigits - 1
	for len(digits) > 0 && digits[0] == 0 {
		digits = digits[1:]
		weight--
	}
	for len(digits) > 0 && digits[len(digits)-1] == 0 {
		digits = digits[:len(digits)-1]
	}
	head(len(digits), weight, sign)
	for _, d := range digits {
		dst = binary.BigEndian.AppendUint16(dst, d)
	}
	return dst
}

// ParseBinary reads the wire form.
func (n *Numeric) ParseBinary(b []byte) error {
	bad := func(what string) error {
		return sqlstate.New(sqlstate.InvalidBinary, "invalid %s in external \"numeric\" value", what)
	}
	if len(b) < 8 {
		return bad("length")
	}
	nd, weight := int(binary.BigEndian.Uint16(b)), int(int16(binary.BigEndian.Uint16(b[2:])))
	sign, scale := binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	b = b[8:]
	if len(b) != 2*nd {
		return bad("length")
	}
	switch sign {
	case numericNaN:
		n.setSpecial(nan)
		return nil
	case numericPosInf:
		n.setSpecial(posInf)
		return nil
	case numericNegInf:
		n.setSpecial(negInf)
		return nil
	case numericPos, numericNeg:
	default:
		return bad("sign")
	}
	if scale > numericMaxScale {
		return bad("scale")
	}
	text := make([]byte, 0, 4*nd+1)
	for ; len(b) > 0; b = b[2:] {
		d := binary.BigEndian.Uint16(b)
		if d > 9999 {
			return bad("digit")
		}
		text = append(text, byte('0'+d/1000), byte('0'+d/100%10), byte('0'+d/10%10), byte('0'+d%10))
	}
	if nd == 0 {
		n.SetScaled(0, int32(scale))
		return nil
	}
	if _, ok := n.coef.SetString(string(text), 10); !ok {
		return bad("digit")
	}
	// The digits stand for coef * 10^-exp.
	exp := 4 * (nd - 1 - weight)
	if exp < -numericMaxIntDigits || exp > 4*math.MaxUint16+4*math.MaxInt16 {
		return bad("weight")
	}
	n.form, n.scale = finite, int32(max(exp, 0))
	if exp < 0 {
		n.coef.Mul(&n.coef, pow10(-exp))
	}
	if sign == numericNeg {
		n.coef.Neg(&n.coef)
	}
	n.Trunc(int32(scale))
	return n.checkRange()
}

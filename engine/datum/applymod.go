package datum

import (
	"bytes"
	"unicode/utf8"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// ApplyMod appends row i of v, made to fit the modifier of t, to out: varchar(n) and char(n) are cut (explicit cast) or
// refused unless only blanks are lost (22001), numeric(p,s) is rounded and checked, times are rounded to their precision. Without a
// modifier the value is copied.
func ApplyMod(t types.Type, v *vec.Vector, i int, explicit bool, out *vec.Vector) error {
	m := TypMod(t)
	if m < 0 || v.Null(i) {
		out.AppendFrom(v, i)
		return nil
	}
	switch t.Kind {
	case types.Varchar, types.BPChar:
		s, err := fitText(t.Kind, v.Bytes(i), int(m)-4, explicit)
		if err != nil {
			return err
		}
		out.AppendBytes(s)
	case types.Numeric:
		var n Numeric
		if err := n.Parse(v.Bytes(i)); err != nil {
			return err
		}
		if err := n.ApplyMod(m); err != nil {
			return err
		}
		AppendNumeric(out, &n)
	case types.Time, types.Timestamp, types.Timestamptz:
		out.AppendInt(roundMicros(v.Int(i), m))
	case types.Interval:
		AppendIntervalValue(out, ApplyIntervalMod(GetInterval(v.Bytes(i)), m))
	case types.Array:
		return applyArrayMod(t, v.Bytes(i), explicit, out)
	default:
		out.AppendFrom(v, i)
	}
	return nil
}

// fitText cuts or pads s to n characters.
func fitText(k types.Kind, s []byte, n int, explicit bool) ([]byte, error) {
	chars := utf8.RuneCount(s)
	if chars > n {
		end := 0
		for range n {
			_, w := utf8.DecodeRune(s[end:])
			end += w
		}
		if !explicit && len(bytes.TrimRight(s[end:], " ")) > 0 {
			return nil, sqlstate.New(sqlstate.StringTruncation, "value too long for type %s",
				FormatType(types.Type{Kind: k, Mod: int32(n) + 5}))
		}
		return s[:end], nil
	}
	if k == types.BPChar && chars < n {
		return append(bytes.Clone(s), bytes.Repeat([]byte{' '}, n-chars)...), nil
	}
	return s, nil
}

func applyArrayMod(t types.Type, b []byte, explicit bool, out *vec.Vector) error {
	a, err := OpenArray(t.Elem, b)
	if err != nil {
		return err
	}
	elem := types.Type{Kind: t.Elem, Mod: t.Mod}
	var in, fit vec.Vector
	in.Reset(types.Of(t.Elem))
	fit.Reset(types.Of(t.Elem))
	for i := range a.N {
		a.AppendElem(&in, i)
		if err := ApplyMod(elem, &in, i, explicit, &fit); err != nil {
			return err
		}
	}
	out.AppendBytes(EncodeArrayDims(nil, &fit, 0, a.Dims[:a.NDim]))
	return nil
}

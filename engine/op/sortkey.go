package op

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A row's sort key is a word that orders most rows, made of the first key's value, and bytes that decide between equal
// words: what the word leaves open of the first key, then the other keys, each behind a byte for NULL. Words and bytes
// compare as the keys do in SQL (normalised keys, as in Graefe, "Implementing sorting in database systems", 2006). Rows
// whose first key is NULL are a class of their own before or after all others, with the word 0.

// keyForm tells how values of a type become words and bytes.
type keyForm uint8

const (
	keyComplex  keyForm = iota // compared by datum.Compare
	keyBool                    // the word is all there is
	keyInt                     // the word is all there is
	keyFloat                   // the word is all there is
	keyBytes                   // the word is the first eight bytes
	keyBlanks                  // as keyBytes, without trailing blanks
	keyNumeric                 // the word is the nearest float
	keyInterval                // the word is the nearest float of the length
)

func keyFormOf(t types.Type) keyForm {
	switch t.Phys() {
	case types.PhysBool:
		return keyBool
	case types.PhysInt64:
		return keyInt
	case types.PhysFloat64:
		return keyFloat
	}
	switch t.Kind {
	case types.Numeric:
		return keyNumeric
	case types.Interval:
		return keyInterval
	case types.BPChar:
		return keyBlanks
	case types.JSONB, types.Array, types.Int2Vector, types.OIDVector:
		return keyComplex
	}
	return keyBytes
}

// exact reports whether the word decides alone.
func (f keyForm) exact() bool { return f == keyBool || f == keyInt || f == keyFloat }

func intWord(x int64) uint64 { return uint64(x) ^ 1<<63 }

func floatWord(x float64) uint64 {
	b := datum.FloatKey(x)
	if b>>63 != 0 && !math.IsNaN(x) {
		return ^b
	}
	return b | 1<<63
}

func bytesWord(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var w uint64
	for i, c := range b {
		w |= uint64(c) << (56 - 8*i)
	}
	return w
}

// numericWord is the float nearest to a number in its stored form: rounding keeps the order, if not the difference.
func numericWord(b []byte) uint64 {
	if len(b) > 0 && len(b) <= 15 {
		n, neg, ok := int64(0), false, true
		for i, c := range b {
			switch {
			case c >= '0' && c <= '9':
				n = n*10 + int64(c-'0')
			case c == '-' && i == 0:
				neg = true
			default:
				ok = false
			}
		}
		if neg {
			n = -n
		}
		if ok {
			return floatWord(float64(n))
		}
	}
	x, err := strconv.ParseFloat(string(b), 64)
	if err != nil && !math.IsInf(x, 0) {
		x = 0
	}
	return floatWord(x)
}

// words computes the words of the rows of v, NULLs excepted, into out. v may have any form.
func (f keyForm) words(v *vec.Vector, n int, desc bool, out []uint64) {
	if v.Form == vec.Const {
		w := uint64(0)
		if !v.Null(0) {
			w = f.word(v, 0)
		}
		for i := range n {
			out[i] = w
		}
	} else if f == keyInt && v.Form == vec.Flat {
		for i, x := range v.I64[:n] {
			out[i] = intWord(x)
		}
	} else if f == keyFloat && v.Form == vec.Flat {
		for i, x := range v.F64[:n] {
			out[i] = floatWord(x)
		}
	} else {
		for i := range n {
			if v.Null(i) {
				out[i] = 0
			} else {
				out[i] = f.word(v, i)
			}
		}
	}
	if desc {
		for i := range n {
			out[i] = ^out[i]
		}
	}
}

func (f keyForm) word(v *vec.Vector, i int) uint64 {
	switch f {
	case keyBool:
		if v.Bool(i) {
			return 1
		}
		return 0
	case keyInt:
		return intWord(v.Int(i))
	case keyFloat:
		return floatWord(v.Float(i))
	case keyBytes:
		return bytesWord(v.Bytes(i))
	case keyBlanks:
		return bytesWord(bytes.TrimRight(v.Bytes(i), " "))
	case keyNumeric:
		return numericWord(v.Bytes(i))
	case keyInterval:
		days, us := datum.GetInterval(v.Bytes(i)).Span()
		return floatWord(float64(days)*86400e6 + float64(us))
	}
	return 0
}

// appendTail appends what the word leaves open of row i, which is not NULL: so that equal words and equal tails are equal
// values, and no tail is the beginning of another.
func (f keyForm) appendTail(dst []byte, v *vec.Vector, i int) []byte {
	switch f {
	case keyBytes:
		return appendBytesTail(dst, v.Bytes(i))
	case keyBlanks:
		return appendBytesTail(dst, bytes.TrimRight(v.Bytes(i), " "))
	case keyNumeric:
		return appendNumericKey(dst, v.Bytes(i))
	case keyInterval:
		days, us := datum.GetInterval(v.Bytes(i)).Span()
		dst = binary.BigEndian.AppendUint64(dst, intWord(days))
		return binary.BigEndian.AppendUint64(dst, intWord(us))
	}
	return dst
}

// appendBytesTail: the word has the first eight bytes, short ones padded with zeros. The length tells "a" from "a\0".
func appendBytesTail(dst, b []byte) []byte {
	if len(b) <= 8 {
		return append(dst, byte(len(b)))
	}
	return appendEscaped(append(dst, 9), b[8:])
}

// appendEscaped writes bytes so that none is the beginning of another: a zero is followed by 0xff, the end is two zeros.
func appendEscaped(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return append(append(dst, b...), 0, 0)
		}
		dst = append(append(dst, b[:i]...), 0, 0xff)
		b = b[i+1:]
	}
}

// appendNumericKey writes a number in its stored form: a class, then of a finite one that is not zero the number of digits
// before the point (below zero for 0.00x) and the digits, all complemented for a negative one.
func appendNumericKey(dst, b []byte) []byte {
	switch {
	case len(b) == 0:
		return append(dst, 3)
	case bytes.Equal(b, []byte("NaN")):
		return append(dst, 6)
	case bytes.Equal(b, []byte("Infinity")):
		return append(dst, 5)
	case bytes.Equal(b, []byte("-Infinity")):
		return append(dst, 1)
	}
	neg := b[0] == '-'
	if neg {
		b = b[1:]
	}
	whole, frac := b, []byte(nil)
	if p := bytes.IndexByte(b, '.'); p >= 0 {
		whole, frac = b[:p], b[p+1:]
	}
	whole = bytes.TrimLeft(whole, "0")
	frac = bytes.TrimRight(frac, "0")
	exp := len(whole)
	if exp == 0 {
		digits := bytes.TrimLeft(frac, "0")
		if len(digits) == 0 && neg { // no stored number is; it comes where datum.Compare has it
			return append(dst, 2, 0xff, 0xff, 0xff, 0xff, 0xff)
		}
		if len(digits) == 0 {
			return append(dst, 3)
		}
		exp = len(digits) - len(frac)
		frac = digits
	}
	if len(frac) == 0 {
		whole = bytes.TrimRight(whole, "0")
	}
	at := len(dst) + 1
	dst = append(dst, 4)
	dst = binary.BigEndian.AppendUint32(dst, uint32(exp)^1<<31)
	dst = append(append(append(dst, whole...), frac...), 0)
	if neg {
		dst[at-1] = 2
		flip(dst[at:])
	}
	return dst
}

func flip(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// appendRest appends what follows the word of row i: of the first key the tail, of the others everything.
func appendRest(dst []byte, vs []*vec.Vector, forms []keyForm, keys []plan.SortKey, i int) []byte {
	for k, v := range vs {
		f := forms[k]
		null := v.Null(i)
		from := len(dst)
		if k > 0 {
			switch {
			case !null:
				dst = append(dst, 1)
			case keys[k].NullsFirst:
				dst = append(dst, 0)
			default:
				dst = append(dst, 2)
			}
			from = len(dst)
		}
		if null {
			continue
		}
		if k > 0 && f != keyNumeric && f != keyInterval { // the tails of those are the whole value
			dst = binary.BigEndian.AppendUint64(dst, f.word(v, i))
		}
		dst = f.appendTail(dst, v, i)
		if keys[k].Desc {
			flip(dst[from:])
		}
	}
	return dst
}

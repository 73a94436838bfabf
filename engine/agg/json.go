package agg

import (
	"bytes"
	"math"
	"unicode/utf8"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// appendJSON appends row i of v as to_jsonb gives it.
func appendJSON(dst []byte, v *vec.Vector, i int) ([]byte, error) {
	if v.Null(i) {
		return append(dst, "null"...), nil
	}
	switch v.Type.Kind {
	case types.Bool:
		if v.Bool(i) {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	case types.JSONB:
		return append(dst, v.Bytes(i)...), nil
	case types.JSON:
		return shred.AppendJSONB(dst, v.Bytes(i))
	case types.Int16, types.Int32, types.Int64:
		return datum.AppendText(dst, v, i, nil), nil
	case types.Float32, types.Float64:
		if x := v.Float(i); math.IsNaN(x) || math.IsInf(x, 0) {
			return appendQuoted(dst, datum.AppendText(nil, v, i, nil)), nil
		}
		return shred.AppendJSONB(dst, datum.AppendText(nil, v, i, nil))
	case types.Numeric:
		text := v.Bytes(i)
		if last := text[len(text)-1]; last == 'N' || last == 'y' { // NaN, Infinity
			return appendQuoted(dst, text), nil
		}
		return append(dst, text...), nil
	case types.Histogram:
		var h sketch.Histogram
		if err := h.Decode(v.Bytes(i)); err != nil {
			return dst, err
		}
		return h.AppendJSON(dst), nil
	case types.Array:
		return appendJSONArray(dst, v.Type.Elem, v.Bytes(i))
	case types.Timestamp, types.Timestamptz:
		return appendQuoted(dst, bytes.Replace(datum.AppendText(nil, v, i, nil), []byte{' '}, []byte{'T'}, 1)), nil
	}
	return appendQuoted(dst, datum.AppendText(nil, v, i, nil)), nil
}

func appendJSONArray(dst []byte, elem types.Kind, b []byte) ([]byte, error) {
	var vals vec.Vector
	vals.Reset(types.Of(elem))
	if err := datum.DecodeArray(elem, b, &vals); err != nil {
		return dst, err
	}
	dst = append(dst, '[')
	for k := range vals.N {
		if k > 0 {
			dst = append(dst, ", "...)
		}
		var err error
		if dst, err = appendJSON(dst, &vals, k); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendQuoted appends s as a JSON string in jsonb's output form.
func appendQuoted(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for len(s) > 0 {
		c := s[0]
		if c >= utf8.RuneSelf || (c >= ' ' && c != '"' && c != '\\') {
			dst, s = append(dst, c), s[1:]
			continue
		}
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		s = s[1:]
	}
	return append(dst, '"')
}

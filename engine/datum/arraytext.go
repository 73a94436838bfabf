package datum

import (
	"strconv"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// appendArrayText appends {a,"b c",NULL}, with the bounds before it if any lower bound is not 1.
func appendArrayText(dst []byte, elem types.Kind, b []byte, f *Format) []byte {
	a, err := OpenArray(elem, b)
	if err != nil || a.N == 0 {
		return append(dst, "{}"...)
	}
	var one vec.Vector
	one.Reset(types.Of(elem))
	for i := range a.N {
		a.AppendElem(&one, i)
	}
	explicit := false
	for d := range a.NDim {
		explicit = explicit || a.Dims[d].Lower != 1
	}
	if explicit {
		for d := range a.NDim {
			dst = append(dst, '[')
			dst = strconv.AppendInt(dst, int64(a.Dims[d].Lower), 10)
			dst = append(dst, ':')
			dst = strconv.AppendInt(dst, int64(a.Dims[d].Lower)+int64(a.Dims[d].Len)-1, 10)
			dst = append(dst, ']')
		}
		dst = append(dst, '=')
	}
	// inner[d] is the number of elements below one step of dimension d.
	var inner [MaxDims + 1]int
	inner[a.NDim] = 1
	for d := a.NDim - 1; d >= 0; d-- {
		inner[d] = inner[d+1] * int(a.Dims[d].Len)
	}
	for i := range a.N {
		if i > 0 {
			dst = append(dst, ',')
		}
		for d := range a.NDim {
			if i%inner[d] == 0 {
				dst = append(dst, '{')
			}
		}
		if one.Null(i) {
			dst = append(dst, "NULL"...)
		} else {
			start := len(dst)
			dst = AppendText(dst, &one, i, f)
			dst = quoteArrayElem(dst, start)
		}
		for d := a.NDim - 1; d >= 0; d-- {
			if (i+1)%inner[d] == 0 {
				dst = append(dst, '}')
			}
		}
	}
	return dst
}

// quoteArrayElem quotes the element text that begins at start, if it needs quotes.
func quoteArrayElem(dst []byte, start int) []byte {
	s := dst[start:]
	need, escapes := len(s) == 0 || equalFold(s, "null"), 0
	for _, c := range s {
		switch c {
		case '"', '\\':
			escapes++
			need = true
		case '{', '}', ',':
			need = true
		default:
			need = need || isSpace(c)
		}
	}
	if !need {
		return dst
	}
	n := len(s)
	for range escapes + 2 {
		dst = append(dst, 0)
	}
	w := len(dst) - 1
	dst[w] = '"'
	for i := start + n - 1; i >= start; i-- {
		w--
		dst[w] = dst[i]
		if c := dst[w]; c == '"' || c == '\\' {
			w--
			dst[w] = '\\'
		}
	}
	dst[start] = '"'
	return dst
}

func errArray(s []byte, detail string, args ...any) error {
	return sqlstate.New(sqlstate.InvalidText, "malformed array literal: \"%s\"", s).WithDetail(detail, args...)
}

// maxArrayElems bounds what one literal may hold (PostgreSQL's MaxArraySize).
const maxArrayElems = 134217727

// parseArray reads the text form and appends the encoded array to out.
func parseArray(t types.Type, s []byte, f *Format, out *vec.Vector) error {
	p := arrayParse{whole: s, s: s, f: f, elem: types.Type{Kind: t.Elem, Mod: t.Mod}}
	p.vals.Reset(types.Of(t.Elem))
	p.skip()
	dims, explicit, err := p.bounds()
	if err != nil {
		return err
	}
	if p.i >= len(p.s) || p.s[p.i] != '{' {
		if explicit {
			return errArray(s, "Array contents must start with \"{\".")
		}
		return errArray(s, "Array value must start with \"{\" or dimension information.")
	}
	if err := p.body(); err != nil {
		return err
	}
	p.skip()
	if p.i != len(p.s) {
		return errArray(s, "Junk after closing right brace.")
	}
	if p.vals.N == 0 {
		out.AppendBytes([]byte{0})
		return nil
	}
	real := p.dims[:p.ndim]
	if explicit {
		if len(dims) != len(real) {
			return errArray(s, "Specified array dimensions do not match array contents.")
		}
		for i := range dims {
			if dims[i].Len != real[i].Len {
				return errArray(s, "Specified array dimensions do not match array contents.")
			}
		}
		real = dims
	}
	out.AppendBytes(EncodeArrayDims(nil, &p.vals, 0, real))
	return nil
}

type arrayParse struct {
	whole []byte
	s     []byte
	i     int
	f     *Format
	elem  types.Type
	vals  vec.Vector
	dims  [MaxDims]Dim
	ndim  int // dimensions, known once the first element is read
}

func (p *arrayParse) skip() {
	for p.i < len(p.s) && isSpace(p.s[p.i]) {
		p.i++
	}
}

// bounds reads an optional [l:u][l:u]=.
func (p *arrayParse) bounds() (dims []Dim, explicit bool, err error) {
	for p.i < len(p.s) && p.s[p.i] == '[' {
		if len(dims) == MaxDims {
			return nil, true, sqlstate.New(sqlstate.ProgramLimit, "number of array dimensions (%d) exceeds the maximum allowed (%d)", len(dims)+1, MaxDims)
		}
		p.i++
		lo, hi := int64(1), int64(0)
		a, ok := p.int()
		if !ok {
			return nil, true, errArray(p.whole, "\"[\" must introduce explicitly-specified array dimensions.")
		}
		hi = a
		if p.i < len(p.s) && p.s[p.i] == ':' {
			p.i++
			lo = a
			if hi, ok = p.int(); !ok {
				return nil, true, errArray(p.whole, "Missing array dimension value.")
			}
		}
		if p.i >= len(p.s) || p.s[p.i] != ']' {
			return nil, true, errArray(p.whole, "Missing \"]\" after array dimensions.")
		}
		p.i++
		if hi < lo {
			return nil, true, sqlstate.New("2202E", "upper bound cannot be less than lower bound")
		}
		if hi-lo >= maxArrayElems {
			return nil, true, sqlstate.New(sqlstate.ProgramLimit, "array size exceeds the maximum allowed (%d)", maxArrayElems)
		}
		dims = append(dims, Dim{int32(hi - lo + 1), int32(lo)})
		p.skip()
	}
	if dims == nil {
		return nil, false, nil
	}
	if p.i >= len(p.s) || p.s[p.i] != '=' {
		return nil, true, errArray(p.whole, "Missing \"=\" after array dimensions.")
	}
	p.i++
	p.skip()
	return dims, true, nil
}

func (p *arrayParse) int() (int64, bool) {
	start := p.i
	if p.i < len(p.s) && (p.s[p.i] == '-' || p.s[p.i] == '+') {
		p.i++
	}
	for p.i < len(p.s) && isDigit(p.s[p.i]) {
		p.i++
	}
	v, err := strconv.ParseInt(string(p.s[start:p.i]), 10, 32)
	return v, err == nil
}

// body reads the braces. Nesting is kept on a small stack of counters, not by recursion.
func (p *arrayParse) body() error {
	var count [MaxDims]int32
	depth := 0
	expectItem := true // an item or an opening brace may come; after one, a comma or a closing brace
	for {
		p.skip()
		if p.i >= len(p.s) {
			return errArray(p.whole, "Unexpected end of input.")
		}
		switch c := p.s[p.i]; {
		case c == '{':
			if !expectItem {
				return errArray(p.whole, "Unexpected \"{\" character.")
			}
			if depth == MaxDims {
				return sqlstate.New(sqlstate.ProgramLimit, "number of array dimensions (%d) exceeds the maximum allowed (%d)", depth+1, MaxDims)
			}
			if p.ndim > 0 && depth == p.ndim {
				return p.ragged()
			}
			count[depth] = 0
			depth++
			p.i++
		case c == '}':
			if expectItem && (count[depth-1] > 0 || p.vals.N > 0 && depth == p.ndim) {
				return errArray(p.whole, "Unexpected \"}\" character.")
			}
			if depth > 1 && count[depth-1] == 0 {
				return errArray(p.whole, "Unexpected \"}\" character.")
			}
			p.i++
			depth--
			if err := p.close(depth, count[depth]); err != nil {
				return err
			}
			if depth == 0 {
				return nil
			}
			count[depth-1]++
			expectItem = false
		case c == ',':
			if expectItem {
				return errArray(p.whole, "Unexpected \",\" character.")
			}
			p.i++
			expectItem = true
		default:
			if !expectItem {
				return errArray(p.whole, "Unexpected array element.")
			}
			if p.ndim == 0 {
				p.ndim = depth
			}
			if depth != p.ndim {
				return p.ragged()
			}
			if err := p.item(); err != nil {
				return err
			}
			count[depth-1]++
			expectItem = false
		}
	}
}

func (p *arrayParse) ragged() error {
	return errArray(p.whole, "Multidimensional arrays must have sub-arrays with matching dimensions.")
}

// close notes the length of dimension d, or compares it with that of the sub-arrays before.
func (p *arrayParse) close(d int, n int32) error {
	if p.dims[d].Len == 0 && p.dims[d].Lower == 0 {
		p.dims[d] = Dim{n, 1}
		return nil
	}
	if p.dims[d].Len != n {
		return p.ragged()
	}
	return nil
}

// item reads one element: quoted, NULL or bare.
func (p *arrayParse) item() error {
	if p.vals.N >= maxArrayElems {
		return sqlstate.New(sqlstate.ProgramLimit, "array size exceeds the maximum allowed (%d)", maxArrayElems)
	}
	var buf []byte
	if p.s[p.i] == '"' {
		p.i++
		for {
			if p.i >= len(p.s) {
				return errArray(p.whole, "Unexpected end of input.")
			}
			c := p.s[p.i]
			p.i++
			if c == '"' {
				break
			}
			if c == '\\' {
				if p.i >= len(p.s) {
					return errArray(p.whole, "Unexpected end of input.")
				}
				c = p.s[p.i]
				p.i++
			}
			buf = append(buf, c)
		}
		return ParseText(p.elem, buf, p.f, &p.vals)
	}
	escaped, trim := false, 0
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c == ',' || c == '}' {
			break
		}
		if c == '{' || c == '"' {
			return errArray(p.whole, "Unexpected array element.")
		}
		p.i++
		if c == '\\' {
			if p.i >= len(p.s) {
				return errArray(p.whole, "Unexpected end of input.")
			}
			c = p.s[p.i]
			p.i++
			escaped = true
			buf = append(buf, c)
			trim = len(buf)
			continue
		}
		buf = append(buf, c)
		if !isSpace(c) {
			trim = len(buf)
		}
	}
	buf = buf[:trim]
	if !escaped && equalFold(buf, "null") {
		p.vals.AppendNull()
		return nil
	}
	return ParseText(p.elem, buf, p.f, &p.vals)
}

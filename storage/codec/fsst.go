package codec

import (
	"encoding/binary"
	"slices"

	"github.com/telemdb/telemdb/storage/vec"
)

// Texts of a long tail, which repeat in parts and not as a whole, are stored in codes of one byte for the parts that
// occur most: symbols of 1 to 8 bytes, a table for each chunk. Code 255 says that the byte behind it stands for itself.
// A text's codes are the longest symbol at each place, from front to back. So every text has one form, and comparing for
// equality is comparing codes.

const (
	fsstSymbols = 255 // codes 0 to 254
	fsstEscape  = 255
	fsstLongest = 8
)

// symbol is up to 8 bytes, the first in the lowest bits.
type symbol struct {
	val uint64
	len uint8
}

func (s symbol) mask() uint64 { return ^uint64(0) >> (64 - 8*s.len) }

// join returns s followed by t, cut to what a symbol holds.
func (s symbol) join(t symbol) symbol {
	n := min(s.len+t.len, fsstLongest)
	j := symbol{s.val | t.val<<(8*s.len), n}
	j.val &= j.mask()
	return j
}

// symbols is an opened table, for decoding: what a code stands for, and its length.
type symbols struct {
	n   int
	val [256]uint64
	len [256]uint8
}

// parse reads: number of symbols u8, the length of each u8, their bytes.
func (t *symbols) parse(c *cursor) error {
	t.n = int(c.u8())
	lens := c.bytes(t.n)
	for i, n := range lens {
		if n < 1 || n > fsstLongest {
			return corrupt("symbol of %d bytes", n)
		}
		t.len[i] = n
		for k, b := range c.bytes(int(n)) {
			t.val[i] |= uint64(b) << (8 * k)
		}
	}
	if c.bad {
		return corrupt("symbols cut short")
	}
	return nil
}

// list returns the symbols for an encoder.
func (t *symbols) list() []symbol {
	out := make([]symbol, t.n)
	for i := range out {
		out[i] = symbol{t.val[i], t.len[i]}
	}
	return out
}

// decode appends what codes stand for. dst is written to 8 bytes at a time, so it has that much room behind its end.
func (t *symbols) decode(dst, codes []byte) ([]byte, error) {
	for len(codes) > 0 {
		// What these codes can become at most, and the 8 bytes of the last store.
		dst = slices.Grow(dst, fsstLongest*min(len(codes), fsstStretch)+fsstLongest)
		at, used, err := t.stretch(dst[len(dst):cap(dst)], codes[:min(len(codes), fsstStretch)])
		if err != nil {
			return dst, err
		}
		if used == 0 { // the stretch ends between an escape and its byte
			return dst, corrupt("escape without a byte")
		}
		dst, codes = dst[:len(dst)+at], codes[used:]
	}
	return dst, nil
}

// fsstStretch is how many codes are decoded between two looks at the room there is.
const fsstStretch = 4096

// stretch decodes codes to the front of out, which has room for them, and returns how much it wrote and how many codes
// it used: all but an escape at the end.
func (t *symbols) stretch(out, codes []byte) (at, used int, err error) {
	i := 0
	for i < len(codes) {
		c := codes[i]
		if c == fsstEscape {
			if i+1 == len(codes) {
				return at, i, nil
			}
			out[at] = codes[i+1]
			at++
			i += 2
			continue
		}
		n := int(t.len[c])
		if n == 0 {
			return at, i, corrupt("code %d of %d symbols", c, t.n)
		}
		binary.LittleEndian.PutUint64(out[at:], t.val[c])
		at += n
		i++
	}
	return at, i, nil
}

// read decodes values [a, b) of compressed text: dst.Off has the ends of their codes, and gets those of the texts.
func (t *symbols) read(codes []byte, dst *vec.Vector, n int) (err error) {
	from := uint32(0)
	out := dst.Data[:0]
	for i := range n {
		to := dst.Off[i+1]
		if out, err = t.decode(out, codes[from:to]); err != nil {
			return err
		}
		if len(out) > MaxChunkBytes {
			return corrupt("texts of more than %d bytes", MaxChunkBytes)
		}
		from, dst.Off[i+1] = to, uint32(len(out))
	}
	dst.Data = out
	return nil
}

// matcher finds the longest symbol at a place: the symbols that begin with a pair of bytes hang on the pair's slot, the
// longest first, and those of one byte are looked up by it.
type matcher struct {
	syms  []symbol
	slots [1 << matcherBits]uint8 // first of the list, plus 1
	next  [256]uint8
	one   [256]uint8 // code of a symbol of one byte, plus 1
}

const matcherBits = 10

func slotOf(pair uint64) uint64 {
	return (pair & 0xffff) * 40503 >> (16 - matcherBits) & (1<<matcherBits - 1)
}

// set takes the symbols, which are at most 255 and all different. Code i is syms[i].
func (m *matcher) set(syms []symbol) {
	m.syms = append(m.syms[:0], syms...)
	clear(m.slots[:])
	clear(m.one[:])
	order := make([]uint8, len(syms))
	for i := range order {
		order[i] = uint8(i)
	}
	slices.SortFunc(order, func(a, b uint8) int { return int(syms[a].len) - int(syms[b].len) })
	for _, code := range order { // the longest last, so that it is the first of its list
		s := syms[code]
		if s.len == 1 {
			m.one[s.val&0xff] = code + 1
			continue
		}
		slot := &m.slots[slotOf(s.val)]
		m.next[code], *slot = *slot, code+1
	}
}

// load8 loads the first 8 bytes, with zeros behind the end.
func load8(s []byte) uint64 {
	if len(s) >= 8 {
		return binary.LittleEndian.Uint64(s)
	}
	return loadTail(s, 0)
}

// find returns the code of the longest symbol that s begins with, and its length; 0 if there is none.
func (m *matcher) find(s []byte) (code uint8, n int) {
	word := load8(s)
	if len(s) >= 2 {
		for at := m.slots[slotOf(word)]; at != 0; at = m.next[at-1] {
			sym := &m.syms[at-1]
			if (word^sym.val)&sym.mask() == 0 && int(sym.len) <= len(s) {
				return at - 1, int(sym.len)
			}
		}
	}
	if at := m.one[s[0]]; at != 0 {
		return at - 1, 1
	}
	return 0, 0
}

// encode appends the codes of s.
func (m *matcher) encode(dst, s []byte) []byte {
	for len(s) > 0 {
		code, n := m.find(s)
		if n == 0 {
			dst = append(dst, fsstEscape, s[0])
			n = 1
		} else {
			dst = append(dst, code)
		}
		s = s[n:]
	}
	return dst
}

// appendSymbols writes what symbols.parse reads.
func appendSymbols(dst []byte, syms []symbol) []byte {
	dst = append(dst, byte(len(syms)))
	for _, s := range syms {
		dst = append(dst, s.len)
	}
	for _, s := range syms {
		dst = appendBytes(dst, s.val, int(s.len))
	}
	return dst
}

// appendFSST writes the chunk's values with the symbols that the matcher has.
func (e *Encoder) appendFSST(dst []byte, v *vec.Vector) []byte {
	return e.appendPlain(appendSymbols(dst, e.fsst.matcher.syms), e.symbolCodes(v))
}

// symbolCodes returns the codes of texts, until it is called again.
func (e *Encoder) symbolCodes(v *vec.Vector) *vec.Vector {
	coded := &e.fsst.coded
	coded.Reset(v.Type)
	coded.Off = append(coded.Off[:0], 0)
	for i := range v.N {
		coded.Data = e.fsst.matcher.encode(coded.Data, v.Bytes(i))
		coded.Off = append(coded.Off, uint32(len(coded.Data)))
	}
	coded.N = v.N
	return coded
}

// compressed returns the codes of a literal, for comparisons with equality.
func (t *symbols) compressed(literal []byte) []byte {
	var m matcher
	m.set(t.list())
	return m.encode(make([]byte, 0, 2*len(literal)), literal)
}

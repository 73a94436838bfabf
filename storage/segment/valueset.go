package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sort"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// ValueSet is the distinct values of a column of a segment, and which of them each row group has, in stored form:
//
//	n:uvarint   values, ascending: text: length uvarint and bytes; int: varint the first, then uvarint what each is more
//	for each row group: n bits, least significant first, in (n+7)/8 bytes
//
// It stays encoded: a manifest of ten thousand segments has a few hundred thousand of them, and few are ever asked.
type ValueSet []byte

// Bounds of a set: a column with more has none.
const (
	setValuesMax = 256
	setBytesMax  = 1024 // of the whole, with its bits
)

var errSet = errors.New("malformed set of values")

// appendSet writes the set of values, ascending, of which group g has those whose bit is set in has[g].
func appendSet(dst []byte, leaf types.Leaf, values *vec.Vector, has []vec.Bitmap) []byte {
	dst = binary.AppendUvarint(dst, uint64(values.N))
	for i := range values.N {
		switch {
		case leaf != types.LeafInt:
			dst = appendText(dst, values.Bytes(i))
		case i == 0:
			dst = binary.AppendVarint(dst, values.I64[0])
		default:
			dst = binary.AppendUvarint(dst, uint64(values.I64[i])-uint64(values.I64[i-1]))
		}
	}
	for _, b := range has {
		for at := 0; at < values.N; at += 8 {
			dst = append(dst, byte(b[at>>6]>>(at&63)))
		}
	}
	return dst
}

// setWalk goes over the values of a set.
type setWalk struct {
	p    metaParser
	leaf types.Leaf
	n, i int
	b    []byte // the present value, of text
	x    int64  // of int
}

func (s ValueSet) walk(leaf types.Leaf) setWalk {
	w := setWalk{p: metaParser{b: s}, leaf: leaf}
	w.n = w.p.count(1)
	return w
}

// next moves to the next value; false at the end, and where the bytes are malformed.
func (w *setWalk) next() bool {
	if w.i == w.n || w.p.bad {
		return false
	}
	switch {
	case w.leaf != types.LeafInt:
		w.b = w.p.bytes()
	case w.i == 0:
		w.x = w.p.varint()
	default:
		w.x += int64(w.p.uvarint())
	}
	w.i++
	return !w.p.bad
}

// bits returns the bits of row group g. The end of the values must have been reached.
func (w *setWalk) bits(g int) []byte {
	size := (w.n + 7) / 8
	if w.p.bad || w.i != w.n || len(w.p.b) < (g+1)*size {
		return nil
	}
	return w.p.b[g*size : (g+1)*size]
}

// check verifies a set of a column of so many row groups.
func (s ValueSet) check(leaf types.Leaf, groups int) error {
	w := s.walk(leaf)
	var last setWalk
	for w.next() {
		if w.i > 1 && (leaf == types.LeafInt && w.x <= last.x || leaf != types.LeafInt && bytes.Compare(w.b, last.b) <= 0) {
			return errSet
		}
		last = w
	}
	size := (w.n + 7) / 8
	if w.p.bad || w.i != w.n || w.n == 0 || w.n > setValuesMax || len(w.p.b) != groups*size {
		return errSet
	}
	if tail := uint(w.n & 7); tail != 0 {
		for g := range groups {
			if w.bits(g)[size-1]>>tail != 0 {
				return errSet
			}
		}
	}
	return nil
}

// Values returns the values that row group g has, ascending; nil if the bytes are malformed or it has none.
func (s ValueSet) Values(leaf types.Leaf, g int) *vec.Vector {
	end := s.walk(leaf)
	for end.next() {
	}
	has := end.bits(g)
	if has == nil {
		return nil
	}
	v := &vec.Vector{}
	v.Reset(leaf.Type())
	for w := s.walk(leaf); w.next(); {
		switch i := w.i - 1; {
		case has[i>>3]>>(i&7)&1 == 0:
		case leaf == types.LeafInt:
			v.AppendInt(w.x)
		default:
			v.AppendBytes(w.b)
		}
	}
	if v.N == 0 {
		return nil
	}
	return v
}

// mayHold answers an OpEq or OpIn exactly; true where the bytes are malformed.
func (s ValueSet) mayHold(leaf types.Leaf, g int, p *column.Pred) bool {
	var found [setValuesMax]int
	n := 0
	w := s.walk(leaf)
	for w.next() {
		if n < len(found) && passes(&w, p) {
			found[n] = w.i - 1
			n++
		}
	}
	has := w.bits(g)
	if has == nil {
		return true
	}
	for _, i := range found[:n] {
		if has[i>>3]>>(i&7)&1 != 0 {
			return true
		}
	}
	return false
}

func passes(w *setWalk, p *column.Pred) bool {
	switch {
	case p.Op == column.OpEq && w.leaf == types.LeafInt:
		return w.x == p.I
	case p.Op == column.OpEq:
		return bytes.Equal(w.b, p.B)
	case w.leaf == types.LeafInt:
		i := sort.Search(p.List.N, func(i int) bool { return p.List.Int(i) >= w.x })
		return i < p.List.N && p.List.Int(i) == w.x
	}
	i := sort.Search(p.List.N, func(i int) bool { return bytes.Compare(p.List.Bytes(i), w.b) >= 0 })
	return i < p.List.N && bytes.Equal(p.List.Bytes(i), w.b)
}

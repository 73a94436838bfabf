package shred

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// member is one member of an object being normalised. Its key is looked at through head first, so that sorting keys,
// most of which are short numbers, compares words.
type member struct {
	head       uint64 // the key's first eight bytes, big endian, padded with zeros
	len        uint32 // of the key
	at         int32  // offset of the key in the text, or the complement of its offset in normalizer.keys
	start, end uint32 // offsets in the output of `"key": value`
}

// keyHead returns the head of the key of n bytes at p.
func keyHead(b []byte, p int, n uint32) uint64 {
	if p+8 <= len(b) {
		w := bits.ReverseBytes64(binary.LittleEndian.Uint64(b[p:]))
		if n < 8 {
			w &= ^uint64(0) << (64 - 8*n)
		}
		return w
	}
	var buf [8]byte
	copy(buf[:], b[p:p+int(min(n, 8))])
	return binary.BigEndian.Uint64(buf[:])
}

func (z *normalizer) keyOf(b []byte, m *member) []byte {
	if m.at < 0 {
		at := int(^m.at)
		return z.keys[at : at+int(m.len)]
	}
	return b[m.at : int(m.at)+int(m.len)]
}

// compare is jsonb's order of keys: by length, then by bytes.
func (z *normalizer) compare(b []byte, x, y *member) int {
	switch {
	case x.len != y.len:
		return cmp.Compare(x.len, y.len)
	case x.head != y.head:
		return cmp.Compare(x.head, y.head)
	case x.len <= 8:
		return 0
	}
	return bytes.Compare(z.keyOf(b, x)[8:], z.keyOf(b, y)[8:])
}

const (
	insertionMax = 12 // members that insertion sort is best at
	lengthsMax   = 64 // key lengths told apart by the first pass; longer keys are one class
)

// sortMembers returns m in jsonb's order, equal keys as they came. Many objects come ordered by bytes, so that members
// of one key length are in order already: a counting pass by length leaves little to do.
func (z *normalizer) sortMembers(b []byte, m []member) []member {
	if len(m) <= insertionMax {
		z.insertionSort(b, m)
		return m
	}
	var from [lengthsMax + 1]int
	for i := range m {
		from[min(m[i].len, lengthsMax-1)+1]++
	}
	for i := 1; i <= lengthsMax; i++ {
		from[i] += from[i-1]
	}
	z.ordered = slices.Grow(z.ordered[:0], len(m))[:len(m)]
	next := from
	for i := range m {
		c := min(m[i].len, lengthsMax-1)
		z.ordered[next[c]] = m[i]
		next[c]++
	}
	for i := range lengthsMax {
		if class := z.ordered[from[i]:from[i+1]]; !z.isSorted(b, class) {
			slices.SortStableFunc(class, func(x, y member) int { return z.compare(b, &x, &y) })
		}
	}
	return z.ordered
}

func (z *normalizer) isSorted(b []byte, m []member) bool {
	for i := 1; i < len(m); i++ {
		if z.compare(b, &m[i-1], &m[i]) > 0 {
			return false
		}
	}
	return true
}

func (z *normalizer) insertionSort(b []byte, m []member) {
	for i := 1; i < len(m); i++ {
		x := m[i]
		j := i
		for j > 0 && z.compare(b, &m[j-1], &x) > 0 {
			m[j] = m[j-1]
			j--
		}
		m[j] = x
	}
}

package codec

import (
	"bytes"
	"sort"

	"github.com/RoaringBitmap/roaring/v2"
)

// A dictionary chunk may say beside the codes where its rare values are, so that looking for one of them reads no codes:
// a roaring bitmap of code << 16 | index of the value, which has a container for each listed code.

// rareLists are the listed codes and, for each, the indexes of its values.
type rareLists struct {
	codes []uint16 // ascending
	ends  []uint32 // of each code's list in index
	index []uint16 // ascending within a list
}

// Limits of what is listed.
const (
	rareShare  = 100 // a value is rare if fewer than 1 in so many values are it
	rareBudget = 50  // the lists together take at most 1/50 of the chunk
)

// rareHeadBytes and rareListBytes are what roaring's portable form takes beside 2 bytes an index.
const (
	rareHeadBytes = 8
	rareListBytes = 4 + 4
)

// parse reads a roaring bitmap and checks it: n values of a dictionary of limit.
func (l *rareLists) parse(c *cursor, n, limit int) error {
	if c.bad {
		return corrupt("rare values cut short")
	}
	var set roaring.Bitmap
	size, err := set.FromUnsafeBytes(c.data[c.at:])
	if err != nil {
		return corrupt("rare values: %v", err)
	}
	c.skip(int(size))
	if c.bad {
		return corrupt("rare values cut short")
	}
	prev := int64(-1)
	for from, to := range set.Ranges() {
		if int64(from) <= prev || to <= uint64(from) || to-uint64(from) > uint64(n) || len(l.index)+int(to-uint64(from)) > n {
			return corrupt("rare values [%d, %d) behind %d", from, to, prev)
		}
		for x := uint64(from); x < to; x++ {
			code, at := uint16(x>>16), int(x&0xffff)
			if int(code) >= limit || at >= n {
				return corrupt("rare value %d at %d of %d values", code, at, n)
			}
			if k := len(l.codes); k == 0 || l.codes[k-1] != code {
				l.codes, l.ends = append(l.codes, code), append(l.ends, 0)
			}
			l.index = append(l.index, uint16(at))
			l.ends[len(l.ends)-1] = uint32(len(l.index))
		}
		prev = int64(to) - 1
	}
	return nil
}

// list returns the indexes of a code's values; ok is false if the code has no list.
func (l *rareLists) list(code int) (index []uint16, ok bool) {
	k := sort.Search(len(l.codes), func(i int) bool { return int(l.codes[i]) >= code })
	if k == len(l.codes) || int(l.codes[k]) != code {
		return nil, false
	}
	from := uint32(0)
	if k > 0 {
		from = l.ends[k-1]
	}
	return l.index[from:l.ends[k]], true
}

// rareMost is how many listed values a filter may ask for.
const rareMost = 4

// rareOf returns the lists of the passing codes, if there are few and every one has a list.
func (l *rareLists) rareOf(pass []uint8, limit int) (lists [][]uint16, ok bool) {
	if len(l.codes) == 0 {
		return nil, false
	}
	for code, p := range pass[:limit] {
		if p == 0 {
			continue
		}
		index, ok := l.list(code)
		if !ok || len(lists) == rareMost {
			return nil, false
		}
		lists = append(lists, index)
	}
	return lists, true
}

// filterRare sets the bits of those values among [a, b) that are in a list.
func filterRare(lists [][]uint16, a, b int, out bitset) {
	for _, index := range lists {
		lo, hi := 0, len(index)
		for lo < hi {
			if mid := int(uint(lo+hi) >> 1); int(index[mid]) < a {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		for ; lo < len(index) && int(index[lo]) < b; lo++ {
			i := int(index[lo]) - a
			out[i>>6] |= 1 << (uint(i) & 63)
		}
	}
}

// appendRare writes the lists of the rarest of n codes of the values seen, as many as the budget allows. ok is false if
// there is none, or codes come in runs, which need no list.
func (e *Encoder) appendRare(dst []byte, n, chunk int) (out []byte, ok bool) {
	if !e.mayList(chunk) {
		return dst, false
	}
	e.uses = sized(e.uses, n)
	clear(e.uses)
	for _, c := range e.code {
		e.uses[c]++
	}
	return appendRareOf(e, dst, e.code, e.uses, chunk)
}

// rareRoom is what the lists of a chunk of so many bytes may take beside their head.
func rareRoom(chunk int) int { return chunk/rareBudget - rareHeadBytes }

// mayList tells whether there is room for a list.
func (e *Encoder) mayList(chunk int) bool { return !e.runs && rareRoom(chunk) >= rareListBytes }

// appendRareOf does it for codes of which the uses have been counted.
func appendRareOf[T int64 | uint16](e *Encoder, dst []byte, code []T, uses []uint32, chunk int) (out []byte, ok bool) {
	left := rareRoom(chunk)
	limit := uint32(0) // codes of at most so many uses are listed
	byUse := usesOf(uses, len(code)/rareShare)
	for use, codes := range byUse {
		if codes == 0 {
			continue
		}
		if left -= codes * (rareListBytes + 2*use); left < 0 {
			break
		}
		limit = uint32(use)
	}
	if limit == 0 {
		return dst, false
	}
	e.listed = e.listed[:0]
	for i, c := range code {
		if uses[c] <= limit {
			e.listed = append(e.listed, uint32(c)<<16|uint32(i))
		}
	}
	set := roaring.BitmapOf(e.listed...)
	var buf bytes.Buffer
	if _, err := set.WriteTo(&buf); err != nil {
		return dst, false
	}
	return append(dst, buf.Bytes()...), true
}

// usesOf counts the codes that are used 0, 1, 2 ... times, below limit.
func usesOf(uses []uint32, limit int) []int {
	byUse := make([]int, limit)
	for _, u := range uses {
		if int(u) < limit {
			byUse[u]++
		}
	}
	return byUse
}

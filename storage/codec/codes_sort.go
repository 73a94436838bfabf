package codec

import (
	"bytes"
	"math"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// codeLists are values of several dictionaries, each list in order, on their way into one order.
type codeLists struct {
	nums []uint32 // of the values: see codeMerger
	keys []uint64 // of numbers: in the order of the values, the same for the same value
	ends []int    // 0, and the end of each list

	spareNums []uint32
	spareKeys []uint64
	spareEnds []int
}

func (l *codeLists) reset() {
	l.nums, l.keys, l.ends = l.nums[:0], l.keys[:0], append(l.ends[:0], 0)
}

// add appends those values of a dictionary that are used; base is the number of the first.
func (l *codeLists) add(d *vec.Vector, base uint32, uses []uint32) {
	switch d.Type.Phys() {
	case types.PhysInt64:
		for code, u := range uses {
			if u != 0 {
				l.nums, l.keys = append(l.nums, base+uint32(code)), append(l.keys, uint64(d.I64[code])^1<<63)
			}
		}
	case types.PhysFloat64:
		for code, u := range uses {
			if u != 0 {
				l.nums, l.keys = append(l.nums, base+uint32(code)), append(l.keys, floatKey(d.F64[code]))
			}
		}
	default:
		for code, u := range uses {
			if u != 0 {
				l.nums = append(l.nums, base+uint32(code))
			}
		}
	}
	l.ends = append(l.ends, len(l.nums))
}

// floatKey is in the order of a dictionary of floats, which has no NaN: that of the numbers, and of the two zeros that of
// their bits as signed integers, -0 first.
func floatKey(f float64) uint64 {
	b := math.Float64bits(f)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

// sortNumbers merges the lists two by two. A step chooses without a branch: which list is next is a coin's toss.
func (l *codeLists) sortNumbers() {
	for len(l.ends) > 2 {
		keys, nums := sized(l.spareKeys, len(l.keys)), sized(l.spareNums, len(l.nums))
		ends := append(l.spareEnds[:0], 0)
		for i := 0; i+1 < len(l.ends); i += 2 {
			from, mid := l.ends[i], l.ends[i+1]
			to := mid
			if i+2 < len(l.ends) {
				to = l.ends[i+2]
			}
			mergeNumbers(keys[from:to], nums[from:to], l.keys[from:to], l.nums[from:to], mid-from)
			ends = append(ends, to)
		}
		l.keys, l.spareKeys = keys, l.keys
		l.nums, l.spareNums = nums, l.nums
		l.ends, l.spareEnds = ends, l.ends
	}
}

// mergeNumbers merges the two parts of keys, of which the second begins at mid, and nums along with them.
func mergeNumbers(outKeys []uint64, outNums []uint32, keys []uint64, nums []uint32, mid int) {
	a, b, k := 0, mid, 0
	nums, outNums = nums[:len(keys)], outNums[:len(outKeys)]
	for a < mid && b < len(keys) && k < len(outKeys) {
		key, at, step := keys[b], b, 0
		if keys[a] <= key {
			key, at, step = keys[a], a, 1
		}
		outKeys[k], outNums[k] = key, nums[at]
		a += step
		b += 1 - step
		k++
	}
	k += copy(outKeys[k:], keys[a:mid])
	copy(outNums[k-(mid-a):], nums[a:mid])
	copy(outKeys[k:], keys[b:])
	copy(outNums[k:], nums[b:])
}

// sortTexts does the same for texts.
func (l *codeLists) sortTexts(text func(num uint32) []byte) {
	for len(l.ends) > 2 {
		out, ends := l.spareNums[:0], append(l.spareEnds[:0], 0)
		for i := 0; i+1 < len(l.ends); i += 2 {
			a, b := l.nums[l.ends[i]:l.ends[i+1]], []uint32(nil)
			if i+2 < len(l.ends) {
				b = l.nums[l.ends[i+1]:l.ends[i+2]]
			}
			for len(a) > 0 && len(b) > 0 {
				if bytes.Compare(text(a[0]), text(b[0])) <= 0 {
					out, a = append(out, a[0]), a[1:]
				} else {
					out, b = append(out, b[0]), b[1:]
				}
			}
			out = append(append(out, a...), b...)
			ends = append(ends, len(out))
		}
		l.nums, l.spareNums = out, l.nums
		l.ends, l.spareEnds = ends, l.ends
	}
}

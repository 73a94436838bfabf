package codec

import (
	"bytes"
	"math"
	"math/bits"

	"github.com/telemdb/telemdb/storage/vec"
	"github.com/zeebo/xxh3"
)

// distinct numbers the different values of a column in order of first occurrence, and gives up early where a dictionary
// cannot pay: when they are more than a limit.
type distinct struct {
	n      int
	firsts []uint32 // index of the first occurrence, by number
	ids    []uint32 // number, by value
	slots  []uint32 // open addressing: number + 1
	shift  uint
}

// reset makes room for n values of at most limit different ones.
func (d *distinct) reset(n, limit int) {
	d.n, d.firsts = 0, d.firsts[:0]
	d.ids = sized(d.ids, n)
	size := 2 << bits.Len(uint(limit))
	if cap(d.slots) < size {
		d.slots = make([]uint32, size)
	}
	d.slots = d.slots[:size]
	clear(d.slots)
	d.shift = uint(64 - bits.Len(uint(size-1)))
}

// add gives value i the number of the equal one found at slot, or a new one.
func (d *distinct) add(slot int, i int) uint32 {
	if id := d.slots[slot]; id != 0 {
		return id - 1
	}
	d.firsts = append(d.firsts, uint32(i))
	d.n++
	d.slots[slot] = uint32(d.n)
	return uint32(d.n - 1)
}

func (d *distinct) ints(vals []int64, limit int) bool {
	d.reset(len(vals), limit)
	mask := len(d.slots) - 1
	for i, v := range vals {
		slot := int(uint64(v) * 0x9e3779b97f4a7c15 >> d.shift)
		for d.slots[slot] != 0 && vals[d.firsts[d.slots[slot]-1]] != v {
			slot = (slot + 1) & mask
		}
		d.ids[i] = d.add(slot, i)
		if d.n > limit {
			return false
		}
	}
	return true
}

// floats tells values apart by their bits.
func (d *distinct) floats(vals []float64, limit int) bool {
	d.reset(len(vals), limit)
	mask := len(d.slots) - 1
	for i, v := range vals {
		x := math.Float64bits(v)
		slot := int((x ^ x>>32) * 0x9e3779b97f4a7c15 >> d.shift)
		for d.slots[slot] != 0 && math.Float64bits(vals[d.firsts[d.slots[slot]-1]]) != x {
			slot = (slot + 1) & mask
		}
		d.ids[i] = d.add(slot, i)
		if d.n > limit {
			return false
		}
	}
	return true
}

func (d *distinct) bytes(v *vec.Vector, limit int) bool {
	d.reset(v.N, limit)
	mask := len(d.slots) - 1
	for i := range v.N {
		x := v.Bytes(i)
		slot := int(xxh3.Hash(x) >> d.shift)
		for d.slots[slot] != 0 && !bytes.Equal(v.Bytes(int(d.firsts[d.slots[slot]-1])), x) {
			slot = (slot + 1) & mask
		}
		d.ids[i] = d.add(slot, i)
		if d.n > limit {
			return false
		}
	}
	return true
}

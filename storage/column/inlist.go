package column

import (
	"bytes"
	"math/bits"
	"slices"
	"sort"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Lists of up to filteredMost values are looked into through a filter of listBits bits, one for each value: most values that
// are not in the list are turned away by it.
const (
	filteredMost = 64
	listBits     = 512
)

type listFilter [listBits / 64]uint64

func (f *listFilter) add(h uint64)      { f[h>>61] |= 1 << (h >> 55 & 63) }
func (f *listFilter) may(h uint64) bool { return f[h>>61]>>(h>>55&63)&1 != 0 }

// intMark and textMark choose a value's bit by the upper bits of what they return.
func intMark(x int64) uint64 { return uint64(x) * 0x9E3779B97F4A7C15 }

func textMark(s []byte) uint64 {
	if len(s) == 0 {
		return 0
	}
	return (uint64(len(s))<<24 | uint64(s[0])<<16 | uint64(s[len(s)/2])<<8 | uint64(s[len(s)-1])) * 0x9E3779B97F4A7C15
}

// applyIn is Apply for OpIn over flat integers and texts; false, and nothing done, for others.
func (p *Pred) applyIn(v *vec.Vector, sel vec.Bitmap) bool {
	phys := v.Type.Phys()
	if v.Form != vec.Flat || phys != p.Leaf.Phys() || phys != types.PhysInt64 && phys != types.PhysBytes {
		return false
	}
	if v.Valid != nil {
		sel.And(v.Valid)
	}
	filter, filtered := listFilter{}, p.List.N <= filteredMost
	for k := 0; filtered && k < p.List.N; k++ {
		if phys == types.PhysInt64 {
			filter.add(intMark(p.List.I64[k]))
		} else {
			filter.add(textMark(p.List.Bytes(k)))
		}
	}
	if phys == types.PhysInt64 {
		p.inInts(v.I64, sel, &filter, filtered)
	} else {
		p.inTexts(v, sel, &filter, filtered)
	}
	return true
}

func (p *Pred) inInts(xs []int64, sel vec.Bitmap, f *listFilter, filtered bool) {
	list := p.List.I64[:p.List.N]
	for w, m := range sel {
		keep := m
		for ; m != 0; m &= m - 1 {
			x := xs[w<<6+bits.TrailingZeros64(m)]
			if filtered && !f.may(intMark(x)) {
				keep &^= m & -m
			} else if _, found := slices.BinarySearch(list, x); !found {
				keep &^= m & -m
			}
		}
		sel[w] = keep
	}
}

func (p *Pred) inTexts(v *vec.Vector, sel vec.Bitmap, f *listFilter, filtered bool) {
	l := p.List
	for w, m := range sel {
		keep := m
		for ; m != 0; m &= m - 1 {
			i := w<<6 + bits.TrailingZeros64(m)
			x := v.Data[v.Off[i]:v.Off[i+1]]
			if filtered && !f.may(textMark(x)) {
				keep &^= m & -m
				continue
			}
			at := sort.Search(l.N, func(k int) bool { return bytes.Compare(l.Bytes(k), x) >= 0 })
			if at == l.N || !bytes.Equal(l.Bytes(at), x) {
				keep &^= m & -m
			}
		}
		sel[w] = keep
	}
}

package keys

import (
	"math/bits"

	"github.com/telemdb/telemdb/storage/vec"
)

// pairTable numbers pairs of ids: by array while the product of the domains is small, else by hash.
type pairTable struct {
	list   []uint64 // id -> first<<32 | second
	dense  []uint32 // first*stride + second -> id, None if new
	stride uint32   // a power of two
	hash   wordTable
	hashed bool
}

// denseMax is the largest product of domains that is an array: it fits the second-level cache.
const denseMax = 1 << 16

func (p *pairTable) bytes() int64 {
	return int64(cap(p.list))*8 + int64(cap(p.dense))*4 + int64(len(p.hash.slots))*16
}

func (p *pairTable) full() bool { return uint64(len(p.list)) >= uint64(pending) }

// reserve makes room for ids below first and second.
func (p *pairTable) reserve(first, second int) {
	if p.hashed || (uint32(second) <= p.stride && first*int(p.stride) <= len(p.dense)) {
		return
	}
	stride := max(int(p.stride), 1<<bits.Len(uint(second)))
	rows := 1 << bits.Len(uint(first))
	if p.stride > 0 {
		rows = max(rows, len(p.dense)/int(p.stride))
	}
	if stride*rows > denseMax {
		p.hashed, p.dense = true, nil
		for id, k := range p.list {
			p.hash.find(k, uint32(id), true)
		}
		return
	}
	p.stride = uint32(stride)
	p.dense = make([]uint32, stride*rows)
	for i := range p.dense {
		p.dense[i] = None
	}
	for id, k := range p.list {
		p.dense[uint32(k>>32)*p.stride+uint32(k)] = uint32(id)
	}
}

// id returns the id of one pair.
func (p *pairTable) id(a, b uint32, add bool) uint32 {
	if a == None || b == None {
		return None
	}
	if add {
		p.reserve(int(a)+1, int(b)+1)
	}
	return p.get(a, b, add)
}

func (p *pairTable) get(a, b uint32, add bool) uint32 {
	k := uint64(a)<<32 | uint64(b)
	next := uint32(len(p.list))
	if p.hashed {
		id, found := p.hash.find(k, next, add)
		if !found && add {
			p.list = append(p.list, k)
		}
		return id
	}
	at := uint64(a)*uint64(p.stride) + uint64(b)
	if b >= p.stride || at >= uint64(len(p.dense)) {
		return None // only while finding: the pair cannot have been added
	}
	id := p.dense[at]
	if id == None && add {
		id = next
		p.dense[at] = id
		p.list = append(p.list, k)
	}
	return id
}

// mapRows replaces ids, those of the first member, by the ids of the pairs.
func (p *pairTable) mapRows(ids, second []uint32, sel vec.Bitmap, n int, add bool) {
	if add && !p.hashed && sel == nil {
		for i, b := range second[:n] {
			at := ids[i]*p.stride + b
			id := p.dense[at]
			if id == None {
				id = p.get(ids[i], b, true)
			}
			ids[i] = id
		}
		return
	}
	eachSelected(sel, n, func(i int) {
		if ids[i] == None || second[i] == None {
			ids[i] = None
			return
		}
		ids[i] = p.get(ids[i], second[i], add)
	})
}

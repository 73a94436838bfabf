package op

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// findEdges sets the bits of the live rows at which a stretch begins: the first of a batch is one.
func (e *clusterEnd) findEdges(b *vec.Batch, pos []uint16, n int) {
	e.edges = e.edges.Resize(n)
	e.edges.Set(0)
	for _, c := range e.c.p.partition {
		differs(b.Cols[c], pos, n, e.edges)
	}
	e.descents(b, pos, n)
}

// placed is the place of live row k in its batch.
func placed(pos []uint16, k int) int {
	if pos == nil {
		return k
	}
	return int(pos[k])
}

// differs sets the bits of the live rows whose value is stored otherwise than that of the live row before.
func differs(v *vec.Vector, pos []uint16, n int, out vec.Bitmap) {
	switch {
	case v.Form == vec.Const:
	case v.Valid != nil || v.Type.Phys() == types.PhysBool || v.Type.Phys() == types.PhysFloat64:
		for k := 1; k < n; k++ {
			if !out.Get(k) && !sameBits(v, placed(pos, k-1), placed(pos, k)) {
				out.Set(k)
			}
		}
	case v.Form == vec.Dict:
		changesOf(v.Codes, pos, n, out)
	case v.Type.Phys() == types.PhysInt64:
		changesOf(v.I64, pos, n, out)
	default:
		bytesChange(v, pos, n, out)
	}
}

func changesOf[T uint32 | int64](xs []T, pos []uint16, n int, out vec.Bitmap) {
	if pos == nil {
		if n == 0 {
			return
		}
		last := xs[0]
		for w := range out {
			m := uint64(0)
			for k, x := range xs[w<<6 : min(n, w<<6+64)] {
				b := uint64(0)
				if x != last {
					b = 1
				}
				m |= b << (k & 63)
				last = x
			}
			out[w] |= m
		}
		return
	}
	last := xs[pos[0]]
	for k, i := range pos {
		x := xs[i]
		if x != last {
			out[k>>6] |= 1 << (k & 63)
		}
		last = x
	}
}

// bytesChange is differs of bytes without NULLs. Identifiers of sixteen bytes are compared as words.
func bytesChange(v *vec.Vector, pos []uint16, n int, out vec.Bitmap) {
	last := v.Bytes(placed(pos, 0))
	for k := 1; k < n; k++ {
		i := placed(pos, k)
		x := v.Data[v.Off[i]:v.Off[i+1]]
		same := false
		if len(x) == 16 && len(last) == 16 {
			same = binary.LittleEndian.Uint64(x) == binary.LittleEndian.Uint64(last) && binary.LittleEndian.Uint64(x[8:]) == binary.LittleEndian.Uint64(last[8:])
		} else {
			same = bytes.Equal(x, last)
		}
		if !same {
			out.Set(k)
		}
		last = x
	}
}

// sameBits reports whether two values of v are stored alike, or are both NULL.
func sameBits(v *vec.Vector, i, j int) bool {
	if in, jn := v.Null(i), v.Null(j); in || jn {
		return in && jn
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		return v.Bool(i) == v.Bool(j)
	case types.PhysInt64:
		return v.Int(i) == v.Int(j)
	case types.PhysFloat64:
		return math.Float64bits(v.Float(i)) == math.Float64bits(v.Float(j))
	}
	return bytes.Equal(v.Bytes(i), v.Bytes(j))
}

// descents sets the bits of the live rows that come before the live row before them in the order of the window.
func (e *clusterEnd) descents(b *vec.Batch, pos []uint16, n int) {
	p := e.c.p
	keys := p.keys[len(p.partition):]
	if len(keys) == 0 {
		return
	}
	e.order = e.order[:0]
	for _, c := range p.order {
		v := *b.Cols[c]
		v.Type = p.ts[c]
		e.order = append(e.order, v)
	}
	v := &e.order[0]
	if v.Form != vec.Flat || v.Valid != nil || v.Type.Phys() != types.PhysInt64 {
		for k := 1; k < n; k++ {
			if !e.edges.Get(k) && e.compareOrder(placed(pos, k-1), placed(pos, k), 0) > 0 {
				e.edges.Set(k)
			}
		}
		return
	}
	xs, flip := v.I64, int64(0)
	if keys[0].Desc {
		flip = -1 // ^x descends where x ascends
	}
	last := xs[placed(pos, 0)] ^ flip
	for k := 1; k < n; k++ {
		x := xs[placed(pos, k)] ^ flip
		if x < last || x == last && len(keys) > 1 && !e.edges.Get(k) && e.compareOrder(placed(pos, k-1), placed(pos, k), 1) > 0 {
			e.edges[k>>6] |= 1 << (k & 63)
		}
		last = x
	}
}

// compareOrder compares two rows of the batch by the window's order, from key number first on.
func (e *clusterEnd) compareOrder(i, j, first int) int {
	keys := e.c.p.keys[len(e.c.p.partition):]
	for k := first; k < len(keys); k++ {
		if c := compareKey(&e.order[k], i, &e.order[k], j, &keys[k]); c != 0 {
			return c
		}
	}
	return 0
}

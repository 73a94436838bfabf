package keys

import (
	"math/bits"

	"github.com/zeebo/xxh3"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Hasher hashes the keys of rows: equal keys have equal hashes, whatever table, batch or form of vector they stand in.
// Its bits are good from the top. One goroutine uses it.
type Hasher struct {
	cols []colHasher
}

type colHasher struct {
	t      types.Type
	dict   *vec.Vector
	hashes []uint64 // of dict's entries; 0: not known
	canon  []byte
	view   vec.Vector // dict under the column's type
	other  vec.Vector
}

// NewHasher returns a hasher for keys of the given types.
func NewHasher(ts []types.Type) *Hasher {
	h := &Hasher{cols: make([]colHasher, len(ts))}
	for i, t := range ts {
		h.cols[i].t = t
	}
	return h
}

const (
	mul1     = 0x9E3779B97F4A7C15
	mul2     = 0xD6E8FEB86659FD93
	nullHash = 0x6A09E667F3BCC909
)

// mix64 is the finaliser of splitmix64 with one multiplication less (Steele, Lea, Flood: Fast Splittable Pseudorandom
// Number Generators, 2014).
func mix64(x uint64) uint64 {
	x ^= x >> 32
	x *= mul1
	x ^= x >> 29
	x *= mul2
	return x ^ x>>32
}

// Hash writes the hash of every selected row's key to out (sel nil: all n rows).
func (h *Hasher) Hash(cols []*vec.Vector, sel vec.Bitmap, n int, out []uint64) {
	clear(out[:n])
	for c := range h.cols {
		h.cols[c].add(cols[c], sel, n, out)
	}
}

func fold(h, x uint64) uint64 { return mix64(bits.RotateLeft64(h, 23) ^ x) }

func (c *colHasher) add(v *vec.Vector, sel vec.Bitmap, n int, out []uint64) {
	switch {
	case v.Form == vec.Const:
		x := c.at(v, 0)
		for i := range out[:n] {
			out[i] = fold(out[i], x)
		}
	case v.Form == vec.Dict:
		c.learn(v.Dict)
		if sel == nil && v.Valid == nil {
			for i, code := range v.Codes[:n] {
				x := c.hashes[code]
				if x == 0 {
					x = c.entry(code)
				}
				out[i] = fold(out[i], x)
			}
			return
		}
		eachSelected(sel, n, func(i int) {
			x := uint64(nullHash)
			if !v.Null(i) {
				x = c.entry(v.Codes[i])
			}
			out[i] = fold(out[i], x)
		})
	case v.Valid == nil && c.t.Phys() == types.PhysInt64:
		for i, x := range v.I64[:n] {
			out[i] = fold(out[i], uint64(x))
		}
	case v.Valid == nil && sel == nil && c.t.Phys() == types.PhysBytes && !Canonical(c.t):
		data, off := v.Data, v.Off
		for i := range out[:n] {
			out[i] = fold(out[i], xxh3.Hash(data[off[i]:off[i+1]]))
		}
	default:
		eachSelected(sel, n, func(i int) { out[i] = fold(out[i], c.at(v, i)) })
	}
}

func (c *colHasher) learn(d *vec.Vector) {
	if c.dict == d {
		return
	}
	c.dict, c.view = d, *d
	c.view.Type = c.t
	if cap(c.hashes) < d.N {
		c.hashes = make([]uint64, d.N)
	}
	c.hashes = c.hashes[:d.N]
	clear(c.hashes)
}

// entry returns the word of an entry of the dictionary, which is computed when it is first asked for.
func (c *colHasher) entry(code uint32) uint64 {
	x := c.hashes[code]
	if x == 0 {
		x = c.at(&c.view, int(code))
		c.hashes[code] = x
	}
	return x
}

// at returns a word that is equal for equal values.
func (c *colHasher) at(v *vec.Vector, i int) uint64 {
	if v.Null(i) {
		return nullHash
	}
	switch c.t.Phys() {
	case types.PhysBool:
		if v.Bool(i) {
			return 1
		}
		return 0
	case types.PhysInt64:
		return uint64(v.Int(i))
	case types.PhysFloat64:
		return datum.FloatKey(v.Float(i))
	}
	if !Canonical(c.t) {
		return xxh3.Hash(v.Bytes(i))
	}
	if v.Type != c.t { // AppendKey looks at the vector's type
		c.other = *v
		c.other.Type = c.t
		v = &c.other
	}
	c.canon = datum.AppendKey(c.canon[:0], v, i)
	return xxh3.Hash(c.canon)
}

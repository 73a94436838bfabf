package codec

import (
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// readSpan reads several blocks, each into its part of dst's memory, so that what decodes a block serves for more.
func (c *Chunk) readSpan(data []byte, from, to int, dst *vec.Vector) error {
	if err := c.checkSpan(from, to); err != nil {
		return err
	}
	n := to - from
	a, b := c.pres.before(data, from), c.pres.before(data, to)
	switch {
	case a == b:
		dst.SetConstNull(c.leaf.Type(), n)
		return nil
	case c.enc == encConst && b-a == n:
		dst.SetConst(c.dict, 0, n)
		return nil
	}
	dst.Reset(c.leaf.Type())
	dst.N = n
	if b-a < n {
		dst.Valid = vec.MakeBitmap(n)
	}
	if c.dict != nil {
		dst.Form, dst.Dict = vec.Dict, c.dict
	}
	c.makeRoom(dst)
	for at := from; at < to; at += blockValues {
		if err := c.readPart(data, at, min(at+blockValues, to), at-from, dst); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom gives dst the buffers for its N rows, whose contents do not matter.
func (c *Chunk) makeRoom(dst *vec.Vector) {
	switch {
	case dst.Dict != nil:
		dst.Codes = sized(dst.Codes, dst.N)
	case c.leaf.Phys() == types.PhysBool:
		dst.Bits = dst.Bits.Resize(dst.N)
	case c.leaf.Phys() == types.PhysInt64:
		dst.I64 = sized(dst.I64, dst.N)
	case c.leaf.Phys() == types.PhysFloat64:
		dst.F64 = sized(dst.F64, dst.N)
	default:
		dst.Off = sized(dst.Off, dst.N+1)
		dst.Off[0] = 0
	}
}

// readPart reads the block [from, to) into dst's rows from at on. at is a multiple of 64.
func (c *Chunk) readPart(data []byte, from, to, at int, dst *vec.Vector) error {
	n := to - from
	a, b := c.pres.before(data, from), c.pres.before(data, to)
	part := vec.Vector{Type: dst.Type, N: n} // a window on dst
	base := len(dst.Data)
	switch {
	case dst.Dict != nil:
		part.Codes = dst.Codes[at : at+n : at+n]
	case c.leaf.Phys() == types.PhysBool:
		part.Bits = dst.Bits[at/64 : (at+n+63)/64 : (at+n+63)/64]
	case c.leaf.Phys() == types.PhysInt64:
		part.I64 = dst.I64[at : at+n : at+n]
	case c.leaf.Phys() == types.PhysFloat64:
		part.F64 = dst.F64[at : at+n : at+n]
	default:
		part.Off, part.Data = dst.Off[at:at+n+1:at+n+1], dst.Data[base:]
	}
	if a == b {
		c.clearPart(&part)
	} else if err := c.decode(data, a, b, n, &part); err != nil {
		return err
	}
	if dst.Valid != nil && a < b {
		valid := dst.Valid[at/64 : (at+n+63)/64]
		c.pres.bits(data, from, to, a, valid)
		if b-a < n {
			c.spread(&part, valid, b-a)
		}
	}
	if part.Off != nil {
		dst.Data = joined(dst.Data, part.Data)
		for i := range part.Off {
			part.Off[i] += uint32(base)
		}
	}
	return nil
}

// clearPart makes the rows those of a block without a value.
func (c *Chunk) clearPart(part *vec.Vector) {
	clear(part.Codes)
	clear(part.Bits)
	clear(part.I64)
	clear(part.F64)
	clear(part.Off)
	part.Data = part.Data[:0]
}

// joined appends what was read behind data's end, in place if it was.
func joined(data, part []byte) []byte {
	if room := data[len(data):cap(data)]; len(part) > 0 && len(part) <= len(room) && &room[0] == &part[0] {
		return data[:len(data)+len(part)]
	}
	return append(data, part...)
}

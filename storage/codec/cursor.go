package codec

import "encoding/binary"

// cursor reads the header fields of a chunk from front to back. After a read beyond the end, ok is false and stays so,
// and all reads give zero: a parser checks once at the end.
type cursor struct {
	data []byte
	at   int
	bad  bool
}

func (c *cursor) left() int { return len(c.data) - c.at }

// skip returns the offset of the next n bytes and steps over them.
func (c *cursor) skip(n int) int {
	at := c.at
	if n < 0 || n > c.left() {
		c.bad = true
		c.at = len(c.data)
		return len(c.data)
	}
	c.at += n
	return at
}

func (c *cursor) bytes(n int) []byte {
	at := c.skip(n)
	if c.bad {
		return nil
	}
	return c.data[at : at+n]
}

func (c *cursor) u8() uint8 {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) uvarint() uint64 {
	if c.bad {
		return 0
	}
	v, n := binary.Uvarint(c.data[c.at:])
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.at += n
	return v
}

func (c *cursor) varint() int64 {
	u := c.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// count reads a length that cannot exceed limit.
func (c *cursor) count(limit int) int {
	v := c.uvarint()
	if v > uint64(limit) {
		c.bad = true
		return 0
	}
	return int(v)
}

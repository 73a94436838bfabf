package stage

import "github.com/telemdb/telemdb/storage/vec"

// Valid sets the bits of the target rows that have a value.
func (c *Column) Valid(want []uint32, valid vec.Bitmap) {
	if c.valid == nil {
		for _, w := range want {
			valid.Set(int(w & 0xffff))
		}
		return
	}
	for _, w := range want {
		r, to := w>>16, w&0xffff
		valid[to>>6] |= c.valid[r>>6] >> (r & 63) & 1 << (to & 63)
	}
}

// Bits sets the bits of the target rows that are true.
func (c *Column) Bits(want []uint32, bits vec.Bitmap) {
	for _, w := range want {
		to := w & 0xffff
		bits[to>>6] |= uint64(c.u8[w>>16]) << (to & 63)
	}
}

// Ints writes integers to the target rows; what a NULL gets is any number.
func (c *Column) Ints(want []uint32, dst []int64) {
	switch c.kind {
	case kindConst:
		for _, w := range want {
			dst[w&0xffff] = c.base
		}
	case kindU8:
		scatter(c.u8, c.base, want, dst)
	case kindU16:
		scatter(c.u16, c.base, want, dst)
	case kindU32:
		scatter(c.u32, c.base, want, dst)
	default:
		scatter(c.i64, 0, want, dst)
	}
}

func scatter[T uint8 | uint16 | uint32 | int64](src []T, base int64, want []uint32, dst []int64) {
	for _, w := range want {
		dst[w&0xffff] = base + int64(src[w>>16])
	}
}

// Floats is Ints for floats.
func (c *Column) Floats(want []uint32, dst []float64) {
	for _, w := range want {
		dst[w&0xffff] = c.f64[w>>16]
	}
}

// Table returns the table of a column of codes, nil if it is of another kind.
func (c *Column) Table() *Table { return c.table }

// Codes writes codes of the table to the target rows; what a NULL gets is any code of it.
func (c *Column) Codes(want []uint32, dst []uint16) {
	if c.kind == kindCode8 {
		for _, w := range want {
			dst[w&0xffff] = uint16(c.u8[w>>16])
		}
		return
	}
	for _, w := range want {
		dst[w&0xffff] = c.u16[w>>16]
	}
}

// IsUUID tells whether the column's texts are kept as UUIDs.
func (c *Column) IsUUID() bool { return c.kind == kindUUID }

// UUIDs writes UUIDs to the target rows.
func (c *Column) UUIDs(want []uint32, dst [][16]byte) {
	for _, w := range want {
		dst[w&0xffff] = c.uuid[w>>16]
	}
}

// Texts appends the texts of the wanted rows to arena and writes where each lies.
func (c *Column) Texts(want []uint32, arena []byte, at []uint64, length []uint32) []byte {
	for _, w := range want {
		r, to := int(w>>16), w&0xffff
		if c.null(r) {
			continue
		}
		from := len(arena)
		arena = c.appendText(arena, r)
		at[to], length[to] = uint64(from), uint32(len(arena)-from)
	}
	return arena
}

package simd

// A pass table has one bit per dictionary code: what a predicate says about each entry, found once.

// LookupU8 sets bit i of out to bit codes[i] of table.
func LookupU8(codes []uint8, table *[4]uint64, out []uint64) {
	out = out[:words(len(codes))]
	n := lookupU8(codes, table, out)
	codes, out = codes[n:], out[n>>6:]
	for i := range out {
		out[i] = lookup64(codes[i<<6:min(i<<6+64, len(codes))], table)
	}
}

// AndLookupU8 clears bit i of out where bit codes[i] of table is zero.
func AndLookupU8(codes []uint8, table *[4]uint64, out []uint64) {
	out = out[:words(len(codes))]
	n := andLookupU8(codes, table, out)
	codes, out = codes[n:], out[n>>6:]
	for i := range out {
		if out[i] != 0 {
			out[i] &= lookup64(codes[i<<6:min(i<<6+64, len(codes))], table)
		}
	}
}

// CountLookupU8 returns the number of codes whose bit in table is set.
func CountLookupU8(codes []uint8, table *[4]uint64) int {
	n, count := countLookupU8(codes, table)
	for _, c := range codes[n:] {
		count += int(table[c>>6] >> (c & 63) & 1)
	}
	return count
}

func lookup64(codes []uint8, table *[4]uint64) (word uint64) {
	for j, c := range codes {
		word |= table[c>>6] >> (c & 63) & 1 << (uint(j) & 63)
	}
	return word
}

// LookupU16 sets bit i of out to bit codes[i] of table; a code beyond the table does not pass.
func LookupU16(codes []uint16, table []uint64, out []uint64) {
	out = out[:words(len(codes))]
	n := lookupU16(codes, table, out)
	lookupGo(codes[n:], table, out[n>>6:])
}

// AndLookupU16 clears bit i of out where bit codes[i] of table is zero or beyond the table.
func AndLookupU16(codes []uint16, table []uint64, out []uint64) {
	out = out[:words(len(codes))]
	n := andLookupU16(codes, table, out)
	codes, out = codes[n:], out[n>>6:]
	for i := range out {
		if out[i] != 0 {
			out[i] &= lookupWord(codes[i<<6:min(i<<6+64, len(codes))], table)
		}
	}
}

// LookupU32 is LookupU16 for codes of four bytes.
func LookupU32(codes []uint32, table []uint64, out []uint64) {
	out = out[:words(len(codes))]
	n := lookupU32(codes, table, out)
	lookupGo(codes[n:], table, out[n>>6:])
}

func lookupGo[T uint16 | uint32](codes []T, table, out []uint64) {
	for i := range out {
		out[i] = lookupWord(codes[i<<6:min(i<<6+64, len(codes))], table)
	}
}

func lookupWord[T uint16 | uint32](codes []T, table []uint64) (word uint64) {
	for j, c := range codes {
		if w := int(c >> 6); w < len(table) {
			word |= table[w] >> (c & 63) & 1 << (uint(j) & 63)
		}
	}
	return word
}

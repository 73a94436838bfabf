package segment

import (
	"encoding/binary"
	"math/bits"

	"github.com/zeebo/xxh3"
)

// A Bloom filter here is split into blocks, so that a question touches 32 bytes: F. Putze, P. Sanders, J. Singler,
// "Cache-, Hash- and Space-Efficient Bloom Filters" (2007), in the form of the Apache Parquet format's BloomFilter.md:
// blocks of eight 32-bit words, one bit in each, chosen by eight odd salts. Unlike Parquet the hash is xxh3-64 with seed
// 0; hash, salts and the choice of the block are part of the format.
const (
	bloomBlockBytes = 32
	bloomBits       = 12 // a distinct value; about 0.5 % of the questions for others are answered with "maybe"
)

var bloomSalts = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

// bloomBlocks returns the number of blocks of a filter for so many distinct values.
func bloomBlocks(distinct int) int {
	return max(1, (distinct*bloomBits+8*bloomBlockBytes-1)/(8*bloomBlockBytes))
}

// bloom is a whole filter.
type bloom []byte

func (f bloom) block(h uint64) []byte {
	n := uint64(len(f) / bloomBlockBytes)
	hi, _ := bits.Mul64(h&^0xffffffff, n) // the upper half of the hash, scaled to the blocks
	return f[hi*bloomBlockBytes:][:bloomBlockBytes]
}

func (f bloom) add(h uint64) {
	b := f.block(h)
	for i, salt := range bloomSalts {
		word := b[4*i : 4*i+4]
		le := binary.LittleEndian
		le.PutUint32(word, le.Uint32(word)|1<<(uint32(h)*salt>>27))
	}
}

// has is true for everything added, and rarely for something else.
func (f bloom) has(h uint64) bool {
	b := f.block(h)
	for i, salt := range bloomSalts {
		if binary.LittleEndian.Uint32(b[4*i:])>>(uint32(h)*salt>>27)&1 == 0 {
			return false
		}
	}
	return true
}

// hashBytes and hashInt are what filters know a value by.
func hashBytes(b []byte) uint64 { return xxh3.Hash(b) }

func hashInt(x int64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(x))
	return xxh3.Hash(b[:])
}

// hashSet collects different hashes. Zero is kept beside the table.
type hashSet struct {
	slots []uint64
	n     int
	zero  bool
	shift uint
}

// reset makes room for n hashes.
func (s *hashSet) reset(n int) {
	size := 4 << bits.Len(uint(n))
	if cap(s.slots) < size {
		s.slots = make([]uint64, size)
	}
	s.slots = s.slots[:size]
	clear(s.slots)
	s.n, s.zero, s.shift = 0, false, uint(64-bits.TrailingZeros(uint(size)))
}

func (s *hashSet) add(h uint64) {
	if h == 0 {
		if !s.zero {
			s.zero = true
			s.n++
		}
		return
	}
	i := h >> s.shift
	for s.slots[i] != 0 {
		if s.slots[i] == h {
			return
		}
		i = (i + 1) & uint64(len(s.slots)-1)
	}
	s.slots[i] = h
	s.n++
}

// bloom returns the filter of the hashes collected.
func (s *hashSet) bloom() bloom {
	f := make(bloom, bloomBlockBytes*bloomBlocks(s.n))
	if s.zero {
		f.add(0)
	}
	for _, h := range s.slots {
		if h != 0 {
			f.add(h)
		}
	}
	return f
}

// Package simd holds the leaf loops that own the profile: compare, unpack, sum, count and move over slices of numbers,
// without receivers, interfaces, errors or allocations. Every kernel exists twice: as a Go twin, which defines the answer
// and runs everywhere, and on amd64 as assembly for AVX2 and AVX-512, picked when the process starts (see Level). Both give
// the same bits for every input; the tests hold them against each other.
//
// # Rules that hold for every kernel
//
// Bitmaps are []uint64, least significant bit first. A bitmap of n rows has (n+63)/64 words; out bitmaps may be longer,
// only those words are written, and the bits above the last row in the last of them are zero. A bitmap that is read has at
// least that many words, its bits above the last row zero.
//
// Lengths need not be a multiple of anything, and no byte outside the slices is read or written. Slices that are written
// do not overlap those that are read, unless the kernel says so. A slice that is too short is a mistake of the caller and
// panics, as an index out of range does, before anything is read.
//
// A call costs some nanoseconds: give it a block (1,024 values) at least where there is a choice, and not much more than
// what stays in the second-level cache where several kernels follow each other.
package simd

//go:generate go run gen_unpack.go
//go:generate sh -c "cd gen && go run . -out ../asm_amd64.s -stubs ../asm_amd64.go -pkg simd"

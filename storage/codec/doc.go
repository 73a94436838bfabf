// Package codec encodes one column chunk (the values of one path and leaf kind over one row group of at most 65,536
// rows), decodes any row range of it into vectors, and filters it while it is still encoded. FORMAT.md describes the
// bytes.
//
// # Layers
//
//	Values            what goes in: the rows that have a value, and their values packed
//	Encoder           picks the smallest encoding from statistics and writes the chunk; also writes the zone map
//	Chunk             an opened chunk: Read, Filter
//	presence.go       which rows have a value, and rank: row -> index among the packed values
//	ints.go           the integer stream, the brick of all other encodings: constant, frame of reference, delta, runs
//	dict.go text.go floats.go hist.go    the leaf kinds on top of it
//	alp.go ratio.go fsst.go stems.go hex.go isotime.go     floats and texts of a special shape
//	run_codes.go                         codes of a dictionary that come in runs
//	rare.go           where the rare values of a dictionary are
//	choose.go         which encoding wins, and for how long
//	bitpack*.go       leaf loops
//
// # Memory
//
// A Chunk holds offsets into its encoded bytes and no reference to them, so that the bytes may live in a cache that
// evicts them between two calls; every method takes them again. Only a dictionary is copied out, because vectors refer
// to it for as long as they live.
//
// # Hostile bytes
//
// Open and the methods of Chunk return an *Error for bytes that no Encoder wrote; they do not panic, and what they
// allocate is bounded by the number of rows and by the length of the chunk. Checksums are the caller's business.
package codec

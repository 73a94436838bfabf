//go:build !amd64

package simd

// Each of these does as many values as it can, from the first on, and returns their number, a multiple of 64; the twin
// does the rest. Here that is all of them.

func rangeU8([]uint8, uint8, uint8, []uint64) int                             { return 0 }
func andRangeU8([]uint8, uint8, uint8, []uint64) int                          { return 0 }
func countRangeU8([]uint8, uint8, uint8) (int, int)                           { return 0, 0 }
func countAndRangeU8([]uint8, uint8, uint8, []uint8, uint8, uint8) (int, int) { return 0, 0 }
func bothWithinU8([]uint8, uint8, uint8, []uint8, uint8, uint8, []uint64) (int, int) {
	return 0, 0
}
func filledBlocks([]uint64) (int, int)                             { return 0, 0 }
func rangeU16([]uint16, uint16, uint16, []uint64) int              { return 0 }
func andRangeU16([]uint16, uint16, uint16, []uint64) int           { return 0 }
func countRangeU16([]uint16, uint16, uint16) (int, int)            { return 0, 0 }
func rangeU32([]uint32, uint32, uint32, []uint64) int              { return 0 }
func rangeI64([]int64, int64, int64, []uint64) int                 { return 0 }
func andRangeI64([]int64, int64, int64, []uint64) int              { return 0 }
func eqF64([]float64, float64, []uint64) int                       { return 0 }
func ltF64([]float64, float64, []uint64) int                       { return 0 }
func leF64([]float64, float64, []uint64) int                       { return 0 }
func lookupU8([]uint8, *[4]uint64, []uint64) int                   { return 0 }
func andLookupU8([]uint8, *[4]uint64, []uint64) int                { return 0 }
func countLookupU8([]uint8, *[4]uint64) (int, int)                 { return 0, 0 }
func lookupU16([]uint16, []uint64, []uint64) int                   { return 0 }
func andLookupU16([]uint16, []uint64, []uint64) int                { return 0 }
func lookupU32([]uint32, []uint64, []uint64) int                   { return 0 }
func sumI64([]int64) (int, int64, uint64)                          { return 0, 0, 0 }
func sumI64Bits([]int64, []uint64) (int, int64, uint64)            { return 0, 0, 0 }
func sumRangeI64([]int64, int64, uint64) (int, int64, uint64, int) { return 0, 0, 0, 0 }
func minMaxI64(_ []int64, least, most int64) (int, int64, int64)   { return 0, least, most }
func minMaxI64Bits(_ []int64, _ []uint64, least, most int64) (int, int64, int64) {
	return 0, least, most
}
func and([]uint64, []uint64) int                                               { return 0 }
func andNot([]uint64, []uint64) int                                            { return 0 }
func or([]uint64, []uint64) int                                                { return 0 }
func popcount([]uint64) (int, int)                                             { return 0, 0 }
func countAnd([]uint64, []uint64) (int, int)                                   { return 0, 0 }
func selectU16([]uint64, []uint16) (int, int)                                  { return 0, 0 }
func depositBits([]uint64, []uint64, []uint64, int) bool                       { return false }
func widenU8([]uint32, []uint8) (int, uint32)                                  { return 0, 0 }
func widenU16([]uint32, []byte) (int, uint32)                                  { return 0, 0 }
func topU8([]uint8) (int, uint8)                                               { return 0, 0 }
func topU32([]uint32) (int, uint32)                                            { return 0, 0 }
func topU16([]byte) (int, uint16)                                              { return 0, 0 }
func expandI64([]int64, []int64, []uint64) (int, int)                          { return 0, 0 }
func expandF64([]float64, []float64, []uint64) (int, int)                      { return 0, 0 }
func expandU32([]uint32, []uint32, []uint64) (int, int)                        { return 0, 0 }
func maxU8([]uint8, []uint8) int                                               { return 0 }
func addU32U64([]uint64, []uint32) int                                         { return 0 }
func hashU64([]uint64, []uint64) int                                           { return 0 }
func matchAny3([]byte, byte, byte, byte, []uint64) int                         { return 0 }
func matchPairs([]byte, byte, []byte, byte, []uint64) int                      { return 0 }
func unpackAdd([]int64, []byte, int, uint, int64) int                          { return 0 }
func unpack32([]uint32, []byte, int, uint) int                                 { return 0 }
func rangePacked([]byte, int, int, uint, uint64, uint64, []uint64) int         { return 0 }
func sumPackedRange([]byte, int, int, uint, uint64, uint64) (int, uint64, int) { return 0, 0, 0 }
func repeatU8([]uint8, []uint32, []uint32) int                                 { return 0 }
func repeatU16([]uint16, []uint32, []uint32) int                               { return 0 }
func repeatU32([]uint32, []uint32, []uint32) int                               { return 0 }
func divideBy([]float64, []int64, float64, float64) int                        { return 0 }
func ratioSmall([]float64, []int64, []int64) int                               { return 0 }
func ratioI64([]float64, []int64, []int64) int                                 { return 0 }

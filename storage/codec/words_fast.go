//go:build amd64 || arm64

package codec

import "unsafe"

// The numbers of a chunk are little endian and lie at any address. These machines read them so.

// words16 returns the numbers that bytes are, without a copy.
func words16(b []byte) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/2)
}

// words64 returns the numbers that bytes are, without a copy.
func words64(b []byte) []int64 {
	return unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
}

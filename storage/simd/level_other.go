//go:build !amd64

package simd

// Best returns the highest level this machine has.
func Best() Level { return Off }

//go:build !linux

package telemdb

// memoryLimit is unknown here.
func memoryLimit() int64 { return 0 }

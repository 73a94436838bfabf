//go:build unix

package vfs

import (
	"math"
	"syscall"
)

// ErrTooManyFiles is what opening a file gives when the process has as many as it may.
const ErrTooManyFiles = syscall.EMFILE

// OpenFilesMax returns how many files the process may have open at a time, 0 if that is not known.
func OpenFilesMax() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	return int(min(l.Cur, math.MaxInt32))
}

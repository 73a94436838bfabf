//go:build !unix

package vfs

import "errors"

// ErrTooManyFiles is what opening a file gives when the process has as many as it may.
var ErrTooManyFiles = errors.New("too many open files")

// OpenFilesMax returns how many files the process may have open at a time, 0 if that is not known.
func OpenFilesMax() int { return 0 }

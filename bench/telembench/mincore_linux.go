package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mincore fills resident with a byte for each page of a mapping, whose lowest bit says that it is in memory.
func mincore(mapped, resident []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&mapped[0])), uintptr(len(mapped)), uintptr(unsafe.Pointer(&resident[0])))
	if errno != 0 {
		return errno
	}
	return nil
}

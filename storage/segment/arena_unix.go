//go:build unix && !linux

package segment

import "golang.org/x/sys/unix"

// mapArena returns n zeroed bytes of anonymous memory, which the Go collector neither sees nor counts.
func mapArena(n int) ([]byte, error) {
	return unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

func unmapArena(b []byte) error { return unix.Munmap(b) }

//go:build !unix

package segment

// Where anonymous memory cannot be mapped, arenas are large pointer-free slices.

func mapArena(n int) ([]byte, error) { return make([]byte, n), nil }

func unmapArena([]byte) error { return nil }

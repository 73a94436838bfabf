package vfs

import "os"

// extend sets the size without reserving blocks; it never shortens.
func extend(f *os.File, size int64) error {
	i, err := f.Stat()
	if err != nil || i.Size() >= size {
		return err
	}
	return f.Truncate(size)
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// dropTries is how often pages are asked to leave before some that stay are an error: a page that is being written stays.
const dropTries = 5

// dropPages drops the pages of every file below dir from the page cache, and looks that they are gone.
func dropPages(dir string) error {
	unix.Sync()
	var left int64
	for range dropTries {
		left = 0
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			n, err := dropFile(name)
			left += n
			return err
		})
		if err != nil {
			return err
		}
		if left == 0 {
			return nil
		}
		unix.Sync()
	}
	return fmt.Errorf("%d bytes of the files in %s stay in the page cache", left, dir)
}

// dropFile drops a file's pages and returns how many bytes of it are still in memory.
func dropFile(name string) (left int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return 0, err
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return 0, fmt.Errorf("%s: drop its pages: %w", name, err)
	}
	return inMemory(f, st.Size())
}

// inMemory asks mincore how many bytes of a file are in the page cache.
func inMemory(f *os.File, size int64) (bytes int64, err error) {
	mapped, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 0, fmt.Errorf("%s: map: %w", f.Name(), err)
	}
	defer func() { err = errors.Join(err, unix.Munmap(mapped)) }()
	page := int64(os.Getpagesize())
	resident := make([]byte, (size+page-1)/page)
	if err := mincore(mapped, resident); err != nil {
		return 0, fmt.Errorf("%s: mincore: %w", f.Name(), err)
	}
	for _, r := range resident {
		bytes += int64(r&1) * page
	}
	return bytes, nil
}

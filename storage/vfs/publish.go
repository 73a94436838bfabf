package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// TempSuffix ends the name of every file that is not published yet. Recovery removes such files.
const TempSuffix = ".tmp"

// IsTemp tells whether a file was left behind by a crash before it was published.
func IsTemp(name string) bool { return strings.HasSuffix(name, TempSuffix) }

// WriteFile publishes a file: it exists whole and durable under its name when WriteFile returns nil, and after an error
// or a crash name holds what it held before or, in a crash near the end, the new content whole. A temporary file of an
// earlier attempt is replaced. write must not close the file.
func WriteFile(fsys FS, name string, write func(File) error) error {
	temp := name + TempSuffix
	if err := fsys.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("publish %s: %w", name, err)
	}
	if err := writeTemp(fsys, temp, write); err != nil {
		return fmt.Errorf("publish %s: %w", name, err)
	}
	if err := fsys.Rename(temp, name); err != nil {
		return fmt.Errorf("publish %s: %w", name, errors.Join(err, fsys.Remove(temp)))
	}
	if err := fsys.SyncDir(path.Dir(name)); err != nil {
		return fmt.Errorf("publish %s: %w", name, err)
	}
	return nil
}

// writeTemp writes, syncs and closes one temporary file, or removes it.
func writeTemp(fsys FS, temp string, write func(File) error) error {
	f, err := fsys.Create(temp)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		// The removal is tidiness: recovery removes temporary files too, and the first error is the one to report.
		_ = fsys.Remove(temp)
	}
	return err
}

// RemoveTemps removes the unpublished files of dir and returns their names.
func RemoveTemps(fsys FS, dir string) ([]string, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, n := range names {
		if !IsTemp(n) {
			continue
		}
		if err := fsys.Remove(path.Join(dir, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		removed = append(removed, n)
	}
	return removed, nil
}

// ReadFile returns the whole content of a file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	buf := make([]byte, size)
	n, err := f.ReadAt(buf, 0)
	if int64(n) < size {
		return nil, fmt.Errorf("read %s: %d of %d bytes: %w", name, n, size, err)
	}
	return buf, nil
}

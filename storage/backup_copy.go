package storage

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/xxh3"

	"github.com/telemdb/telemdb/storage/vfs"
)

// copyBytes is how much of a file is read at once.
const copyBytes = 1 << 20

// readAll calls take with the first size bytes of a file, a piece at a time. A shorter file is an error.
func readAll(ctx context.Context, fsys vfs.FS, name string, size int64, take func([]byte) error) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read from
	buf := make([]byte, min(copyBytes, size))
	for off := int64(0); off < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := buf[:min(int64(len(buf)), size-off)]
		n, err := f.ReadAt(part, off)
		if n < len(part) {
			if err == nil || errors.Is(err, io.EOF) {
				return fmt.Errorf("%s has %d bytes, not %d", name, off+int64(n), size)
			}
			return fmt.Errorf("read %s: %w", name, err)
		}
		if err := take(part); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

// sumFile returns the checksum of the first size bytes of a file.
func sumFile(ctx context.Context, fsys vfs.FS, name string, size int64) (string, error) {
	h := xxh3.New()
	err := readAll(ctx, fsys, name, size, func(p []byte) error { _, err := h.Write(p); return err })
	return sumText(h.Sum64()), err
}

// copyFile publishes a copy of the first size bytes of a file and returns their checksum.
func copyFile(ctx context.Context, fsys vfs.FS, from string, size int64, to string) (sum string, err error) {
	h := xxh3.New()
	err = vfs.WriteFile(fsys, to, func(f vfs.File) error {
		return readAll(ctx, fsys, from, size, func(p []byte) error {
			if _, err := h.Write(p); err != nil {
				return err
			}
			_, err := f.Write(p)
			return err
		})
	})
	return sumText(h.Sum64()), err
}

// checkFileSum holds a file of a backup against its entry.
func checkFileSum(ctx context.Context, fsys vfs.FS, name string, e backupEntry) error {
	info, err := fsys.Stat(name)
	if err != nil {
		return err
	}
	if info.Size != e.Bytes {
		return fmt.Errorf("%s has %d bytes, the backup was made with %d", name, info.Size, e.Bytes)
	}
	sum, err := sumFile(ctx, fsys, name, e.Bytes)
	if err == nil && sum != e.Sum {
		err = fmt.Errorf("%s is damaged: its checksum is %s, the backup was made with %s", name, sum, e.Sum)
	}
	return err
}

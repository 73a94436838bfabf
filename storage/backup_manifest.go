package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/telemdb/telemdb/storage/vfs"
)

// backupManifest is what backup.json says.
type backupManifest struct {
	Version int           `json:"version"`
	ID      string        `json:"id"` // also the name of its directory
	Time    time.Time     `json:"time"`
	Parent  string        `json:"parent,omitempty"`
	LSN     uint64        `json:"lsn"`
	Files   []backupEntry `json:"files"`
}

// backupEntry is one file of a backup.
type backupEntry struct {
	Name  string `json:"name"`           // its place in a data directory
	Pool  string `json:"pool,omitempty"` // its name in the pool; empty: it is in the backup's directory, under Name
	Bytes int64  `json:"bytes"`
	Sum   string `json:"xxh3"` // of the whole file, 16 hexadecimal digits
}

// sealedManifest is backup.json: the manifest as it stands, and its checksum.
type sealedManifest struct {
	Backup json.RawMessage `json:"backup"`
	Sum    string          `json:"xxh3"`
}

// write publishes the backup.
func (b *backupManifest) write(fsys vfs.FS, dir string) error {
	body, err := json.Marshal(b)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(sealedManifest{Backup: body, Sum: sumText(xxh3.Hash(body))})
	if err != nil {
		return err
	}
	return vfs.WriteFile(fsys, path.Join(dir, backupFile), func(f vfs.File) error {
		_, err := f.Write(append(raw, '\n'))
		return err
	})
}

func sumText(sum uint64) string { return fmt.Sprintf("%016x", sum) }

// readBackup reads the manifest of the backup in dir. fs.ErrNotExist if it has none.
func readBackup(fsys vfs.FS, dir string) (*backupManifest, error) {
	name := path.Join(dir, backupFile)
	raw, err := vfs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	b, err := parseBackup(raw)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", name, err)
	}
	if b.Version > backupVersion {
		return nil, fmt.Errorf("%s has version %d, this program knows versions up to %d: use a newer telemdb", name, b.Version, backupVersion)
	}
	return b, nil
}

// parseBackup verifies and decodes backup.json.
func parseBackup(raw []byte) (*backupManifest, error) {
	var sealed sealedManifest
	if err := json.Unmarshal(raw, &sealed); err != nil {
		return nil, err
	}
	var body bytes.Buffer // as it was written, however it has been indented since
	if err := json.Compact(&body, sealed.Backup); err != nil {
		return nil, err
	}
	if sum := sumText(xxh3.Hash(body.Bytes())); sum != sealed.Sum {
		return nil, fmt.Errorf("its checksum is %s, not %q", sum, sealed.Sum)
	}
	b := &backupManifest{}
	if err := json.Unmarshal(body.Bytes(), b); err != nil {
		return nil, err
	}
	for _, e := range b.Files {
		if e.Name == "" || !localName(e.Name) || e.Pool != path.Base(e.Pool) && e.Pool != "" || e.Pool == ".." || e.Bytes < 0 {
			return nil, fmt.Errorf("it names file %q in %q with %d bytes", e.Name, e.Pool, e.Bytes)
		}
	}
	return b, nil
}

// at returns where a file of the backup in dir is.
func (e *backupEntry) at(dir string) string {
	if e.Pool != "" {
		return path.Join(path.Dir(dir), backupPool, e.Pool)
	}
	return path.Join(dir, e.Name)
}

// isBackup tells whether dir is one backup.
func isBackup(fsys vfs.FS, dir string) (bool, error) {
	_, err := fsys.Stat(path.Join(dir, backupFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// listBackups returns the backups in a directory of them, oldest first, and the names of directories that are none: a
// backup that was cut has left them.
func listBackups(fsys vfs.FS, to string) (backups []*backupManifest, unfinished []string, err error) {
	names, err := fsys.List(to)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		info, err := fsys.Stat(path.Join(to, n))
		if err != nil {
			return nil, nil, err
		}
		if !info.Dir || n == backupPool || !isBackupID(n) {
			continue
		}
		b, err := readBackup(fsys, path.Join(to, n))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			unfinished = append(unfinished, n)
		case err != nil:
			return nil, nil, err
		case b.ID != n:
			return nil, nil, fmt.Errorf("%s is the backup %s: give the directory its name back", path.Join(to, n), b.ID)
		default:
			backups = append(backups, b)
		}
	}
	slices.SortFunc(backups, func(a, b *backupManifest) int { return a.order(b) })
	return backups, unfinished, nil
}

// isBackupID tells whether a name is of the form that backups get.
func isBackupID(n string) bool {
	if len(n) < len(backupTime) {
		return false
	}
	_, err := time.Parse(backupTime, n[:len(backupTime)])
	return err == nil && (len(n) == len(backupTime) || n[len(backupTime)] == '-')
}

// order is by time, and among those of one second by number.
func (b *backupManifest) order(o *backupManifest) int {
	if c := b.Time.Compare(o.Time); c != 0 {
		return c
	}
	if len(b.ID) != len(o.ID) {
		return len(b.ID) - len(o.ID)
	}
	return bytes.Compare([]byte(b.ID), []byte(o.ID))
}

// poolName names a segment by its id, its size, and its end: the footer there has a checksum of the directory, which has
// one of every chunk. Two stores that were one once may have given the same id to different segments.
func poolName(fsys vfs.FS, f momentFile) (string, error) {
	const endBytes = 256
	h, err := fsys.Open(f.at.Name)
	if err != nil {
		return "", err
	}
	defer func() { _ = h.Close() }() // only read from
	end := make([]byte, min(endBytes, f.size))
	if n, err := h.ReadAt(end, f.size-int64(len(end))); n < len(end) {
		return "", fmt.Errorf("%s is shorter than the %d bytes it must have: %w", f.at.Name, f.size, err)
	}
	id := path.Base(f.name)
	id = id[:len(id)-len(segmentExt)]
	return fmt.Sprintf("%s-%d-%016x%s", id, f.size, xxh3.Hash(end), segmentExt), nil
}

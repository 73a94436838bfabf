package storage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/telemdb/telemdb/storage/vfs"
)

// A directory of backups holds one directory for each backup and a pool of the segments of all of them. A backup is its
// backup.json, which names every file with size and checksum and is published last: without it there is no backup.
// FORMAT.md draws the layout.

const (
	backupMarker  = "BACKUPS" // says that a directory holds backups
	backupText    = "telemdb backups 1\n"
	backupPool    = "segments"    // segments, by id, size and end
	backupFile    = "backup.json" // what a backup consists of
	backupVersion = 1
	backupTime    = "20060102T150405Z"
)

// BackupOptions configures a backup.
type BackupOptions struct {
	FS   vfs.FS // nil: the operating system's
	To   string // directory of backups; made if it is missing
	Copy bool   // never link: the backup shares no file with the store
	Keep int    // remove older backups until so many are left; 0: keep all
	Now  func() time.Time
	// Progress, if not nil, is called after each file.
	Progress func(BackupProgress)
}

// BackupProgress counts files and bytes.
type BackupProgress struct {
	Files, FilesTotal      int
	Bytes, BytesTotal      int64
	Linked, Copied, Reused int // files
	CopiedBytes            int64
}

// BackupInfo describes a finished backup.
type BackupInfo struct {
	BackupProgress
	ID, Dir string
	Parent  string   // the backup before it in the same directory; "" if there is none
	LSN     uint64   // the last record in it
	Removed []string // older backups that were removed
}

// Backup copies one moment of the store while it goes on. What the moment consists of stays until it is done, whatever
// merges, deletes and retention do.
func (s *Store) Backup(ctx context.Context, o BackupOptions) (*BackupInfo, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	if s.moment != nil {
		return nil, fmt.Errorf("%w: back up the directory, not a read-only view", ErrReadOnly)
	}
	o.FS = s.fs
	m, err := s.lend()
	if err != nil {
		return nil, err
	}
	info, err := backup(ctx, m, s.dir, o)
	return info, errors.Join(err, m.close())
}

// Backup copies one moment of the store in dir, which another process may have open.
func Backup(ctx context.Context, dir string, o BackupOptions) (*BackupInfo, error) {
	if o.FS == nil {
		o.FS = vfs.OS()
	}
	dir = slashed(dir)
	if ok, err := isBackup(o.FS, dir); err != nil || ok {
		return nil, errors.Join(fmt.Errorf("%s is a backup, not a data directory", dir), err)
	}
	m, err := findMoment(o.FS, dir)
	if err != nil {
		return nil, err
	}
	if m.lost == nil {
		err = m.onlyNeeded(dir)
	}
	var info *BackupInfo
	if err == nil {
		info, err = backup(ctx, m, dir, o)
	}
	return info, errors.Join(err, m.close())
}

func slashed(dir string) string { return path.Clean(strings.ReplaceAll(dir, "\\", "/")) }

// backupRun is one backup in the making.
type backupRun struct {
	o      BackupOptions
	fs     vfs.FS
	m      *moment
	to     string // the directory of backups
	dir    string // this backup's
	older  []*backupManifest
	pooled map[string]backupEntry // what the pool holds, by name in it
	made   backupManifest
	p      BackupProgress
}

func backup(ctx context.Context, m *moment, from string, o BackupOptions) (info *BackupInfo, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &backupRun{o: o, fs: o.FS, m: m, to: slashed(o.To), pooled: map[string]backupEntry{}}
	if r.to == from || strings.HasPrefix(r.to, from+"/") || strings.HasPrefix(from, r.to+"/") {
		return nil, fmt.Errorf("back up to %s: one of it and the data directory %s lies in the other", r.to, from)
	}
	if err := m.sizes(); err != nil {
		return nil, err
	}
	lock, err := r.enter()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := r.tidy(); err != nil {
		return nil, err
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	if err := r.files(ctx); err != nil {
		return nil, fmt.Errorf("backup in %s is not finished: %w", r.dir, err)
	}
	if err := r.finish(); err != nil {
		return nil, fmt.Errorf("backup in %s is not finished: %w", r.dir, err)
	}
	info = &BackupInfo{BackupProgress: r.p, ID: r.made.ID, Dir: r.dir, Parent: r.made.Parent, LSN: m.lsn}
	info.Removed, err = r.prune()
	return info, err
}

// enter locks the directory of backups, making it if need be.
func (r *backupRun) enter() (interface{ Close() error }, error) {
	if err := r.fs.MkdirAll(r.to); err != nil {
		return nil, err
	}
	names, err := r.fs.List(r.to)
	if err != nil {
		return nil, err
	}
	marker := path.Join(r.to, backupMarker)
	known := slices.Contains(names, backupMarker)
	for _, n := range names {
		if !known && n != lockFile && n != backupMarker+vfs.TempSuffix {
			return nil, fmt.Errorf("%s is no directory of backups and not empty (it has %s): name another one", r.to, n)
		}
	}
	lock, err := r.fs.Lock(path.Join(r.to, lockFile), []byte("a backup is being made or removed"))
	var locked *vfs.LockedError
	if errors.As(err, &locked) {
		return nil, fmt.Errorf("%s is in use: a backup is being made, verified, read or restored there; try again when it is done", r.to)
	}
	if err != nil {
		return nil, err
	}
	if !known {
		err = vfs.WriteFile(r.fs, marker, func(f vfs.File) error { _, err := f.Write([]byte(backupText)); return err })
	} else {
		err = knowsBackups(r.fs, r.to)
	}
	if err == nil {
		err = r.fs.MkdirAll(path.Join(r.to, backupPool))
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// knowsBackups refuses directories of another format.
func knowsBackups(fsys vfs.FS, to string) error {
	raw, err := vfs.ReadFile(fsys, path.Join(to, backupMarker))
	if err != nil {
		return err
	}
	if string(raw) != backupText {
		return fmt.Errorf("%s says %q: these backups are not of this program's format", path.Join(to, backupMarker), raw)
	}
	return nil
}

// tidy reads what backups there are, and removes what a cut one has left.
func (r *backupRun) tidy() (err error) {
	var unfinished []string
	r.older, unfinished, err = listBackups(r.fs, r.to)
	if err != nil {
		return err
	}
	for _, d := range unfinished {
		if err := r.fs.RemoveAll(path.Join(r.to, d)); err != nil {
			return err
		}
	}
	return r.tidyPool()
}

// tidyPool removes segments that no backup has, and notes the others.
func (r *backupRun) tidyPool() error {
	clear(r.pooled)
	for _, b := range r.older {
		for _, e := range b.Files {
			if e.Pool != "" {
				r.pooled[e.Pool] = e
			}
		}
	}
	pool := path.Join(r.to, backupPool)
	names, err := r.fs.List(pool)
	if err != nil {
		return err
	}
	for _, n := range names {
		if _, ok := r.pooled[n]; ok {
			continue
		}
		if err := r.fs.Remove(path.Join(pool, n)); err != nil {
			return err
		}
	}
	return nil
}

// begin makes the backup's directory.
func (r *backupRun) begin() error {
	at := r.o.Now().UTC()
	id := at.Format(backupTime)
	for n := 2; slices.ContainsFunc(r.older, func(b *backupManifest) bool { return b.ID == id }); n++ {
		id = fmt.Sprintf("%s-%d", at.Format(backupTime), n)
	}
	r.made = backupManifest{Version: backupVersion, ID: id, Time: at, LSN: r.m.lsn}
	if n := len(r.older); n > 0 {
		r.made.Parent = r.older[n-1].ID
	}
	r.dir = path.Join(r.to, id)
	for _, d := range []string{r.dir, path.Join(r.dir, metaDir), path.Join(r.dir, walDir)} {
		if err := r.fs.MkdirAll(d); err != nil {
			return err
		}
	}
	return nil
}

// files brings all files of the moment.
func (r *backupRun) files(ctx context.Context) error {
	r.p.FilesTotal = len(r.m.files)
	for _, f := range r.m.files {
		r.p.BytesTotal += f.size
	}
	for _, f := range r.m.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, err := r.file(ctx, f)
		if err != nil {
			return err
		}
		r.made.Files = append(r.made.Files, e)
		r.p.Files++
		r.p.Bytes += f.size
		if r.o.Progress != nil {
			r.o.Progress(r.p)
		}
	}
	return nil
}

// file brings one file: a segment into the pool, unless it is there, anything else into the backup's own directory.
func (r *backupRun) file(ctx context.Context, f momentFile) (e backupEntry, err error) {
	e = backupEntry{Name: f.name, Bytes: f.size}
	to := path.Join(r.dir, f.name)
	if path.Dir(f.name) == segmentDir {
		if e.Pool, err = poolName(r.fs, f); err != nil {
			return e, err
		}
		to = path.Join(r.to, backupPool, e.Pool)
		if had, ok := r.pooled[e.Pool]; ok {
			return r.reuse(ctx, f, had, to)
		}
	}
	linked := false
	e.Sum, linked, err = r.bring(ctx, f, to)
	if err != nil {
		return e, err
	}
	if e.Pool != "" {
		r.pooled[e.Pool] = e
	}
	if linked {
		r.p.Linked++
	} else {
		r.p.Copied++
		r.p.CopiedBytes += f.size
	}
	return e, nil
}

// reuse takes a segment that an earlier backup has brought, if it is still what it was; else it is brought again, which
// repairs the earlier backups too.
func (r *backupRun) reuse(ctx context.Context, f momentFile, had backupEntry, to string) (backupEntry, error) {
	had.Name = f.name
	if checkFileSum(ctx, r.fs, to, had) == nil {
		r.p.Reused++
		return had, nil
	}
	if err := ctx.Err(); err != nil {
		return had, err
	}
	sum, err := copyFile(ctx, r.fs, f.at.Name, f.size, to)
	if err == nil && sum != had.Sum {
		err = fmt.Errorf("segment %s is not what an earlier backup has copied of it, and that copy (%s) is damaged too", f.at.Name, to)
	}
	r.p.Copied++
	r.p.CopiedBytes += f.size
	return had, err
}

// bring links or copies one file and returns its checksum. The name is durable after finish.
func (r *backupRun) bring(ctx context.Context, f momentFile, to string) (sum string, linked bool, err error) {
	if f.fixed && !r.o.Copy && r.fs.Link(f.at.Name, to) == nil {
		sum, err = sumFile(ctx, r.fs, to, f.size)
		return sum, true, err
	}
	// Not linked: another file system, or one without links.
	sum, err = copyFile(ctx, r.fs, f.at.Name, f.size, to)
	return sum, false, err
}

// finish makes everything durable and then publishes the backup.
func (r *backupRun) finish() error {
	for _, d := range []string{path.Join(r.to, backupPool), path.Join(r.dir, metaDir), path.Join(r.dir, walDir), r.dir, r.to} {
		if err := r.fs.SyncDir(d); err != nil {
			return err
		}
	}
	return r.made.write(r.fs, r.dir)
}

// prune removes the oldest backups beyond Keep. Each ends with its backup.json; the rest is left-overs.
func (r *backupRun) prune() (removed []string, err error) {
	r.older = append(r.older, &r.made)
	for r.o.Keep > 0 && len(r.older) > r.o.Keep {
		id := r.older[0].ID
		dir := path.Join(r.to, id)
		if err := errors.Join(r.fs.Remove(path.Join(dir, backupFile)), r.fs.SyncDir(dir)); err != nil {
			return removed, err
		}
		if err := r.fs.RemoveAll(dir); err != nil {
			return removed, err
		}
		removed = append(removed, id)
		r.older = r.older[1:]
	}
	if len(removed) == 0 {
		return nil, nil
	}
	return removed, r.tidyPool()
}

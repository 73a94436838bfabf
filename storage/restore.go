package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/telemdb/telemdb/storage/vfs"
)

// restoreFile marks a directory that a restore has not finished. It is there, durably, before the first file and goes when
// all of them are durable; Open refuses a directory that has it.
const restoreFile = "RESTORING"

// RestoreOptions configures a restore.
type RestoreOptions struct {
	FS   vfs.FS // nil: the operating system's
	Link bool   // link segments instead of copying them: the store then shares their bytes with the backup
	// Progress, if not nil, is called after each file.
	Progress func(BackupProgress)
}

// Restore makes dir, which must be empty or missing, the data directory that a backup was made of. from is a backup, or a
// directory of backups: then it is the newest one. When it returns nil everything is durable. After an error, and after a
// crash, dir is refused by Open, and the same Restore can be run again.
func Restore(ctx context.Context, from, dir string, o RestoreOptions) (id string, err error) {
	if o.FS == nil {
		o.FS = vfs.OS()
	}
	from, err = newestBackup(o.FS, slashed(from))
	if err != nil {
		return "", err
	}
	unlock, err := shareBackups(o.FS, from)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	b, err := readBackup(o.FS, from)
	if err != nil {
		return "", err
	}
	r := &restoreRun{o: o, fs: o.FS, from: from, dir: slashed(dir), b: b}
	lock, err := r.enter()
	if err != nil {
		return b.ID, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return b.ID, r.run(ctx)
}

// newestBackup finds the backup that a name means. One that was cut is refused.
func newestBackup(fsys vfs.FS, from string) (string, error) {
	if ok, err := isBackup(fsys, from); err != nil || ok {
		return from, err
	}
	if _, err := fsys.Stat(path.Join(from, backupMarker)); errors.Is(err, fs.ErrNotExist) {
		if isBackupID(path.Base(from)) {
			return "", fmt.Errorf("%s is no backup: it has no %s, so it was not finished, or has been removed in part", from, backupFile)
		}
		return "", fmt.Errorf("%s is neither a backup nor a directory of backups", from)
	} else if err != nil {
		return "", err
	}
	if err := knowsBackups(fsys, from); err != nil {
		return "", err
	}
	all, unfinished, err := listBackups(fsys, from)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", fmt.Errorf("%s has no finished backup (%d unfinished)", from, len(unfinished))
	}
	return path.Join(from, all[len(all)-1].ID), nil
}

// shareBackups keeps backups from being removed while one is read.
func shareBackups(fsys vfs.FS, backup string) (unlock func() error, err error) {
	lock, err := fsys.LockShared(path.Join(path.Dir(backup), lockFile))
	var locked *vfs.LockedError
	switch {
	case errors.As(err, &locked):
		return nil, fmt.Errorf("%s is in use: a backup is being made or removed there; try again when it is done", path.Dir(backup))
	case errors.Is(err, fs.ErrNotExist):
		return func() error { return nil }, nil // copied by other means
	case err != nil:
		return nil, err
	}
	return lock.Close, nil
}

// backupMoment is a backup as a moment.
func backupMoment(fsys vfs.FS, dir string) (*moment, error) {
	unlock, err := shareBackups(fsys, dir)
	if err != nil {
		return nil, err
	}
	m := &moment{fs: fsys, done: []func() error{unlock}}
	b, err := readBackup(fsys, dir)
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.lsn = b.LSN
	for _, e := range b.Files {
		m.add(e.Name, e.at(dir), e.Bytes, true)
	}
	return m, nil
}

// VerifyBackup holds every file of a backup, or of all backups in a directory of them, against the size and checksum with
// which it was made, and reports what differs. It returns the directories of the backups, oldest first. An error means
// that nothing could be verified.
func VerifyBackup(ctx context.Context, fsys vfs.FS, from string, report func(Problem)) (dirs []string, err error) {
	from = slashed(from)
	newest, err := newestBackup(fsys, from)
	if err != nil {
		return nil, err
	}
	unlock, err := shareBackups(fsys, newest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if dirs = []string{newest}; newest != from {
		all, unfinished, err := listBackups(fsys, from)
		if err != nil {
			return nil, err
		}
		dirs = nil
		for _, b := range all {
			dirs = append(dirs, path.Join(from, b.ID))
		}
		for _, n := range unfinished {
			report(Problem{Where: path.Join(from, n), What: "this backup was not finished; the next one removes it"})
		}
	}
	seen := map[string]bool{}
	for _, d := range dirs {
		b, err := readBackup(fsys, d)
		if err != nil {
			return dirs, err
		}
		for _, e := range b.Files {
			name := e.at(d)
			if seen[name] {
				continue
			}
			seen[name] = true
			if err := checkFileSum(ctx, fsys, name, e); err != nil {
				if ctx.Err() != nil {
					return dirs, err
				}
				report(Problem{Where: name, What: err.Error()})
			}
		}
	}
	return dirs, nil
}

// restoreRun is one restore.
type restoreRun struct {
	o    RestoreOptions
	fs   vfs.FS
	from string
	dir  string
	b    *backupManifest
	p    BackupProgress
}

// enter locks the directory and marks it, after it has been found empty or left by a restore.
func (r *restoreRun) enter() (lock io.Closer, err error) {
	if err := r.fs.MkdirAll(r.dir); err != nil {
		return nil, err
	}
	if err := r.mayUse(); err != nil {
		return nil, err
	}
	lock, err = r.fs.Lock(path.Join(r.dir, lockFile), []byte("restore of a backup"))
	var locked *vfs.LockedError
	if errors.As(err, &locked) {
		return nil, lockedError(r.dir, locked)
	}
	if err != nil {
		return nil, err
	}
	if err = r.mark(); err == nil {
		err = r.clear()
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// mark says, durably, that the restore is not finished.
func (r *restoreRun) mark() error {
	return vfs.WriteFile(r.fs, path.Join(r.dir, restoreFile), func(f vfs.File) error {
		_, err := fmt.Fprintf(f, "backup %s\n", r.b.ID)
		return err
	})
}

// mayUse refuses a directory that holds anything but what an unfinished restore has left.
func (r *restoreRun) mayUse() error {
	names, err := r.fs.List(r.dir)
	if err != nil {
		return err
	}
	ours := []string{lockFile, restoreFile + vfs.TempSuffix}
	if slices.Contains(names, restoreFile) {
		ours = append(ours, restoreFile, formatFile, formatFile+vfs.TempSuffix, metaDir, walDir, segmentDir)
	}
	for _, n := range names {
		if !slices.Contains(ours, n) {
			return fmt.Errorf("%s is not empty (it has %s): restore into a new directory", r.dir, n)
		}
	}
	return nil
}

// clear removes what an earlier attempt has left.
func (r *restoreRun) clear() error {
	for _, n := range []string{metaDir, walDir, segmentDir} {
		if err := r.fs.RemoveAll(path.Join(r.dir, n)); err != nil {
			return err
		}
	}
	return ignoreMissing(r.fs.Remove(path.Join(r.dir, formatFile)))
}

func (r *restoreRun) run(ctx context.Context) error {
	r.p.FilesTotal = len(r.b.Files)
	dirs := []string{path.Join(r.dir, metaDir), path.Join(r.dir, walDir), path.Join(r.dir, segmentDir)}
	for _, e := range r.b.Files {
		r.p.BytesTotal += e.Bytes
		if d := path.Join(r.dir, path.Dir(e.Name)); d != r.dir && !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	for _, d := range dirs {
		if err := r.fs.MkdirAll(d); err != nil {
			return err
		}
	}
	for _, e := range r.b.Files {
		if err := r.file(ctx, e); err != nil {
			return fmt.Errorf("restore into %s is not finished: %w", r.dir, err)
		}
		r.p.Files++
		r.p.Bytes += e.Bytes
		if r.o.Progress != nil {
			r.o.Progress(r.p)
		}
	}
	return r.finish(append(dirs, r.dir))
}

// file brings one file. A copy that is not what the backup was made with ends the restore.
func (r *restoreRun) file(ctx context.Context, e backupEntry) error {
	at, to := e.at(r.from), path.Join(r.dir, e.Name)
	if r.o.Link && e.Pool != "" {
		if err := checkFileSum(ctx, r.fs, at, e); err != nil {
			return err
		}
		if r.fs.Link(at, to) == nil {
			r.p.Linked++
			return nil
		}
	}
	info, err := r.fs.Stat(at)
	if err != nil {
		return err
	}
	if info.Size != e.Bytes {
		return fmt.Errorf("%s has %d bytes, the backup was made with %d", at, info.Size, e.Bytes)
	}
	sum, err := copyFile(ctx, r.fs, at, e.Bytes, to)
	if err != nil {
		return err
	}
	if sum != e.Sum {
		return fmt.Errorf("%s is damaged: its checksum is %s, the backup was made with %s", at, sum, e.Sum)
	}
	r.p.Copied++
	r.p.CopiedBytes += e.Bytes
	return nil
}

// finish makes everything durable and only then takes the mark away.
func (r *restoreRun) finish(dirs []string) error {
	for _, d := range dirs {
		if err := r.fs.SyncDir(d); err != nil {
			return err
		}
	}
	if err := r.fs.Remove(path.Join(r.dir, restoreFile)); err != nil {
		return err
	}
	if err := r.fs.SyncDir(r.dir); err != nil {
		// All that is not sure is the mark's end: with it back, the restore can be run again like any that was cut.
		return errors.Join(fmt.Errorf("restore into %s is not finished: %w", r.dir, err), r.mark())
	}
	return nil
}

// unfinishedRestore refuses a directory in which a restore was cut.
func unfinishedRestore(fsys vfs.FS, dir string) error {
	_, err := fsys.Stat(path.Join(dir, restoreFile))
	if err == nil {
		return fmt.Errorf("%s: the restore of a backup into it was not finished; run telemdb restore again", dir)
	}
	return ignoreMissing(err)
}

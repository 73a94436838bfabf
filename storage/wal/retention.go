package wal

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"time"
)

// FileInfo describes a file of the log.
type FileInfo struct {
	Name        string
	Number      uint64
	ID          uint64 // random, in every record's checksum
	First, Last uint64 // LSNs; First is 0 if unknown, both are 0 if it has no records
	Bytes       int64
	Active      bool      // records still go into it
	Landfill    bool      // all its records are sealed and it gets no more
	Time        time.Time // of its last record
}

// SetMark says that everything up to lsn is sealed. It never goes back.
func (l *Log) SetMark(lsn uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mark = max(l.mark, min(lsn, l.synced))
}

// UnsealedBytes returns about how many bytes of the log a recovery would have to read again.
func (l *Log) UnsealedBytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := int64(0)
	for _, f := range l.files {
		n += f.unsealed(l.mark)
	}
	return n
}

// Files describes the files, oldest first.
func (l *Log) Files() []FileInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]FileInfo, len(l.files))
	for i, f := range l.files {
		out[i] = FileInfo{
			Name: path.Base(f.path), Number: f.number, ID: f.id, First: f.first, Last: f.last, Bytes: f.used,
			Active: f.active, Landfill: l.landfillLocked(f), Time: f.changed,
		}
	}
	return out
}

func (l *Log) landfillLocked(f *file) bool { return !f.active && f.last <= l.mark }

// Trim removes landfill, oldest first: what is older than keep at the time now, and more until at most maxBytes are left
// (negative: no bound). Unsealed files, and files from a reader's position on, stay. It returns the names of what it
// removed, also with an error.
func (l *Log) Trim(keep time.Duration, maxBytes int64, now time.Time) (removed []string, err error) {
	l.trimming.Lock()
	defer l.trimming.Unlock()
	for f := l.takeLandfill(keep, maxBytes, now); f != nil; f = l.takeLandfill(keep, maxBytes, now) {
		if err = removeFile(l.o.FS, f.path); err != nil {
			l.putBack(f)
			break
		}
		removed = append(removed, path.Base(f.path))
	}
	if len(removed) > 0 {
		err = errors.Join(err, l.o.FS.SyncDir(l.o.Dir))
	}
	if err != nil {
		err = fmt.Errorf("wal: trim: %w", err)
	}
	return removed, err
}

// takeLandfill takes the oldest file out of the list if it has to go.
func (l *Log) takeLandfill(keep time.Duration, maxBytes int64, now time.Time) *file {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.files) == 0 {
		return nil
	}
	oldest := l.files[0]
	if !l.landfillLocked(oldest) || oldest.pins > 0 {
		return nil
	}
	total := int64(0)
	for _, f := range l.files {
		if l.landfillLocked(f) {
			total += f.used
		}
	}
	if now.Sub(oldest.changed) <= keep && (maxBytes < 0 || total <= maxBytes) {
		return nil
	}
	l.files = slices.Delete(l.files, 0, 1)
	return oldest
}

// putBack undoes takeLandfill.
func (l *Log) putBack(f *file) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = slices.Insert(l.files, 0, f)
}

package vfs

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrNoSpace is matched by every error that says the disk, or the user's part of it, is full.
var ErrNoSpace = errors.New("no space left on device")

// LockedError says that another process, or another opener in this one, holds a lock.
type LockedError struct {
	Name    string
	Content []byte // what the holder wrote into the lock file; of no meaning if Shared
	Shared  bool   // it is held by LockShared
	Pids    []int  // who shares it, as far as the system tells
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is locked by %q", e.Name, e.Content)
}

// noSpaceError lets a full disk be told by errors.Is(err, ErrNoSpace) and keeps the cause.
type noSpaceError struct{ cause error }

func (e *noSpaceError) Error() string   { return e.cause.Error() }
func (e *noSpaceError) Unwrap() []error { return []error{e.cause, ErrNoSpace} }

// mapError marks the errors of the operating system that mean a full disk.
func mapError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &noSpaceError{cause: err}
	}
	return err
}

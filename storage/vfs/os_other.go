//go:build !linux

package vfs

import "os"

func syncData(f *os.File) error { return f.Sync() }

func preallocate(f *os.File, size int64) error { return extend(f, size) }

// lockHolders knows nobody: there is no portable way to ask.
func lockHolders(*os.File) []int { return nil }

// prefetch does nothing: there is no portable way to ask.
func prefetch(*os.File, int64, int64) {}

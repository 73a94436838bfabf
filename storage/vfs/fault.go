package vfs

import (
	"io"
	"maps"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Op names an operation on a file system or a file.
type Op uint8

// The operations.
const (
	OpCreate Op = iota
	OpOpen
	OpOpenReadWrite
	OpRemove
	OpRemoveAll
	OpRename
	OpLink
	OpMkdirAll
	OpSyncDir
	OpStat
	OpList
	OpLock
	OpDiskUsage
	OpReadAt
	OpWriteAt
	OpWrite
	OpClose
	OpSync
	OpSyncData
	OpTruncate
	OpPreallocate
	OpSize
	opCount
)

var opNames = [opCount]string{
	"create", "open", "openrw", "remove", "removeall", "rename", "link", "mkdirall", "syncdir", "stat", "list", "lock",
	"diskusage", "readat", "writeat", "write", "close", "sync", "syncdata", "truncate", "preallocate", "size",
}

func (o Op) String() string { return opNames[o] }

// OpSet is a set of operations; the zero value stands for all.
type OpSet uint32

// Ops makes a set.
func Ops(ops ...Op) OpSet {
	var s OpSet
	for _, o := range ops {
		s |= 1 << o
	}
	return s
}

// Mutating holds the operations that change what a disk holds or promise that it does.
const Mutating OpSet = 1<<OpCreate | 1<<OpRemove | 1<<OpRemoveAll | 1<<OpRename | 1<<OpLink | 1<<OpMkdirAll | 1<<OpSyncDir |
	1<<OpWriteAt | 1<<OpWrite | 1<<OpSync | 1<<OpSyncData | 1<<OpTruncate | 1<<OpPreallocate

func (s OpSet) has(o Op) bool { return s == 0 || s&(1<<o) != 0 }

// Rule says when an operation fails or is slow. It matches by Ops and Glob; of the matching calls it fires on the Nth, or
// if Sticky on the Nth and all later ones.
type Rule struct {
	Ops    OpSet
	Glob   string // path.Match against the whole name or its last element; "" matches all. Renames match by the old name
	Nth    int64  // from 1; 0 is 1
	Sticky bool

	Err     error            // returned in place of doing it; nil: it is done
	Partial bool             // a failing write first writes half of its bytes
	Latency time.Duration    // slept before
	Do      func(Op, string) // called before, with no lock held: takes a crash clone at just this point, for instance
}

// Injector holds rules and counts calls. It may be shared by several file systems and changed while they are in use.
type Injector struct {
	mu    sync.Mutex
	rules []*armedRule
	calls [opCount]int64
	sites map[string]int64 // nil: not recorded
}

type armedRule struct {
	Rule
	seen int64
}

// NewInjector returns an injector with rules.
func NewInjector(rules ...Rule) *Injector {
	in := &Injector{}
	for _, r := range rules {
		in.Add(r)
	}
	return in
}

// Add adds a rule; of several that match a call, each counts it and the first that fires with an error decides.
func (in *Injector) Add(r Rule) {
	in.mu.Lock()
	defer in.mu.Unlock()
	r.Nth = max(r.Nth, 1)
	in.rules = append(in.rules, &armedRule{Rule: r})
}

// Clear removes all rules.
func (in *Injector) Clear() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.rules = nil
}

// Calls returns how many calls of ops there have been, failed ones included: a sweep fails the Nth for N from 1 until a
// run has fewer than N.
func (in *Injector) Calls(ops OpSet) int64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := int64(0)
	for o := range opCount {
		if ops.has(o) {
			n += in.calls[o]
		}
	}
	return n
}

// RecordSites makes the injector note from which source line each call comes; it is slow.
func (in *Injector) RecordSites() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.sites = map[string]int64{}
}

// Sites returns the calls by site, "op dir/file.go:line".
func (in *Injector) Sites() map[string]int64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return maps.Clone(in.sites)
}

// at counts one call and gives its fate.
func (in *Injector) at(op Op, name string) (err error, partial bool) {
	var fired []Rule
	in.mu.Lock()
	in.calls[op]++
	if in.sites != nil {
		in.sites[op.String()+" "+callSite()]++
	}
	for _, r := range in.rules {
		if !r.Ops.has(op) || !globMatches(r.Glob, name) {
			continue
		}
		r.seen++
		if r.seen == r.Nth || r.Sticky && r.seen > r.Nth {
			fired = append(fired, r.Rule)
		}
	}
	in.mu.Unlock()
	for _, r := range fired {
		if r.Do != nil {
			r.Do(op, name)
		}
		time.Sleep(r.Latency)
		if err == nil && r.Err != nil {
			err, partial = mapError(r.Err), r.Partial
		}
	}
	return err, partial
}

func globMatches(glob, name string) bool {
	if glob == "" {
		return true
	}
	if ok, err := path.Match(glob, name); ok && err == nil {
		return true
	}
	ok, err := path.Match(glob, path.Base(name))
	return ok && err == nil
}

// callSite returns the first caller outside this package.
func callSite() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.Contains(f.Function, "storage/vfs.") || strings.HasSuffix(f.File, "_test.go") {
			return path.Join(path.Base(path.Dir(f.File)), path.Base(f.File)) + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return "unknown"
		}
	}
}

// Fault returns a file system that does as in says and otherwise what inner does.
func Fault(inner FS, in *Injector) FS { return &faultFS{inner: inner, in: in} }

type faultFS struct {
	inner FS
	in    *Injector
}

func (f *faultFS) fail(op Op, name string) error {
	err, _ := f.in.at(op, name)
	if err != nil {
		return pathError(op.String(), name, err)
	}
	return nil
}

func (f *faultFS) file(op Op, name string, open func(string) (File, error)) (File, error) {
	if err := f.fail(op, name); err != nil {
		return nil, err
	}
	file, err := open(name)
	if err != nil {
		return nil, err
	}
	return &faultFile{File: file, fs: f}, nil
}

func (f *faultFS) Create(name string) (File, error) { return f.file(OpCreate, name, f.inner.Create) }
func (f *faultFS) Open(name string) (File, error)   { return f.file(OpOpen, name, f.inner.Open) }

func (f *faultFS) OpenReadWrite(name string) (File, error) {
	return f.file(OpOpenReadWrite, name, f.inner.OpenReadWrite)
}

func (f *faultFS) Remove(name string) error {
	if err := f.fail(OpRemove, name); err != nil {
		return err
	}
	return f.inner.Remove(name)
}

func (f *faultFS) RemoveAll(name string) error {
	if err := f.fail(OpRemoveAll, name); err != nil {
		return err
	}
	return f.inner.RemoveAll(name)
}

func (f *faultFS) Rename(oldName, newName string) error {
	if err := f.fail(OpRename, oldName); err != nil {
		return err
	}
	return f.inner.Rename(oldName, newName)
}

func (f *faultFS) Link(oldName, newName string) error {
	if err := f.fail(OpLink, oldName); err != nil {
		return err
	}
	return f.inner.Link(oldName, newName)
}

func (f *faultFS) MkdirAll(name string) error {
	if err := f.fail(OpMkdirAll, name); err != nil {
		return err
	}
	return f.inner.MkdirAll(name)
}

func (f *faultFS) SyncDir(dir string) error {
	if err := f.fail(OpSyncDir, dir); err != nil {
		return err
	}
	return f.inner.SyncDir(dir)
}

func (f *faultFS) Stat(name string) (Info, error) {
	if err := f.fail(OpStat, name); err != nil {
		return Info{}, err
	}
	return f.inner.Stat(name)
}

func (f *faultFS) List(dir string) ([]string, error) {
	if err := f.fail(OpList, dir); err != nil {
		return nil, err
	}
	return f.inner.List(dir)
}

func (f *faultFS) Lock(name string, content []byte) (io.Closer, error) {
	if err := f.fail(OpLock, name); err != nil {
		return nil, err
	}
	return f.inner.Lock(name, content)
}

func (f *faultFS) LockShared(name string) (io.Closer, error) {
	if err := f.fail(OpLock, name); err != nil {
		return nil, err
	}
	return f.inner.LockShared(name)
}

func (f *faultFS) DiskUsage(dir string) (Usage, error) {
	if err := f.fail(OpDiskUsage, dir); err != nil {
		return Usage{}, err
	}
	return f.inner.DiskUsage(dir)
}

// faultFile wraps an open file. Name is the inner file's.
type faultFile struct {
	File
	fs *faultFS
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.fail(OpReadAt, f.Name()); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	err, partial := f.fs.in.at(OpWriteAt, f.Name())
	if err == nil {
		return f.File.WriteAt(p, off)
	}
	n := 0
	if partial {
		n, _ = f.File.WriteAt(p[:len(p)/2], off)
	}
	return n, pathError("writeat", f.Name(), err)
}

func (f *faultFile) Write(p []byte) (int, error) {
	err, partial := f.fs.in.at(OpWrite, f.Name())
	if err == nil {
		return f.File.Write(p)
	}
	n := 0
	if partial {
		n, _ = f.File.Write(p[:len(p)/2])
	}
	return n, pathError("write", f.Name(), err)
}

// Close always closes, as close(2) does even when it reports an error.
func (f *faultFile) Close() error {
	err := f.fs.fail(OpClose, f.Name())
	if closeErr := f.File.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (f *faultFile) Sync() error {
	if err := f.fs.fail(OpSync, f.Name()); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultFile) SyncData() error {
	if err := f.fs.fail(OpSyncData, f.Name()); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f *faultFile) Truncate(size int64) error {
	if err := f.fs.fail(OpTruncate, f.Name()); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *faultFile) Preallocate(size int64) error {
	if err := f.fs.fail(OpPreallocate, f.Name()); err != nil {
		return err
	}
	return f.File.Preallocate(size)
}

func (f *faultFile) Size() (int64, error) {
	if err := f.fs.fail(OpSize, f.Name()); err != nil {
		return 0, err
	}
	return f.File.Size()
}

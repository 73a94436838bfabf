package vfs

import (
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// NewMem returns an empty file system in memory. Syncs cost nothing and mean nothing.
func NewMem() FS { return newMemFS(false) }

// memFS is a tree of nodes. A crashable one also keeps, beside what processes see, what a disk would hold.
type memFS struct {
	crashable bool

	mu    sync.Mutex // guards the directories of all nodes and the fields below
	root  *memNode
	locks map[string]memHeld // held locks, by cleaned path
	usage Usage
}

// defaultUsage is what DiskUsage tells until SetUsage.
var defaultUsage = Usage{Total: 1 << 40, Free: 1 << 40}

func newMemFS(crashable bool) *memFS {
	return &memFS{crashable: crashable, root: newDirNode(), locks: map[string]memHeld{}, usage: defaultUsage}
}

// memNode is a directory or a file; which never changes.
type memNode struct {
	// entries is nil for a file. synced is what the disk holds of them, and edits lead from there to entries.
	entries, synced map[string]*memNode
	edits           []dirEdit

	content memContent
}

// dirEdit is one change of a directory: all of set becomes true at once; a nil node means the name goes.
type dirEdit struct{ set map[string]*memNode }

func newDirNode() *memNode {
	return &memNode{entries: map[string]*memNode{}, synced: map[string]*memNode{}}
}

func (n *memNode) isDir() bool { return n.entries != nil }

// edit changes a directory. fs.mu is held.
func (m *memFS) editLocked(dir *memNode, set map[string]*memNode) {
	apply(dir.entries, set)
	if m.crashable {
		dir.edits = append(dir.edits, dirEdit{set})
	}
}

func apply(entries, set map[string]*memNode) {
	for name, n := range set {
		if n == nil {
			delete(entries, name)
		} else {
			entries[name] = n
		}
	}
}

// clean gives every spelling of a path one form; relative paths start at the root.
func clean(name string) string { return path.Clean("/" + name) }

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// lookupLocked finds the node of a cleaned path.
func (m *memFS) lookupLocked(op, name string) (*memNode, error) {
	n := m.root
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		if part == "" {
			continue
		}
		if !n.isDir() {
			return nil, pathError(op, name, syscall.ENOTDIR)
		}
		next, ok := n.entries[part]
		if !ok {
			return nil, pathError(op, name, fs.ErrNotExist)
		}
		n = next
	}
	return n, nil
}

// parentLocked finds the directory that holds, or would hold, a cleaned path.
func (m *memFS) parentLocked(op, name string) (dir *memNode, base string, err error) {
	if name == "/" {
		return nil, "", pathError(op, name, fs.ErrInvalid)
	}
	dir, err = m.lookupLocked(op, path.Dir(name))
	if err != nil {
		return nil, "", err
	}
	if !dir.isDir() {
		return nil, "", pathError(op, name, syscall.ENOTDIR)
	}
	return dir, path.Base(name), nil
}

func (m *memFS) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parentLocked("create", clean(name))
	if err != nil {
		return nil, err
	}
	if dir.entries[base] != nil {
		return nil, pathError("create", name, fs.ErrExist)
	}
	n := &memNode{}
	n.content.modTime = time.Now()
	m.editLocked(dir, map[string]*memNode{base: n})
	return &memFile{fs: m, node: n, name: name, writable: true}, nil
}

func (m *memFS) open(name string, writable bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.lookupLocked("open", clean(name))
	if err != nil {
		return nil, err
	}
	if n.isDir() {
		return nil, pathError("open", name, syscall.EISDIR)
	}
	return &memFile{fs: m, node: n, name: name, writable: writable}, nil
}

func (m *memFS) Open(name string) (File, error)          { return m.open(name, false) }
func (m *memFS) OpenReadWrite(name string) (File, error) { return m.open(name, true) }

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parentLocked("remove", clean(name))
	if err != nil {
		return err
	}
	n := dir.entries[base]
	switch {
	case n == nil:
		return pathError("remove", name, fs.ErrNotExist)
	case len(n.entries) > 0:
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	m.editLocked(dir, map[string]*memNode{base: nil})
	return nil
}

func (m *memFS) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parentLocked("remove", clean(name))
	if err != nil || dir.entries[base] == nil {
		if err != nil && !isNotExist(err) {
			return err
		}
		return nil
	}
	m.editLocked(dir, map[string]*memNode{base: nil})
	return nil
}

func (m *memFS) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, oldBase, err := m.parentLocked("rename", clean(oldName))
	if err != nil {
		return err
	}
	to, newBase, err := m.parentLocked("rename", clean(newName))
	if err != nil {
		return err
	}
	n := from.entries[oldBase]
	if n == nil {
		return pathError("rename", oldName, fs.ErrNotExist)
	}
	if was := to.entries[newBase]; was != nil && (was.isDir() || n.isDir()) && was != n {
		return pathError("rename", newName, fs.ErrExist)
	}
	if from == to {
		if oldBase != newBase {
			m.editLocked(from, map[string]*memNode{oldBase: nil, newBase: n})
		}
		return nil
	}
	m.editLocked(to, map[string]*memNode{newBase: n})
	m.editLocked(from, map[string]*memNode{oldBase: nil})
	return nil
}

func (m *memFS) Link(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.lookupLocked("link", clean(oldName))
	if err != nil {
		return err
	}
	dir, base, err := m.parentLocked("link", clean(newName))
	switch {
	case err != nil:
		return err
	case n.isDir():
		return pathError("link", oldName, syscall.EISDIR)
	case dir.entries[base] != nil:
		return pathError("link", newName, fs.ErrExist)
	}
	m.editLocked(dir, map[string]*memNode{base: n})
	return nil
}

func (m *memFS) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.root
	for part := range strings.SplitSeq(strings.Trim(clean(name), "/"), "/") {
		if part == "" {
			continue
		}
		next := n.entries[part]
		if next == nil {
			next = newDirNode()
			m.editLocked(n, map[string]*memNode{part: next})
			n.syncDirLocked()
		}
		if !next.isDir() {
			return pathError("mkdir", name, syscall.ENOTDIR)
		}
		n = next
	}
	return nil
}

func (m *memFS) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.lookupLocked("sync", clean(dir))
	if err != nil {
		return err
	}
	if !n.isDir() {
		return pathError("sync", dir, syscall.ENOTDIR)
	}
	n.syncDirLocked()
	return nil
}

func (n *memNode) syncDirLocked() {
	for _, e := range n.edits {
		apply(n.synced, e.set)
	}
	n.edits = nil
}

func (m *memFS) Stat(name string) (Info, error) {
	m.mu.Lock()
	n, err := m.lookupLocked("stat", clean(name))
	m.mu.Unlock()
	if err != nil {
		return Info{}, err
	}
	if n.isDir() {
		return Info{Dir: true}, nil
	}
	return n.content.info(), nil
}

func (m *memFS) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.lookupLocked("list", clean(dir))
	if err != nil {
		return nil, err
	}
	if !n.isDir() {
		return nil, pathError("list", dir, syscall.ENOTDIR)
	}
	return slices.Sorted(maps.Keys(n.entries)), nil
}

func (m *memFS) Lock(name string, content []byte) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := clean(name)
	if held, ok := m.locks[key]; ok {
		return nil, &LockedError{Name: name, Content: slices.Clone(held.content), Shared: held.shared > 0}
	}
	dir, base, err := m.parentLocked("lock", key)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	if n == nil {
		n = &memNode{}
		m.editLocked(dir, map[string]*memNode{base: n})
	}
	if n.isDir() {
		return nil, pathError("lock", name, syscall.EISDIR)
	}
	n.content.truncate(0, m.crashable)
	n.content.writeAt(content, 0, m.crashable)
	m.locks[key] = memHeld{content: slices.Clone(content)}
	return &memLock{fs: m, key: key}, nil
}

func (m *memFS) LockShared(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := clean(name)
	held, taken := m.locks[key]
	if taken && held.shared == 0 {
		return nil, &LockedError{Name: name, Content: slices.Clone(held.content)}
	}
	if _, err := m.lookupLocked("lock", key); err != nil {
		return nil, err
	}
	m.locks[key] = memHeld{shared: held.shared + 1}
	return &memLock{fs: m, key: key}, nil
}

// memHeld is a lock that is held.
type memHeld struct {
	content []byte
	shared  int // by how many; 0: by one alone
}

type memLock struct {
	fs  *memFS
	key string
}

func (l *memLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	if l.key == "" {
		return fs.ErrClosed
	}
	if held := l.fs.locks[l.key]; held.shared > 1 {
		l.fs.locks[l.key] = memHeld{shared: held.shared - 1}
	} else {
		delete(l.fs.locks, l.key)
	}
	l.key = ""
	return nil
}

func (m *memFS) DiskUsage(dir string) (Usage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := m.lookupLocked("statfs", clean(dir))
	return m.usage, err
}

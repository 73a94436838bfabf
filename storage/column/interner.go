package column

import (
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/types"
)

// Interner numbers paths, so that the decoder, the head and the seal pass small integers instead of strings. Ids live as
// long as the process and are never stored. Id 0 is the empty path, the root of all columns. Safe for concurrent use;
// lookups of known children take no lock.
type Interner struct {
	mu    sync.Mutex // held by writers
	nodes atomic.Pointer[[]*node]
}

type node struct {
	path     types.Path
	parent   uint32
	children sync.Map // string -> uint32
	width    atomic.Int32
}

// NewInterner returns an interner that knows the empty path only.
func NewInterner() *Interner {
	in := &Interner{}
	nodes := []*node{{}}
	in.nodes.Store(&nodes)
	return in
}

// Child returns the id of member key of parent, adding it if it is new.
func (in *Interner) Child(parent uint32, key string) uint32 {
	p := (*in.nodes.Load())[parent]
	if id, ok := p.children.Load(key); ok {
		return id.(uint32)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if id, ok := p.children.Load(key); ok {
		return id.(uint32)
	}
	key = string(append([]byte(nil), key...)) // the caller's string may alias a buffer
	nodes := *in.nodes.Load()
	n := &node{parent: parent}
	if parent == 0 {
		n.path = types.Path(key)
	} else {
		n.path = p.path.Child(key)
	}
	id := uint32(len(nodes))
	nodes = append(nodes, n) // a reader never looks past the length it loaded, so sharing the array is safe
	in.nodes.Store(&nodes)
	p.children.Store(key, id)
	p.width.Add(1)
	return id
}

// Intern returns the id of a whole path.
func (in *Interner) Intern(p types.Path) uint32 {
	if p == "" {
		return 0
	}
	id := in.Child(0, p.Column())
	for _, k := range p.Keys() {
		id = in.Child(id, k)
	}
	return id
}

// Path returns the path of an id.
func (in *Interner) Path(id uint32) types.Path { return (*in.nodes.Load())[id].path }

// Width returns the number of distinct children seen under id: what the cap on user-made keys looks at.
func (in *Interner) Width(id uint32) int { return int((*in.nodes.Load())[id].width.Load()) }

// Len returns the number of ids given out.
func (in *Interner) Len() int { return len(*in.nodes.Load()) }

package shred

import (
	"github.com/telemdb/telemdb/storage/types"
)

// node is one member path as one worker knows it, with what the parser predicts about it.
type node struct {
	id     uint32 // of the Interner
	key    string
	raw    string // `"key":` as it was first written
	parent *node  // nil for a column
	kids   map[string]*node
	stop   Stop
	watch  int8 // index into Rules.Watch, or -1

	// The shape: which member came first under this one, and which came behind it under its parent, the last times.
	first, next *node

	// The document being read: which instance of the parent's object saw the member last, and which of the row's
	// values are its own. They find repeated keys.
	serial   uint32
	from, to int

	// target, for a top-level member: the node of the column its values go to.
	target *node
}

// table is what one worker knows of the documents of one table.
type table struct {
	budget *budget
	doc    *node            // its kids are the top-level members
	roots  map[uint32]*node // columns by path id
	rest   *node            // Rules.Rest; its kids begin new key paths, as columns do
}

// Use selects the table whose documents come next: each has shapes and a cap on paths of its own. Without a call, all
// documents are of one nameless table.
func (s *Shredder) Use(name types.TableName) {
	if s.table != nil && s.tableName == name {
		return
	}
	t := s.tables[name]
	if t == nil {
		t = &table{budget: s.rules.budgetOf(name), doc: &node{watch: -1}, roots: map[uint32]*node{}}
		s.tables[name] = t
	}
	s.table, s.tableName = t, name
}

// root returns the node of a column; key is the first of the keys that rules see.
func (t *table) root(s *Shredder, id uint32, key string) *node {
	n := t.roots[id]
	if n == nil {
		n = s.newNode(id, key, nil)
		t.roots[id] = n
	}
	return n
}

func (s *Shredder) newNode(id uint32, key string, parent *node) *node {
	n := &node{id: id, key: key, parent: parent, watch: -1}
	if len(s.rules.Stops)+len(s.rules.Watch) > 0 {
		keys := n.keys(s.table.rest)
		n.stop = s.rules.stopAt(keys)
		n.watch = int8(s.rules.watchAt(keys))
	}
	return n
}

// keys returns the keys from the document's top to n. rest is no key of the document.
func (n *node) keys(rest *node) []string {
	if n == nil || n == rest {
		return nil
	}
	return append(n.parent.keys(rest), n.key)
}

// addChild makes the node of a new member of n, written raw. It returns nil if the member may not be a path: then n's
// object is to be one value.
func (s *Shredder) addChild(n *node, key, raw []byte) *node {
	if len(key) > pathKeyBytesMax {
		return nil
	}
	name := string(key)
	if s.paths.Width(n.id) > widthMax && looksLikeValue(key) {
		n.stop = StopMap
		return nil
	}
	if s.rules.pathsFull(s.paths) || !s.rules.take(s.table.budget, n.id, name) {
		return nil
	}
	c := s.newNode(s.paths.Child(n.id, name), name, n)
	n.adopt(c, raw)
	return c
}

func (n *node) adopt(c *node, raw []byte) {
	c.raw = string(raw) + ":"
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	n.kids[c.key] = c
}

package shred

import (
	"github.com/telemdb/telemdb/storage/types"
)

// column returns the node to which the values of a top-level member go; nil if they are to be collected in restRaw.
func (s *Shredder) column(c *node) *node {
	id, ok := s.top(c.key)
	if ok {
		if c.target == nil || c.target.id != id {
			c.target = s.table.root(s, id, c.key)
		}
		return c.target
	}
	t := s.table
	if t.rest == nil {
		t.rest = &node{id: s.paths.Intern(types.Path(s.rules.Rest)), watch: -1}
	}
	if t.rest.stop == StopMap {
		return nil
	}
	if n := t.rest.kids[c.key]; n != nil {
		return n
	}
	return s.addChild(t.rest, []byte(c.key), nil)
}

// toRest collects the value at p of a top-level member that may be no path, and returns the offset behind it.
func (s *Shredder) toRest(b []byte, p int, c *node) (int, error) {
	s.norm.limits, s.norm.tokens = s.limits, s.tokens
	s.norm.limits.Depth -= len(s.stack)
	s.norm.stack, s.norm.members, s.norm.keys = s.norm.stack[:0], s.norm.members[:0], s.norm.keys[:0]
	value, p, err := s.norm.value(b, p, s.scratch[:0])
	s.scratch, s.tokens = keepSmall(value), s.norm.tokens
	if err != nil {
		return 0, err
	}
	sep := byte(',')
	if len(s.restRaw) == 0 {
		sep = '{'
	}
	s.restRaw = append(s.restRaw, sep)
	s.restRaw = AppendQuoted(s.restRaw, c.key)
	s.restRaw = append(s.restRaw, ':')
	s.restRaw = append(s.restRaw, value...)
	return p, nil
}

// endRest adds the collected members. A row may have them beside paths under Rules.Rest; readers merge the two.
func (s *Shredder) endRest() error {
	if len(s.restRaw) == 0 {
		return nil
	}
	s.restRaw = append(s.restRaw, '}')
	s.tokens = 2 * s.limits.Tokens // all of it was counted when it was collected
	_, err := s.json(s.restRaw, 0, s.table.rest)
	s.restRaw = keepSmall(s.restRaw)
	return err
}

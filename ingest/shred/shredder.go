package shred

import (
	"strings"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
)

// Shredder turns JSON documents into rows of typed leaves. It belongs to one goroutine and keeps its memory.
type Shredder struct {
	paths     *column.Interner
	rules     *Rules
	tables    map[types.TableName]*table
	table     *table
	tableName types.TableName

	row        *column.RowBuf
	top        func(member string) (uint32, bool)
	limits     Limits
	tokens     int
	histograms int
	serial     uint32
	repeated   bool // some values of the row are of repeated keys, marked with leaf 0
	stack      []frame
	norm       normalizer
	hist       sketch.Histogram
	buckets    []sketch.Bucket                    // scratch of sortBuckets
	histOld    [histMembers - histRequired][2]int // where in the text the last histogram had its old members
	order      [histMembers]uint8                 // in which order the last histogram had its members
	scratch    []byte
	restRaw    []byte // members for Rules.Rest where that is a keyed map
	watched    []int  // index into row.Values, or -1
	watchKeys  [][]string
}

// membersMax bounds the top-level members whose shapes are remembered from one document to the next. It is above the
// cap on columns, so only hostile documents reach it.
const membersMax = 20_000

// New returns a Shredder for one worker. rules is shared by all workers of a store; nil has no named stops.
func New(paths *column.Interner, rules *Rules) *Shredder {
	if rules == nil {
		rules = new(Rules)
	}
	s := &Shredder{paths: paths, rules: rules, tables: map[types.TableName]*table{}}
	s.watched = make([]int, len(rules.Watch))
	for _, w := range rules.Watch {
		s.watchKeys = append(s.watchKeys, strings.Split(w, "."))
	}
	for i := range s.order {
		s.order[i] = uint8(i)
	}
	return s
}

// Document adds the leaves of a JSON object to row. top tells the column (a path id) of each top-level member; ok is
// false for one that has none, which then goes into Rules.Rest. If the text is refused the error is an *Error, and what
// row holds then is to be thrown away.
func (s *Shredder) Document(json []byte, row *column.RowBuf, top func(member string) (pathID uint32, ok bool)) error {
	l := s.rules.Limits
	if l == (Limits{}) {
		l = DocumentLimits
	}
	s.begin(row, l)
	s.top = top
	if len(s.table.doc.kids) > membersMax {
		s.table.doc = &node{watch: -1}
	}
	p := skipSpace(json, 0)
	if p >= len(json) || json[p] != '{' {
		if err := Valid(json); err != nil {
			return err
		}
		return fail("not a JSON object", p)
	}
	if q := skipSpace(json, p+1); q < len(json) && json[q] == '}' {
		return checkEnd(json, q+1)
	}
	p, err := s.run(json, p, s.table.doc)
	if err != nil {
		return err
	}
	if err := s.endRest(); err != nil {
		return err
	}
	s.end()
	return checkEnd(json, p)
}

// Value adds the leaves of any JSON value to row, under the path root. It is how a jsonb column of an ordinary table is
// stored.
func (s *Shredder) Value(json []byte, root uint32, row *column.RowBuf) error {
	s.begin(row, castLimits)
	p, err := s.run(json, skipSpace(json, 0), s.table.root(s, root, ""))
	if err != nil {
		return err
	}
	s.end()
	return checkEnd(json, p)
}

func (s *Shredder) begin(row *column.RowBuf, l Limits) {
	if s.table == nil {
		s.Use(types.TableName{})
	}
	s.row, s.limits, s.tokens = row, l, l.Tokens
	s.histograms = orDefault(s.rules.Histograms, histogramsMax)
	s.stack = s.stack[:0]
	s.repeated = false
	s.restRaw = s.restRaw[:0]
	s.norm.begin(l)
	for i := range s.watched {
		s.watched[i] = -1
	}
}

// end takes out the values of repeated keys.
func (s *Shredder) end() {
	if !s.repeated {
		return
	}
	at := make(map[int]int, len(s.watched)) // value index -> watch
	for w, i := range s.watched {
		if i >= 0 {
			at[i] = w
			s.watched[w] = -1
		}
	}
	kept := s.row.Values[:0]
	for i, v := range s.row.Values {
		if v.Leaf == 0 {
			continue
		}
		if w, ok := at[i]; ok {
			s.watched[w] = len(kept)
		}
		kept = append(kept, v)
	}
	s.row.Values = kept
}

// frame is an open object.
type frame struct {
	node          *node
	prev          *node // its last member so far
	serial        uint32
	start         int // offset of its brace
	values, arena int // lengths of the row when it opened
	before        counts
}

// counts are what is left of the caps on one document. They are restored when text is read a second time, so that
// whether a document is accepted never depends on what this worker saw before.
type counts struct{ tokens, zeros, histograms int }

// run reads the value of n at p and returns the offset behind it. It is a state machine: a value, then what closes
// behind it, then the next key.
func (s *Shredder) run(b []byte, p int, n *node) (int, error) {
	var (
		row  = s.row
		f    *frame
		c    *node
		q    int
		x    uint64
		err  error
		open bool
	)
value:
	if p >= len(b) {
		return 0, fail("unexpected end", p)
	}
	if s.tokens--; s.tokens < 0 {
		return 0, fail("too many keys and values", p)
	}
	if n.watch >= 0 {
		s.watched[n.watch] = len(row.Values)
	}
	switch b[p] {
	case '"':
		p, err = s.text(b, p, n.id)
	case '{':
		if p, open, err = s.object(b, p, n); open {
			f = &s.stack[len(s.stack)-1]
			goto key
		}
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		x, q = 0, p
		for q < len(b) && isDigit(b[q]) {
			x = x*10 + uint64(b[q]-'0')
			q++
		}
		if q-p > 18 || q < len(b) && (b[q] == '.' || b[q]|0x20 == 'e') || b[p] == '0' && q-p > 1 {
			p, err = s.number(b, p, n.id)
			break
		}
		row.Values = append(row.Values, column.RowValue{Path: n.id, Leaf: types.LeafInt, Num: x})
		p = q
	case 't':
		p, err = scanLiteral(b, p, "true")
		row.Bool(n.id, true)
	case 'f':
		p, err = scanLiteral(b, p, "false")
		row.Bool(n.id, false)
	case '[', 'n':
		p, err = s.json(b, p, n)
	default:
		p, err = s.number(b, p, n.id)
	}
	if err != nil {
		return 0, err
	}
done:
	if len(s.stack) == 0 {
		return p, nil
	}
	f = &s.stack[len(s.stack)-1]
	f.prev.to = len(row.Values)
	if p < len(b) && b[p] <= ' ' {
		p = skipSpace(b, p)
	}
	if p >= len(b) {
		return 0, fail("unexpected end", p)
	}
	if b[p] == '}' {
		s.stack = s.stack[:len(s.stack)-1]
		p++
		goto done
	}
	if b[p] != ',' {
		return 0, fail("expected a comma or the end of an object", p)
	}
	p++
	if p < len(b) && b[p] <= ' ' {
		p = skipSpace(b, p)
	}
key:
	if s.tokens--; s.tokens < 0 {
		return 0, fail("too many keys and values", p)
	}
	if c = f.predicted(); c != nil && len(b)-p >= len(c.raw) && string(b[p:p+len(c.raw)]) == c.raw {
		p += len(c.raw)
	} else if c, p, err = s.member(b, p, f); err != nil {
		return 0, err
	} else if c == nil {
		p, err = s.stopFrame(b)
		if err != nil {
			return 0, err
		}
		goto done
	}
	f.prev = c
	if p < len(b) && b[p] <= ' ' {
		p = skipSpace(b, p)
	}
	if c.serial == f.serial {
		s.drop(c)
	}
	c.serial, c.from, c.to = f.serial, len(row.Values), len(row.Values)
	n = c
	if f.node == s.table.doc {
		if n = s.column(c); n == nil {
			if p, err = s.toRest(b, p, c); err != nil {
				return 0, err
			}
			goto done
		}
	}
	goto value
}

// predicted returns the member that followed f.prev the last time.
func (f *frame) predicted() *node {
	if f.prev == nil {
		return f.node.first
	}
	return f.prev.next
}

// drop marks the values of a member that is repeated: the last one wins.
func (s *Shredder) drop(c *node) {
	for i := c.from; i < c.to; i++ {
		s.row.Values[i].Leaf = 0
	}
	for w, i := range s.watched {
		if i >= c.from && i < c.to {
			s.watched[w] = -1
		}
	}
	s.repeated = s.repeated || c.to > c.from
}

// object begins the object of n at p. It becomes one value, whose end is returned, or is opened: then p is its first
// key.
func (s *Shredder) object(b []byte, p int, n *node) (next int, open bool, err error) {
	if n.watch >= 0 {
		s.watched[n.watch] = -1
	}
	q := skipSpace(b, p+1)
	if len(s.stack) >= s.limits.Depth {
		return 0, false, fail("nested too deeply", p)
	}
	if n == s.table.doc {
		s.push(p, n)
		return q, true, nil
	}
	if n.stop != StopMap && s.histograms > 0 && mayBeHistogram(b, q) {
		tokens := s.tokens
		if end, ok := s.histogram(b, q, n.id); ok {
			s.histograms--
			return end, false, nil
		}
		s.tokens = tokens
	}
	if n.stop != StopNone || len(s.stack) >= pathDepthMax || q >= len(b) || b[q] != '"' || isNumberKey(b, q+1) {
		end, err := s.json(b, p, n)
		return end, false, err
	}
	s.push(p, n)
	return q, true, nil
}

// push opens the object of n at p.
func (s *Shredder) push(p int, n *node) {
	s.serial++
	s.stack = append(s.stack, frame{node: n, serial: s.serial, start: p, values: len(s.row.Values), arena: len(s.row.Arena),
		before: counts{s.tokens, s.norm.zeros, s.histograms}})
}

// isNumberKey reports whether the key whose first byte is at p is a number: then its object's keys are data.
func isNumberKey(b []byte, p int) bool {
	q := p
	for q < len(b) && isDigit(b[q]) {
		q++
	}
	return q > p && q < len(b) && b[q] == '"'
}

// member finds the node of the key at p, where the prediction failed. It returns nil where the key may not be a path.
func (s *Shredder) member(b []byte, p int, f *frame) (c *node, next int, err error) {
	if p >= len(b) || b[p] != '"' {
		return nil, 0, fail("expected a key", p)
	}
	if c := f.predicted(); c != nil { // a member of last time may be missing this time
		if c = c.next; c != nil && len(b)-p >= len(c.raw) && string(b[p:p+len(c.raw)]) == c.raw {
			return c, p + len(c.raw), nil
		}
	}
	end, flags, err := scanString(b, p+1)
	if err != nil {
		return nil, 0, err
	}
	if end-p-1 > s.limits.KeyBytes {
		return nil, 0, fail("key is too long", p)
	}
	key := b[p+1 : end]
	if flags&strEscape != 0 {
		if s.scratch, err = appendUnescaped(s.scratch[:0], key, p+1); err != nil {
			return nil, 0, err
		}
		key = s.scratch
	}
	next = skipSpace(b, end+1)
	if next >= len(b) || b[next] != ':' {
		return nil, 0, fail("expected a colon behind the key", next)
	}
	c = f.node.kids[string(key)]
	if c == nil {
		if f.node == s.table.doc {
			c = &node{key: string(key), watch: -1}
			f.node.adopt(c, b[p:end+1])
		} else if c = s.addChild(f.node, key, b[p:end+1]); c == nil {
			return nil, p, nil
		}
	}
	if f.prev == nil {
		c.follow(&f.node.first)
	} else {
		c.follow(&f.prev.next)
	}
	return c, next + 1, nil
}

// follow makes c the predicted successor, keeping the rest of the chain behind a new member.
func (c *node) follow(successor **node) {
	if c.next == nil && *successor != c {
		c.next = *successor
	}
	*successor = c
}

// stopFrame makes the innermost object one LeafJSON value after all, and returns the offset behind it.
func (s *Shredder) stopFrame(b []byte) (int, error) {
	f := s.stack[len(s.stack)-1]
	s.stack = s.stack[:len(s.stack)-1]
	s.row.Values, s.row.Arena = s.row.Values[:f.values], s.row.Arena[:f.arena]
	s.tokens, s.norm.zeros, s.histograms = f.before.tokens, f.before.zeros, f.before.histograms
	for w, i := range s.watched {
		if i >= f.values {
			s.watched[w] = -1
		}
	}
	return s.json(b, f.start, f.node)
}

// json adds the value at p as LeafJSON.
func (s *Shredder) json(b []byte, p int, n *node) (int, error) {
	if n.watch >= 0 {
		s.watched[n.watch] = -1
	}
	row := s.row
	off := len(row.Arena)
	s.norm.limits = s.limits
	s.norm.limits.Depth -= len(s.stack)
	s.norm.tokens = s.tokens + 1 // the value itself is counted already
	s.norm.stack, s.norm.members, s.norm.keys = s.norm.stack[:0], s.norm.members[:0], s.norm.keys[:0]
	arena, p, err := s.norm.value(b, p, row.Arena)
	row.Arena, s.tokens = arena, s.norm.tokens
	if err != nil {
		return 0, err
	}
	row.Values = append(row.Values, column.RowValue{Path: n.id, Leaf: types.LeafJSON, Num: uint64(off), Len: uint32(len(row.Arena) - off)})
	return p, nil
}

// text adds the string at p.
func (s *Shredder) text(b []byte, p int, id uint32) (int, error) {
	end, flags, err := scanString(b, p+1)
	if err != nil {
		return 0, err
	}
	if flags&strEscape == 0 {
		s.row.Bytes(id, types.LeafText, b[p+1:end])
		return end + 1, nil
	}
	row := s.row
	off := len(row.Arena)
	if row.Arena, err = appendUnescaped(row.Arena, b[p+1:end], p+1); err != nil {
		return 0, err
	}
	row.Values = append(row.Values, column.RowValue{Path: id, Leaf: types.LeafText, Num: uint64(off), Len: uint32(len(row.Arena) - off)})
	return end + 1, nil
}

// number adds any number at p.
func (s *Shredder) number(b []byte, p int, id uint32) (int, error) {
	end, fraction, exponent, err := scanNumber(b, p)
	if err != nil {
		return 0, err
	}
	norm := b[p:end]
	var v num
	ok := false
	if fraction && !exponent {
		v, ok = plainFraction(norm)
	}
	if !ok {
		var grown int
		if s.scratch, grown, ok = appendNumber(s.scratch[:0], norm); !ok {
			return 0, fail("number out of range", p)
		}
		if s.norm.zeros -= max(grown, 0); s.norm.zeros < 0 {
			return 0, fail("number out of range", p)
		}
		norm = s.scratch
		v = classify(norm)
	}
	switch v.leaf {
	case types.LeafInt:
		s.row.Int(id, v.i)
	case types.LeafFloat:
		s.row.Float(id, v.f)
	}
	if v.text {
		s.row.Bytes(id, types.LeafJSON, norm)
	}
	return end, nil
}

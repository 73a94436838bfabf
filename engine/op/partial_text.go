package op

import (
	"encoding/binary"
	"sync"

	"github.com/zeebo/xxh3"

	"github.com/telemdb/telemdb/storage/vec"
)

// A text in a partial row is two words: its hash, by which rows are scattered and compared first, and the text itself if it is
// short, else where it lies in the memory of the worker that scattered it. So a text is hashed and copied once for each
// dictionary entry of a row group, and rows stay of one width. (German strings, Neumann and Freitag: Umbra, 2020, with the
// hash in place of the prefix.)

const (
	textInline  = 1 << 63 // of the second word: the text is in it
	textShort   = 7       // bytes of the longest one that is
	textLenBits = 56      // bits below its length
	textSetBits = 48      // of a place: bits below the number of the set
	textPosBits = 20      // and below the number of the chunk
	textSets    = 1 << 14 // sets there may be
	textChunk   = 1 << 14
	textHead    = 4 // bytes of a text's length in front of it
)

var textChunks = sync.Pool{New: func() any { return new([textChunk]byte) }}

// textArena holds the texts of the rows of one set, those apart whose hashes would be of other partitions: where a text is the only
// key, a partition's lie together, and fit the cache when they are compared.
type textArena struct {
	set     uint64
	chunks  [][]byte
	pooled  []*[textChunk]byte
	buckets [partialParts]textBucket
	bytes   int64
	emptied int // how often: places from before are not valid
}

// textBucket is where the next text of a bucket goes.
type textBucket struct {
	cur int // chunk, of those that are pooled
	at  int // bytes of it that are used; 0: there is none yet
}

// bucketOf returns the partition of a row with a text of this hash and no other key: see partialLayout.hash.
func bucketOf(hash uint64) uint64 {
	h := hash * hashMul1
	h ^= h >> 32
	return h * hashMul2 >> (64 - partialBits)
}

// put copies a text with a hash and returns its second word.
func (a *textArena) put(b []byte, hash uint64) uint64 {
	if len(b) <= textShort {
		w := uint64(textInline) | uint64(len(b))<<textLenBits
		for i, c := range b {
			w |= uint64(c) << (8 * i)
		}
		return w
	}
	n, to := textHead+len(b), &a.buckets[bucketOf(hash)]
	chunk, at := to.cur, to.at
	switch {
	case n > textChunk/4:
		a.chunks = append(a.chunks, make([]byte, n))
		a.bytes += int64(n)
		chunk, at = len(a.chunks)-1, 0
	case at == 0 || at+n > textChunk:
		c := textChunks.Get().(*[textChunk]byte)
		a.pooled, a.chunks = append(a.pooled, c), append(a.chunks, c[:])
		a.bytes += textChunk
		chunk, at = len(a.chunks)-1, 0
		to.cur, to.at = chunk, n
	default:
		to.at += n
	}
	out := a.chunks[chunk][at:]
	binary.LittleEndian.PutUint32(out, uint32(len(b)))
	copy(out[textHead:], b)
	return a.set<<textSetBits | uint64(chunk)<<textPosBits | uint64(at)
}

// get returns the text at a place.
func (a *textArena) get(place uint64) []byte {
	b := a.chunks[place&(1<<textSetBits-1)>>textPosBits][place&(1<<textPosBits-1):]
	return b[textHead : textHead+binary.LittleEndian.Uint32(b)]
}

// peek reads the beginning of the text at a place, for the cache.
func (a *textArena) peek(place uint64) byte {
	return a.chunks[place&(1<<textSetBits-1)>>textPosBits][place&(1<<textPosBits-1)]
}

// empty forgets all texts.
func (a *textArena) empty() {
	for _, c := range a.pooled {
		textChunks.Put(c)
	}
	*a = textArena{set: a.set, emptied: a.emptied + 1}
}

// hashText returns the first word of a text.
func (l *partialLayout) hashText(b []byte) uint64 {
	if l.equal {
		return 0
	}
	return xxh3.Hash(b)
}

// textCodes are the two words of each entry of a dictionary that has occurred.
type textCodes struct {
	dict    *vec.Vector
	emptied int      // the arena's when they were made
	words   []uint64 // the second one of an entry that has not occurred is 0
}

// learn begins with a dictionary.
func (c *textCodes) learn(d *vec.Vector, a *textArena) {
	if c.dict == d && c.emptied == a.emptied {
		return
	}
	c.dict, c.emptied = d, a.emptied
	c.words = sized(c.words, 2*d.N)
	clear(c.words)
}

// of returns the words of an entry.
func (c *textCodes) of(code uint32, r *partialRows) (hash, text uint64) {
	w := c.words[2*code : 2*code+2 : 2*code+2]
	if w[1] == 0 {
		from, to := c.dict.Off[code], c.dict.Off[code+1]
		w[0], w[1] = r.textOf(c.dict.Data[from:to])
	}
	return w[0], w[1]
}

// textOf returns the words of a text.
func (r *partialRows) textOf(b []byte) (hash, text uint64) {
	hash = r.l.hashText(b)
	return hash, r.texts.put(b, hash)
}

// packTexts writes the texts of the rows of v that are listed, key i. codes are of its dictionary, if it has one.
func (r *partialRows) packTexts(i int, v *vec.Vector, list rowList, rows []uint64, codes *textCodes) {
	k, w := &r.l.keys[i], r.l.width
	null := uint64(1) << (headNulls + i)
	if v.Form == vec.Dict {
		codes.learn(v.Dict, &r.texts)
	}
	var last []byte
	hash, text := r.textOf(nil)
	for n := range list.n {
		row, at := list.at(n), n*w
		switch {
		case v.Null(row):
			rows[at] |= null
			rows[at+k.at], rows[at+k.text] = 0, textInline
			continue
		case v.Form == vec.Dict:
			rows[at+k.at], rows[at+k.text] = codes.of(v.Codes[row], r)
			continue
		}
		if b := v.Bytes(row); string(b) != string(last) {
			hash, text = r.textOf(b)
			last = b
		}
		rows[at+k.at], rows[at+k.text] = hash, text
	}
}

// text returns the text of a second word; short is where one that is in the word is written.
func (m *partialMaker) text(w uint64, short *[8]byte) []byte {
	if w&textInline != 0 {
		binary.LittleEndian.PutUint64(short[:], w)
		return short[:w>>textLenBits&textShort]
	}
	return m.texts[w>>textSetBits].get(w)
}

// touchRows is how many texts are touched before they are looked at: they fit the cache.
const touchRows = 512

// touch reads the texts that rows will be compared by, and of the groups that they may belong to, in a loop that has many cache misses
// under way at a time. The comparison, which branches by what it finds, would have one.
func (m *partialMaker) touch(rows []uint64) {
	l, slots, mask, sum := m.g.l, m.slots, uint64(len(m.slots)-1), byte(0)
	for ; len(rows) > 0; rows = rows[l.width:] {
		h := l.hash(rows)
		e := slots[h&mask]
		if e == 0 || (e^h)>>32 != 0 {
			continue
		}
		old := m.entries[int(uint32(e)-1)*l.head:]
		for k := l.hashed; k < l.head; k++ {
			if x, y := old[k], rows[k]; x != y && (x|y)&textInline == 0 {
				sum += m.texts[x>>textSetBits].peek(x) + m.texts[y>>textSetBits].peek(y)
			}
		}
	}
	m.touched = sum
}

// sameTexts reports whether the texts of two rows are the same whose hashes and other keys are.
func (m *partialMaker) sameTexts(a, b []uint64) bool {
	l := m.g.l
	for k := l.hashed; k < l.head; k++ {
		x, y := a[k], b[k]
		if x == y {
			continue
		}
		if (x|y)&textInline != 0 || string(m.texts[x>>textSetBits].get(x)) != string(m.texts[y>>textSetBits].get(y)) {
			return false
		}
	}
	return true
}

// unpackTexts appends key i of n entries to out.
func (m *partialMaker) unpackTexts(i int, entries []uint64, n int, out *vec.Vector) {
	k, w := &m.g.l.keys[i], m.g.l.head
	null := uint64(1) << (headNulls + i)
	var short [8]byte
	for e := range n {
		if e%touchRows == 0 {
			sum := byte(0)
			for ahead := e; ahead < min(e+touchRows, n); ahead++ {
				if x := entries[ahead*w+k.text]; x&textInline == 0 {
					sum += m.texts[x>>textSetBits].peek(x)
				}
			}
			m.touched = sum
		}
		if entries[e*w]&null != 0 {
			out.AppendNull()
			continue
		}
		out.AppendBytes(m.text(entries[e*w+k.text], &short))
	}
}

package op

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// partialLayout tells how a partial group, the key and what some rows of it come to, is held in 64-bit words: the head, which is
// the number of rows and, in the upper 16 bits, which keys are NULL; the keys, of texts the hashes; the texts; then for each
// thing that is accumulated the number of its values and their sum in two words, the least and the greatest, as far as the
// aggregates need them.
type partialLayout struct {
	n      *plan.Agg
	keys   []partialKey
	hashed int   // words up to the texts
	head   int   // words up to the end of the keys
	calls  []int // slot of each call; -1: it counts the rows
	slots  []partialSlot
	width  int
	equal  bool // all hashes are: for tests
	sets   atomic.Int64
	below  []*textArena // of the groups that the rows are, by number of the set: their texts are not copied
}

// partialKey is a key: its type and its first word. Identifiers of 16 bytes have two, and so have texts: the hash, and behind the
// other keys the text.
type partialKey struct {
	t    types.Type
	at   int
	text int // 0: it is no text
}

// partialSlot is where something that is accumulated has its words; 0: it does not need them.
type partialSlot struct {
	n, sum, least, most int
	needs               agg.Needs
}

const (
	headRows  = 1<<48 - 1 // of the head: the number of rows
	headNulls = 48        // bits below those of NULL keys
)

// newPartialLayout returns nil if some key is not a few words, or some aggregate not made of partials. f is nil if the
// aggregation is not fused.
func newPartialLayout(x *exec, n *plan.Agg, f *fused) *partialLayout {
	if len(n.Keys) == 0 || len(n.Keys) > 16 || x.env.NoScatter {
		return nil
	}
	l := &partialLayout{n: n, head: 1, equal: x.env.HashEqual}
	for _, k := range n.Keys {
		t := k.Type()
		l.keys = append(l.keys, partialKey{t: t, at: l.head})
		switch {
		case t.Kind == types.UUID:
			l.head += 2
		case t.Phys() == types.PhysInt64 || t.Phys() == types.PhysBool:
			l.head++
		case t.Phys() == types.PhysBytes && !keys.Canonical(t) && !x.env.NoScatterTexts && x.workers < textSets:
			l.head++
			l.keys[len(l.keys)-1].text = -1
		default:
			return nil
		}
	}
	l.hashed = l.head
	for i := range l.keys {
		if l.keys[i].text != 0 {
			l.keys[i].text = l.head
			l.head++
		}
	}
	of := map[int]int{} // measure -> slot
	for i := range n.Aggs {
		slot, ok := l.slotOf(i, f, of)
		if !ok {
			return nil
		}
		l.calls = append(l.calls, slot)
	}
	l.width = l.head
	for i := range l.slots {
		l.place(&l.slots[i])
	}
	return l
}

// takeFrom lets rows have the texts of groups below. Their sets have the first numbers.
func (l *partialLayout) takeFrom(g *partialGroups) {
	l.below = g.texts
	l.sets.Store(int64(len(g.texts) - 1))
}

// slotOf finds or adds the slot of a call.
func (l *partialLayout) slotOf(i int, f *fused, of map[int]int) (slot int, ok bool) {
	call := &l.n.Aggs[i]
	s, err := agg.New(call)
	if err != nil {
		return 0, false
	}
	p, ok := s.(agg.Portable)
	if !ok || (f != nil && f.calls[i].measure < 0) {
		return 0, false
	}
	if len(call.Args) == 0 && call.Filter == nil && p.Needs() == 0 {
		return -1, true
	}
	slot = len(l.slots)
	if f != nil {
		m := f.calls[i].measure
		if at, ok := of[m]; ok {
			l.slots[at].needs |= p.Needs()
			return at, true
		}
		of[m] = slot
	}
	l.slots = append(l.slots, partialSlot{needs: p.Needs()})
	return slot, true
}

func (l *partialLayout) place(s *partialSlot) {
	next := func(n int) int {
		l.width += n
		return l.width - n
	}
	s.n = next(1)
	if s.needs&agg.NeedSum != 0 {
		s.sum = next(2)
	}
	if s.needs&agg.NeedMin != 0 {
		s.least = next(1)
	}
	if s.needs&agg.NeedMax != 0 {
		s.most = next(1)
	}
}

const (
	hashMul1 = 0x9E3779B97F4A7C15
	hashMul2 = 0xD6E8FEB86659FD93
)

// hash hashes the key of a row, good from the top and from below.
func (l *partialLayout) hash(row []uint64) uint64 {
	if l.equal {
		return 0
	}
	h := row[0] >> headNulls
	for _, w := range row[1:l.hashed] {
		h = (h ^ w) * hashMul1
		h ^= h >> 32
	}
	h *= hashMul2
	return h ^ h>>32
}

// packKeys writes the keys in cols to n rows, whose heads hold the number of rows only.
func (r *partialRows) packKeys(cols []*vec.Vector, n int, rows []uint64) {
	for i := range r.l.keys {
		r.packKey(i, cols[i], rowList{n: n}, rows)
	}
}

// packKey writes key i of the rows of v that are listed.
func (r *partialRows) packKey(i int, v *vec.Vector, list rowList, rows []uint64) {
	if r.l.keys[i].text > 0 {
		r.packTexts(i, v, list, rows, &r.codes[i])
		return
	}
	r.l.packWords(i, v, list, rows)
}

// packWords is packKey of a key that is no text.
func (l *partialLayout) packWords(i int, v *vec.Vector, list rowList, rows []uint64) {
	k := &l.keys[i]
	null := uint64(1) << (headNulls + i)
	uuid := k.t.Kind == types.UUID
	flat := v.Form == vec.Flat && v.Valid == nil && list.pos == nil
	switch at := k.at; {
	case flat && uuid:
		data, off := v.Data, v.Off
		for r := range list.n {
			b := data[off[r]:]
			rows[at], rows[at+1] = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
			at += l.width
		}
	case flat && k.t.Phys() == types.PhysInt64:
		for _, x := range v.I64[:list.n] {
			rows[at] = uint64(x)
			at += l.width
		}
	case v.Form == vec.Flat && v.Valid == nil && k.t.Phys() == types.PhysInt64:
		for _, r := range list.pos {
			rows[at] = uint64(v.I64[r])
			at += l.width
		}
	default:
		for r := range list.n {
			switch row := list.at(r); {
			case v.Null(row):
				rows[r*l.width] |= null
				rows[at] = 0
				if uuid {
					rows[at+1] = 0
				}
			case uuid:
				b := v.Bytes(row)
				rows[at], rows[at+1] = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
			case k.t.Phys() == types.PhysBool:
				rows[at] = 0
				if v.Bool(row) {
					rows[at] = 1
				}
			default:
				rows[at] = uint64(v.Int(row))
			}
			at += l.width
		}
	}
}

// unpackKey appends key i, which is no text, of n entries to out. An entry is the first words of a row, up to the end of the keys.
func (l *partialLayout) unpackKey(i int, entries []uint64, n int, out *vec.Vector) {
	k, w := &l.keys[i], l.head
	null := uint64(1) << (headNulls + i)
	nulls := uint64(0)
	for r := range n {
		nulls |= entries[r*w]
	}
	at := k.at
	switch {
	case nulls&null == 0 && k.t.Kind == types.UUID:
		from := len(out.Data)
		out.Data = vec.Room(out.Data, 16*n)[:from+16*n]
		if len(out.Off) == 0 {
			out.Off = append(out.Off, uint32(from))
		}
		for ; from < len(out.Data); from += 16 {
			b := out.Data[from : from+16]
			binary.LittleEndian.PutUint64(b, entries[at])
			binary.LittleEndian.PutUint64(b[8:], entries[at+1])
			out.Off = append(out.Off, uint32(from+16))
			at += w
		}
		out.N += n
	case nulls&null == 0 && k.t.Phys() == types.PhysInt64:
		for range n {
			out.I64 = append(out.I64, int64(entries[at]))
			at += w
		}
		out.N += n
	default:
		var b [16]byte
		for r := range n {
			switch {
			case entries[r*w]&null != 0:
				out.AppendNull()
			case k.t.Kind == types.UUID:
				binary.LittleEndian.PutUint64(b[:], entries[at])
				binary.LittleEndian.PutUint64(b[8:], entries[at+1])
				out.AppendBytes(b[:])
			case k.t.Phys() == types.PhysBool:
				out.AppendBool(entries[at] != 0)
			default:
				out.AppendInt(int64(entries[at]))
			}
			at += w
		}
	}
}

// sizeFor is the number of slots of a table of so many keys: at most half full.
func sizeFor(n int) int { return 1 << bits.Len(uint(max(2*n, 64)-1)) }

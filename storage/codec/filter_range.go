package codec

import (
	"sync"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/vec"
)

// A filter over a whole row group asks its leaf loops for thousands of values a call instead of a block's: what a call
// costs beside its loop is paid once. Where the encoding has no loop that gains by it, or where few blocks have a row left,
// the blocks are filtered one by one.

// wide is the working memory of a filter over a whole chunk.
type wide struct {
	out   [MaxRows/64 + 1]uint64 // outcomes of the packed values; a word more, for depositRange
	valid [MaxRows / 64]uint64
}

var wides = sync.Pool{New: func() any { return new(wide) }}

// Verdict returns what is known without looking at a row.
func (f *Filter) Verdict() column.Verdict {
	switch {
	case f.none:
		return column.None
	case f.all && f.c.pres.present == f.c.pres.rows:
		return column.All
	}
	return column.Some
}

// Cheap reports whether a whole block is filtered in less time than its zone map is looked at.
func (f *Filter) Cheap() bool {
	c := f.c
	return f.all || f.none || c.dict != nil || c.enc == encBits || f.isRange && c.ints.cheap()
}

// cheap tells whether a block is compared as it is packed.
func (s *ints) cheap() bool {
	return s.kind == intsFOR || s.kind == intsScaled && s.scale.of.kind == intsFOR
}

// FilterRange is Filter for rows [from, to), which begin with a block and may span blocks: see column.RangeFilter.
func (f *Filter) FilterRange(data []byte, from, to int, sel vec.Bitmap) error {
	if err := f.c.checkSpan(from, to); err != nil {
		return err
	}
	sel = sel[:vec.Words(to-from)]
	keep := tailOf(sel, to-from)
	defer keep.restore()
	switch {
	case to-from <= blockValues:
		return f.Filter(data, from, to, sel)
	case f.none:
		clear(sel)
		return nil
	case f.all && f.c.pres.kind == presentAll:
		return nil
	case !f.all && (!f.wide() || sparse(sel)):
		return f.byBlock(data, from, to, sel)
	}
	return f.filterWide(data, from, to, sel)
}

// checkSpan refuses a range that does not begin with a block.
func (c *Chunk) checkSpan(from, to int) error {
	if from%blockValues != 0 {
		return c.checkRange(from, from+blockValues+1)
	}
	if from < 0 || from >= to || to > c.pres.rows {
		return c.checkRange(from, to)
	}
	return nil
}

// tail is the bits of a selection's last word that belong to rows behind the range.
type tail struct {
	word *uint64
	bits uint64
}

func tailOf(sel vec.Bitmap, n int) tail {
	t := tail{word: &sel[len(sel)-1]}
	if r := uint(n) & 63; r != 0 {
		t.bits = *t.word &^ (1<<r - 1)
	}
	return t
}

func (t tail) restore() { *t.word |= t.bits }

// sparse reports whether most blocks have no row left.
func sparse(sel vec.Bitmap) bool {
	const words = blockValues / 64
	return 8*simd.FilledBlocks(sel) < (len(sel)+words-1)/words
}

func anyBit(words []uint64) bool {
	or := uint64(0)
	for _, w := range words {
		or |= w
	}
	return or != 0
}

// byBlock filters the blocks that have a row left.
func (f *Filter) byBlock(data []byte, from, to int, sel vec.Bitmap) error {
	for at := from; at < to; at += blockValues {
		end := min(at+blockValues, to)
		part := sel[(at-from)/64 : (end-from+63)/64]
		if !anyBit(part) {
			continue
		}
		if err := f.Filter(data, at, end, part); err != nil {
			return err
		}
	}
	return nil
}

// wide reports whether evalWide has a loop for the encoding.
func (f *Filter) wide() bool {
	c := f.c
	switch {
	case f.rare != nil, f.isRange:
		return true
	case c.enc == encDict || c.enc == encDictRare:
		return true
	}
	return c.enc == encBits && f.p.Op <= column.OpGe
}

func (f *Filter) filterWide(data []byte, from, to int, sel vec.Bitmap) error {
	p := &f.c.pres
	w := wides.Get().(*wide)
	defer wides.Put(w)
	a, b := p.before(data, from), p.before(data, to)
	if a == b {
		clear(sel)
		return nil
	}
	valid := vec.Bitmap(nil)
	if b-a < to-from {
		valid = w.valid[:vec.Words(to-from)]
		p.bits(data, from, to, a, valid)
		if f.all {
			sel.And(valid)
			return nil
		}
	} else if f.all {
		return nil
	}
	if k := &f.c.code; valid == nil && f.c.dict != nil && f.rare == nil && k.width == 8 {
		f.andCodes8(data[k.at+a:k.at+b], sel)
		return nil
	}
	first := a &^ (blockValues - 1) // the values' blocks are not the rows'
	out := bitset(w.out[:vec.Words(b-first)+1])
	clear(out)
	if err := f.evalWide(data, first, b, out[:len(out)-1]); err != nil {
		return err
	}
	if valid == nil {
		sel.And(vec.Bitmap(out[(a-first)/64:]))
		return nil
	}
	depositRange(sel, valid, out, uint(a-first))
	return nil
}

// evalWide sets the bits of those packed values [a, b) for which the predicate holds. a is a multiple of blockValues, out is
// zero.
func (f *Filter) evalWide(data []byte, a, b int, out bitset) error {
	c := f.c
	switch {
	case f.rare != nil:
		filterRare(f.rare, a, b, out)
	case c.enc == encDict || c.enc == encDictRare:
		return f.codesWide(data, a, b, out)
	case f.isRange:
		if err := c.ints.filterWide(data, a, b, f.lo, f.hi, out); err != nil {
			return err
		}
		if f.negate {
			out.invert(b - a)
		}
	default: // encBits
		readBits(data[c.at:], a, b, vec.Bitmap(out))
		f.boolBits(out, b-a)
	}
	return nil
}

// filterWide is filterRange for any number of values, beginning with a block of them.
func (s *ints) filterWide(data []byte, a, b int, lo, hi int64, out bitset) error {
	switch s.kind {
	case intsConst, intsRuns:
		return s.filterRange(data, a, b, lo, hi, out)
	case intsPlain:
		simd.RangeI64(words64(data[s.head+8*a:s.head+8*b]), lo, hi, out)
		return nil
	case intsScaled:
		lo, hi = s.within(lo, hi)
		return s.scale.of.filterWide(data, a, b, lo, hi, out)
	}
	for a < b {
		end := min(b, a+blockValues)
		if err := s.filterRange(data, a, end, lo, hi, out[:vec.Words(end-a)]); err != nil {
			return err
		}
		out = out[vec.Words(end-a):]
		a = end
	}
	return nil
}

// depositRange clears the bits of sel that are not in mask, or whose outcome is 0: the i-th set bit of mask is bit first+i
// of packed. mask is spent.
func depositRange(sel, mask vec.Bitmap, packed bitset, first uint) {
	simd.DepositBits(mask, mask, packed, int(first))
	sel.And(mask)
}

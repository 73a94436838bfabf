package codec

import (
	"encoding/binary"
	"sort"

	"github.com/telemdb/telemdb/storage/vec"
)

// textLayout is where the parts of plain or compressed values of the bytes class are.
type textLayout struct {
	n      int
	lens   *ints
	starts int // plain: offset of the start of each block of values but the first, u32
	data   int
	size   int // of the data
	pages  []textPage
}

type textPage struct {
	first int // value the page begins with
	raw   int
	at    int // offset of the compressed bytes
	size  int
}

// parsePlain reads: lengths, size of the data uvarint, starts, data.
func (t *textLayout) parsePlain(c *cursor, n int) (err error) {
	t.n = n
	if t.lens, err = parseInts(c, n); err != nil {
		return err
	}
	t.size = c.count(c.left())
	t.starts = c.skip(4 * (blocksOf(n) - 1))
	t.data = c.skip(t.size)
	if c.bad {
		return corrupt("text cut short")
	}
	return nil
}

// Page entry: first value u16, size before compression u32, end of the compressed bytes u32.
const pageEntryBytes = 10

// parsePages reads: lengths, number of pages uvarint, page entries, pages.
func (t *textLayout) parsePages(c *cursor, n int) (err error) {
	t.n = n
	if t.lens, err = parseInts(c, n); err != nil {
		return err
	}
	np := c.count(c.left() / pageEntryBytes)
	table := c.bytes(np * pageEntryBytes)
	if c.bad || np == 0 {
		return corrupt("page table cut short")
	}
	t.pages = make([]textPage, np)
	end, raw := 0, 0
	for i := range t.pages {
		e := table[i*pageEntryBytes:]
		p := textPage{first: loadU16(e, 0), raw: int(binary.LittleEndian.Uint32(e[2:])), at: c.at + end}
		p.size = int(binary.LittleEndian.Uint32(e[6:])) - end
		end += p.size
		raw += p.raw
		ordered := i == 0 && p.first == 0 || i > 0 && p.first > t.pages[i-1].first
		if p.size < 0 || !ordered || p.first >= n || raw > MaxChunkBytes {
			return corrupt("page %d of values from %d, %d bytes", i, p.first, p.size)
		}
		t.pages[i] = p
	}
	c.skip(end)
	if c.bad {
		return corrupt("pages cut short")
	}
	return nil
}

// readLengths turns lengths [a, b) into offsets from 0, checks them and returns their sum.
func readLengths(data []byte, lens *ints, a, b int, off []uint32) (int, error) {
	sc := getScratch()
	defer sc.put()
	total := int64(0)
	off[0] = 0
	for at := a; at < b; {
		end := min(b, at+blockValues)
		if err := lens.read(data, at, end, sc.b[:]); err != nil {
			return 0, err
		}
		for i, n := range sc.b[:end-at] {
			if uint64(n) > MaxValueBytes {
				return 0, corrupt("value of %d bytes", n)
			}
			total += n
			off[at-a+i+1] = uint32(total)
		}
		if total > MaxChunkBytes {
			return 0, corrupt("values of %d bytes", total)
		}
		at = end
	}
	return int(total), nil
}

func (t *textLayout) read(data []byte, a, b int, dst *vec.Vector) error {
	if t.pages != nil {
		if _, err := readLengths(data, t.lens, a, b, dst.Off[:b-a+1]); err != nil {
			return err
		}
		return t.readPages(data, a, b, dst)
	}
	w, err := t.window(data, a, b, dst.Off)
	if err != nil {
		return err
	}
	dst.Data = append(dst.Data[:0], w...)
	return nil
}

// window returns the bytes of values [a, b) of a plain text, and writes their ends to off.
func (t *textLayout) window(data []byte, a, b int, off []uint32) ([]byte, error) {
	total, err := readLengths(data, t.lens, a, b, off[:b-a+1])
	if err != nil {
		return nil, err
	}
	at, err := t.start(data, a)
	if err != nil {
		return nil, err
	}
	if total > t.size-at {
		return nil, corrupt("values end %d bytes behind the data", at+total-t.size)
	}
	return data[t.data+at : t.data+at+total], nil
}

// start returns the offset of value i in the data of a plain text.
func (t *textLayout) start(data []byte, i int) (int, error) {
	block := i / blockValues
	at := uint64(0)
	if block > 0 {
		at = uint64(binary.LittleEndian.Uint32(data[t.starts+4*(block-1):]))
	}
	skip, err := t.lens.sumRange(data, block*blockValues, i)
	if err != nil {
		return 0, err
	}
	if skip > uint64(t.size) || at+skip > uint64(t.size) {
		return 0, corrupt("values end behind the data")
	}
	return int(at + skip), nil
}

func (t *textLayout) readPages(data []byte, a, b int, dst *vec.Vector) error {
	sc := getScratch()
	defer sc.put()
	dst.Data = dst.Data[:0]
	for i := t.pageOf(a); a < b; i++ {
		p := t.pages[i]
		end := t.n
		if i+1 < len(t.pages) {
			end = t.pages[i+1].first
		}
		upto := min(b, end)
		raw, err := inflate(sc.page, data[p.at:p.at+p.size], p.raw)
		if err != nil {
			return err
		}
		sc.page = raw
		skip, err := t.lens.sumRange(data, p.first, a)
		if err != nil {
			return err
		}
		take, err := t.lens.sumRange(data, a, upto)
		if err != nil {
			return err
		}
		if skip > uint64(len(raw)) || take > uint64(len(raw))-skip {
			return corrupt("values end behind their page")
		}
		dst.Data = append(dst.Data, raw[skip:skip+take]...)
		a = upto
	}
	return nil
}

// pageOf returns the page that holds value i.
func (t *textLayout) pageOf(i int) int {
	return sort.Search(len(t.pages), func(k int) bool { return t.pages[k].first > i }) - 1
}

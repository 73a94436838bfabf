package segment

import (
	"bytes"
	"math"
	"strings"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/types"
)

// A merge moves documents from the pages of its sources to those of the output value by value, without gathering a column
// first: they are nine tenths of the bytes that a merge of main pings moves.

// restMerger is the working memory of mergeRest.
type restMerger struct {
	feeds []restFeed // by source of the row group
	out   codec.FragmentWriter
	pos   []uint16
	first []byte // the value of all rows so far, while it may be the only one
}

// restFeed stands at a value of one source's column. It keeps the page read last: columns are merged in the order in which
// they lie in the pages.
type restFeed struct {
	col   *restColumn // nil: the source does not have the column
	row   int         // of the value, math.MaxInt behind the last
	value []byte
	page  int // to read next
	frag  codec.FragmentReader

	group  *group // whose page is held; nil: none is
	held   int
	data   []byte
	stored []byte
}

// mergeRest moves a column of documents whose sources all have it in the rest area; not done if it is another one, or if
// all its values may be the same, which the zone map is to hold.
func (w *Writer) mergeRest(g *groupBuild, c *columnGroup) (done bool, err error) {
	if c.leaf != types.LeafJSON || !w.g.ordered || !strings.Contains(string(c.path), "\x00") {
		return false, nil
	}
	m := &w.restMerge
	for len(m.feeds) < len(w.g.src) {
		m.feeds = append(m.feeds, restFeed{})
	}
	for i := range m.feeds {
		m.feeds[i].col = nil
	}
	for _, s := range c.from {
		col, ok := s.col.(*restColumn)
		if !ok {
			return false, nil
		}
		if err := m.feeds[s.group].begin(col, int(w.g.want[s.group][0]>>16)); err != nil {
			return false, err
		}
	}
	b := columnBuild{kind: kindRest, zoneOff: uint32(len(g.zones)), a: uint32(len(w.rest.pages)), b: uint32(len(w.rest.raw))}
	size, same, err := w.moveRest(g)
	if n := len(m.pos); err != nil || n == 0 || same {
		return n == 0, w.located(c, err)
	}
	if err := w.endRest(g); err != nil {
		return false, w.located(c, err)
	}
	b.c = w.rest.lastPage + 1 - b.a
	b.id, b.present = w.dir.id(c.path, c.leaf), len(m.pos)
	pos := m.pos
	if len(pos) == g.rows {
		pos = nil
	}
	g.zones = w.enc.AppendUnboundedZones(g.zones, g.rows, pos)
	g.valueBytes += size
	g.cols = append(g.cols, b)
	return true, nil
}

// moveRest writes the values in the order of the output's rows, and lists those that have one. same tells that all values
// are one that a zone map can hold; then nothing was written.
func (w *Writer) moveRest(g *groupBuild) (size int64, same bool, err error) {
	m := &w.restMerge
	m.pos = m.pos[:0]
	m.out.Begin(len(w.rest.raw))
	same = true
	for to, ref := range w.g.refs {
		f := &m.feeds[ref.Group]
		if f.col == nil {
			continue
		}
		row := int(ref.Row)
		for f.row < row {
			if err := f.next(); err != nil {
				return 0, false, err
			}
		}
		if f.row != row {
			continue
		}
		if size += 4 + int64(len(f.value)); len(f.value) > codec.MaxValueBytes || size > min(codec.MaxChunkBytes, math.MaxInt32) {
			return 0, false, codec.ErrTooLarge
		}
		if same {
			if same, err = w.stillSame(g, f.value); err != nil {
				return 0, false, err
			}
		}
		m.pos = append(m.pos, uint16(to))
		if !same {
			if err := w.putRest(g, to, f.value); err != nil {
				return 0, false, err
			}
		}
	}
	return size, same, nil
}

// stillSame compares a value with the ones before, which have been listed and not written as long as they are all the same.
// When one is not, they are.
func (w *Writer) stillSame(g *groupBuild, value []byte) (bool, error) {
	m := &w.restMerge
	if len(m.pos) == 0 {
		m.first = append(m.first[:0], value...)
	}
	if len(value) <= codec.ConstantMax && bytes.Equal(value, m.first) {
		return true, nil
	}
	for _, row := range m.pos {
		if err := w.putRest(g, int(row), m.first); err != nil {
			return false, err
		}
	}
	return false, nil
}

// putRest writes a value; a page that is full is closed before.
func (w *Writer) putRest(g *groupBuild, row int, value []byte) error {
	out := &w.restMerge.out
	if out.Full(restPageBytes) {
		if err := w.closeRest(g, true); err != nil {
			return err
		}
		out.Begin(0)
	}
	if out.Len() == 0 && len(w.rest.raw) == 0 {
		w.rest.firstRow = uint16(row)
	}
	out.Add(row, value)
	return nil
}

// endRest ends the column.
func (w *Writer) endRest(g *groupBuild) error { return w.closeRest(g, false) }

// closeRest ends the fragment that is being filled, and its page too if more is to come of the column or the page is full.
func (w *Writer) closeRest(g *groupBuild, more bool) error {
	w.rest.raw = w.restMerge.out.AppendTo(w.rest.raw)
	w.rest.lastPage = uint32(len(w.rest.pages))
	if !more && len(w.rest.raw) < restPageBytes {
		return nil
	}
	return w.rest.flush(func(page []byte) (uint32, error) { return w.write(g, page) })
}

// begin goes to the page that may have the first of the rows that are wanted.
func (f *restFeed) begin(c *restColumn, row int) error {
	first, at, pages := c.place()
	f.col, f.row, f.value = c, -1, nil
	f.page = c.pageBefore(int(first), int(pages), row)
	if f.page > int(first) {
		at = 0
	}
	return f.open(at)
}

// open reads the next page and opens the fragment at an offset of it.
func (f *restFeed) open(at uint32) (err error) {
	if f.group != f.col.g || f.held != f.page {
		f.group = nil
		if f.data, f.stored, err = f.col.g.readPage(f.page, &f.col.segmentColumn, f.data, f.stored); err != nil {
			return err
		}
		f.group, f.held = f.col.g, f.page
	}
	f.frag, err = codec.OpenFragment(f.data[min(int(at), len(f.data)):], f.col.g.dir.rows)
	if err != nil {
		return f.corrupt(err)
	}
	f.page++
	return nil
}

func (f *restFeed) corrupt(err error) error {
	return f.col.corrupt(f.col.g.r.dir.u32(f.col.g.dir.pageOff, f.held), err)
}

// next goes on to the next value.
func (f *restFeed) next() error {
	row, value, ok, err := f.frag.Next()
	if !ok && err == nil {
		if first, _, pages := f.col.place(); f.page == int(first+pages) {
			f.row = math.MaxInt
			return nil
		}
		if err := f.open(0); err != nil {
			return err
		}
		row, value, _, err = f.frag.Next() // a fragment has a value
	}
	if err != nil {
		return f.corrupt(err)
	}
	if row <= f.row {
		return f.corrupt(errFragmentOrder)
	}
	f.row, f.value = row, value
	return nil
}

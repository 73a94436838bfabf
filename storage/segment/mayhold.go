package segment

import (
	"fmt"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// MayHold reports false only if no row of a row group has a value of the top-level column that passes p: see
// column.Morsel. m is the segment's summary; the file is read only if a filter has to be asked that is not in memory, and
// then once for all row groups. It needs no directory: see OpenLater.
func (r *Reader) MayHold(m *Meta, group int, name string, p *column.Pred) (bool, error) {
	if p.Op != column.OpEq && p.Op != column.OpIn {
		return true, nil
	}
	c := m.Column(name, p.Leaf)
	switch {
	case c == nil:
		return m.hasColumn(name), nil
	case group < len(c.Groups) && c.Groups[group].Present == 0:
		return false, nil
	case c.Set != nil:
		return c.Set.mayHold(c.Leaf, group, p), nil
	case group >= len(c.Filters):
		return true, nil
	case c.Filters[group].None:
		return false, nil
	case c.Filters[group].Bytes == 0:
		return true, nil
	}
	return r.askFilter(c, group, p)
}

// hasColumn reports whether there may be a value in the column, of whatever leaf kind. Columns that the scan makes up
// begin with an underscore and are in no file.
func (m *Meta) hasColumn(name string) bool {
	if name == "" || name[0] == '_' {
		return true
	}
	for i := range m.Columns {
		if m.Columns[i].Name == name {
			return true
		}
	}
	return false
}

// askFilter asks the column's filter of a row group, in the cache or in the file. The filters of all row groups lie
// together and are read together.
func (r *Reader) askFilter(c *ColumnMeta, group int, p *column.Pred) (bool, error) {
	e, first, err := r.filters(c.Name, c.Leaf, c.Filters)
	if err != nil {
		return true, err
	}
	defer e.unpin()
	f := &c.Filters[group]
	at := f.Offset - first
	return bloom(e.data[at:at+int64(f.Bytes)]).mayHold(c.Leaf, p), nil
}

// filters returns the bytes of a column's filters, pinned, and the offset in the file of the first.
func (r *Reader) filters(name string, leaf types.Leaf, list []Filter) (*cacheEntry, int64, error) {
	first, end := extentOf(list)
	e, err := r.cache.forIndex().get(cacheKey{r.number, first}, int(end-first), func(e *cacheEntry) error {
		if err := readFull(r.file, e.data, first); err != nil {
			return fmt.Errorf("segment %s, filters of column %s (%s): %w", r.path, name, leaf, err)
		}
		return r.verifyFilters(e.data, first, name, leaf, list)
	})
	return e, first, err
}

// extentOf returns the range of the file that filters lie in, which is in the order of the row groups.
func extentOf(list []Filter) (first, end int64) {
	for len(list) > 0 && list[0].Bytes == 0 {
		list = list[1:]
	}
	for len(list) > 0 && list[len(list)-1].Bytes == 0 {
		list = list[:len(list)-1]
	}
	if len(list) == 0 {
		return 0, 0
	}
	last := &list[len(list)-1]
	return list[0].Offset, last.Offset + int64(last.Bytes)
}

func (r *Reader) verifyFilters(b []byte, first int64, name string, leaf types.Leaf, list []Filter) error {
	for g := range list {
		f := &list[g]
		if f.Bytes == 0 {
			continue
		}
		at := f.Offset - first
		if got := checksum(b[at : at+int64(f.Bytes)]); got != f.CRC {
			return r.corrupt(&CorruptError{File: r.path, Offset: f.Offset, Section: fmt.Sprintf("filter of row group %d, column %s (%s)", g, name, leaf),
				Group: g, Column: name, Expected: fmt.Sprintf("checksum %08x", f.CRC), Found: fmt.Sprintf("%08x", got)})
		}
	}
	return nil
}

package segment

import (
	"errors"
	"slices"
	"strings"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// openZones opens the zone map of entry i of a group. Only a file that its writer did not write can fail here, the
// directory being verified.
func (d *directory) openZones(g *groupDir, i int) (codec.Zones, error) {
	id := int(d.u32(g.ids, i))
	at := g.zones + int(d.u32(g.zoneOff, i))
	z, _, err := codec.OpenZones(d.leaf(id), g.rows, int(d.u16(g.present, i))+1, d.b[at:g.zonesEnd])
	return z, err
}

// stats is what the zone map knows; without bounds if it cannot be read.
func (d *directory) stats(g *groupDir, i int) column.Stats {
	present := int(d.u16(g.present, i)) + 1
	at := g.zones + int(d.u32(g.zoneOff, i))
	s, err := codec.ZoneStats(d.leaf(int(d.u32(g.ids, i))), g.rows, present, d.b[at:g.zonesEnd])
	if err != nil {
		return column.Stats{Rows: g.rows, Present: present}
	}
	return s
}

// groupStats returns the statistics of a column in every group, a group without it having no values.
func (d *directory) groupStats(id int) []column.Stats {
	out := make([]column.Stats, len(d.groups))
	for k := range d.groups {
		g := &d.groups[k]
		out[k] = column.Stats{Rows: g.rows}
		if i := d.indexIn(g, id); i < g.cols && int(d.u32(g.ids, i)) == id {
			s := d.stats(g, i)
			s.Dict = nil
			s.MinB, s.MaxB = slices.Clone(s.MinB), slices.Clone(s.MaxB) // the metadata outlives the directory
			out[k] = s
		}
	}
	return out
}

func total(groups []column.Stats) column.Stats {
	var out column.Stats
	for _, s := range groups {
		out = mergeStats(out, s)
	}
	return out
}

// lsnRange returns the least and greatest _lsn; 0 and 0 if the rows have none.
func (d *directory) lsnRange() (lo, hi uint64) {
	id := d.search(types.ColLSN, types.LeafInt)
	if id == d.columns || d.path(id) != types.ColLSN || d.leaf(id) != types.LeafInt {
		return 0, 0
	}
	s := total(d.groupStats(id))
	return uint64(s.MinI), uint64(s.MaxI)
}

// parseIndex reads the table of the index area, and takes the area off the last row group, whose size in the directory
// counts it: readers that know of no index area then find the directory where the last row group ends. dirAt is where the
// directory begins.
func (d *directory) parseIndex(table []byte, f *footer, dirAt int64) ([]indexColumn, error) {
	if f.indexBytes == 0 {
		return nil, nil
	}
	last := &d.groups[len(d.groups)-1]
	if last.size -= int64(f.indexBytes); last.size < 0 {
		return nil, errors.New("the index area is larger than the last row group, which it is a part of")
	}
	return parseIndexTable(table, d, dirAt-int64(f.indexBytes), dirAt-int64(f.indexTable))
}

// addIndex takes over what the manifest is to know of the index area.
func (m *Meta) addIndex(d *directory, index []indexColumn) {
	for i := range m.Columns {
		c := &m.Columns[i]
		if e := indexFor(index, d.search(types.Path(c.Name), c.Leaf)); e != nil {
			c.Set, c.Filters = slices.Clone(e.set), slices.Clone(e.filters)
		}
	}
}

// meta sums up, but for the index. It gives the same from a directory just written and from one read back.
func (d *directory) meta(f *footer, size int64) *Meta {
	m := &Meta{ID: f.id, TableID: f.table, Rows: int64(f.rows), Bytes: size, ValueBytes: int64(f.valueBytes),
		Partition: f.partition, HasPartition: f.flags&footerHasPartition != 0, MinLSN: f.minLSN, MaxLSN: f.maxLSN,
		LevelHint: int(f.levelHint), SortKey: d.sortKey}
	for i := range d.groups {
		m.GroupRows = append(m.GroupRows, d.groups[i].rows)
	}
	for id := range d.columns {
		name := string(d.path(id))
		if strings.Contains(name, "\x00") {
			continue
		}
		groups := d.groupStats(id)
		c := ColumnMeta{Name: strings.Clone(name), Leaf: d.leaf(id), Stats: total(groups)}
		if slices.Contains(d.sortKey, name) || name == "submission_timestamp" {
			c.Groups = groups
		}
		m.Columns = append(m.Columns, c)
	}
	return m
}

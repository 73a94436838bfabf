package segment

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// Meta sums a segment up for the manifest, which stores it in the form of AppendBinary; earlier builds stored JSON, which is
// still read. It can be had again from the file.
type Meta struct {
	ID           uint64       `json:"id"`
	TableID      uint32       `json:"table"`
	Rows         int64        `json:"rows"`
	Bytes        int64        `json:"bytes"`       // length of the file
	ValueBytes   int64        `json:"value_bytes"` // decoded size of all values
	Partition    int64        `json:"partition"`
	HasPartition bool         `json:"has_partition"`
	MinLSN       uint64       `json:"min_lsn"`
	MaxLSN       uint64       `json:"max_lsn"`
	LevelHint    int          `json:"level"`
	SortKey      []string     `json:"sort_key"`
	GroupRows    []int        `json:"group_rows"`
	Columns      []ColumnMeta `json:"columns"`
}

// ColumnMeta is what is known of a top-level column: one whose path has no keys.
type ColumnMeta struct {
	Name  string
	Leaf  types.Leaf
	Stats column.Stats // of the segment; Dict is nil
	// Groups has the same for each row group, for the columns of the sort key and submission_timestamp; else nil.
	Groups []column.Stats
	// Set is the values of the column, and which row groups have them; nil if it is not known or they are many.
	Set ValueSet
	// Filters is, for each row group, where the Bloom filter of the column lies; nil if there is none.
	Filters []Filter
}

// Column returns what is known of a top-level column; nil if the segment has no value there of that kind.
func (m *Meta) Column(name string, leaf types.Leaf) *ColumnMeta {
	for i := range m.Columns {
		if c := &m.Columns[i]; c.Name == name && c.Leaf == leaf {
			return c
		}
	}
	return nil
}

// columnJSON is the form that earlier builds stored of ColumnMeta. Bounds of floats are texts, because JSON has no infinities.
type columnJSON struct {
	Name   string      `json:"name"`
	Leaf   types.Leaf  `json:"leaf"`
	Stats  statsJSON   `json:"stats"`
	Groups []statsJSON `json:"groups"`
}

type statsJSON struct {
	Rows    int    `json:"rows"`
	Present int    `json:"present"`
	NaN     bool   `json:"nan"`
	Bounded bool   `json:"bounded"`
	MinI    int64  `json:"min"`
	MaxI    int64  `json:"max"`
	MinF    string `json:"minf"`
	MaxF    string `json:"maxf"`
	MinB    []byte `json:"minb"`
	MaxB    []byte `json:"maxb"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *ColumnMeta) UnmarshalJSON(b []byte) error {
	var in columnJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*c = ColumnMeta{Name: in.Name, Leaf: in.Leaf}
	var err error
	if c.Stats, err = in.Stats.stats(in.Leaf); err != nil {
		return fmt.Errorf("column %s: %w", in.Name, err)
	}
	for i := range in.Groups {
		s, err := in.Groups[i].stats(in.Leaf)
		if err != nil {
			return fmt.Errorf("column %s, row group %d: %w", in.Name, i, err)
		}
		c.Groups = append(c.Groups, s)
	}
	return nil
}

func (j *statsJSON) stats(leaf types.Leaf) (column.Stats, error) {
	s := column.Stats{Rows: j.Rows, Present: j.Present, HasNaN: j.NaN, Bounded: j.Bounded, MinI: j.MinI, MaxI: j.MaxI, MinB: j.MinB, MaxB: j.MaxB}
	if leaf != types.LeafFloat || !j.Bounded {
		return s, nil
	}
	var err1, err2 error
	s.MinF, err1 = strconv.ParseFloat(j.MinF, 64)
	s.MaxF, err2 = strconv.ParseFloat(j.MaxF, 64)
	if err1 != nil || err2 != nil || math.IsNaN(s.MinF) || math.IsNaN(s.MaxF) {
		return s, fmt.Errorf("bounds %q and %q", j.MinF, j.MaxF)
	}
	return s, nil
}

// mergeStats widens a by b. Both describe the same column and leaf kind over different rows.
func mergeStats(a, b column.Stats) column.Stats {
	out := column.Stats{Rows: a.Rows + b.Rows, Present: a.Present + b.Present, HasNaN: a.HasNaN || b.HasNaN}
	aNone, bNone := a.Present == 0 || onlyNaN(&a), b.Present == 0 || onlyNaN(&b)
	switch {
	case aNone && bNone:
		return out
	case aNone:
		a = b
	case bNone:
		b = a
	}
	if !a.Bounded || !b.Bounded {
		return out
	}
	out.Bounded = true
	out.MinI, out.MaxI = min(a.MinI, b.MinI), max(a.MaxI, b.MaxI)
	out.MinF, out.MaxF = min(a.MinF, b.MinF), max(a.MaxF, b.MaxF)
	out.MinB, out.MaxB = a.MinB, a.MaxB
	if string(b.MinB) < string(out.MinB) {
		out.MinB = b.MinB
	}
	if string(b.MaxB) > string(out.MaxB) {
		out.MaxB = b.MaxB
	}
	return out
}

// onlyNaN reports a float column whose values have no bounds because all of them are NaN.
func onlyNaN(s *column.Stats) bool { return !s.Bounded && s.HasNaN }

package rollups

import (
	"cmp"
	"slices"
	"strings"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// tuple is the dimension key of one ping (rollups.md 1.2).
type tuple struct {
	channel, version, buildID, application, architecture, os, osVersion string
	date                                                                int64 // submission_date, days since 1970-01-01
}

func (a tuple) compare(b tuple) int {
	return cmp.Or(
		cmp.Compare(a.channel, b.channel), cmp.Compare(a.version, b.version), cmp.Compare(a.buildID, b.buildID),
		cmp.Compare(a.application, b.application), cmp.Compare(a.architecture, b.architecture),
		cmp.Compare(a.os, b.os), cmp.Compare(a.osVersion, b.osVersion), cmp.Compare(a.date, b.date))
}

// noTuple marks a ping that is not aggregated.
const noTuple = -1

// tuplesOf returns the distinct tuples of the given rows in order, and for each row number of the group the index of its
// tuple, or noTuple where the row is not asked for or its ping is not aggregated (rollups.md 1.1).
func tuplesOf(g column.Group, rows []uint16) (tuples []tuple, of []int32, err error) {
	d, err := readDims(g)
	if err != nil {
		return nil, nil, err
	}
	of = make([]int32, g.Rows())
	for i := range of {
		of[i] = noTuple
	}
	ids := map[tuple]int32{}
	for _, r := range rows {
		t, ok := d.tuple(int(r))
		if !ok {
			continue
		}
		id, seen := ids[t]
		if !seen {
			id = int32(len(tuples))
			ids[t] = id
			tuples = append(tuples, t)
		}
		of[r] = id
	}
	rank := rankTuples(tuples)
	for i, id := range of {
		if id != noTuple {
			of[i] = rank[id]
		}
	}
	return tuples, of, nil
}

// rankTuples sorts the tuples and returns each old index's new one.
func rankTuples(tuples []tuple) []int32 {
	order := make([]int32, len(tuples))
	for i := range order {
		order[i] = int32(i)
	}
	old := slices.Clone(tuples)
	slices.SortFunc(order, func(a, b int32) int { return old[a].compare(old[b]) })
	rank := make([]int32, len(tuples))
	for i, o := range order {
		rank[o] = int32(i)
		tuples[i] = old[o]
	}
	return rank
}

// dims holds the columns that decide a ping's tuple, read whole.
type dims struct {
	docType, docVersion, routedApp                       *vec.Vector
	sampleID, date                                       *vec.Vector
	channel, version, buildID, application, architecture *vec.Vector
	osName, osVersion                                    *vec.Vector
}

func readDims(g column.Group) (*dims, error) {
	d := &dims{}
	for _, f := range []struct {
		dst  **vec.Vector
		leaf types.Leaf
		path types.Path
	}{
		{&d.docType, types.LeafText, "document_type"},
		{&d.docVersion, types.LeafText, "document_version"},
		{&d.routedApp, types.LeafText, types.MakePath("metadata", "uri", "app_name")},
		{&d.sampleID, types.LeafInt, "sample_id"},
		{&d.date, types.LeafInt, "submission_date"},
		{&d.channel, types.LeafText, types.MakePath("application", "channel")},
		{&d.version, types.LeafText, types.MakePath("application", "version")},
		{&d.buildID, types.LeafText, types.MakePath("application", "buildId")},
		{&d.application, types.LeafText, types.MakePath("application", "name")},
		{&d.architecture, types.LeafText, types.MakePath("application", "architecture")},
		{&d.osName, types.LeafText, types.MakePath("environment", "system", "os", "name")},
		{&d.osVersion, types.LeafText, types.MakePath("environment", "system", "os", "version")},
	} {
		v, err := readWhole(g, f.path, f.leaf)
		if err != nil {
			return nil, err
		}
		*f.dst = v
	}
	return d, nil
}

// readWhole reads all rows of a column; a missing column is all NULL.
func readWhole(g column.Group, p types.Path, leaf types.Leaf) (*vec.Vector, error) {
	out := &vec.Vector{}
	c, ok := g.Find(p, leaf)
	if !ok {
		out.SetConstNull(leaf.Type(), g.Rows())
		return out, nil
	}
	return out, readColumn(c, g.Rows(), out)
}

// readColumn appends all rows of c to out, made flat.
func readColumn(c column.Column, rows int, out *vec.Vector) error {
	out.Reset(c.Leaf().Type())
	var block vec.Vector
	for from := 0; from < rows; from += vec.BatchRows {
		to := min(from+vec.BatchRows, rows)
		if err := c.Read(from, to, &block); err != nil {
			return err
		}
		for i := range to - from {
			out.AppendFrom(&block, i)
		}
	}
	return nil
}

// tuple returns the key of row i; ok is false for a ping that is not aggregated.
func (d *dims) tuple(i int) (t tuple, ok bool) {
	for _, v := range []*vec.Vector{d.channel, d.version, d.buildID, d.application, d.architecture, d.osName, d.osVersion,
		d.sampleID, d.date, d.docType, d.docVersion} {
		if v.Null(i) {
			return tuple{}, false
		}
	}
	if s := d.sampleID.Int(i); s < 0 || s >= 100 {
		return tuple{}, false
	}
	if string(d.docType.Bytes(i)) != "main" || string(d.docVersion.Bytes(i)) != "4" {
		return tuple{}, false
	}
	if !d.routedApp.Null(i) && string(d.routedApp.Bytes(i)) == "Fennec" {
		return tuple{}, false
	}
	t = tuple{
		channel:      string(d.channel.Bytes(i)),
		application:  string(d.application.Bytes(i)),
		architecture: string(d.architecture.Bytes(i)),
		os:           string(d.osName.Bytes(i)),
		osVersion:    string(d.osVersion.Bytes(i)),
		date:         d.date.Int(i),
	}
	t.version, _, _ = strings.Cut(string(d.version.Bytes(i)), ".")
	if t.os == "Linux" && len(t.osVersion) > 3 {
		t.osVersion = t.osVersion[:3]
	}
	if t.buildID, ok = buildDay(string(d.buildID.Bytes(i))); !ok {
		return tuple{}, false
	}
	switch t.channel {
	case "nightly", "aurora", "beta", "release":
		return t, true
	}
	return tuple{}, false
}

// buildDay is the first 8 characters of a build id, which must be digits.
func buildDay(id string) (string, bool) {
	if len(id) > 8 {
		id = id[:8]
	}
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return "", false
		}
	}
	return id, id != ""
}

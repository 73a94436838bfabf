package rollups

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// tuple is the dimension key of one ping (rollups.md 1.2): the texts of columns colChannel to colOSVersion, and the date.
type tuple struct {
	dims [colOSVersion - colChannel + 1]string
	date int64 // submission_date, days since 1970-01-01
}

func (a *tuple) compare(b *tuple) int {
	for i := range a.dims {
		if c := cmp.Compare(a.dims[i], b.dims[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.date, b.date)
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
	ids := map[string]int32{}
	var key []byte
	for _, r := range rows {
		var ok bool
		if key, ok = d.appendKey(key[:0], int(r)); !ok {
			continue
		}
		id, seen := ids[string(key)]
		if !seen {
			id = int32(len(tuples))
			ids[string(key)] = id
			tuples = append(tuples, tupleOf(string(key), d.date.Int(int(r))))
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
	slices.SortFunc(order, func(a, b int32) int { return old[a].compare(&old[b]) })
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

// dimColumns are the columns of dims, and where each goes.
var dimColumns = [...]struct {
	path types.Path
	leaf types.Leaf
	dst  func(*dims) **vec.Vector
}{
	{"document_type", types.LeafText, func(d *dims) **vec.Vector { return &d.docType }},
	{"document_version", types.LeafText, func(d *dims) **vec.Vector { return &d.docVersion }},
	{types.MakePath("metadata", "uri", "app_name"), types.LeafText, func(d *dims) **vec.Vector { return &d.routedApp }},
	{"sample_id", types.LeafInt, func(d *dims) **vec.Vector { return &d.sampleID }},
	{"submission_date", types.LeafInt, func(d *dims) **vec.Vector { return &d.date }},
	{types.MakePath("application", "channel"), types.LeafText, func(d *dims) **vec.Vector { return &d.channel }},
	{types.MakePath("application", "version"), types.LeafText, func(d *dims) **vec.Vector { return &d.version }},
	{types.MakePath("application", "buildId"), types.LeafText, func(d *dims) **vec.Vector { return &d.buildID }},
	{types.MakePath("application", "name"), types.LeafText, func(d *dims) **vec.Vector { return &d.application }},
	{types.MakePath("application", "architecture"), types.LeafText, func(d *dims) **vec.Vector { return &d.architecture }},
	{types.MakePath("environment", "system", "os", "name"), types.LeafText, func(d *dims) **vec.Vector { return &d.osName }},
	{types.MakePath("environment", "system", "os", "version"), types.LeafText, func(d *dims) **vec.Vector { return &d.osVersion }},
}

func readDims(g column.Group) (*dims, error) {
	d := &dims{}
	for _, c := range dimColumns {
		v, err := readWhole(g, c.path, c.leaf)
		if err != nil {
			return nil, err
		}
		*c.dst(d) = v
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
	for from := 0; from < rows; from += vec.BlockRows {
		to := min(from+vec.BlockRows, rows)
		if err := c.Read(from, to, &block); err != nil {
			return err
		}
		out.AppendRange(&block, 0, to-from)
	}
	return nil
}

// appendKey appends the tuple of row i: its texts, each closed by NUL, which no text holds, and its date. ok is false for
// a ping that is not aggregated.
func (d *dims) appendKey(dst []byte, i int) (key []byte, ok bool) {
	for _, v := range [...]*vec.Vector{d.channel, d.version, d.buildID, d.application, d.architecture, d.osName, d.osVersion,
		d.sampleID, d.date, d.docType, d.docVersion} {
		if v.Null(i) {
			return dst, false
		}
	}
	if s := d.sampleID.Int(i); s < 0 || s >= 100 {
		return dst, false
	}
	if string(d.docType.Bytes(i)) != "main" || string(d.docVersion.Bytes(i)) != "4" {
		return dst, false
	}
	if !d.routedApp.Null(i) && string(d.routedApp.Bytes(i)) == "Fennec" {
		return dst, false
	}
	channel, version, os, osVersion := d.channel.Bytes(i), d.version.Bytes(i), d.osName.Bytes(i), d.osVersion.Bytes(i)
	switch string(channel) {
	case "nightly", "aurora", "beta", "release":
	default:
		return dst, false
	}
	build, ok := buildDay(d.buildID.Bytes(i))
	if !ok {
		return dst, false
	}
	if dot := bytes.IndexByte(version, '.'); dot >= 0 {
		version = version[:dot]
	}
	if string(os) == "Linux" {
		osVersion = firstChars(osVersion, 3)
	}
	for _, f := range [...][]byte{channel, version, build, d.application.Bytes(i), d.architecture.Bytes(i), os, osVersion} {
		dst = append(append(dst, f...), 0)
	}
	return binary.BigEndian.AppendUint64(dst, uint64(d.date.Int(i))), true
}

// tupleOf cuts a key into its texts.
func tupleOf(key string, date int64) tuple {
	t := tuple{date: date}
	for i := range t.dims {
		t.dims[i], key, _ = strings.Cut(key, "\x00")
	}
	return t
}

// firstChars returns the first n characters of UTF-8 text.
func firstChars(b []byte, n int) []byte {
	for i := range b {
		if utf8.RuneStart(b[i]) {
			if n == 0 {
				return b[:i]
			}
			n--
		}
	}
	return b
}

// buildDay is the first 8 characters of a build id, which must be digits.
func buildDay(id []byte) ([]byte, bool) {
	if len(id) > 8 {
		id = id[:8]
	}
	for _, c := range id {
		if c < '0' || c > '9' {
			return nil, false
		}
	}
	return id, len(id) > 0
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// The Parquet file that a segment is held against: the same rows in the same order and row groups; a column for each
// typed leaf, and for each leaf that holds JSON text; a histogram as list<struct<bucket, count>> and its sum, and only
// where layouts differ within the file a column for them; leaves that hardly any row has together as one column of JSON
// text. Dictionaries are on, no column is delta-encoded, pages are zstd at level 3, all else is the library's default.

// leafColumn is a path and leaf kind of the segment on its way into Parquet.
type leafColumn struct {
	path    types.Path
	leaf    types.Leaf
	present int
	layout  sketch.Layout
	layouts bool // they differ
}

// name joins path and leaf kind. The NULs of the path stay, so that it can be taken apart again.
func (c *leafColumn) name() string { return string(c.path) + ":" + c.leaf.String() }

// Leaves of fewer values are kept together: the rule by which segments have their rest area.
const (
	restValues = 64
	restShare  = 1024
)

// writeParquet writes r's rows to path, which is removed again, and returns its size. columns is given the
// bytes of each leaf.
func writeParquet(r *segment.Reader, path string, columns map[string]int64) (size int64, err error) {
	w := &parquetRows{r: r}
	if err := w.survey(); err != nil {
		return 0, err
	}
	if err := w.write(path); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	return w.measure(path, columns)
}

type parquetRows struct {
	r    *segment.Reader
	cols []*leafColumn // with columns of their own, by path and leaf
	rest []*leafColumn
	out  []parquetColumn
	v    vec.Vector
	hist sketch.Histogram
}

// parquetColumn is a top-level column of the file and how it is filled.
type parquetColumn struct {
	name string
	leaf string
	typ  arrow.DataType
	fill func(g column.Group, b array.Builder) error
}

var pairType = arrow.ListOfNonNullable(arrow.StructOf(arrow.Field{Name: "bucket", Type: arrow.PrimitiveTypes.Int64}, arrow.Field{Name: "count", Type: arrow.PrimitiveTypes.Int64}))

// survey lists the leaves, and decides which have a column.
func (w *parquetRows) survey() error {
	type key struct {
		path types.Path
		leaf types.Leaf
	}
	known := map[key]*leafColumn{}
	rows := 0
	for i := range w.r.Groups() {
		g := w.r.Group(i)
		rows += g.Rows()
		for _, col := range g.Under("") {
			k := key{col.Path(), col.Leaf()}
			c := known[k]
			if c == nil {
				c = &leafColumn{path: k.path, leaf: k.leaf}
				known[k] = c
			}
			if c.leaf == types.LeafHistogram {
				if err := w.layoutsOf(c, col, g.Rows()); err != nil {
					return err
				}
			}
			c.present += col.Stats().Present
		}
	}
	for _, c := range known {
		rare := c.present < restValues*w.r.Groups() || c.present*restShare < rows
		if rare && len(c.path.Keys()) > 0 && c.leaf != types.LeafJSON {
			w.rest = append(w.rest, c)
		} else {
			w.cols = append(w.cols, c)
		}
	}
	byPath := func(a, b *leafColumn) int {
		if a.path != b.path {
			if a.path < b.path {
				return -1
			}
			return 1
		}
		return int(a.leaf) - int(b.leaf)
	}
	slices.SortFunc(w.cols, byPath)
	slices.SortFunc(w.rest, byPath)
	for _, c := range w.cols {
		w.addColumn(c)
	}
	if len(w.rest) > 0 {
		w.out = append(w.out, parquetColumn{"rest", "rest:json", arrow.BinaryTypes.String, w.fillRest})
	}
	return nil
}

// layoutsOf looks whether all histograms of a column have one layout.
func (w *parquetRows) layoutsOf(c *leafColumn, col column.Column, rows int) error {
	first := c.present == 0
	return w.each(col, rows, func(v *vec.Vector, i int) error {
		if v == nil {
			return nil
		}
		if err := w.hist.Decode(v.Bytes(i)); err != nil {
			return err
		}
		if first {
			c.layout, first = w.hist.Layout, false
		}
		c.layouts = c.layouts || c.layout != w.hist.Layout
		return nil
	})
}

// each calls f for every row; v is nil for a row without a value, and for all if col is.
func (w *parquetRows) each(col column.Column, rows int, f func(v *vec.Vector, i int) error) error {
	for from := 0; from < rows; from += vec.BlockRows {
		to := min(rows, from+vec.BlockRows)
		if col != nil {
			if err := col.Read(from, to, &w.v); err != nil {
				return err
			}
		}
		for i := range to - from {
			v := &w.v
			if col == nil || v.Null(i) {
				v = nil
			}
			if err := f(v, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *parquetRows) addColumn(c *leafColumn) {
	add := func(suffix string, typ arrow.DataType, appendValue func(b array.Builder, v *vec.Vector, i int) error) {
		w.out = append(w.out, parquetColumn{c.name() + suffix, c.name(), typ, func(g column.Group, b array.Builder) error {
			col, _ := g.Find(c.path, c.leaf)
			return w.each(col, g.Rows(), func(v *vec.Vector, i int) error {
				if v == nil {
					b.AppendNull()
					return nil
				}
				return appendValue(b, v, i)
			})
		}})
	}
	switch c.leaf {
	case types.LeafBool:
		add("", arrow.FixedWidthTypes.Boolean, func(b array.Builder, v *vec.Vector, i int) error {
			b.(*array.BooleanBuilder).Append(v.Bool(i))
			return nil
		})
	case types.LeafInt:
		add("", arrow.PrimitiveTypes.Int64, func(b array.Builder, v *vec.Vector, i int) error {
			b.(*array.Int64Builder).Append(v.Int(i))
			return nil
		})
	case types.LeafFloat:
		add("", arrow.PrimitiveTypes.Float64, func(b array.Builder, v *vec.Vector, i int) error {
			b.(*array.Float64Builder).Append(v.Float(i))
			return nil
		})
	case types.LeafHistogram:
		add("", pairType, w.appendPairs)
		add(".sum", arrow.PrimitiveTypes.Int64, func(b array.Builder, v *vec.Vector, i int) error {
			err := w.hist.Decode(v.Bytes(i))
			b.(*array.Int64Builder).Append(w.hist.Sum)
			return err
		})
		if c.layouts {
			add(".layout", arrow.BinaryTypes.String, func(b array.Builder, v *vec.Vector, i int) error {
				err := w.hist.Decode(v.Bytes(i))
				b.(*array.StringBuilder).Append(w.hist.Layout.String())
				return err
			})
		}
	default:
		add("", arrow.BinaryTypes.String, func(b array.Builder, v *vec.Vector, i int) error {
			b.(*array.StringBuilder).Append(string(v.Bytes(i)))
			return nil
		})
	}
}

func (w *parquetRows) appendPairs(b array.Builder, v *vec.Vector, i int) error {
	if err := w.hist.Decode(v.Bytes(i)); err != nil {
		return err
	}
	list := b.(*array.ListBuilder)
	list.Append(true)
	pair := list.ValueBuilder().(*array.StructBuilder)
	for _, k := range w.hist.Buckets {
		pair.Append(true)
		pair.FieldBuilder(0).(*array.Int64Builder).Append(k.Bound)
		pair.FieldBuilder(1).(*array.Int64Builder).Append(k.Count)
	}
	return nil
}

// fillRest appends for each row the JSON object of its rare leaves.
func (w *parquetRows) fillRest(g column.Group, b array.Builder) error {
	text := make([][]byte, g.Rows())
	for _, c := range w.rest {
		col, ok := g.Find(c.path, c.leaf)
		if !ok {
			continue
		}
		row := 0
		err := w.each(col, g.Rows(), func(v *vec.Vector, i int) error {
			if v != nil {
				text[row] = w.appendMember(text[row], c, v, i)
			}
			row++
			return nil
		})
		if err != nil {
			return err
		}
	}
	out := b.(*array.StringBuilder)
	for _, t := range text {
		if t == nil {
			out.AppendNull()
			continue
		}
		t[0] = '{'
		out.Append(string(t) + "}")
	}
	return nil
}

func (w *parquetRows) appendMember(dst []byte, c *leafColumn, v *vec.Vector, i int) []byte {
	dst = strconv.AppendQuote(append(dst, ','), c.path.String())
	dst = append(dst, ':')
	switch c.leaf {
	case types.LeafBool:
		return strconv.AppendBool(dst, v.Bool(i))
	case types.LeafInt:
		return strconv.AppendInt(dst, v.Int(i), 10)
	case types.LeafFloat:
		return strconv.AppendFloat(dst, v.Float(i), 'g', -1, 64)
	case types.LeafHistogram:
		if w.hist.Decode(v.Bytes(i)) == nil {
			return w.hist.AppendJSON(dst)
		}
	}
	return strconv.AppendQuote(dst, string(v.Bytes(i)))
}

func (w *parquetRows) write(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	buf := bufio.NewWriterSize(f, 1<<20)
	defer func() { err = errors.Join(err, f.Close()) }()
	fields := make([]arrow.Field, len(w.out))
	for i, c := range w.out {
		fields[i] = arrow.Field{Name: c.name, Type: c.typ, Nullable: true}
	}
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(3),
		parquet.WithDictionaryDefault(true), parquet.WithMaxRowGroupLength(1<<20))
	out, err := pqarrow.NewFileWriter(arrow.NewSchema(fields, nil), buf, props, pqarrow.NewArrowWriterProperties())
	if err != nil {
		return err
	}
	for i := range w.r.Groups() {
		out.NewRowGroup()
		for _, c := range w.out {
			b := array.NewBuilder(memory.DefaultAllocator, c.typ)
			if err := c.fill(w.r.Group(i), b); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			a := b.NewArray()
			err := out.WriteColumnData(a)
			a.Release()
			b.Release()
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	if err := out.Close(); err != nil { // closes what it writes to only if that is a closer
		return err
	}
	return buf.Flush()
}

// measure adds the column chunks up by leaf. What is in none is the footer.
func (w *parquetRows) measure(path string, columns map[string]int64) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	rd, err := file.OpenParquetFile(path, false)
	if err != nil {
		return 0, err
	}
	defer rd.Close()
	leaves := map[string]string{}
	for _, c := range w.out {
		leaves[c.name] = c.leaf
	}
	rest := info.Size()
	for i := range rd.NumRowGroups() {
		g := rd.MetaData().RowGroup(i)
		for k := range g.NumColumns() {
			c, err := g.ColumnChunk(k)
			if err != nil {
				return 0, err
			}
			columns[leaves[c.PathInSchema()[0]]] += c.TotalCompressedSize()
			rest -= c.TotalCompressedSize()
		}
	}
	columns[""] = rest
	return info.Size(), nil
}

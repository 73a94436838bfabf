package segment

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// RowRef names a row of the source groups that a Writer gathers from.
type RowRef struct {
	Group uint32 // index in src
	Row   uint16
}

// WriterOptions describe the segment to be written.
type WriterOptions struct {
	FS           vfs.FS
	Path         string // does not exist yet; the caller renames it when it publishes
	ID           uint64
	TableID      uint32
	SortKey      []string // columns the rows are sorted by; the caller has sorted them
	Partition    int64
	HasPartition bool
	LevelHint    int
	// Lookups are top-level columns whose values are looked up one by one: they get a filter however many values they have.
	Lookups []string
	// Plain stores numbers at their full width: see types.EncodingPlain.
	Plain bool
	// Stop, if not nil, is asked between columns; its error ends the writing.
	Stop func() error
}

// Writer writes one segment. It belongs to one goroutine. After an error it is good for Abort only.
type Writer struct {
	o         WriterOptions
	file      vfs.File
	at        int64 // bytes given to the file or waiting in buf
	buf       []byte
	dir       dirWriter
	g         gatherer
	enc       codec.Encoder
	last      []codec.State // by column of the directory: what its encoder remembers of the last row group
	rest      restWriter
	restMerge restMerger
	staged    stagedTexts
	index     indexWriter
	chunk     []byte
	src       []codec.Source
	rows      int64
	values    int64
	err       error
	done      bool
}

// writeBytes is how much is collected before it is written; heldBytes is the most that is. The buffer grows up to that: most
// segments of a small store are far smaller.
const (
	writeBytes = 1 << 20
	heldBytes  = writeBytes + writeBytes/4
)

// Create begins a segment.
func Create(o WriterOptions) (*Writer, error) {
	f, err := o.FS.Create(o.Path)
	if err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	w := &Writer{o: o, file: f}
	w.index.lookups = o.Lookups
	h := header{major: versionMajor, minor: versionMinor, required: requiredEncodings2 | requiredEncodings3, optional: optionalIndex, id: o.ID, table: o.TableID}
	w.buf = h.append(make([]byte, 0, 16<<10))
	w.at = int64(len(w.buf))
	return w, nil
}

var errWriterDone = errors.New("segment writer is finished or aborted")

// AddGroup appends a row group made of the given rows of src, in their order, column by column. There are 1 to 65,536
// rows. The columns of src are only read.
func (w *Writer) AddGroup(src []column.Group, rows []RowRef) error {
	if w.done {
		return errWriterDone
	}
	if w.err == nil {
		w.err = w.addGroup(src, rows)
	}
	if w.err != nil {
		return fmt.Errorf("write segment %s, row group %d: %w", w.o.Path, len(w.dir.groups), w.err)
	}
	return nil
}

func (w *Writer) addGroup(src []column.Group, rows []RowRef) error {
	if len(rows) < 1 || len(rows) > codec.MaxRows {
		return fmt.Errorf("a row group has 1 to %d rows, not %d", codec.MaxRows, len(rows))
	}
	if err := w.g.reset(src, rows); err != nil {
		return err
	}
	g := groupBuild{rows: len(rows), base: w.at}
	w.rest.pages = nil
	err := w.g.columns(func(c *columnGroup) error { return w.addColumn(&g, c) })
	if err != nil {
		return err
	}
	if err := w.rest.flush(func(page []byte) (uint32, error) { return w.write(&g, page) }); err != nil {
		return err
	}
	g.pages = w.rest.pages
	g.size = w.at - g.base
	w.dir.groups = append(w.dir.groups, g)
	w.rows += int64(g.rows)
	w.values += g.valueBytes
	return nil
}

// ValueBytes is the decoded size of what was added so far.
func (w *Writer) ValueBytes() int64 { return w.values }

func (w *Writer) addColumn(g *groupBuild, c *columnGroup) error {
	if w.o.Stop != nil {
		if err := w.o.Stop(); err != nil {
			return err
		}
	}
	if done, err := w.mergeColumn(g, c); done || err != nil {
		return err
	}
	if done, err := w.mergeRest(g, c); done || err != nil {
		return err
	}
	if done, err := w.stagedColumn(g, c); done || err != nil {
		return err
	}
	v, err := w.g.gather(c)
	if err != nil || v.Present() == 0 {
		return err
	}
	if err := v.Check(); err != nil {
		return fmt.Errorf("column %s (%s): %w", c.path, c.leaf, err)
	}
	b := columnBuild{id: w.dir.id(c.path, c.leaf), present: v.Present(), zoneOff: uint32(len(g.zones))}
	var constant bool
	g.zones, constant = w.enc.AppendZones(g.zones, v)
	topLevel := !strings.Contains(string(c.path), "\x00")
	switch {
	case constant:
		b.kind = kindConst
	case isRest(v, c.leaf == types.LeafJSON, topLevel):
		b.kind = kindRest
		b.a, b.b, b.c, err = w.rest.add(v, func(page []byte) (uint32, error) { return w.write(g, page) })
	default:
		err = w.addChunk(g, &b, v, topLevel)
	}
	if err == nil && topLevel {
		err = w.indexColumn(&b, c, v)
	}
	if err != nil {
		return fmt.Errorf("column %s (%s): %w", c.path, c.leaf, err)
	}
	g.valueBytes += v.Bytes()
	g.cols = append(g.cols, b)
	return nil
}

func (w *Writer) addChunk(g *groupBuild, b *columnBuild, v *codec.Values, topLevel bool) (err error) {
	for int(b.id) >= len(w.last) {
		w.last = append(w.last, codec.State{})
	}
	if w.chunk, err = w.enc.Encode(w.chunk[:0], v, codec.Options{AlignCodes: topLevel, Plain: w.o.Plain, State: &w.last[b.id]}); err != nil {
		return err
	}
	if b.kind = kindChunk; codec.HasDict(w.chunk[0]) {
		b.kind = kindDict
	}
	return w.writeChunk(g, b, w.chunk)
}

func (w *Writer) writeChunk(g *groupBuild, b *columnBuild, chunk []byte) (err error) {
	b.b, b.c = uint32(len(chunk)), checksum(chunk)
	b.a, err = w.write(g, chunk)
	return err
}

// indexColumn gives the index area the values of a top-level column, which has just been encoded.
func (w *Writer) indexColumn(b *columnBuild, c *columnGroup, v *codec.Values) error {
	var distinct *vec.Vector
	switch b.kind {
	case kindChunk:
		w.index.chunk(len(w.dir.groups), b.id, w.chunk, v.Present())
	case kindConst:
		distinct = &vec.Vector{}
		distinct.Reset(v.Vec.Type)
		distinct.AppendFrom(&v.Vec, 0)
	case kindDict:
		chunk, err := codec.Open(c.leaf, v.Rows, v.Present(), w.chunk)
		if err != nil {
			return fmt.Errorf("BUG: the chunk just written cannot be read: %w", err)
		}
		distinct = chunk.Dict()
	}
	w.index.add(len(w.dir.groups), b.id, c.path, c.leaf, &v.Vec, distinct)
	return nil
}

// write appends bytes of a row group and returns their offset in it.
func (w *Writer) write(g *groupBuild, b []byte) (off uint32, err error) {
	at := w.at - g.base
	if at+int64(len(b)) > math.MaxUint32 {
		return 0, fmt.Errorf("more than 4 GiB in one row group: %w", codec.ErrTooLarge)
	}
	return uint32(at), w.append(b)
}

// append gives bytes to the file: small ones are collected, what is large is written as it is.
func (w *Writer) append(b []byte) error {
	w.at += int64(len(b))
	if len(w.buf)+len(b) <= heldBytes {
		w.buf = append(w.buf, b...)
		if len(w.buf) < writeBytes {
			return nil
		}
		return w.flush()
	}
	if err := w.flush(); err != nil {
		return err
	}
	return w.put(b)
}

func (w *Writer) flush() error {
	err := w.put(w.buf)
	w.buf = w.buf[:0]
	return err
}

func (w *Writer) put(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := w.file.Write(b)
	if err == nil && n != len(b) {
		err = fmt.Errorf("short write of %d of %d bytes", n, len(b))
	}
	return err
}

// Finish writes directory and footer, syncs and closes the file. The caller publishes it: rename, sync of the directory,
// manifest. After an error the file is removed.
func (w *Writer) Finish() (*Meta, error) {
	if w.done {
		return nil, errWriterDone
	}
	m, err := w.finish()
	if err != nil {
		w.Abort()
		return nil, fmt.Errorf("finish segment %s: %w", w.o.Path, err)
	}
	w.done = true
	return m, nil
}

func (w *Writer) finish() (*Meta, error) {
	if w.err != nil {
		return nil, w.err
	}
	area, table, err := w.finishIndex()
	if err != nil {
		return nil, err
	}
	raw, err := w.dir.append(nil, w.o.SortKey)
	if err != nil {
		return nil, err
	}
	d, err := parseDirectory(raw, w.at)
	if err != nil {
		return nil, fmt.Errorf("BUG: the directory just written cannot be read: %w", err)
	}
	f := w.footer(d)
	f.indexBytes, f.indexTable, f.indexCRC = uint32(len(area)), uint32(table), checksum(area[len(area)-table:])
	index, err := d.parseIndex(area[len(area)-table:], &f, w.at)
	if err != nil {
		return nil, fmt.Errorf("BUG: the index just written cannot be read: %w", err)
	}
	stored := codec.Deflate(nil, raw)
	if len(stored) >= len(raw) {
		stored = raw
	}
	f.dirOffset, f.dirStored, f.dirRaw, f.dirCRC = uint64(w.at), uint32(len(stored)), uint32(len(raw)), checksum(stored)
	if err := w.append(appendTrailer(f.append(stored))); err != nil {
		return nil, err
	}
	if err := w.flush(); err != nil {
		return nil, err
	}
	if err := w.file.Sync(); err != nil {
		return nil, err
	}
	if err := w.file.Close(); err != nil {
		return nil, err
	}
	m := d.meta(&f, w.at)
	m.addIndex(d, index)
	return m, nil
}

// finishIndex writes the index area. It counts as the end of the last row group.
func (w *Writer) finishIndex() (area []byte, table int, err error) {
	if len(w.dir.groups) == 0 {
		return nil, 0, nil
	}
	_, final := w.dir.sorted()
	if area, table, err = w.index.finish(len(w.dir.groups), final, w.at); err != nil {
		return nil, 0, err
	}
	w.dir.groups[len(w.dir.groups)-1].size += int64(len(area))
	return area, table, w.append(area)
}

func (w *Writer) footer(d *directory) footer {
	f := footer{id: w.o.ID, table: w.o.TableID, partition: w.o.Partition, rows: uint64(w.rows), valueBytes: uint64(w.values),
		groups: uint32(len(d.groups)), columns: uint32(d.columns), levelHint: uint32(max(0, w.o.LevelHint))}
	if w.o.HasPartition {
		f.flags |= footerHasPartition
	}
	f.minLSN, f.maxLSN = d.lsnRange()
	return f
}

// Abort closes and removes the file. It may follow anything, and Finish, after which it does nothing.
func (w *Writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	_ = w.file.Close()          // what was written is thrown away
	_ = w.o.FS.Remove(w.o.Path) // an orphan that stays is removed when the store opens
}

package storage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// segmentBytesMost is the most bytes of values of one segment of a run, but for a row group; segmentRowsMax bounds its rows.
const segmentBytesMost = 1 << 30

// link is a segment with the keys of its row groups.
type link struct {
	f      *file
	fences []compact.Fence
	last   []byte
}

// chain is segments whose ranges of the sort key follow each other, so that a merge reads them as one input.
type chain []*link

// chainsOf makes few chains of segments: each goes behind the one that ends closest before it.
func chainsOf(links []*link) (out []chain) {
	for _, l := range links {
		best := -1
		for i, c := range out {
			last := c[len(c)-1].last
			if bytes.Compare(last, l.fences[0].Key) <= 0 && (best < 0 || bytes.Compare(last, out[best][len(out[best])-1].last) > 0) {
				best = i
			}
		}
		if best < 0 {
			out = append(out, chain{l})
		} else {
			out[best] = append(out[best], l)
		}
	}
	return out
}

// batch is units that are merged together.
type batch struct {
	units int
	files []*file
	links []*link
}

// batches cuts units into batches of at most so many chains. Each has two units at least, if there are two.
func (c *clustering) batches(ctx context.Context, units [][]*file, most int) ([]*batch, error) {
	links, err := c.links(ctx, slices.Concat(units...))
	if err != nil {
		return nil, err
	}
	out := []*batch{{}}
	for _, unit := range units {
		b := out[len(out)-1]
		if b.units > 1 && len(chainsOf(slices.Concat(b.links, links[:len(unit)]))) > most {
			b = &batch{}
			out = append(out, b)
		}
		b.units++
		b.files = append(b.files, unit...)
		b.links = append(b.links, links[:len(unit)]...)
		links = links[len(unit):]
	}
	return out, nil
}

// links reads where the row groups of segments begin.
func (c *clustering) links(ctx context.Context, files []*file) ([]*link, error) {
	readers, done, err := c.s.openMerge(files, compact.LimitsOf(c.s.o.CompactionMemory).CacheBytes)
	if err != nil {
		return nil, err
	}
	defer done()
	key := compact.KeyOf(c.t)
	var out []*link
	for i, f := range files {
		l := &link{f: f}
		for g := range readers[i].Groups() {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			group := readers[i].Group(g)
			first, err := compact.FirstKey(group, key)
			if err != nil {
				return nil, err
			}
			if l.fences = append(l.fences, compact.Fence{Key: first, Rows: group.Rows()}); g < readers[i].Groups()-1 {
				continue
			}
			if l.last, err = compact.LastKey(group, key); err != nil {
				return nil, err
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// merge publishes a run in the place of a batch, and returns its segments.
func (c *clustering) merge(ctx context.Context, b *batch, limits compact.Limits) (out []*file, err error) {
	s := c.s
	v := s.manifest.pin()
	defer func() {
		s.manifest.unpin(v)
		err = errors.Join(err, s.manifest.sweep())
	}()
	if _, ok := s.catalog.byIDLive(c.t.ID); !ok {
		return nil, errSuperseded
	}
	links := slices.DeleteFunc(b.links, func(l *link) bool { return !slices.Contains(v.tables[c.t.ID], l.f) })
	if len(links) == 0 {
		return nil, nil // all rows were deleted since
	}
	m := &runMerge{c: c, v: v, chains: chainsOf(links), limits: limits}
	if err := m.room(); err != nil {
		return nil, err
	}
	w, places, err := m.write(ctx)
	if err != nil {
		return nil, errors.Join(err, w.abandon())
	}
	files := m.files()
	makeRun(w.files, files)
	if err := s.checkMerge(c.t, w.files, files, v.deadIn(files), places); err != nil {
		return nil, errors.Join(err, w.abandon())
	}
	err = s.exchange(w, v, files, places)
	if _, ok := s.catalog.byIDLive(c.t.ID); ok && errors.Is(err, errAllGone) {
		return nil, w.abandon()
	} else if err != nil {
		return nil, w.unpublished(err)
	}
	s.merges.Add(1)
	return w.files, nil
}

// runMerge merges chains into one run. Each worker takes a range of the sort key, whole, so that row groups are cut in two
// only where ranges meet.
type runMerge struct {
	c      *clustering
	v      *version // pinned
	chains []chain
	limits compact.Limits
}

func (m *runMerge) files() (out []*file) {
	for _, c := range m.chains {
		for _, l := range c {
			out = append(out, l.f)
		}
	}
	return out
}

// room says whether the disk has room for the run beside its inputs, and the reserve that submissions need.
func (m *runMerge) room() error {
	s := m.c.s
	u, err := s.fs.DiskUsage(s.dir)
	if err != nil {
		return nil // a file system that cannot tell has room
	}
	size := uint64(0)
	for _, f := range m.files() {
		size += uint64(f.Meta.Bytes)
	}
	if need := s.hardReserve(u) + catalogRoom + size; u.Free < need {
		return fmt.Errorf("%w: to cluster %d bytes of table %s as much is needed beside the reserve, %d bytes in all; %d are free",
			ErrFull, size, m.c.t.FullName(), need, u.Free)
	}
	return nil
}

// write writes the segments of the run, in order, and tells where the rows of files went. After an error what was written
// is the writer's to abandon.
func (m *runMerge) write(ctx context.Context) (w *segmentsWriter, places compact.RowMap, err error) {
	s := m.c.s
	w = s.newSegments(s.o.Now())
	cuts, err := m.cut()
	if err != nil {
		return w, nil, err
	}
	whole, byFile := m.emptyPlaces()
	parts := len(cuts) - 1
	writers, errs := make([]*segmentsWriter, parts), make([]error, parts)
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	for i := range parts {
		writers[i] = s.newSegments(s.o.Now())
		writers[i].stop = func() error { return cmp.Or(stop.Err(), s.usable()) }
		group.Go(func() {
			if errs[i] = m.part(stop, writers[i], cuts[i], cuts[i+1], whole); errs[i] != nil {
				cancel()
			}
		})
	}
	group.Wait()
	rows := int64(0)
	for i, own := range writers {
		m.shift(cuts[i], cuts[i+1], whole, rows)
		for _, f := range own.files {
			rows += f.Meta.Rows
		}
		w.files = append(w.files, own.files...)
	}
	if rows >= compact.NoRow {
		errs = append(errs, fmt.Errorf("a partition of table %s has %d rows, more than a run can have", m.c.t.FullName(), rows))
	}
	return w, byFile, firstOf(errs)
}

// firstOf returns the error that came first: the others may be of being cancelled for it.
func firstOf(errs []error) error {
	var cancelled error
	for _, err := range errs {
		if errors.Is(err, context.Canceled) {
			cancelled = err
		} else if err != nil {
			return err
		}
	}
	return cancelled
}

// emptyPlaces makes room for the places of all rows: for each chain, and the parts of those for each file.
func (m *runMerge) emptyPlaces() (whole [][]uint32, byFile compact.RowMap) {
	for _, c := range m.chains {
		n := int64(0)
		for _, l := range c {
			n += l.f.Meta.Rows
		}
		places := make([]uint32, n)
		whole = append(whole, places)
		for _, l := range c {
			byFile, places = append(byFile, places[:l.f.Meta.Rows:l.f.Meta.Rows]), places[l.f.Meta.Rows:]
		}
	}
	return whole, byFile
}

// bound is where a part begins or ends, in each chain.
type bound []rowPlace

// rowPlace is a place, and the number of its row in the chain.
type rowPlace struct {
	compact.Place
	row int64
}

// cut finds the bounds of the parts, first and last included.
func (m *runMerge) cut() ([]bound, error) {
	inputs, done, err := m.open(0)
	if err != nil {
		return nil, err
	}
	defer done()
	key := compact.KeyOf(m.c.t)
	var all []compact.Fence
	fences := make([][]compact.Fence, len(m.chains))
	first, last := make(bound, len(m.chains)), make(bound, len(m.chains))
	for i, c := range m.chains {
		for _, l := range c {
			fences[i] = append(fences[i], l.fences...)
		}
		all = append(all, fences[i]...)
		last[i] = placeOfGroup(fences[i], len(fences[i]))
	}
	out := []bound{first}
	if len(key) == 0 { // one chain
		for p := 1; p < min(m.c.workers, len(all)); p++ {
			out = append(out, bound{placeOfGroup(all, len(all)*p/m.c.workers)})
		}
		return append(out, last), nil
	}
	for _, at := range compact.Cuts(all, m.c.workers) {
		b := make(bound, len(m.chains))
		for i := range m.chains {
			place, err := compact.Find(inputs[i], key, fences[i], at)
			if err != nil {
				return nil, err
			}
			b[i] = placeOfGroup(fences[i], place.Group)
			b[i].Row, b[i].row = place.Row, b[i].row+int64(place.Row)
		}
		out = append(out, b)
	}
	return append(out, last), nil
}

func placeOfGroup(fences []compact.Fence, group int) rowPlace {
	p := rowPlace{Place: compact.Place{Group: group}}
	for _, f := range fences[:group] {
		p.row += int64(f.Rows)
	}
	return p
}

// open opens the chains as inputs of a merge. done closes them.
func (m *runMerge) open(cacheBytes int64) (inputs []compact.Input, done func(), err error) {
	readers, done, err := m.c.s.openMerge(m.files(), cacheBytes)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range m.chains {
		inputs = append(inputs, m.input(c, readers[:len(c)]))
		readers = readers[len(c):]
	}
	return inputs, done, nil
}

// input makes one input of the segments of a chain.
func (m *runMerge) input(c chain, readers []*segment.Reader) compact.Input {
	type place struct{ file, group int }
	var groups []place
	values, rows := int64(0), int64(0)
	for i, l := range c {
		for g := range readers[i].Groups() {
			groups = append(groups, place{i, g})
		}
		values, rows = values+l.f.Meta.ValueBytes, rows+l.f.Meta.Rows
	}
	return compact.Input{
		Groups:   len(groups),
		RowBytes: values / max(1, rows),
		Open:     func(i int) (column.Group, error) { return readers[groups[i].file].Group(groups[i].group), nil },
		Dead:     func(i int) vec.Bitmap { return m.v.deadOf(c[groups[i].file].f).group(groups[i].group) },
	}
}

// part writes the rows between two bounds.
func (m *runMerge) part(ctx context.Context, w *segmentsWriter, from, to bound, whole [][]uint32) error {
	open := int64(0) // bytes of a row group of each chain
	for _, c := range m.chains {
		most := int64(0)
		for _, l := range c {
			most = max(most, l.f.Meta.Bytes/int64(max(1, len(l.f.Meta.GroupRows))))
		}
		open += most
	}
	inputs, done, err := m.open(m.limits.Cache(open))
	if err != nil {
		return err
	}
	defer done()
	rows, bytes := int64(0), int64(0)
	for i := range inputs {
		n := to[i].row - from[i].row
		rows, bytes = rows+n, bytes+n*inputs[i].RowBytes
		inputs[i] = inputs[i].Between(from[i].Place, to[i].Place)
		inputs[i].Places = whole[i][from[i].row:from[i].row:to[i].row]
	}
	sink := &runSink{m: m, w: w, t: m.c.t, partition: partitionOf(m.chains[0][0].f), rowsMax: evenRows(rows, bytes, int64(m.c.s.runRows), int64(m.limits.GroupRows))}
	if _, err := compact.MergeRows(ctx, sink, inputs, compact.KeyOf(m.c.t), m.limits); err != nil {
		sink.discard()
		return err
	}
	return sink.finish()
}

// evenRows is how many rows a segment gets so that all segments of a part have about as many, in whole row groups.
func evenRows(rows, bytes, most, group int64) int64 {
	n := max(ceil(rows, most), ceil(bytes, segmentBytesMost), 1)
	return min(ceil(ceil(rows, n), group)*group, most)
}

func ceil(a, b int64) int64 { return (a + b - 1) / b }

// shift adds the rows of the parts before to the places of a part.
func (m *runMerge) shift(from, to bound, whole [][]uint32, rows int64) {
	if rows == 0 {
		return
	}
	for i := range whole {
		places := whole[i][from[i].row:to[i].row]
		for k, p := range places {
			if p != compact.NoRow {
				places[k] = p + uint32(rows)
			}
		}
	}
}

// runSink cuts the row groups of a part into segments.
type runSink struct {
	m         *runMerge
	w         *segmentsWriter
	t         *types.Table
	partition int64
	rowsMax   int64
	open      *openSegment // nil between segments
}

// AddGroup implements compact.Sink.
func (s *runSink) AddGroup(src []column.Group, rows []segment.RowRef) (err error) {
	if s.open != nil && int64(s.open.rows+len(rows)) > s.rowsMax {
		if err := s.finish(); err != nil {
			return err
		}
	}
	if s.open == nil {
		if s.open, err = s.w.begin(s.t, s.partition); err != nil {
			return err
		}
	}
	if err := s.open.AddGroup(src, rows); err != nil {
		return err
	}
	s.m.c.progress(1, 0)
	if s.open.ValueBytes() >= segmentBytesMost {
		return s.finish()
	}
	return nil
}

// finish ends the segment that is being written, if any is.
func (s *runSink) finish() error {
	o := s.open
	if s.open = nil; o == nil {
		return nil
	}
	return o.finish()
}

func (s *runSink) discard() {
	if s.open != nil {
		s.open.discard()
		s.open = nil
	}
}

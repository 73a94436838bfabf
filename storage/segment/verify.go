package segment

import "errors"

// Verify reads every byte of the file that has a checksum, and compares: header, footer, directory, chunks and pages, past
// the cache. It decodes nothing, so it costs little more than the reading. Every corruption is reported; an error is one
// of reading, and ends it.
func (r *Reader) Verify(report func(*CorruptError)) error {
	fresh := &Reader{path: r.path, file: r.file, cache: NewCache(0), number: readerNumbers.Add(1)}
	defer func() { _ = fresh.cache.Close() }()
	if err := onlyCorrupt(fresh.open(&r.head.id), report); err != nil || fresh.groups == nil {
		return err
	}
	var buf []byte
	for i := range fresh.groups {
		if err := fresh.groups[i].verify(&buf, report); err != nil {
			return err
		}
	}
	return fresh.verifyIndex(report)
}

// verifyIndex reads the filters of the index area; its table has been read by open.
func (r *Reader) verifyIndex(report func(*CorruptError)) error {
	for i := range r.index {
		x := &r.index[i]
		for g, f := range x.filters {
			if f.Bytes == 0 {
				continue
			}
			e, _, err := r.filters(string(r.dir.path(x.column)), r.dir.leaf(x.column), x.filters[g:g+1])
			if err := onlyCorrupt(err, report); err != nil {
				return err
			}
			if e != nil {
				e.unpin()
			}
		}
	}
	return nil
}

func (g *group) verify(buf *[]byte, report func(*CorruptError)) error {
	check := func(c *segmentColumn, off, size, crc uint32) error {
		if int(size) > cap(*buf) {
			*buf = make([]byte, size)
		}
		return onlyCorrupt(c.readVerified((*buf)[:size], off, crc), report)
	}
	d, pages := g.r.dir, 0
	for _, col := range g.Under("") {
		c := segmentOf(col)
		switch c.kind() {
		case kindChunk, kindDict:
			if err := check(c, d.u32(g.dir.a, int(c.i)), d.u32(g.dir.b, int(c.i)), d.u32(g.dir.c, int(c.i))); err != nil {
				return err
			}
		case kindRest: // columns come in the order of their pages; each page is read with the first column in it
			first, _, n := c.place()
			for pages = max(pages, int(first)); pages < int(first+n); pages++ {
				if err := check(c, d.u32(g.dir.pageOff, pages), d.u32(g.dir.pageLen, pages), d.u32(g.dir.pageCRC, pages)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// onlyCorrupt reports a corruption and returns every other error.
func onlyCorrupt(err error, report func(*CorruptError)) error {
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		report(corrupt)
		return nil
	}
	return err
}

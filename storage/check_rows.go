package storage

import (
	"errors"
	"fmt"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// What Check holds the manifest and the document keys to: the rows.

// rowPlaces checks that the rows of a segment lie in its partition and in its range of the log.
func (c *checker) rowPlaces(f *file, r *segment.Reader) {
	t := c.sn.names.byID[f.Table]
	if t == nil || t.Kind == types.TableStates && f.Minus {
		return
	}
	for i := range r.Groups() {
		if f.Meta.HasPartition && t.PartitionBy != "" {
			c.within(f, r.Group(i), t.PartitionBy, f.Meta.Partition, f.Meta.Partition)
		}
		if t.Kind != types.TableStates {
			c.within(f, r.Group(i), types.ColLSN, int64(f.Meta.MinLSN), int64(f.Meta.MaxLSN))
		}
	}
}

// within checks that every row of a group has a value of a column, and which.
func (c *checker) within(f *file, g column.Group, name string, low, high int64) {
	col, ok := g.Find(types.MakePath(name), types.LeafInt)
	if !ok {
		c.problem(f.path, "a row group has no %s", name)
		return
	}
	var v vec.Vector
	for from := 0; from < g.Rows(); from += vec.BlockRows {
		to := min(from+vec.BlockRows, g.Rows())
		if err := col.Read(from, to, &v); err != nil {
			c.corrupt(f, err)
			return
		}
		for i := range to - from {
			if v.Null(i) {
				c.problem(f.path, "a row has no %s", name)
				return
			}
			if n := v.Int(i); n < low || n > high {
				c.problem(f.path, "a row has %s = %d, the manifest says %d to %d", name, n, low, high)
				return
			}
		}
	}
}

// keyCount is what the catalog says of document keys at one moment.
type keyCount struct {
	sn        *Snapshot
	n         uint64 // keys
	removed   uint64 // rows of pings that were taken away: their keys stay until they are past their time
	published int64  // the moment, told by what has been changed
	expired   int64
	replayed  int64
}

// sectionKeys is the section of a damage row about document keys that are missing.
const sectionKeys = "document keys"

func removedPings(state *meta.State) (n uint64) {
	for route, b := range state.Balance {
		if route != ErrorsTable && route != DuplicatesTable {
			n += b.Removed
		}
	}
	return n
}

// documentKeys checks that every document of the last days is known by the record of its row, and that no more are known
// than there are and have been rows.
func (c *checker) documentKeys() error {
	if c.keys.sn == nil {
		return nil // the catalog could not be read
	}
	defer c.keys.sn.Release()
	held := uint64(0)
	lost := map[types.TableName]uint64{}
	err := c.s.eachDocument(c.keys.sn, func(d *document) {
		switch {
		case d.known && d.holder == d.lsn:
			held++
		case d.known && d.recent:
			c.violation("document key "+string(d.key), Damage{Table: d.table}, fmt.Sprintf("a row of record %d has it, it is held by record %d", d.lsn, d.holder))
		case d.recent:
			lost[d.table]++
		}
	})
	if err != nil {
		var corrupt *segment.CorruptError
		if errors.As(err, &corrupt) {
			return nil // which has been reported
		}
		return err
	}
	if c.s.expiredKeys.Load() != c.keys.expired || c.s.replayed.get(jobReplay).Steps != c.keys.replayed {
		return nil // only they take keys away: the rows are of one moment and their keys of another
	}
	for t, n := range lost {
		c.violation(metaDir+", document keys of "+t.String(), Damage{Table: t, Section: sectionKeys}, fmt.Sprintf("%d rows have no key; the same documents would be stored again", n))
	}
	if c.s.published.Load() != c.keys.published {
		return nil // keys may have come
	}
	if more := c.keys.n - held; held <= c.keys.n && more > c.keys.removed {
		c.problem(metaDir+", document keys", "%d name records without a row, but only %d rows have ever been removed", more, c.keys.removed)
	}
	return nil
}

// document is a row and what is known of its document.
type document struct {
	table  types.TableName
	key    []byte // valid during the call
	lsn    uint64 // of the row
	day    int32
	recent bool // its key is not past its time
	known  bool
	holder uint64 // the record that the key names
}

// eachDocument calls f with every live row of a ping table that has a document id, and what the catalog says of it now.
func (s *Store) eachDocument(sn *Snapshot, f func(*document)) error {
	keyer, ok := s.decoder.(DocumentKeyer)
	if !ok {
		return nil
	}
	before := s.daysAgo(s.o.DedupHorizon)
	for id, t := range sn.names.byID {
		if t.Kind != types.TablePing || t.PartitionBy == "" {
			continue
		}
		for _, file := range sn.version.tables[id] {
			rd, err := file.open(s.files, s.cache)
			if err != nil {
				return err
			}
			for i := range rd.Groups() {
				dead := sn.version.deadOf(file).group(i)
				if err := s.documentsOf(rd.Group(i), t, keyer, dead, before, f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *Store) documentsOf(g column.Group, t *types.Table, keyer DocumentKeyer, dead vec.Bitmap, before int64, f func(*document)) error {
	ids, ok := g.Find("document_id", types.LeafText)
	if !ok {
		return nil
	}
	var id, lsn, day vec.Vector
	d := document{table: t.FullName()}
	for from := 0; from < g.Rows(); from += vec.BlockRows {
		to := min(from+vec.BlockRows, g.Rows())
		if err := errors.Join(ids.Read(from, to, &id), readInts(g, types.ColLSN, from, to, &lsn), readInts(g, t.PartitionBy, from, to, &day)); err != nil {
			return err
		}
		// Close takes publishMu before it closes the catalog.
		s.publishMu.Lock()
		err := s.usable()
		for i := 0; i < to-from && err == nil; i++ {
			if dead != nil && dead.Get(from+i) || id.Null(i) || lsn.Null(i) || day.Null(i) {
				continue
			}
			d.key, d.lsn = keyer.DocumentKey(d.table, string(id.Bytes(i))), uint64(lsn.Int(i))
			d.day, d.recent = int32(day.Int(i)), day.Int(i) >= before
			if d.holder, d.known, err = s.meta.Holder(d.key); err == nil {
				f(&d)
			}
		}
		s.publishMu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// readInts reads a column of integers, which is all NULL if the group has none.
func readInts(g column.Group, name string, from, to int, v *vec.Vector) error {
	c, ok := g.Find(types.MakePath(name), types.LeafInt)
	if !ok {
		v.SetConstNull(types.LeafInt.Type(), to-from)
		return nil
	}
	return c.Read(from, to, v)
}

package storage

import (
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/head"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/types"
)

// A lane is everything that came by one route and is not sealed: the rows of the table its address names, and the error
// and duplicate rows of the same records. A seal takes a lane whole, so one mark, "all records of this route up to this
// LSN are published", tells recovery what to replay, whatever other lanes are doing.
//
// The rows of an ordinary table are a lane of their own, named by the table's id.
type lane struct {
	route  types.TableName
	active *rowset // what the applier adds to; nil if empty
	frozen *rowset // what a seal is writing, or failed to write and will try again; nil if none
}

// rowset is the unsealed rows of a lane between two seals. The applier changes it under Store.applyMu; what readers see
// of it is set under Store.mu.
type rowset struct {
	first   uint64 // LSN of the first record
	upto    uint64 // frozen: all records of the route up to here are in it, or sealed before
	since   time.Time
	bytes   int64
	parts   []*part // in the order in which tables first got a row
	keys    []docKey
	balance meta.Balance
	shown   meta.Balance // balance as readers see it
}

// part is the rows a rowset has for one table.
type part struct {
	table *types.Table
	gens  []*view
}

// holds reports whether a lane has rows of a table. It is called under applyMu or by the seal.
func (l *lane) holds(table uint32) bool {
	for _, rs := range []*rowset{l.frozen, l.active} {
		if rs == nil {
			continue
		}
		for _, p := range rs.parts {
			if p.table.ID == table {
				return true
			}
		}
	}
	return false
}

// view is a generation and how many of its rows are seen.
type view struct {
	gen    *head.Generation
	rows   int
	sealed *sealedAt
}

// docKey is a document key that becomes durable with its row.
type docKey struct {
	key string
	lsn uint64
	day int32
}

// ownRoute names the lane of an ordinary table. No submission has an empty namespace.
func ownRoute(id uint32) types.TableName {
	return types.TableName{Name: strconv.FormatUint(uint64(id), 10)}
}

// add appends a row of a table and returns its size. The lists of parts and generations, which snapshots read, grow under
// mu.
func (r *rowset) add(mu *sync.Mutex, t *types.Table, row *column.RowBuf, partition int64, paths *column.Interner) int64 {
	size := head.SizeOf(row)
	g := r.open(t.ID)
	if g == nil || !g.Fits(size) {
		if g == nil {
			g = head.NewGeneration(paths)
		} else {
			g = g.Next()
		}
		mu.Lock()
		r.growLocked(t, g)
		mu.Unlock()
	}
	g.Append(row, partition)
	r.bytes += size
	return size
}

// open returns the last generation of a table, nil if there is none.
func (r *rowset) open(table uint32) *head.Generation {
	for _, p := range r.parts {
		if p.table.ID == table {
			return p.gens[len(p.gens)-1].gen
		}
	}
	return nil
}

// growLocked adds a generation.
func (r *rowset) growLocked(t *types.Table, g *head.Generation) {
	for _, p := range r.parts {
		if p.table.ID == t.ID {
			p.gens = append(p.gens, &view{gen: g, sealed: &sealedAt{}})
			return
		}
	}
	r.parts = append(r.parts, &part{table: t, gens: []*view{{gen: g, sealed: &sealedAt{}}}})
}

// show makes the rows added so far visible to snapshots. It is called under Store.mu.
func (r *rowset) show() {
	r.shown = r.balance
	for _, p := range r.parts {
		for i := len(p.gens) - 1; i >= 0; i-- {
			n := p.gens[i].gen.Rows()
			if p.gens[i].rows == n {
				break
			}
			p.gens[i].rows = n
		}
	}
}

// heads is the lanes, in the order in which they came up: a fixed order for readers.
type heads struct {
	byRoute map[types.TableName]*lane
	order   []*lane
	keys    map[string]uint64 // document keys of all unsealed rows; the applier's, under Store.applyMu
}

func newHeads() *heads {
	return &heads{byRoute: map[types.TableName]*lane{}, keys: map[string]uint64{}}
}

// least returns the LSN below which no lane but except needs a record; math.MaxUint64 if none needs any.
func (h *heads) least(except *lane) uint64 {
	low := uint64(math.MaxUint64)
	for _, l := range h.order {
		if l.frozen != nil && l != except {
			low = min(low, l.frozen.first)
		}
		if l.active != nil {
			low = min(low, l.active.first)
		}
	}
	return low
}

// removeEmpty forgets lanes that hold nothing.
func (h *heads) removeEmpty() {
	kept := h.order[:0:0]
	for _, l := range h.order {
		if l.active == nil && l.frozen == nil {
			delete(h.byRoute, l.route)
		} else {
			kept = append(kept, l)
		}
	}
	h.order = kept
}

package op

import (
	"sync/atomic"
	"unsafe"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/vec"
)

// memory counts what an execution holds in hash tables, sorts and materialised rows.
type memory struct {
	limit  int64
	used   atomic.Int64
	peak   atomic.Int64
	parent *memory // of a part of the execution that ends before the whole: counts there too
}

// add reserves n bytes (or gives them back) for an operator; error 53200 if the query's limit is passed.
func (m *memory) add(operator string, n int64) error {
	used := m.used.Add(n)
	for p := m.peak.Load(); used > p && !m.peak.CompareAndSwap(p, used); p = m.peak.Load() {
	}
	if m.parent != nil {
		return m.parent.add(operator, n)
	}
	if m.limit <= 0 || used <= m.limit || n <= 0 {
		return nil
	}
	return sqlstate.New(sqlstate.OutOfMemory, "out of memory: the %s needs more than query_memory allows", operator).
		WithDetail("The query holds %d bytes, query_memory is %d bytes.", used, m.limit).
		WithHint("Filter or group the input further, or raise query_memory.")
}

// release gives back to the parent whatever is still held.
func (m *memory) release() {
	_ = m.parent.add("", -m.used.Swap(0)) // giving back never fails
}

// account is one operator's share.
type account struct {
	m        *memory
	operator string
	held     int64
	soft     bool // the operator looks after the limit itself: it goes on on disk
}

// to tells that the operator holds n bytes now.
func (a *account) to(n int64) error {
	d := n - a.held
	a.held = n
	if err := a.m.add(a.operator, d); !a.soft {
		return err
	}
	return nil
}

func (a *account) free() {
	_ = a.m.add(a.operator, -a.held) // giving back never fails
	a.held = 0
}

// The headers count too: a recursive query may hold millions of batches of one row.
const (
	vectorHeader = int64(unsafe.Sizeof(vec.Vector{})) + 8 // and its place in a batch
	batchHeader  = int64(unsafe.Sizeof(vec.Batch{})) + 8
)

func vectorBytes(v *vec.Vector) int64 {
	return vectorHeader + int64(cap(v.I64))*8 + int64(cap(v.F64))*8 + int64(cap(v.Off))*4 + int64(cap(v.Data)) +
		int64(cap(v.Bits))*8 + int64(cap(v.Valid))*8 + int64(cap(v.Codes))*4
}

func batchBytes(b *vec.Batch) int64 {
	n := batchHeader
	for _, v := range b.Cols {
		n += vectorBytes(v)
	}
	return n
}

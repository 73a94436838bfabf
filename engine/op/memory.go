package op

import (
	"sync/atomic"
	"unsafe"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/vec"
)

// MemoryPool counts what all executions of a process hold together. Its methods may be called from several goroutines.
type MemoryPool struct {
	limit      int64 // bytes; 0: none
	used, peak atomic.Int64
	recent     atomic.Int64 // the peak since TakePeak
}

// NewMemoryPool returns a pool of at most limit bytes; 0: no limit.
func NewMemoryPool(limit int64) *MemoryPool { return &MemoryPool{limit: limit} }

// Used returns the bytes that executions hold now.
func (p *MemoryPool) Used() int64 { return p.used.Load() }

// Peak returns the most bytes that they held at a time.
func (p *MemoryPool) Peak() int64 { return p.peak.Load() }

// TakePeak returns the most bytes that they held at a time since the last call of it.
func (p *MemoryPool) TakePeak() int64 { return p.recent.Swap(p.used.Load()) }

// Limit returns what they may hold; 0: as much as they like.
func (p *MemoryPool) Limit() int64 { return p.limit }

// short reports whether more bytes than are held now would leave little for others.
func (p *MemoryPool) short(more int64) bool {
	return p != nil && p.limit > 0 && p.used.Load()+more > p.limit/4*3
}

// poolFloor is what an execution may hold though the pool is exhausted: others' hunger must not keep a client from asking
// what is going on.
const poolFloor = 1 << 20

// add reserves n bytes for an execution that then holds own.
func (p *MemoryPool) add(operator string, n, own int64) error {
	used := p.used.Add(n)
	raise(&p.peak, used)
	raise(&p.recent, used)
	if p.limit <= 0 || used <= p.limit || n <= 0 || own <= poolFloor {
		return nil
	}
	return sqlstate.New(sqlstate.OutOfMemory, "out of memory: the %s needs more than is left of the memory for all queries", operator).
		WithDetail("All queries together hold %d bytes, this one %d; their limit is %d bytes.", used, own, p.limit).
		WithHint("Try again when other queries have ended (telemdb.queries lists them), or start the server with a higher queries-memory.")
}

// raise makes peak n if that is more.
func raise(peak *atomic.Int64, n int64) {
	for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
	}
}

// memory counts what an execution holds in hash tables, sorts and materialised rows.
type memory struct {
	limit  int64
	used   atomic.Int64
	peak   atomic.Int64
	soft   atomic.Int64 // of used: what operators hold that go on on disk
	pool   *MemoryPool  // of the process; nil: nobody else counts
	parent *memory      // of a part of the execution that ends before the whole: counts there too
}

// add reserves n bytes (or gives them back) for an operator; error 53200 if the limit of the query or of the process is
// passed.
func (m *memory) add(operator string, n int64) error {
	used := m.used.Add(n)
	raise(&m.peak, used)
	if m.parent != nil {
		return m.parent.add(operator, n)
	}
	var full error
	if m.pool != nil {
		full = m.pool.add(operator, n, used)
	}
	if m.limit <= 0 || used <= m.limit || n <= 0 || used-m.soft.Load() <= m.limit/floorShare {
		return full // what is too much is others', who look after it
	}
	return sqlstate.New(sqlstate.OutOfMemory, "out of memory: the %s needs more than query_memory allows", operator).
		WithDetail("The query holds %d bytes, query_memory is %d bytes.", used, m.limit).
		WithHint("Filter or group the input further, or let the query have more: SET query_memory up to the server's --query-memory, and that within --queries-memory.")
}

// release gives back to the parent whatever is still held.
func (m *memory) release() {
	defer m.parent.addSoft(-m.soft.Swap(0))
	_ = m.parent.add("", -m.used.Swap(0)) // giving back never fails
}

// finish gives back to the process whatever an execution that has ended still held: rows that were kept until its end.
func (m *memory) finish() {
	_ = m.add("", -m.used.Load())
	m.addSoft(-m.soft.Load())
}

// addSoft tells how many more of the bytes held operators look after that go on on disk: before they are added, and after they are
// given back.
func (m *memory) addSoft(n int64) {
	for ; m != nil && n != 0; m = m.parent {
		m.soft.Add(n)
	}
}

// root is the memory of the whole execution.
func (m *memory) root() *memory {
	for m.parent != nil {
		m = m.parent
	}
	return m
}

// bound is the most bytes the execution can ever hold; 0: no bound.
func (m *memory) bound() int64 {
	m = m.root()
	if m.pool != nil && m.pool.limit > 0 && (m.limit <= 0 || m.pool.limit < m.limit) {
		return m.pool.limit
	}
	return m.limit
}

// above reports whether more than num/den of what the query may hold is in use, or the process is short of memory: it is
// time to go on with the help of the disk.
func (m *memory) above(num, den int64) bool { return m.tight(0, num, den) }

// floorShare is the part of the memory that an operator may hold however much others do, if it goes on on disk: with less, it
// would cut its rows into so many pieces that they cost more than what the others save. Others leave room for it, because they
// begin to yield at three quarters.
const floorShare = 8

// floor is what each of so many workers of such an operator may always hold. While the process is short of memory it is a few
// pages: an operator of every query may hold that.
func (m *memory) floor(workers int) int64 {
	m = m.root()
	if m.pool.short(0) {
		return floorLeast
	}
	return max(floorLeast, m.bound()/floorShare/int64(max(1, workers)))
}

// floorLeast is the least that is ever worth a piece on disk.
const floorLeast = 1 << 16

// tight is above with more bytes than are held now.
func (m *memory) tight(more, num, den int64) bool {
	m = m.root()
	used := m.used.Load() + more
	if bound := m.bound(); bound > 0 && used > bound/den*num {
		return true
	}
	return used > poolFloor && m.pool.short(more)
}

// account is one operator's share.
type account struct {
	m        *memory
	st       *NodeStats // nil: nothing is measured
	operator string
	held     int64
	soft     bool  // the operator looks after the limit itself: it goes on on disk
	counted  int64 // of held, as soft
}

// account opens an account for node n's operator.
func (x *exec) account(operator string, n plan.Node) account {
	a := account{m: x.mem, operator: operator}
	if x.env.Analyze != nil && n != nil {
		a.st = x.env.Analyze.holder(n)
	}
	return a
}

// to tells that the operator holds n bytes now.
func (a *account) to(n int64) error {
	d := n - a.held
	a.held = n
	a.st.holds(d)
	more := -a.counted
	if a.soft {
		more += n
	}
	a.counted += more
	a.m.addSoft(max(0, more))
	err := a.m.add(a.operator, d)
	a.m.addSoft(min(0, more))
	if a.soft {
		return nil
	}
	return err
}

func (a *account) free() {
	a.st.holds(-a.held)
	_ = a.m.add(a.operator, -a.held) // giving back never fails
	a.m.addSoft(-a.counted)
	a.held, a.counted = 0, 0
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

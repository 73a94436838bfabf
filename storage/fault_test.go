package storage

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/vfs"
)

var errDisk = errors.New("input/output error")

// faultRun is one short life of a store, in which any call may fail. It returns what was acknowledged.
type faultRun struct {
	subs   map[uint64]string
	rows   map[string]bool
	gone   map[uint64]bool // submissions whose rows were deleted
	tx     *pendingTx      // a transaction of which only the next Open can tell whether it has happened
	failed error           // of the first call that failed
}

func (r *faultRun) note(err error) bool {
	if err != nil && r.failed == nil {
		r.failed = err
	}
	return err == nil
}

func (r *faultRun) submit(s *Store, from int) {
	for i := range 6 {
		p := testPayload("main", fmt.Sprint((from+i)%8), day0-i%2, "release", "v", []string{"1", "2", "bad"}[(from+i)%3])
		if lsn, err := s.Submit(ctx, p); r.note(err) {
			r.subs[lsn] = string(p)
		}
	}
}

func (r *faultRun) live(s *Store) {
	r.submit(s, 0)
	r.note(s.Flush(ctx))
	if err := s.CreateSchema(ctx, "public"); r.note(err) {
		if t, err := s.CreateTable(ctx, userTable("a")); r.note(err) {
			if r.note(s.InsertRows(ctx, t, []*column.RowBuf{userRow(s, 1, 0, "")})) {
				r.rows["n=1"] = true
			}
			s.shortInsert = 1
			if r.note(s.InsertRows(ctx, t, []*column.RowBuf{userRow(s, 2, 0, ""), userRow(s, 3, 0, "")})) {
				r.rows["n=2"], r.rows["n=3"] = true, true
			}
		}
	}
	r.submit(s, 4)
	r.note(s.Flush(ctx))
	r.transaction(s, 2)
	r.submit(s, 9)
	r.transaction(s, 3)
	for range 3 {
		_, err := s.MergeOnce(ctx)
		r.note(err)
	}
	r.note(s.Flush(ctx))
}

// transaction deletes every nth row of pings and inserts two rows.
func (r *faultRun) transaction(s *Store, nth int) {
	if r.tx != nil || !r.note(s.WaitVisible(ctx, s.log.Synced())) {
		return
	}
	sn, err := s.Snapshot()
	if !r.note(err) {
		return
	}
	defer sn.Release()
	tx, err := s.Begin()
	if !r.note(err) {
		return
	}
	p := &pendingTx{subs: map[uint64]bool{}, inserted: map[uint32]map[int64]bool{}}
	var in *Insert
	for _, t := range sn.Tables() {
		switch t.FullName() {
		case mainTable:
			rows, err := locate(sn, t)
			if !r.note(err) {
				r.note(tx.Abort())
				return
			}
			var ids []int64
			for i, row := range rows {
				if i%nth == 0 {
					ids, p.subs[row.lsn] = append(ids, row.id), true
				}
			}
			r.note(tx.Delete(sn, t, ids))
		case userTable("a").FullName():
			if in, err = tx.NewInsert(t); !r.note(err) {
				continue
			}
			for i := range int64(2) {
				n := int64(nth)*10 + i
				if r.note(in.Add(ctx, userRow(s, n, 0, ""))) {
					note(p.inserted, t.ID, []int64{n})
				}
			}
		}
	}
	if r.failed != nil && in != nil && in.Rows() != 2 {
		r.note(tx.Abort()) // half a statement
		return
	}
	switch err := tx.Commit(ctx); {
	case r.note(err):
		for lsn := range p.subs {
			r.gone[lsn] = true
		}
		for _, rows := range p.inserted {
			for n := range rows {
				r.rows[fmt.Sprintf("n=%d", n)] = true
			}
		}
	case errors.Is(err, ErrFailed):
		r.tx = p
	}
}

// TestEveryFileOperationMayFail makes the nth change of a file fail, for every n until none fails, once and for good, in
// each part of the directory. Nothing acknowledged may be lost, nothing may hang, and a fault that passes in a segment
// must not cost more than a retry. With TELEMDB_SEEDS it tries every n with both errors, otherwise a part of them.
func TestEveryFileOperationMayFail(t *testing.T) {
	all, stride := prove.All(), int64(3)
	if all {
		stride = 1
	}
	injected := int64(0)
	defer func() { prove.Tally(t, "faults injected, storage", injected) }()
	for _, part := range []string{"/db/segments/*", "/db/wal/*", "/db/meta/*"} {
		for _, sticky := range []bool{false, true} {
			for _, cause := range []error{errDisk, vfs.ErrNoSpace} {
				if !all && sticky != (cause == errDisk) {
					continue
				}
				injected += sweep(t, part, sticky, cause, stride)
			}
		}
	}
}

// sweep returns how many faults it injected.
func sweep(t *testing.T, part string, sticky bool, cause error, stride int64) (injected int64) {
	t.Helper()
	for nth := int64(1); ; nth += stride {
		name := fmt.Sprintf("change %d in %s fails (sticky %v) with %v", nth, part, sticky, cause)
		mem := vfs.NewMem()
		in := vfs.NewInjector()
		var fired atomic.Bool
		in.Add(vfs.Rule{Ops: vfs.Mutating, Glob: part, Nth: nth, Do: func(vfs.Op, string) { fired.Store(true) }})
		in.Add(vfs.Rule{Ops: vfs.Mutating, Glob: part, Nth: nth, Sticky: sticky, Err: cause})
		r := &faultRun{subs: map[uint64]string{}, rows: map[string]bool{}, gone: map[uint64]bool{}}
		s, err := Open("/db", testOptions(vfs.Fault(mem, in), newTestClock()))
		if err == nil {
			r.live(s)
			if part == "/db/segments/*" && s.Failed() != nil {
				t.Errorf("%s: a fault of a segment file failed the store: %v", name, s.Failed())
			}
			if part == "/db/segments/*" && !sticky {
				if err := s.Flush(ctx); err != nil {
					t.Errorf("%s: the second try failed too: %v", name, err)
				}
			}
			if err := s.Close(); err != nil && s.Failed() == nil && !fired.Load() {
				t.Errorf("%s: Close: %v", name, err)
			}
		}
		if !fired.Load() {
			if r.failed != nil || err != nil {
				t.Errorf("%s: nothing was injected, but: %v %v", name, err, r.failed)
			}
			return injected
		}
		injected++
		in.Clear()
		reopen(t, name, mem, r)
		if t.Failed() {
			return injected
		}
	}
}

// reopen opens the directory on a disk that works again and checks that all that was acknowledged is there.
func reopen(t *testing.T, name string, fsys vfs.FS, r *faultRun) {
	t.Helper()
	s, err := Open("/db", testOptions(fsys, newTestClock()))
	if err != nil {
		t.Fatalf("%s: the directory does not open any more: %v", name, err)
	}
	defer func() { must(t, s.Close()) }()
	m := &sim{t: t, at: name, a: newAcks(), s: s}
	m.a.subs, m.a.gone, m.a.tx = r.subs, r.gone, r.tx
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	m.ok(m.adoptUnacked(sn))
	m.ok(m.adoptTx(sn))
	m.ok(checkRowsBut(sn, r.subs, r.gone))
	m.ok(checkRollup(sn))
	m.ok(checkStore(s))
	got := userRows(t, s, userTable("a").FullName())
	for row := range r.rows {
		if got[row] != 1 {
			t.Errorf("%s: acknowledged row %s is there %d times", name, row, got[row])
		}
	}
}

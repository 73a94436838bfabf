package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// The simulation plays a random history (submissions, inserts, deletes, transactions, seals, merges, schema changes,
// snapshots, days that pass)
// on a crashable file system, loses power at a random one of its file operations, opens what is left and holds it against
// a model; then it goes on from there. So it crashes in every step of the way, recovery among them.

// acks is what the store has promised. Promises are added when they are made, by whoever got them.
type acks struct {
	mu     sync.Mutex
	subs   map[uint64]string         // submissions by LSN
	tables map[string]*tableAck      // ordinary tables by name, those that were created and not dropped
	rows   map[uint32]map[int64]bool // acknowledged rows by table id
	tried  map[uint32]map[int64]bool // rows that may be there
	views  map[string]string         // views by name
	drops  map[string]bool           // names with a change in flight: nothing is known of them
	gone   map[uint64]bool           // submissions whose rows were deleted
	tx     *pendingTx                // the transaction in flight: all of it has happened, or nothing
}

type tableAck struct{ id uint32 }

func newAcks() *acks {
	return &acks{
		subs: map[uint64]string{}, tables: map[string]*tableAck{}, rows: map[uint32]map[int64]bool{},
		tried: map[uint32]map[int64]bool{}, views: map[string]string{}, drops: map[string]bool{},
		gone: map[uint64]bool{},
	}
}

func (a *acks) do(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// clone returns the promises of this moment.
func (a *acks) clone() *acks {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := newAcks()
	b.subs, b.views, b.drops, b.tables = maps.Clone(a.subs), maps.Clone(a.views), maps.Clone(a.drops), maps.Clone(a.tables)
	b.gone, b.tx = maps.Clone(a.gone), a.tx
	for id, m := range a.rows {
		b.rows[id] = maps.Clone(m)
	}
	for id, m := range a.tried {
		b.tried[id] = maps.Clone(m)
	}
	return b
}

// sim is one history.
type sim struct {
	t     *testing.T
	seed  uint64
	rng   *rand.Rand
	clock *testClock
	keep  float64 // probability that a change which was not synced survives

	fsys *vfs.Crash
	in   *vfs.Injector
	s    *Store
	a    *acks

	mu     sync.Mutex
	after  *vfs.Crash // what the power loss left
	then   *acks      // what had been promised
	at     string     // where it was
	docs   int
	value  int64
	tables map[string]*types.Table
}

func (m *sim) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("seed %d (TELEMDB_SEED=%d plays it alone), last crash at %s: %s", m.seed, m.seed, m.at, fmt.Sprintf(format, args...))
}

func (m *sim) ok(err error) {
	m.t.Helper()
	if err != nil {
		m.fatalf("%v", err)
	}
}

func (m *sim) options() Options {
	o := testOptions(vfs.Fault(m.fsys, m.in), m.clock)
	o.WALFileBytes = []int64{16 << 10, 256 << 10}[m.seed%2]
	o.SealBytes = 2000
	o.InsertMemory = 4000 // some hundred rows of a batch
	return o
}

// armCrash loses power at the nth change of a file from now on.
func (m *sim) armCrash(nth int64) {
	m.mu.Lock()
	m.after, m.then = nil, nil
	m.mu.Unlock()
	m.in.Add(vfs.Rule{Ops: vfs.Mutating, Nth: nth, Do: func(op vfs.Op, name string) {
		then := m.a.clone()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.after, m.then, m.at = m.fsys.CrashClone(rand.New(rand.NewPCG(m.seed, uint64(nth))), m.keep), then, op.String()+" "+name
	}})
}

func (m *sim) crashed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.after != nil
}

// crash goes on from what the power loss left, or from a loss right now if the round ended before its time.
func (m *sim) crash() {
	if !m.crashed() {
		m.after, m.then, m.at = m.fsys.CrashClone(m.rng, m.keep), m.a.clone(), "the end of a round"
	}
	if m.s != nil {
		m.ok(m.s.Close())
		m.s = nil
	}
	m.fsys, m.a, m.in = m.after, m.then, vfs.NewInjector()
	m.tables = map[string]*types.Table{}
}

func (m *sim) open() {
	s, err := Open("/db", m.options())
	m.ok(err)
	m.s = s
	m.s.shortInsert = 200
	sn, err := s.Snapshot()
	m.ok(err)
	defer sn.Release()
	for _, t := range sn.Tables() {
		if t.Kind == types.TableUser {
			m.tables[t.Name] = t
		}
	}
}

// verify holds the store against the model, and makes the model certain of what it finds. The catalog's own goroutines
// may be changing files meanwhile, and so be where power is lost: the model is changed under its lock, read without.
func (m *sim) verify() {
	m.ok(m.s.WaitVisible(ctx, m.s.log.Synced()))
	sn, err := m.s.Snapshot()
	m.ok(err)
	defer sn.Release()
	m.ok(m.adoptUnacked(sn))
	m.ok(m.adoptTx(sn))
	m.ok(checkRowsBut(sn, m.a.subs, m.a.gone))
	m.ok(checkRollup(sn))
	m.ok(checkStore(m.s))
	m.ok(m.checkTables(sn))
}

// adoptUnacked adds the submissions that survived without having been acknowledged: the log knows them.
func (m *sim) adoptUnacked(sn *Snapshot) error {
	rd, err := m.s.log.NewReader(1)
	if err != nil {
		return err
	}
	defer func() { m.ok(rd.Close()) }()
	found := map[uint64]bool{}
	for lsn := uint64(0); lsn < m.s.log.Synced(); {
		short, cancel := context.WithTimeout(ctx, 10*time.Second)
		r, err := rd.Next(short)
		cancel()
		if err != nil {
			return fmt.Errorf("read log behind %d of %d: %w", lsn, m.s.log.Synced(), err)
		}
		lsn = r.LSN
		if r.Kind != kindPing {
			continue
		}
		found[lsn] = true
		if have, ok := m.a.subs[lsn]; ok && have != string(r.Payload) {
			return fmt.Errorf("record %d is %q, acknowledged was %q", lsn, r.Payload, have)
		}
		m.a.do(func() { m.a.subs[lsn] = string(r.Payload) })
	}
	for lsn := range m.a.subs {
		if !found[lsn] {
			return fmt.Errorf("acknowledged record %d is not in the log", lsn)
		}
	}
	return nil
}

func (m *sim) checkTables(sn *Snapshot) error {
	have := map[string]uint32{}
	for _, t := range sn.Tables() {
		if t.Kind != types.TableUser {
			continue
		}
		have[t.Name] = t.ID
		rows, err := readTable(sn, t.FullName())
		if err != nil {
			return err
		}
		got := map[int64]bool{}
		for _, texts := range rows {
			for _, text := range texts {
				var n int64
				if _, err := fmt.Sscanf(text, "n=%d", &n); err != nil || got[n] || !m.a.tried[t.ID][n] {
					return fmt.Errorf("table %s has row %q (twice: %v)", t.Name, text, got[n])
				}
				got[n] = true
			}
		}
		for n := range m.a.rows[t.ID] {
			if !got[n] {
				return fmt.Errorf("table %s lacks acknowledged row %d", t.Name, n)
			}
		}
		m.a.do(func() { m.a.rows[t.ID] = got })
	}
	for name, ack := range m.a.tables {
		if id, ok := have[name]; (!ok || id != ack.id) && !m.a.drops[name] {
			return fmt.Errorf("acknowledged table %s (%d) is not there: %v", name, ack.id, have)
		}
	}
	for name := range have {
		if m.a.tables[name] == nil && !m.a.drops[name] {
			return fmt.Errorf("table %s is there, and was dropped or never made", name)
		}
	}
	views := map[string]string{}
	for _, v := range sn.Views() {
		views[v.Name] = v.SQL
	}
	for name, sql := range m.a.views {
		if views[name] != sql && !m.a.drops[name] {
			return fmt.Errorf("view %s is %q, want %q", name, views[name], sql)
		}
	}
	m.a.do(func() {
		m.a.tables = map[string]*tableAck{}
		for name, id := range have {
			m.a.tables[name] = &tableAck{id}
		}
		m.a.views, m.a.drops = views, map[string]bool{}
	})
	return nil
}

func (m *sim) payload() []byte {
	m.docs++
	key := m.docs
	if m.rng.IntN(4) == 0 {
		key = m.rng.IntN(m.docs) + 1 // perhaps a duplicate
	}
	value := strconv.Itoa(m.rng.IntN(100))
	if m.rng.IntN(8) == 0 {
		value = "bad"
	}
	table := []string{"main", "main", "main", "crash", "event"}[m.rng.IntN(5)]
	channel := []string{"beta", "nightly", "release"}[m.rng.IntN(3)]
	member := []string{"v", "v", "w", "x"}[m.rng.IntN(4)]
	return testPayload(table, strconv.Itoa(key), day0-m.rng.IntN(3), channel, member, value)
}

// submit sends a few submissions at once.
func (m *sim) submit() {
	var wg sync.WaitGroup
	for range 1 + m.rng.IntN(8) {
		p := m.payload()
		wg.Go(func() {
			lsn, err := m.s.Submit(ctx, p)
			if err != nil {
				m.t.Error(err)
				return
			}
			m.a.do(func() { m.a.subs[lsn] = string(p) })
		})
	}
	wg.Wait()
}

func (m *sim) anyTable() *types.Table {
	for _, name := range []string{"t0", "t1", "t2"} {
		if t := m.tables[name]; t != nil && m.rng.IntN(2) == 0 {
			return t
		}
	}
	return nil
}

func (m *sim) insert() {
	t := m.anyTable()
	if t == nil {
		return
	}
	rows := make([]*column.RowBuf, 1+m.rng.IntN(40)) // 200 bytes are a long insert here
	values := make([]int64, len(rows))
	for i := range rows {
		m.value++
		values[i] = m.value
		rows[i] = userRow(m.s, m.value, 0, "")
	}
	m.a.do(func() { note(m.a.tried, t.ID, values) })
	m.ok(m.s.InsertRows(ctx, t, rows))
	m.a.do(func() { note(m.a.rows, t.ID, values) })
}

func note(m map[uint32]map[int64]bool, id uint32, values []int64) {
	if m[id] == nil {
		m[id] = map[int64]bool{}
	}
	for _, v := range values {
		m[id][v] = true
	}
}

func (m *sim) createOrDrop() {
	name := []string{"t0", "t1", "t2"}[m.rng.IntN(3)]
	m.a.do(func() { m.a.drops[name] = true })
	if t := m.tables[name]; t != nil {
		m.ok(m.s.DropTable(ctx, t.FullName()))
		delete(m.tables, name)
		m.a.do(func() { delete(m.a.tables, name); delete(m.a.drops, name) })
		return
	}
	if err := m.s.CreateSchema(ctx, "public"); err != nil && !errors.Is(err, ErrExists) {
		m.ok(err)
	}
	t, err := m.s.CreateTable(ctx, userTable(name))
	m.ok(err)
	m.tables[name] = t
	m.a.do(func() { m.a.tables[name] = &tableAck{t.ID}; delete(m.a.drops, name) })
}

func (m *sim) view() {
	m.value++
	sql := fmt.Sprintf("SELECT %d", m.value)
	m.a.do(func() { m.a.drops["view"] = true })
	if err := m.s.CreateSchema(ctx, "public"); err != nil && !errors.Is(err, ErrExists) {
		m.ok(err)
	}
	m.ok(m.s.CreateView(ctx, View{Schema: "public", Name: "view", SQL: sql}, true))
	m.a.do(func() { m.a.views["view"] = sql; delete(m.a.drops, "view") })
}

// step does one random thing.
func (m *sim) step() {
	switch n := m.rng.IntN(100); {
	case n < 45:
		m.submit()
	case n < 50:
		m.insert()
	case n < 53:
		m.insertBatches()
	case n < 60:
		m.transaction()
	case n < 68:
		m.ok(m.s.WaitVisible(ctx, m.s.log.Synced()))
		_, err := m.s.SealOnce(ctx)
		m.ok(err)
	case n < 74:
		m.ok(m.s.Flush(ctx))
	case n < 82:
		_, err := m.s.MergeOnce(ctx)
		m.ok(err)
	case n < 85:
		m.s.runRows = 3 + m.rng.IntN(20)
		err := m.s.Cluster(ctx, mainTable, ClusterOptions{Workers: 1 + m.rng.IntN(2)}, func(Clustered) {})
		if !errors.Is(err, ErrNotFound) {
			m.ok(err)
		}
	case n < 89:
		m.createOrDrop()
	case n < 91:
		m.view()
	case n < 95:
		m.clock.add(time.Duration(m.rng.IntN(600)) * time.Second)
	default:
		m.together()
	}
}

// together seals and merges at the same time, under a snapshot.
func (m *sim) together() {
	sn, err := m.s.Snapshot()
	m.ok(err)
	defer sn.Release()
	errs := make(chan error, 2)
	go func() { errs <- m.s.Flush(ctx) }()
	go func() {
		_, err := m.s.MergeOnce(ctx)
		errs <- err
	}()
	m.ok(errors.Join(<-errs, <-errs))
	m.ok(checkRollup(sn))
}

// play is one history: rounds of life, each ended by a power loss.
func play(t *testing.T, seed uint64, rounds int) {
	m := &sim{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 99)), clock: newTestClock(), fsys: vfs.NewCrash(), in: vfs.NewInjector(),
		a: newAcks(), tables: map[string]*types.Table{}, at: "the beginning",
	}
	m.keep = []float64{0, 0.3, 0.7, 1}[m.rng.IntN(4)]
	defer func() {
		if m.s != nil {
			if err := m.s.Close(); err != nil && !t.Failed() {
				t.Error(err)
			}
		}
	}()
	for range rounds {
		// Some losses come while the store opens and recovers.
		m.armCrash(1 + int64(m.rng.IntN([]int{30, 150, 500}[m.rng.IntN(3)])))
		m.open()
		m.verify()
		for range 5 + m.rng.IntN(40) {
			if m.crashed() || t.Failed() {
				break
			}
			m.step()
		}
		m.crash()
	}
	m.at += ", then none"
	m.open()
	m.verify()
	m.ok(m.s.Flush(ctx))
	m.verify()
}

func TestWhatIsAcknowledgedSurvivesPowerLossAnywhere(t *testing.T) {
	for seed := range prove.Seeds(t, "power loss, storage", 40) {
		play(t, seed, 6)
	}
}

package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// located is a live row: its _lsn and how a delete names it.
type located struct {
	lsn uint64
	id  int64
}

// locate lists the live rows of a table as a snapshot sees them.
func locate(sn *Snapshot, t *types.Table) ([]located, error) {
	src, err := sn.Source(t)
	if err != nil {
		return nil, err
	}
	var out []located
	for i, m := range src.Morsels() {
		g, err := m.Open()
		if err != nil {
			return nil, err
		}
		lsns, err := wholeColumn(g, types.ColLSN, types.LeafInt)
		if err != nil {
			return nil, err
		}
		for _, r := range liveRows(g.Rows(), m.Deleted()) {
			out = append(out, located{uint64(lsns.Int(int(r))), int64(i)<<16 | int64(r)})
		}
	}
	return out, nil
}

func tableOf(t *testing.T, sn *Snapshot, n types.TableName) *types.Table {
	t.Helper()
	for _, x := range sn.Tables() {
		if x.FullName() == n {
			return x
		}
	}
	t.Fatalf("no table %s", n)
	return nil
}

// deleteLSNs deletes the rows of some records as sn sees them, after doing something in between.
func deleteLSNs(t *testing.T, s *Store, sn *Snapshot, n types.TableName, lsns map[uint64]bool, between func()) *Tx {
	t.Helper()
	table := tableOf(t, sn, n)
	rows, err := locate(sn, table)
	must(t, err)
	var ids []int64
	for _, r := range rows {
		if lsns[r.lsn] {
			ids = append(ids, r.id)
		}
	}
	tx, err := s.Begin()
	must(t, err)
	must(t, tx.Delete(sn, table, ids))
	if between != nil {
		between()
	}
	must(t, tx.Commit(ctx))
	return tx
}

func checkBut(t *testing.T, s *Store, subs map[uint64]string, gone map[uint64]bool) {
	t.Helper()
	must(t, s.WaitVisible(ctx, s.log.Synced()))
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	must(t, checkRowsBut(sn, subs, gone))
	must(t, checkRollup(sn))
	must(t, checkStore(s))
}

func snapshot(t *testing.T, s *Store) *Snapshot {
	t.Helper()
	must(t, s.WaitVisible(ctx, s.log.Synced()))
	sn, err := s.Snapshot()
	must(t, err)
	t.Cleanup(sn.Release)
	return sn
}

func TestDeletedRowsAreGoneFromTablesAndRollupsAtOnceAndForGood(t *testing.T) {
	fsys, subs := vfs.NewMem(), map[uint64]string{}
	s := openTest(t, fsys)
	for i := range 20 {
		submit(t, s, subs, testPayload("main", strconv.Itoa(i), day0-i%3, []string{"release", "beta"}[i%2], "v", strconv.Itoa(i)))
	}
	must(t, s.Flush(ctx))
	for i := range 10 {
		submit(t, s, subs, testPayload("main", strconv.Itoa(i+20), day0, "nightly", "v", strconv.Itoa(i)))
	}
	before := snapshot(t, s)
	gone := map[uint64]bool{}
	for lsn := range subs {
		if lsn%2 == 0 || lsn > 20 { // some that are sealed, and all of one key, which are not
			gone[lsn] = true
		}
	}
	tx := deleteLSNs(t, s, before, mainTable, gone, nil)
	if tx.Removed() != int64(len(gone)) {
		t.Errorf("%d rows removed, want %d", tx.Removed(), len(gone))
	}
	checkBut(t, s, subs, gone)
	must(t, checkRows(before, subs))
	must(t, checkRollup(before))
	if again := deleteLSNs(t, s, before, mainTable, gone, nil); again.Removed() != 0 {
		t.Errorf("dead rows were removed again: %d", again.Removed())
	}
	rows, _ := s.Balance()
	if len(rows) != 1 || rows[0].Removed != uint64(len(gone)) {
		t.Errorf("balance %+v", rows)
	}
	before.Release()
	must(t, s.Close())
	s = openTest(t, fsys)
	checkBut(t, s, subs, gone)
	// A resent document is a duplicate, whether its row is there or not.
	submit(t, s, subs, testPayload("main", "29", day0, "nightly", "v", "1"))
	checkBut(t, s, subs, gone)
	for {
		did, err := s.MergeOnce(ctx)
		must(t, err)
		checkBut(t, s, subs, gone)
		if !did {
			break
		}
	}
	if len(s.manifest.current.dead) > 0 {
		t.Errorf("half of the rows are dead and nothing has written them away: %v", s.manifest.current.dead)
	}
}

func TestRowsAreFoundAgainWhereverSealsAndMergesPutThem(t *testing.T) {
	s, subs := openTest(t, vfs.NewMem()), map[uint64]string{}
	n := 0
	fill := func() {
		for range 7 {
			n++
			submit(t, s, subs, testPayload("main", strconv.Itoa(n), day0-n%2, "release", "v", strconv.Itoa(n)))
		}
	}
	mergeAll := func() {
		for {
			did, err := s.MergeOnce(ctx)
			must(t, err)
			if !did {
				return
			}
		}
	}
	clock := s.o.Now
	s.o.Now = func() time.Time { return clock().AddDate(0, 0, 40) } // all windows have passed
	fill()
	must(t, s.Flush(ctx))
	fill()
	sn := snapshot(t, s)
	first, second := map[uint64]bool{}, map[uint64]bool{}
	for lsn := range subs {
		switch lsn % 3 {
		case 0:
			first[lsn] = true
		case 1:
			second[lsn] = true
		}
	}
	gone := map[uint64]bool{}
	deleteLSNs(t, s, sn, mainTable, first, func() {
		must(t, s.Flush(ctx))
		mergeAll()
		fill()
		must(t, s.Flush(ctx))
		mergeAll()
	})
	for lsn := range first {
		gone[lsn] = true
	}
	checkBut(t, s, subs, gone)
	mergeAll()
	deleteLSNs(t, s, sn, mainTable, second, mergeAll)
	for lsn := range second {
		gone[lsn] = true
	}
	checkBut(t, s, subs, gone)
	mergeAll()
	checkBut(t, s, subs, gone)
	must(t, checkRollup(sn))
}

func TestATransactionOverSeveralTablesIsOneRecordOrOneBatch(t *testing.T) {
	fsys := vfs.NewMem()
	s := openTest(t, fsys)
	must(t, s.CreateSchema(ctx, "public"))
	a, err := s.CreateTable(ctx, userTable("a"))
	must(t, err)
	b, err := s.CreateTable(ctx, userTable("b"))
	must(t, err)
	begin := func(from int64) *Tx {
		tx, err := s.Begin()
		must(t, err)
		for _, table := range []*types.Table{a, b} {
			in, err := tx.NewInsert(table)
			must(t, err)
			must(t, in.Add(ctx, userRow(s, from, day0, "x")))
			must(t, in.Add(ctx, userRow(s, from+1, day0+1, "y")))
			if err := in.Commit(ctx); err == nil {
				t.Error("an insert of a transaction was committed alone")
			}
		}
		return tx
	}
	records, batches := s.log.Synced(), s.Stats().Publications
	must(t, begin(1).Abort())
	must(t, begin(1).Commit(ctx))
	if got := s.log.Synced() - records; got != 1 || s.Stats().Publications != batches {
		t.Errorf("short inserts made %d records and %d batches", got, s.Stats().Publications-batches)
	}
	// The row of one goes, another comes, in one batch.
	sn := snapshot(t, s)
	tx := begin(3)
	rows, err := locate(sn, a)
	must(t, err)
	must(t, s.Flush(ctx))
	batches = s.Stats().Publications
	must(t, tx.Delete(sn, a, []int64{rows[0].id, rows[0].id}))
	must(t, tx.Commit(ctx))
	if got := s.Stats().Publications - batches; got != 1 || tx.Removed() != 1 {
		t.Errorf("%d batches, %d rows removed", got, tx.Removed())
	}
	if err := tx.Commit(ctx); err == nil {
		t.Error("a transaction was committed twice")
	}
	check := func() {
		t.Helper()
		for table, want := range map[*types.Table]int{a: 3, b: 4} {
			if got := userRows(t, s, table.FullName()); len(got) != want {
				t.Errorf("table %s has %v, want %d rows", table.Name, got, want)
			}
		}
		must(t, checkStore(s))
	}
	check()
	must(t, begin(5).Commit(ctx)) // replayed for the table that is still there
	must(t, s.DropTable(ctx, b.FullName()))
	sn.Release()
	must(t, s.Close())
	s = openTest(t, fsys)
	if got := userRows(t, s, a.FullName()); len(got) != 5 {
		t.Errorf("after the drop of the other table, a has %v", got)
	}
	must(t, checkStore(s))
}

func TestWhatMayNotBeDeletedIsRefused(t *testing.T) {
	s := openTest(t, vfs.NewMem())
	submit(t, s, map[uint64]string{}, testPayload("main", "1", day0, "release", "v", "1"), testPayload("main", "2", day0, "release", "v", "bad"))
	must(t, s.Flush(ctx))
	sn := snapshot(t, s)
	tx, err := s.Begin()
	must(t, err)
	if err := tx.Delete(sn, tableOf(t, sn, testRollup{}.States().FullName()), []int64{0}); !errors.Is(err, ErrSystem) {
		t.Errorf("states: %v", err)
	}
	table := tableOf(t, sn, mainTable)
	for _, id := range []int64{-1, 1, 1 << 16, 5 << 20} {
		if err := tx.Delete(sn, table, []int64{0, id}); err == nil {
			t.Errorf("row %d was deleted, there is only row 0", id)
		}
	}
	must(t, tx.Abort())
	if err := tx.Delete(sn, table, []int64{0}); err == nil {
		t.Error("a delete after Abort")
	}
	// Errors may go, and the balance knows.
	rows, err := locate(sn, tableOf(t, sn, ErrorsTable))
	must(t, err)
	tx, err = s.Begin()
	must(t, err)
	must(t, tx.Delete(sn, tableOf(t, sn, ErrorsTable), []int64{rows[0].id}))
	must(t, tx.Commit(ctx))
	must(t, checkStore(s))
}

func TestADeleteOfADroppedTableDoesNothing(t *testing.T) {
	s, subs := openTest(t, vfs.NewMem()), map[uint64]string{}
	submit(t, s, subs, testPayload("crash", "1", day0, "release", "v", "1"), testPayload("main", "1", day0, "release", "v", "1"))
	sn := snapshot(t, s)
	crash := types.TableName{Schema: "telemetry", Name: "crash"}
	tx, err := s.Begin()
	must(t, err)
	must(t, tx.Delete(sn, tableOf(t, sn, crash), []int64{0}))
	must(t, tx.Delete(sn, tableOf(t, sn, mainTable), []int64{0}))
	must(t, s.DropTable(ctx, crash))
	must(t, tx.Commit(ctx))
	if tx.Removed() != 1 {
		t.Errorf("%d rows removed", tx.Removed())
	}
	must(t, checkStore(s))
}

// TestDeletesMergesAndSealsTogether plays random histories in which deletes, by snapshots of any age, run while rows come,
// are sealed and merged: what is left is what was not deleted, in tables and roll-up, and each row is counted once.
func TestDeletesMergesAndSealsTogether(t *testing.T) {
	for seed := range prove.Seeds(t, "deletes", 12) {
		playDeletes(t, seed)
	}
}

func playDeletes(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	clock, fsys := newTestClock(), vfs.NewMem()
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	defer func() { must(t, s.Close()) }()
	subs, gone, removed := map[uint64]string{}, map[uint64]bool{}, int64(0)
	var old []*Snapshot
	defer func() {
		for _, sn := range old {
			sn.Release()
		}
	}()
	for step := range 30 {
		for i := range 1 + rng.IntN(20) {
			submit(t, s, subs, testPayload("main", fmt.Sprint(step, "-", i), day0-rng.IntN(3), []string{"beta", "release"}[rng.IntN(2)], "v", strconv.Itoa(rng.IntN(50))))
		}
		must(t, s.WaitVisible(ctx, s.log.Synced()))
		sn, err := s.Snapshot()
		must(t, err)
		old = append(old, sn)
		var wg sync.WaitGroup
		wg.Go(func() { must2(t, s.Flush(ctx)) })
		wg.Go(func() {
			for range 3 {
				_, err := s.MergeOnce(ctx)
				must2(t, err)
			}
		})
		// Two deletes at a time, of overlapping rows, by two snapshots.
		var txs [2]*Tx
		for i := range txs {
			by := old[rng.IntN(len(old))]
			table := tableOf(t, by, mainTable)
			rows, err := locate(by, table)
			must(t, err)
			rng.Shuffle(len(rows), func(a, b int) { rows[a], rows[b] = rows[b], rows[a] })
			rows = rows[:rng.IntN(len(rows)/2+1)]
			txs[i], err = s.Begin()
			must(t, err)
			ids := make([]int64, len(rows))
			for k, r := range rows {
				ids[k], gone[r.lsn] = r.id, true
			}
			must(t, txs[i].Delete(by, table, ids))
			wg.Go(func() { must2(t, txs[i].Commit(ctx)) })
		}
		wg.Wait()
		removed += txs[0].Removed() + txs[1].Removed()
		if t.Failed() {
			t.Fatalf("seed %d, step %d", seed, step)
		}
		if removed != int64(len(gone)) {
			t.Fatalf("seed %d, step %d: %d rows removed, want %d", seed, step, removed, len(gone))
		}
		now, err := s.Snapshot()
		must(t, err)
		err = errors.Join(checkRowsBut(now, subs, gone), checkRollup(now), checkRollup(old[rng.IntN(len(old))]), checkStore(s))
		now.Release()
		if err != nil {
			t.Fatalf("seed %d, step %d: %v", seed, step, err)
		}
		if rng.IntN(4) == 0 {
			i := rng.IntN(len(old))
			old[i].Release()
			old = slices.Delete(old, i, i+1)
		}
		if rng.IntN(3) == 0 {
			clock.add(time.Duration(rng.IntN(48)) * time.Hour)
		}
	}
}

func must2(t *testing.T, err error) {
	if err != nil {
		t.Error(err)
	}
}

func TestDeletedRowsAreCountedUntilTheyAreWrittenAway(t *testing.T) {
	s, subs := openTest(t, vfs.NewMem()), map[uint64]string{}
	for i := range 10 {
		submit(t, s, subs, testPayload("main", strconv.Itoa(i), day0, "release", "v", "1"))
	}
	must(t, s.Flush(ctx))
	deleted := func() (n int64) {
		segments, err := s.Segments()
		must(t, err)
		for _, f := range segments {
			n += f.Deleted
		}
		return n
	}
	for _, step := range []struct {
		lsn    uint64
		debt   bool
		merged int64 // deleted rows that a merge leaves
	}{
		{1, false, 1}, // 1 of 10: below the share
		{2, true, 0},  // 2 of 10: at it
		{3, false, 1}, // 1 of 8
	} {
		deleteLSNs(t, s, snapshot(t, s), mainTable, map[uint64]bool{step.lsn: true}, nil)
		if st := s.Stats(); st.DeletedRows != deleted() || st.DeletedRows == 0 || (st.MergeDebtBytes > 0) != step.debt {
			t.Errorf("after the delete of %d: %+v, segments have %d deleted rows", step.lsn, st, deleted())
		}
		_, err := s.MergeOnce(ctx)
		must(t, err)
		if deleted() != step.merged {
			t.Errorf("after the delete of %d and a merge there are %d deleted rows, want %d", step.lsn, deleted(), step.merged)
		}
	}
	checkBut(t, s, subs, map[uint64]bool{1: true, 2: true, 3: true})
}

func TestATombstoneThatFitsNoSegmentIsReportedAndChangesNothing(t *testing.T) {
	fsys, subs := vfs.NewMem(), map[uint64]string{}
	s := openTest(t, fsys)
	submit(t, s, subs, testPayload("main", "1", day0, "release", "v", "1"))
	must(t, s.Flush(ctx))
	var f *file
	for _, files := range s.manifest.current.tables {
		for _, x := range files {
			if x.Meta.HasPartition && !x.Minus {
				f = x
			}
		}
	}
	for _, bad := range []meta.Tombstone{
		{Table: f.Table, Segment: f.ID, Rows: roaring.BitmapOf(uint32(f.Meta.Rows))},
		{Table: f.Table, Segment: f.ID + 1000, Rows: roaring.BitmapOf(0)},
	} {
		b := s.meta.NewBatch()
		b.PutTombstone(bad)
		must(t, s.meta.Commit(b))
		var problems []string
		must(t, s.Check(func(p Problem) { problems = append(problems, p.What) }))
		if len(problems) == 0 || !strings.Contains(strings.Join(problems, " "), "tombstone") {
			t.Errorf("Check says %q", problems)
		}
		must(t, s.Close())
		s = openTest(t, fsys)
		sn := snapshot(t, s)
		must(t, checkRows(sn, subs))
		if len(s.Damage()) == 0 {
			t.Error("no damage is recorded")
		}
		b = s.meta.NewBatch()
		b.DropTombstone(bad.Table, bad.Segment)
		must(t, s.meta.Commit(b))
	}
}

// FuzzTablesRecord reads any payload of a transaction's record.
func FuzzTablesRecord(f *testing.F) {
	in := column.NewInterner()
	var inserts []*Insert
	for id := range uint32(2) {
		e := newRowEncoder(id, in)
		var row column.RowBuf
		row.Int(in.Intern("n"), int64(id))
		e.add(&row)
		inserts = append(inserts, &Insert{short: e})
	}
	f.Add(bytes.Join(tablesParts(inserts), nil))
	f.Fuzz(func(t *testing.T, payload []byte) {
		_ = eachTable(payload, func(rows []byte) error {
			d, err := openRows(rows, column.NewInterner())
			for more := true; err == nil && more; {
				var got column.RowBuf
				more, err = d.next(&got)
			}
			return err
		})
	})
}

// A table that is made with its rows is there with all of them or not at all, and its name is taken at the end.
func TestATableIsMadeWithItsRows(t *testing.T) {
	s := openTest(t, vfs.NewMem())
	must(t, s.CreateSchema(ctx, "public"))
	make := func(commit func(*Tx) error, rows int) error {
		tx, err := s.Begin()
		must(t, err)
		made, err := tx.CreateTable(userTable("made"))
		must(t, err)
		in, err := tx.NewInsert(made)
		must(t, err)
		for i := range rows {
			must(t, in.Add(ctx, userRow(s, int64(i), 0, "")))
		}
		sn, err := s.Snapshot()
		must(t, err)
		defer sn.Release()
		for _, own := range sn.Tables() {
			if own.ID == made.ID {
				t.Error("the table is seen before Commit")
			}
		}
		return commit(tx)
	}
	abort := func(tx *Tx) error { return tx.Abort() }
	commit := func(tx *Tx) error { return tx.Commit(ctx) }
	must(t, make(abort, 3))
	must(t, make(commit, 3))
	if got := userRows(t, s, userTable("made").FullName()); len(got) != 3 {
		t.Errorf("%d rows: %v", len(got), got)
	}
	if err := make(commit, 2); !errors.Is(err, ErrExists) {
		t.Errorf("the name is taken: %v", err)
	}
	if got := userRows(t, s, userTable("made").FullName()); len(got) != 3 {
		t.Errorf("after a refused one, %d rows: %v", len(got), got)
	}
	must(t, s.DropTable(ctx, userTable("made").FullName()))
	must(t, make(commit, 0))
	if got := userRows(t, s, userTable("made").FullName()); len(got) != 0 {
		t.Errorf("an empty one has %v", got)
	}
}

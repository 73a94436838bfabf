package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// nextDecoder is testDecoder as of the next version: it reads hexadecimal numbers, which were errors, refuses numbers
// above 900, adds one to even numbers, and leaves the rest as it is.
type nextDecoder struct{ testDecoder }

func newNextDecoder(env DecodeEnv) (Decoder, error) { return &nextDecoder{testDecoder{env}}, nil }

func (d *nextDecoder) NewWorker() DecodeWorker { return d }

// translate makes the payload with which testDecoder does what nextDecoder does.
func translate(payload string) string {
	i := strings.LastIndexByte(payload, ' ') + 1
	n, err := strconv.ParseInt(payload[i:], 0, 64)
	switch {
	case err != nil:
		return payload
	case n > 900:
		return payload[:i] + "refused"
	case n%2 == 0:
		n++
	}
	return payload[:i] + strconv.FormatInt(n, 10)
}

func (d *nextDecoder) Decode(payload []byte, lsn uint64, out *Decoded) {
	d.testDecoder.Decode([]byte(translate(string(payload))), lsn, out)
}

// DocumentKey implements DocumentKeyer.
func (d *testDecoder) DocumentKey(table types.TableName, id string) []byte {
	return []byte(table.Name + "/" + id)
}

// history is what was sent to a store, and what became of it.
type history struct {
	subs map[uint64]string
	gone map[uint64]bool
}

// makeHistory fills a directory by the old decoder: rows, errors, duplicates, sealed in several goes, merged; some deleted.
// Which row of a document counts must not depend on the decoder's version, so errors repeat only errors.
func makeHistory(t *testing.T, fsys vfs.FS, rng *rand.Rand) history {
	t.Helper()
	o := testOptions(fsys, newTestClock())
	s, err := Open("/db", o)
	must(t, err)
	h := history{map[uint64]string{}, map[uint64]bool{}}
	for i := range 120 {
		table := [...]string{"main", "main", "crash"}[rng.IntN(3)]
		key, value := fmt.Sprint(i), fmt.Sprint(rng.IntN(1000))
		switch rng.IntN(8) {
		case 0:
			value = fmt.Sprintf("0x%x", rng.IntN(1200))
		case 1:
			value = "never"
		case 2:
			key = "twice" + fmt.Sprint(rng.IntN(5)) // first seen as a good row by both versions
			value = fmt.Sprint(1 + 2*rng.IntN(100))
		}
		submit(t, s, h.subs, testPayload(table, key, day0-rng.IntN(3), "release", "v", value))
		if rng.IntN(30) == 0 {
			must(t, s.Flush(ctx))
		}
	}
	must(t, s.Flush(ctx))
	for {
		did, err := s.MergeOnce(ctx)
		must(t, err)
		if !did {
			break
		}
	}
	sn, err := s.Snapshot()
	must(t, err)
	for _, n := range []types.TableName{{Schema: "telemetry", Name: "main"}, ErrorsTable} {
		some := map[uint64]bool{}
		rows, err := locate(sn, tableOf(t, sn, n))
		must(t, err)
		for _, r := range rows {
			if rng.IntN(6) == 0 {
				some[r.lsn] = true
			}
		}
		deleteLSNs(t, s, sn, n, some, nil)
		maps.Copy(h.gone, some)
	}
	sn.Release()
	must(t, s.Close())
	return h
}

// replayedAs is what a replay must have made of the history: what the old decoder makes of the translated payloads, but
// that duplicates stay duplicates, which holds of these histories by themselves.
func (h history) replayed() map[uint64]string {
	out := map[uint64]string{}
	for lsn, p := range h.subs {
		out[lsn] = translate(p)
	}
	return out
}

func openNext(t *testing.T, fsys vfs.FS) *Store {
	t.Helper()
	o := testOptions(fsys, newTestClock())
	o.Decoder = newNextDecoder
	s, err := Open("/db", o)
	must(t, err)
	return s
}

func TestAReplayLeavesWhatTheNewDecoderHadMade(t *testing.T) {
	for seed := range prove.Seeds(t, "replays of a new decoder", 6) {
		rng := rand.New(rand.NewPCG(seed, 5))
		fsys := vfs.NewMem()
		h := makeHistory(t, fsys, rng)
		s := openNext(t, fsys)
		dry, err := s.Replay(ctx, ReplayOptions{Name: "x", DryRun: true})
		must(t, err)
		checkBut(t, s, h.subs, h.gone) // nothing has changed
		p, err := s.Replay(ctx, ReplayOptions{Name: "x"})
		must(t, err)
		if dry != p || p.Repaired == 0 || p.Changed == 0 || p.Refused == 0 || p.Same == 0 {
			t.Errorf("seed %d: a dry run says %+v, the replay %+v", seed, dry, p)
		}
		checkBut(t, s, h.replayed(), h.gone)
		if p, err = s.Replay(ctx, ReplayOptions{Name: "x"}); err != nil || p.Changed+p.Repaired+p.Refused+p.Duplicates != 0 {
			t.Errorf("seed %d: a second replay swaps: %+v, %v", seed, p, err)
		}
		for {
			did, err := s.MergeOnce(ctx)
			must(t, err)
			if !did {
				break
			}
		}
		checkBut(t, s, h.replayed(), h.gone)
		must(t, s.Close())
		again := openNext(t, fsys)
		checkBut(t, again, h.replayed(), h.gone)
		must(t, again.Close())
	}
}

func TestAReplayThatIsCutOffGoesOnWhereItWas(t *testing.T) {
	fsys := vfs.NewMem()
	h := makeHistory(t, fsys, rand.New(rand.NewPCG(1, 6)))
	s := openNext(t, fsys)
	stop, cancel := context.WithCancel(ctx)
	s.replayRange = 7
	ranges := 0
	p, err := s.Replay(stop, ReplayOptions{Name: "x", Progress: func(ReplayProgress, uint64) {
		if ranges++; ranges == 5 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || p.Records == 0 {
		t.Fatalf("the replay ended with %v after %+v", err, p)
	}
	must(t, s.Close())
	s = openNext(t, fsys)
	if kept, ok, err := s.meta.Replay("x"); err != nil || !ok || kept != p {
		t.Errorf("kept %+v, %v, %v, want %+v", kept, ok, err, p)
	}
	q, err := s.Replay(ctx, ReplayOptions{Name: "x"})
	must(t, err)
	if q.Records != uint64(len(h.subs)-len(h.gone)) || q.Changed < p.Changed {
		t.Errorf("in the end %+v, %d records were there", q, len(h.subs)-len(h.gone))
	}
	if _, ok, err := s.meta.Replay("x"); ok || err != nil {
		t.Errorf("a replay that is done is remembered: %v", err)
	}
	checkBut(t, s, h.replayed(), h.gone)
	must(t, s.Close())
}

func TestAReplayOfSomeRecordsLeavesTheOthers(t *testing.T) {
	fsys := vfs.NewMem()
	h := makeHistory(t, fsys, rand.New(rand.NewPCG(2, 7)))
	s := openNext(t, fsys)
	some, want := roaring64.New(), map[uint64]string{}
	for lsn, p := range h.subs {
		want[lsn] = p
		if lsn%3 == 0 {
			some.Add(lsn)
			want[lsn] = translate(p)
		}
	}
	p, err := s.Replay(ctx, ReplayOptions{Name: "x", Records: some})
	must(t, err)
	if p.Records == 0 || p.Records > some.GetCardinality() {
		t.Errorf("%+v of %d records", p, some.GetCardinality())
	}
	checkBut(t, s, want, h.gone)
	must(t, s.Close())
}

func TestADocumentThatAnotherRecordHoldsBecomesADuplicate(t *testing.T) {
	fsys := vfs.NewMem()
	subs := map[uint64]string{}
	s, err := Open("/db", testOptions(fsys, newTestClock()))
	must(t, err)
	submit(t, s, subs, testPayload("main", "a", day0, "release", "v", "0x1"), testPayload("main", "a", day0, "release", "v", "3"),
		testPayload("main", "b", day0, "release", "v", "0x5"), testPayload("main", "b", day0, "release", "v", "0x7"),
		testPayload("main", "c", day0, "release", "v", "901"), testPayload("main", "c", day0, "release", "v", "0x9"))
	must(t, s.Flush(ctx))
	must(t, s.Close())
	s = openNext(t, fsys)
	p, err := s.Replay(ctx, ReplayOptions{Name: "x"})
	must(t, err)
	if p.Duplicates != 2 || p.Repaired != 2 || p.Refused != 1 {
		t.Errorf("%+v", p)
	}
	submit(t, s, subs, testPayload("main", "b", day0, "release", "v", "11"), testPayload("main", "c", day0, "release", "v", "13"))
	must(t, s.Flush(ctx))
	sn, err := s.Snapshot()
	must(t, err)
	defer sn.Release()
	rows, err := readTable(sn, types.TableName{Schema: "telemetry", Name: "main"})
	must(t, err)
	var got []string
	for lsn := range int64(9) {
		got = append(got, rows[lsn]...)
	}
	ids := strings.Join(got, "; ")
	for _, id := range []string{"document_id=a ", "document_id=b ", "document_id=c "} {
		if strings.Count(ids, id) != 1 {
			t.Errorf("rows %q", ids)
		}
	}
	must(t, checkRollup(sn))
	must(t, checkStore(s))
	must(t, s.Close())
}

func TestAReplayBesideLiveSubmissionsCountsNothingTwice(t *testing.T) {
	fsys := vfs.NewMem()
	h := makeHistory(t, fsys, rand.New(rand.NewPCG(3, 8)))
	o := testOptions(fsys, newTestClock())
	o.Decoder, o.Manual, o.SealBytes = newNextDecoder, false, 2000
	s, err := Open("/db", o)
	must(t, err)
	s.replayRange = 5
	done := make(chan error, 1)
	go func() {
		_, err := s.Replay(ctx, ReplayOptions{Name: "x"})
		done <- err
	}()
	want := h.replayed()
	live := map[uint64]string{}
	for i := range 200 {
		submit(t, s, live, testPayload("main", "live"+fmt.Sprint(i), day0, "release", "v", fmt.Sprint(i)))
	}
	must(t, <-done)
	for lsn, p := range live {
		want[lsn] = translate(p)
	}
	must(t, s.Flush(ctx))
	checkBut(t, s, want, h.gone)
	must(t, s.Close())
}

func TestOnlyOneReplayRuns(t *testing.T) {
	fsys := vfs.NewMem()
	makeHistory(t, fsys, rand.New(rand.NewPCG(4, 9)))
	s := openNext(t, fsys)
	_, err := s.Replay(ctx, ReplayOptions{Name: "x", Progress: func(ReplayProgress, uint64) {
		if _, err := s.Replay(ctx, ReplayOptions{Name: "y"}); !errors.Is(err, ErrReplayRuns) {
			t.Errorf("a second replay: %v", err)
		}
		st := s.Jobs()
		if last := st[len(st)-1]; last.Name != "replay" || !last.Running || last.Steps == 0 {
			t.Errorf("job %+v", last)
		}
	}})
	must(t, err)
	must(t, s.Close())
}

// crashable copies a directory onto a file system that loses power.
func crashable(t *testing.T, from vfs.FS) *vfs.Crash {
	t.Helper()
	to := vfs.NewCrash()
	var copyDir func(dir string)
	copyDir = func(dir string) {
		must(t, to.MkdirAll(dir))
		names, err := from.List(dir)
		must(t, err)
		for _, n := range names {
			name := dir + "/" + n
			info, err := from.Stat(name)
			must(t, err)
			if info.Dir {
				copyDir(name)
				continue
			}
			raw, err := vfs.ReadFile(from, name)
			must(t, err)
			f, err := to.Create(name)
			must(t, err)
			_, err = f.Write(raw)
			must(t, err)
			must(t, errors.Join(f.Sync(), f.Close()))
		}
		must(t, to.SyncDir(dir))
	}
	copyDir("/db")
	return to
}

func TestAReplaySurvivesPowerLossAnywhere(t *testing.T) {
	base := vfs.NewMem()
	h := makeHistory(t, base, rand.New(rand.NewPCG(11, 12)))
	for seed := range prove.Seeds(t, "power loss, replay", 12) {
		rng := rand.New(rand.NewPCG(seed, 13))
		fsys := crashable(t, base)
		for range 3 { // the second and third hit what recovery left
			in := vfs.NewInjector()
			var after *vfs.Crash
			var mu sync.Mutex
			o := testOptions(vfs.Fault(fsys, in), newTestClock())
			o.Decoder = newNextDecoder
			s, err := Open("/db", o)
			must(t, err)
			s.replayRange = 1 + rng.IntN(20)
			now, keep := fsys, rng.Float64()
			in.Add(vfs.Rule{Ops: vfs.Mutating, Nth: 1 + rng.Int64N(60), Do: func(vfs.Op, string) {
				mu.Lock()
				defer mu.Unlock()
				after = now.CrashClone(rand.New(rand.NewPCG(seed, 14)), keep)
			}})
			_, err = s.Replay(ctx, ReplayOptions{Name: "x"})
			must(t, err)
			must(t, s.Close())
			mu.Lock()
			if after != nil {
				fsys = after
			}
			mu.Unlock()
		}
		s := openNext(t, fsys)
		_, err := s.Replay(ctx, ReplayOptions{Name: "x"})
		must(t, err)
		checkBut(t, s, h.replayed(), h.gone)
		must(t, s.Close())
	}
}

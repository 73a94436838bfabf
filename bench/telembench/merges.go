package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/storage"
)

var (
	mergeRows  = flag.Int("merge.rows", 1<<20, "merge: flat rows")
	mergePings = flag.Int("merge.pings", 8000, "merge: main pings, in four seals")
)

// mergeRuns is how often each merge is measured.
const mergeRuns = 5

// measureMerges merges segments as their seals left them, with rows of every key in each, and counts input bytes per
// second of CPU: user and system, of the whole process, from the choice of the inputs to the published output.
func measureMerges(ctx context.Context, b *bench) error {
	for _, w := range []struct {
		what string
		fill func(context.Context, *storage.Store) error
	}{
		{"flat rows", func(ctx context.Context, s *storage.Store) error { return insertFlat(ctx, s, *mergeRows) }},
		{"main pings", func(ctx context.Context, s *storage.Store) error { return submitMain(ctx, s, *mergePings, 4) }},
	} {
		dir := filepath.Join(b.dir, strings.ReplaceAll(w.what, " ", "-"))
		if err := fillStore(ctx, dir, w.fill); err != nil {
			return err
		}
		var runs []mergeRun
		grown := int64(0)
		for i := range mergeRuns + 1 {
			run, err := mergeCopy(ctx, dir, fmt.Sprintf("%s-%d", dir, i), i == 0)
			if err != nil {
				return err
			}
			if i == 0 { // this one pays for memory that is new to the process, too
				grown = run.grown
				continue
			}
			runs = append(runs, run)
		}
		slices.SortFunc(runs, func(a, b mergeRun) int { return int(a.rate() - b.rate()) })
		median := runs[len(runs)/2]
		b.add(w.what, fmt.Sprintf("%d segments, %d rows, %.1f MB, into %d of %.1f MB", median.inputs, median.rows,
			mb(median.bytes), median.outputs, mb(median.written)),
			fmt.Sprintf("%.0f MB/s per core, median of %d (%.0f to %.0f); %.0f MB/s by the clock", median.rate(), mergeRuns,
				runs[0].rate(), runs[len(runs)-1].rate(), mb(median.bytes)/median.took.Seconds()))
		b.add(w.what, "resident memory grows by; compaction.memory is", fmt.Sprintf("%.0f MB; %.0f MB", mb(grown), mb(mergeMemory())))
	}
	return nil
}

// benchOptions are those of a store that does what it is told.
func benchOptions(now time.Time) storage.Options {
	return storage.Options{
		Manual: true, HardReserve: -1, SystemTables: ingest.SystemTables(), SealBytes: 1 << 40, HeadMaxBytes: 1 << 40,
		Now: func() time.Time { return now },
		Decoder: func(env storage.DecodeEnv) (storage.Decoder, error) {
			return ingest.NewDecoder(env, ingest.DecodeOptions{}), nil
		},
	}
}

// fillStore makes a store whose rows are sealed.
func fillStore(ctx context.Context, dir string, fill func(context.Context, *storage.Store) error) error {
	s, err := storage.Open(dir, benchOptions(time.Now()))
	if err != nil {
		return err
	}
	if err := fill(ctx, s); err != nil {
		_ = s.Close() // the first error is the one to report
		return err
	}
	if err := s.Flush(ctx); err != nil {
		return err
	}
	return s.Close()
}

// submitMain submits generated main pings and seals after each share of them.
func submitMain(ctx context.Context, s *storage.Store, n, seals int) error {
	for i := range seals {
		bodies, err := makeBodies(uint64(500+i), n/seals*5/4)
		if err != nil {
			return err
		}
		bodies = slices.DeleteFunc(bodies, func(b body) bool { return !strings.Contains(b.uri, "/main/") })
		for _, b := range bodies[:min(len(bodies), n/seals)] {
			rec, err := ingest.NewRecord(b.uri, nil, "", time.Now())
			if err != nil {
				return err
			}
			if _, err := s.Submit(ctx, ping.EncodeHead(nil, rec), b.gz); err != nil {
				return err
			}
		}
		if err := s.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// mergeRun is one measured merge, or several until nothing is left to do.
type mergeRun struct {
	inputs, outputs int
	rows            int64
	bytes, written  int64
	cpu, took       time.Duration
	grown           int64 // of the resident memory, if it was measured
}

func (r mergeRun) rate() float64 { return mb(r.bytes) / r.cpu.Seconds() }

// mergeMemory is what compaction.memory is by default.
func mergeMemory() int64 { return storage.MemoryBudget() / 10 }

// mergeCopy merges a copy of a store's directory, days later. Memory is measured from a heap that holds nothing spare.
func mergeCopy(ctx context.Context, dir, scratch string, memory bool) (run mergeRun, err error) {
	if err := os.CopyFS(scratch, os.DirFS(dir)); err != nil {
		return run, err
	}
	defer os.RemoveAll(scratch)
	s, err := storage.Open(scratch, benchOptions(time.Now().Add(3*24*time.Hour)))
	if err != nil {
		return run, err
	}
	defer s.Close()
	return mergeAll(ctx, s, memory)
}

func mergeAll(ctx context.Context, s *storage.Store, memory bool) (run mergeRun, err error) {
	before, err := s.Segments()
	if err != nil {
		return run, err
	}
	runtime.GC()
	resident := int64(0)
	if memory {
		debug.FreeOSMemory()
		resident = resetPeak()
	}
	began, cpu := time.Now(), ownCPU()
	for did := true; did; {
		if did, err = s.MergeOnce(ctx); err != nil {
			return run, err
		}
	}
	run.took, run.cpu = time.Since(began), ownCPU()-cpu
	if memory {
		run.grown = peakResident() - resident
	}
	after, err := s.Segments()
	if err != nil {
		return run, err
	}
	same := map[uint64]bool{}
	for _, f := range before {
		same[f.ID] = slices.ContainsFunc(after, func(o storage.SegmentInfo) bool { return o.ID == f.ID })
	}
	for _, f := range before {
		if !same[f.ID] {
			run.inputs, run.bytes, run.rows = run.inputs+1, run.bytes+f.Bytes, run.rows+f.Rows
		}
	}
	for _, f := range after {
		if !same[f.ID] {
			run.outputs, run.written = run.outputs+1, run.written+f.Bytes
		}
	}
	if run.inputs == 0 {
		return run, fmt.Errorf("nothing was merged: %d segments", len(before))
	}
	return run, nil
}

// resetPeak makes the peak of the resident memory count from now and returns what is resident; Linux only, else 0.
func resetPeak() int64 {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // where that is not allowed the peak is of the whole run
	return statusBytes("VmRSS:")
}

func peakResident() int64 { return statusBytes("VmHWM:") }

func statusBytes(key string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, key); ok {
			if kb, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64); err == nil {
				return kb << 10
			}
		}
	}
	return 0
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"github.com/telemdb/telemdb/storage/simd"
)

var (
	limitRows  = flag.Int("limits.rows", 64<<20, "limits: int64 values of the bare loops and of the table beside them")
	limitCodes = flag.Int("limits.codes", 256<<20, "limits: rows of the two code columns")
)

func init() {
	parts = append(parts, part{"limits", "bare loops over memory and disk, and the SQL queries that are held against them", measureLimits})
}

const (
	limitGroups = 240 // values of the grouped column
	limitLo     = 250 // lo <= x and x < hi selects half of 0..999
	limitHi     = 750
	limitA      = 16 // codes of the first column, of which one is asked for
	limitIsA    = 3
	limitB      = 100
	limitIsB    = 42
)

// measureLimits interleaves bare loops of this process with queries of telemdb's, which is stopped meanwhile.
func measureLimits(_ context.Context, b *bench) (err error) {
	engines, err := enginesOnly(b)
	if err != nil {
		return err
	}
	c := &comparison{w: limitWorkload(), rows: int64(*limitRows), engines: engines, loads: map[string]*loaded{}, began: time.Now()}
	c.dir = filepath.Join(b.dir, "limits")
	if *cmpKeep != "" {
		if c.dir, err = filepath.Abs(filepath.Join(*cmpKeep, fmt.Sprintf("limits-%d-%d", *limitRows, *limitCodes))); err != nil {
			return err
		}
	}
	e := engines[0]
	e.dir = filepath.Join(c.dir, "telemdb")
	defer e.kill()
	if err := errors.Join(os.MkdirAll(c.dir, 0o755), c.load()); err != nil {
		return err
	}
	loops := newLoops()
	disk, err := newDiskLoop(filepath.Join(c.dir, "disk"))
	if err != nil {
		return err
	}
	defer disk.remove()
	l := &limits{c: c, e: e, bare: append(loops.all(), loop{"disk", "sequential read of a file whose pages were dropped, 1 MiB at a time", disk.bytes, disk.read, true})}
	if err := l.run(); err != nil {
		return err
	}
	r := l.report(b)
	b.body, b.printOnly = r.markdown(), *cmpOut == ""
	return errors.Join(r.write(*cmpOut), e.stop())
}

// enginesOnly is telemdb alone.
func enginesOnly(b *bench) ([]*engine, error) {
	wanted := *cmpPeers
	*cmpPeers = ""
	defer func() { *cmpPeers = wanted }()
	return enginesWanted(b)
}

// loop is a bare loop: what the machine can do, without a database.
type loop struct {
	name  string
	about string
	bytes int64 // it reads
	run   func() error
	waits bool // for the disk: its CPU time says nothing
}

// loops own the arrays.
type loops struct {
	xs     []int64 // uniform 0..999
	groups []uint8 // uniform below limitGroups, one for each of xs
	a, b   []uint8 // codes
	sink   int64   // results, so that no loop is left out
}

func newLoops() *loops {
	l := &loops{xs: make([]int64, *limitRows), groups: make([]uint8, *limitRows), a: make([]uint8, *limitCodes), b: make([]uint8, *limitCodes)}
	both(len(l.xs), func(from, to int) int64 {
		rng := rand.New(rand.NewPCG(1, uint64(from)))
		for i := from; i < to; i++ {
			r := rng.Uint64()
			l.xs[i], l.groups[i] = int64(r>>32%1000), uint8(r%limitGroups)
		}
		return 0
	})
	both(len(l.a), func(from, to int) int64 {
		rng := rand.New(rand.NewPCG(2, uint64(from)))
		for i := from; i < to; i++ {
			r := rng.Uint32()
			l.a[i], l.b[i] = uint8(r%limitA), uint8(r>>16%limitB)
		}
		return 0
	})
	return l
}

// morsel is what a core takes at a time.
const morsel = 64 << 10

// both runs f over n rows on two cores, one half each, in order, and adds up what it returns.
func both(n int, f func(from, to int) int64) int64 {
	var wg sync.WaitGroup
	var sums [2]int64
	for core := range sums {
		wg.Go(func() { sums[core] = f(n*core/2, n*(core+1)/2) })
	}
	wg.Wait()
	return sums[0] + sums[1]
}

// perMorsel runs f over pieces that stay in the cache where it needs more than one pass.
func perMorsel(from, to int, f func(from, to int) int64) (sum int64) {
	for ; from < to; from += morsel {
		sum += f(from, min(from+morsel, to))
	}
	return sum
}

// The loops that queries are held against.
const (
	loopRead  = "read"
	loopCodes = "read codes"
	loopGroup = "group by"
)

func (l *loops) all() []loop {
	rows, codes := int64(len(l.xs)), int64(len(l.a))
	return []loop{
		{loopRead, "sum of all int64, both cores", 8 * rows, l.timed(func() int64 {
			return both(len(l.xs), func(from, to int) int64 { return sumOf(l.xs[from:to]) })
		}), false},
		{"filtered sum", "sum of int64 where lo <= x and x < hi, both cores", 8 * rows, l.timed(func() int64 {
			return both(len(l.xs), func(from, to int) int64 {
				return perMorsel(from, to, func(from, to int) int64 {
					_, lo, _ := simd.SumRangeI64(l.xs[from:to], limitLo, limitHi)
					return int64(lo)
				})
			})
		}), false},
		{loopCodes, "all bytes of two u8 columns, both cores", 2 * codes, l.timed(func() int64 {
			return both(len(l.a)/8, func(from, to int) int64 {
				return sumOf(wordsOf(l.a)[from:to]) + sumOf(wordsOf(l.b)[from:to])
			})
		}), false},
		{"two codes", "count where a = and b = in u8 codes, both cores", 2 * codes, l.timed(func() int64 {
			return both(len(l.a), func(from, to int) int64 {
				return perMorsel(from, to, func(from, to int) int64 {
					return int64(simd.CountAndEqU8(l.a[from:to], limitIsA, l.b[from:to], limitIsB))
				})
			})
		}), false},
		{loopGroup, "count and sum by u8 code in four tables of an array each, both cores", 9 * rows, l.timed(func() int64 {
			return both(len(l.xs), func(from, to int) int64 { return fourTables(l.groups[from:to], l.xs[from:to]) })
		}), false},
		{"merge", "1 Mi histograms of 104 u32 buckets added into one of u64, both cores", 104 * 4 << 20, l.timed(l.mergeHistograms), false},
	}
}

func (l *loops) timed(f func() int64) func() error {
	return func() error { l.sink += f(); return nil }
}

// sumOf is the plain loop, four at a time where there is no assembly; with it, memory is the limit.
func sumOf(xs []int64) int64 {
	hi, lo := simd.SumI64(xs)
	return hi<<32 + int64(lo)
}

// wordsOf are the bytes as int64, eight at a time.
func wordsOf(b []uint8) []int64 {
	return unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
}

// fourTables counts and sums by code: neighbouring rows go to tables of their own, so that equal codes do not wait for each
// other.
func fourTables(codes []uint8, xs []int64) (check int64) {
	var t [4][256]struct{ n, sum int64 }
	i := 0
	for ; i+4 <= len(codes); i += 4 {
		c, x := codes[i:i+4:i+4], xs[i:i+4:i+4]
		t[0][c[0]].n++
		t[0][c[0]].sum += x[0]
		t[1][c[1]].n++
		t[1][c[1]].sum += x[1]
		t[2][c[2]].n++
		t[2][c[2]].sum += x[2]
		t[3][c[3]].n++
		t[3][c[3]].sum += x[3]
	}
	for ; i < len(codes); i++ {
		t[0][codes[i]].n++
		t[0][codes[i]].sum += xs[i]
	}
	for j := range t {
		for g := range t[j] {
			check += t[j][g].n ^ t[j][g].sum
		}
	}
	return check
}

// mergeHistograms adds the int64 array, taken as histograms, up again and again until 1 Mi are added.
func (l *loops) mergeHistograms() int64 {
	const buckets = 104
	u32 := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(l.xs))), 2*len(l.xs))
	have := len(u32) / buckets
	return both(1<<20, func(from, to int) int64 {
		var sum [buckets]uint64
		for i := from; i < to; i++ {
			at := i % have * buckets
			simd.AddU32U64(sum[:], u32[at:at+buckets])
		}
		return int64(sum[0])
	})
}

// diskLoop reads a file from the disk.
type diskLoop struct {
	name  string
	bytes int64
}

const diskBytes = 256 << 20

func newDiskLoop(name string) (*diskLoop, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	piece := make([]byte, 1<<20)
	rng := rand.NewChaCha8([32]byte{7})
	for written := 0; written < diskBytes; written += len(piece) {
		_, _ = rng.Read(piece) // never fails
		if _, err := f.Write(piece); err != nil {
			return nil, errors.Join(err, f.Close(), os.Remove(name))
		}
	}
	return &diskLoop{name, diskBytes}, errors.Join(f.Sync(), f.Close())
}

func (d *diskLoop) remove() { _ = os.Remove(d.name) }

func (d *diskLoop) read() error {
	f, err := os.Open(d.name)
	if err != nil {
		return err
	}
	defer f.Close()
	piece := make([]byte, 1<<20)
	for {
		if _, err := f.Read(piece); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// limits is the run: rounds of every loop and every query in turn.
type limits struct {
	c       *comparison
	e       *engine
	bare    []loop
	samples map[string][]sample
	queries []*queryRun
}

func (l *limits) run() error {
	l.samples = map[string][]sample{}
	if err := l.answers(); err != nil {
		return err
	}
	for range *cmpRounds + *cmpRetries {
		done := true
		for _, b := range l.bare {
			if !b.waits && judge(l.samples[b.name], 2, runtime.NumCPU()) >= *cmpRounds || b.waits && len(l.samples[b.name]) >= *cmpRounds {
				continue
			}
			done = false
			s, err := l.loop(&b)
			if err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
			l.samples[b.name] = append(l.samples[b.name], s)
		}
		for _, q := range l.queries {
			r := q.runs[l.e.name]
			if judge(r.Warm, *cmpThreads, runtime.NumCPU()) >= *cmpRounds {
				continue
			}
			done = false
			s, err := l.c.sample(l.e, q, r, repeatsFor(r.WarmNS))
			if err != nil {
				return fmt.Errorf("%s: %w", q.q.Name, err)
			}
			r.Warm = append(r.Warm, s)
		}
		if done {
			break
		}
	}
	return nil
}

// answers asks every query once and holds the answer against what was drawn: before that no time counts.
func (l *limits) answers() error {
	want := l.c.drawn()
	for _, q := range l.c.w.Queries {
		r := &outcome{}
		run := &queryRun{q: q, runs: map[string]*outcome{l.e.name: r}}
		got, err := l.c.rowsOf(l.e, q.SQL)
		if err == nil {
			err = sameAnswer(&q, want.answer(q.Name), got)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", q.Name, err)
		}
		r.Rows = len(got.rows)
		if l.c.memory(run); r.Error != "" {
			return fmt.Errorf("%s: %s", q.Name, r.Error)
		}
		l.queries = append(l.queries, run)
	}
	return nil
}

// loop is one round of a bare loop.
func (l *limits) loop(b *loop) (sample, error) {
	if b.waits {
		if err := dropPages(filepath.Join(l.c.dir, "disk")); err != nil {
			return sample{}, err
		}
	}
	repeat := 1
	if before := l.samples[b.name]; len(before) > 0 && !b.waits {
		repeat = repeatsFor(before[0].Nanos)
	}
	var took []int64
	busy, cpu, began := machineBusy(), ownCPU(), time.Now()
	for range repeat {
		start := time.Now()
		if err := b.run(); err != nil {
			return sample{}, err
		}
		took = append(took, int64(time.Since(start)))
	}
	wall, used := int64(time.Since(began)), int64(ownCPU()-cpu)
	return sample{Nanos: medianNanos(took), Wall: wall, CPU: used, Others: max(0, int64(machineBusy()-busy)-used), Times: repeat}, nil
}

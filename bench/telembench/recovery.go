package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fastjson"

	"github.com/telemdb/telemdb"
	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/storage"
)

func init() {
	parts = append(parts, part{"recovery", "opening a directory with much unsealed log, against gunzip and parsing the same bodies", measureRecovery})
}

var (
	recoveryMiB    = flag.Int("recovery.mib", 1024, "recovery: gzipped bodies in the log, MiB")
	recoveryRounds = flag.Int("recovery.rounds", 3, "recovery: rounds of each")
	recoveryKeep   = flag.String("recovery.keep", "", "recovery: directory in which the filled log is kept, and found the next time")
	recoveryCPU    = flag.String("recovery.cpuprofile", "", "recovery: file for a CPU profile of the recoveries")
)

// recoveryWriter is the variable that makes this program the process that fills a log and is then killed. It holds the
// directory.
const recoveryWriter = "TELEMBENCH_RECOVERY_WRITER"

// measureRecovery fills a log with main pings in another process, which is killed without closing anything, opens a copy
// of the directory until all of it is visible, and gunzips and parses the same bodies with nothing else. Rounds take
// turns.
func measureRecovery(ctx context.Context, b *bench) error {
	from := b.dir
	if *recoveryKeep != "" {
		from = *recoveryKeep
	}
	if _, err := os.Stat(filepath.Join(from, "bodies")); err != nil {
		if err := writeAndDie(ctx, from); err != nil {
			return err
		}
	}
	bodies, err := readBodies(filepath.Join(from, "bodies"))
	if err != nil {
		return err
	}
	if *recoveryCPU != "" {
		f, err := os.Create(*recoveryCPU)
		if err != nil {
			return err
		}
		defer f.Close()
		defer pprof.StopCPUProfile()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
	}
	var recoveries, parses, ratios, cpus []float64
	var plain, sealed int64
	for i := range *recoveryRounds {
		cpu := ownCPU()
		took, n, err := parseAll(bodies)
		if err != nil {
			return err
		}
		parseCPU := ownCPU() - cpu
		plain = n
		opened, openCPU, segments, err := recoverCopy(ctx, from, filepath.Join(b.dir, fmt.Sprint(i)), len(bodies))
		if err != nil {
			return err
		}
		sealed = max(sealed, segments)
		recoveries, parses = append(recoveries, opened.Seconds()), append(parses, took.Seconds())
		ratios = append(ratios, opened.Seconds()/took.Seconds())
		cpus = append(cpus, openCPU.Seconds()/parseCPU.Seconds())
	}
	gz := 0
	for _, body := range bodies {
		gz += len(body)
	}
	b.add("log", "unsealed, of a process that was killed", fmt.Sprintf("%d main pings, %.0f MiB gzipped, %.2f GB of JSON", len(bodies), float64(gz)/(1<<20), float64(plain)/1e9))
	b.add("gunzip, parse", fmt.Sprintf("klauspost gzip and fastjson.Parse, reused, on %d cores", runtime.NumCPU()), fmt.Sprintf("%.1f s, %.0f MB/s of JSON", median(parses), float64(plain)/1e6/median(parses)))
	b.add("recovery", "telemdb.Open until every row is visible, page cache warm", fmt.Sprintf("%.1f s, %.0f MB/s of JSON, %d segments sealed meanwhile", median(recoveries), float64(plain)/1e6/median(recoveries), sealed))
	b.add("ratio", "recovery / gunzip and parse, median of the rounds' ratios (goal: 1.3 or less)", fmt.Sprintf("%.2f; of CPU time %.2f", median(ratios), median(cpus)))
	return nil
}

// recoverCopy opens a copy of the directory and returns how long it took until everything is visible, the CPU time that
// needed, and how many segments were written by then.
func recoverCopy(ctx context.Context, from, to string, rows int) (took, cpu time.Duration, sealed int64, err error) {
	defer os.RemoveAll(to)
	// A copy's bytes are in the page cache.
	if err := os.CopyFS(to, os.DirFS(filepath.Join(from, "db"))); err != nil {
		return 0, 0, 0, err
	}
	debug.FreeOSMemory()
	cpu = ownCPU()
	began := time.Now()
	db, err := telemdb.Open(to, telemdb.Options{})
	if err != nil {
		return 0, 0, 0, err
	}
	took, cpu = time.Since(began), ownCPU()-cpu
	var n, segments int64
	for _, q := range []struct {
		sql string
		dst *int64
	}{{"SELECT count(*) FROM main", &n}, {"SELECT count(*) FROM telemdb.segments", &segments}} {
		r, err := db.Query(ctx, q.sql)
		if err != nil {
			return 0, 0, 0, errors.Join(err, db.Close())
		}
		for r.Next() {
			if err := r.Scan(q.dst); err != nil {
				return 0, 0, 0, errors.Join(err, db.Close())
			}
		}
		if err := r.Close(); err != nil {
			return 0, 0, 0, errors.Join(err, db.Close())
		}
	}
	if n != int64(rows) {
		return 0, 0, 0, errors.Join(fmt.Errorf("%d rows after recovery, %d were acknowledged", n, rows), db.Close())
	}
	return took, cpu, segments, db.Close()
}

// parseAll gunzips and parses bodies on all cores and returns the bytes of JSON.
func parseAll(bodies [][]byte) (time.Duration, int64, error) {
	debug.FreeOSMemory()
	var next, plain atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	began := time.Now()
	for range runtime.NumCPU() {
		wg.Go(func() {
			var z gzip.Reader
			var p fastjson.Parser
			var src bytes.Reader
			var doc []byte
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(bodies) {
					return
				}
				err := func() (err error) {
					src.Reset(bodies[i])
					if err := z.Reset(&src); err != nil {
						return err
					}
					if doc, err = appendAll(doc[:0], &z); err != nil {
						return err
					}
					plain.Add(int64(len(doc)))
					_, err = p.ParseBytes(doc)
					return err
				}()
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if e := failed.Load(); e != nil {
		return 0, 0, *e
	}
	return time.Since(began), plain.Load(), nil
}

func appendAll(dst []byte, r io.Reader) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, make([]byte, max(64<<10, len(dst)))...)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// writeAndDie runs this program again to fill DIR/db and DIR/bodies; it ends by SIGKILL.
func writeAndDie(ctx context.Context, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, self, fmt.Sprintf("-recovery.mib=%d", *recoveryMiB))
	c.Env = append(os.Environ(), recoveryWriter+"="+dir)
	c.Stderr = os.Stderr
	err = c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signal() == syscall.SIGKILL {
			return nil
		}
	}
	return fmt.Errorf("the process that fills the log ended otherwise than by SIGKILL: %v", err)
}

// fillLog submits generated main pings until there are enough, notes their bodies, and kills its own process. Nothing is
// decoded or sealed, so that all of it is for recovery.
func fillLog(ctx context.Context, dir string) error {
	s, err := storage.Open(filepath.Join(dir, "db"), withoutDecoding())
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "bodies"))
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	var mu sync.Mutex // guards out and left
	left := int64(*recoveryMiB) << 20
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for i := range runtime.NumCPU() {
		wg.Go(func() {
			err := fillFrom(ctx, s, uint64(7000+i), func(body []byte) (more bool, err error) {
				mu.Lock()
				defer mu.Unlock()
				left -= int64(len(body))
				_, err = out.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...))
				return left > 0, err
			})
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	wg.Wait()
	if e := failed.Load(); e != nil {
		return *e
	}
	if err := errors.Join(out.Flush(), f.Close()); err != nil {
		return err
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// fillFrom submits pings of one generator until note says that there are enough.
func fillFrom(ctx context.Context, s *storage.Store, seed uint64, note func(body []byte) (bool, error)) error {
	g := gen.New(gen.Options{Seed: seed, Pings: -1, Clients: 5000, Start: time.Now().UTC(), Days: 1, Kinds: gen.Kinds{Main: 1}})
	z := gzip.NewWriter(io.Discard)
	seen := map[string]bool{}
	var p gen.Ping
	for g.Next(&p) {
		if p.Broken || p.Duplicate || seen[p.DocID] {
			continue
		}
		seen[p.DocID] = true
		var gz bytes.Buffer
		z.Reset(&gz)
		if _, err := z.Write(p.Body); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		r, err := ingest.NewRecord(p.URI, nil, "", p.Received)
		if err != nil {
			return err
		}
		if _, err := s.Submit(ctx, ping.EncodeHead(nil, r), gz.Bytes()); err != nil {
			return err
		}
		if more, err := note(gz.Bytes()); err != nil || !more {
			return err
		}
	}
	return nil
}

// readBodies reads what fillLog noted.
func readBodies(name string) ([][]byte, error) {
	all, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for len(all) > 0 {
		n := binary.LittleEndian.Uint32(all)
		out = append(out, all[4:4+n])
		all = all[4+n:]
	}
	return out, nil
}

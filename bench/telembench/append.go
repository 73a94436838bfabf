package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

func init() {
	parts = append(parts, part{"append", "durable acknowledged ingest against a bare loop of write and fdatasync", measureAppend})
}

var (
	appendMiB    = flag.Int("append.mib", 128, "append: bodies of one round, MiB")
	appendRounds = flag.Int("append.rounds", 25, "append: rounds of each")
)

const (
	appendBody    = 40_000  // bytes
	appendGroup   = 1 << 20 // the log's own bound of a group (ingest.commit_bytes)
	appendFile    = 64 << 20
	appendCallers = 64
)

// measureAppend holds Store.Submit against a loop that writes the same bodies in groups and syncs each. The rounds take
// turns, so that a slow moment of the disk meets both.
func measureAppend(ctx context.Context, b *bench) error {
	bodies := randomBodies(*appendMiB << 20 / appendBody)
	size := float64(len(bodies)*appendBody) / 1e6
	var loops, stores []float64
	var group float64
	for i := range *appendRounds {
		dir := filepath.Join(b.dir, fmt.Sprint(i))
		loop := func() error {
			took, err := bareLoop(dir+"-loop", bodies)
			loops = append(loops, size/took.Seconds())
			return err
		}
		store := func() error {
			took, per, err := submitAll(ctx, dir+"-store", bodies)
			stores, group = append(stores, size/took.Seconds()), per
			return err
		}
		order := []func() error{loop, store}
		if i%2 == 1 { // whoever comes second meets what the first has left for the disk to do
			slices.Reverse(order)
		}
		for _, f := range order {
			if err := f(); err != nil {
				return err
			}
		}
	}
	ratios := make([]float64, len(loops))
	for i := range loops {
		ratios[i] = stores[i] / loops[i]
	}
	b.add("bare loop", fmt.Sprintf("groups of %d KiB, one write and one fdatasync each, %.0f MB a round", appendGroup>>10, size),
		fmt.Sprintf("%.0f MB/s (%.0f to %.0f)", median(loops), slices.Min(loops), slices.Max(loops)))
	b.add("Store.Submit", fmt.Sprintf("%d callers, the same bodies of %d bytes, nothing decoded", appendCallers, appendBody),
		fmt.Sprintf("%.0f MB/s (%.0f to %.0f), %.1f records a sync", median(stores), slices.Min(stores), slices.Max(stores), group))
	b.add("ratio", "Store.Submit / bare loop, median of the rounds' ratios (goal: 0.8 or more)", fmt.Sprintf("%.2f", median(ratios)))
	return nil
}

// median returns the middle of numbers, in their order or not.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// randomBodies makes bodies that no disk can compress.
func randomBodies(n int) [][]byte {
	r := rand.NewChaCha8([32]byte{1})
	out := make([][]byte, n)
	for i := range out {
		out[i] = make([]byte, appendBody)
		_, _ = r.Read(out[i]) // never fails
	}
	return out
}

// bareLoop writes bodies into preallocated files, a group at a time, and syncs each group.
func bareLoop(dir string, bodies [][]byte) (time.Duration, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	group := make([]byte, 0, appendGroup)
	var f *os.File
	off, made := int64(0), 0
	began := time.Now()
	for len(bodies) > 0 {
		group = group[:0]
		for len(bodies) > 0 && len(group)+appendBody <= appendGroup {
			group = append(group, bodies[0]...)
			bodies = bodies[1:]
		}
		if f == nil || off+int64(len(group)) > appendFile {
			next, err := nextFile(f, filepath.Join(dir, fmt.Sprint(made)))
			if err != nil {
				return 0, err
			}
			f, off, made = next, 0, made+1
		}
		if _, err := f.WriteAt(group, off); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		off += int64(len(group))
	}
	return time.Since(began), f.Close()
}

// nextFile closes a file and makes another one, whose blocks and name are durable.
func nextFile(old *os.File, name string) (*os.File, error) {
	if old != nil {
		if err := old.Close(); err != nil {
			return nil, err
		}
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, appendFile); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return f, d.Sync()
}

// submitAll gives the bodies to a new store from many callers, each waiting for its acknowledgement.
func submitAll(ctx context.Context, dir string, bodies [][]byte) (took time.Duration, group float64, err error) {
	defer os.RemoveAll(dir)
	s, err := storage.Open(dir, withoutDecoding())
	if err != nil {
		return 0, 0, err
	}
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	began := time.Now()
	for range appendCallers {
		wg.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(bodies) {
					return
				}
				if _, err := s.Submit(ctx, bodies[i]); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	took = time.Since(began)
	if e := failed.Load(); e != nil {
		return 0, 0, *e
	}
	if l := s.Stats().Log; l.Groups > 0 {
		group = float64(l.Records) / float64(l.Groups)
	}
	return took, group, s.Close()
}

// withoutDecoding are the options of a store that takes submissions and makes nothing of them.
func withoutDecoding() storage.Options {
	return storage.Options{
		Decoder:      func(storage.DecodeEnv) (storage.Decoder, error) { return blindDecoder{}, nil },
		SystemTables: ingest.SystemTables(),
		SealMaxAge:   24 * time.Hour,
	}
}

// blindDecoder makes an empty row of every record.
type blindDecoder struct{}

var blindTable = types.TableName{Schema: "bench", Name: "blind"}

func (blindDecoder) Route([]byte) types.TableName      { return blindTable }
func (d blindDecoder) NewWorker() storage.DecodeWorker { return d }

func (blindDecoder) Decode(_ []byte, _ uint64, out *storage.Decoded)  { out.Table = blindTable }
func (blindDecoder) Duplicate([]byte, uint64, uint64, *column.RowBuf) {}

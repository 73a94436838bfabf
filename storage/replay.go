package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/telemdb/telemdb/storage/jobs"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/wal"
)

// A replay decodes the landfill's records again with today's decoder. What the decoder makes the same is left alone; what
// it makes otherwise is swapped: tombstone, new row, document key, roll-up correction, counters and the replay's progress
// in one batch. Only records are looked at whose row is there: rows that were deleted or are past their time do not come
// back. Records of duplicates stay duplicates. A row keeps its record's LSN and receive time.
//
// It goes through the log one short range at a time, holds nothing between them but its place in the log, and waits while
// live submissions wait to be decoded.

// ReplayProgress is how far a replay has come.
type ReplayProgress = meta.ReplayProgress

// ReplayOptions says what to decode again.
type ReplayOptions struct {
	// Name is under what the progress is kept. A replay of a name that was interrupted goes on where it was.
	Name string
	// Records are the LSNs to look at; nil: all.
	Records *roaring64.Bitmap
	// DryRun counts what would be swapped and swaps nothing.
	DryRun bool
	// Progress, if not nil, is called after each range.
	Progress func(p ReplayProgress, last uint64)
}

// ErrReplayRuns is the error of a second replay at the same time.
var ErrReplayRuns = errors.New("a replay is running already")

// Bounds of a range.
const (
	replayRecords = 1024 // one batch of a vector
	replayBytes   = 8 << 20
	replayRetries = 100
)

// Replay decodes records again. It can be ended by ctx at any time, and by a crash; run again, it goes on.
func (s *Store) Replay(ctx context.Context, o ReplayOptions) (ReplayProgress, error) {
	if err := s.writable(); err != nil {
		return ReplayProgress{}, err
	}
	if s.decoder == nil {
		return ReplayProgress{}, errors.New("a store without a decoder has nothing to replay")
	}
	if !s.replaying.CompareAndSwap(false, true) {
		return ReplayProgress{}, ErrReplayRuns
	}
	defer s.replaying.Store(false)
	began := s.o.Now()
	s.replayed.start(began)
	p, err := s.replay(ctx, o)
	s.replayed.end(s.o.Now(), s.o.Now().Sub(began), err)
	if err != nil {
		return p, fmt.Errorf("replay: %w", mapError(err))
	}
	return p, nil
}

func (s *Store) replay(ctx context.Context, o ReplayOptions) (ReplayProgress, error) {
	r := &replayer{s: s, o: o, worker: s.decoder.NewWorker()}
	p, found, err := s.meta.Replay(o.Name)
	if err != nil {
		return p, err
	}
	if found && !o.DryRun {
		r.p = p
	}
	if files := s.log.Files(); len(files) > 0 && o.Records != nil && r.p.Next == 0 && files[0].First > 0 {
		r.p.Missing = o.Records.Rank(files[0].First - 1)
	}
	r.p.Next = max(r.p.Next, 1)
	// From here on the rows of all records up to last are sealed.
	if err := s.Flush(ctx); err != nil {
		return r.p, err
	}
	s.mu.Lock()
	r.last = s.applied
	s.mu.Unlock()
	if r.rd, err = s.log.NewReader(r.p.Next); err != nil {
		return r.p, err
	}
	err = r.run(ctx)
	return r.p, errors.Join(err, r.rd.Close())
}

// replayer is one run.
type replayer struct {
	s      *Store
	o      ReplayOptions
	p      ReplayProgress
	last   uint64 // the last record to look at
	rd     *wal.Reader
	worker DecodeWorker
	part   []replayRecord
	bytes  int
	seen   uint64 // the last record read
	ended  bool
}

// replayRecord is a record of the range.
type replayRecord struct {
	lsn     uint64
	payload []byte
	route   types.TableName
	out     Decoded
}

func (r *replayer) run(ctx context.Context) error {
	for !r.ended {
		if err := r.giveWay(ctx); err != nil {
			return err
		}
		if err := r.read(ctx); err != nil {
			return err
		}
		for i := range r.part {
			rec := &r.part[i]
			rec.route = r.s.decoder.Route(rec.payload)
			r.worker.Decode(rec.payload, rec.lsn, &rec.out)
		}
		if err := r.swapRange(ctx); err != nil {
			return err
		}
		r.s.replayed.step(r.s.o.Now(), fmt.Sprintf("record %d of %d; %s", r.p.Next-1, r.last, r.p))
		if r.o.Progress != nil {
			r.o.Progress(r.p, r.last)
		}
	}
	if r.o.DryRun {
		return nil
	}
	return r.s.publish(publication{stage: func(b *meta.Batch) { b.DropReplay(r.o.Name) }})
}

// How far decoding of live submissions may be behind while a replay goes on, and how often it is looked at.
const (
	replayLagMax = 500 * time.Millisecond
	replayPause  = 50 * time.Millisecond
)

// giveWay waits while live submissions wait.
func (r *replayer) giveWay(ctx context.Context) error {
	for {
		if err := errors.Join(ctx.Err(), r.s.usable()); err != nil {
			return err
		}
		if r.s.Lag() < replayLagMax {
			return nil
		}
		pause := time.NewTimer(replayPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		pause.Stop()
	}
}

// replayStuck is how long the log's reader may be silent on synced records. Behind the last one of a damaged log it is.
const replayStuck = 5 * time.Second

// read takes the next range out of the log.
func (r *replayer) read(ctx context.Context) error {
	r.part, r.bytes = r.part[:0], 0
	for len(r.part) < r.s.replayRange && r.bytes < replayBytes {
		if r.seen >= r.last {
			r.ended = true
			return nil
		}
		part, done := context.WithTimeout(ctx, replayStuck)
		rec, err := r.rd.Next(part)
		late := part.Err() != nil && ctx.Err() == nil
		done()
		var hole *wal.DamageError
		switch {
		case errors.As(err, &hole):
			continue
		case err != nil && late:
			r.ended = true
			return nil
		case err != nil:
			return err
		case rec.LSN > r.last:
			r.ended = true
			return nil
		}
		r.seen = rec.LSN
		if rec.Kind != kindPing || r.o.Records != nil && !r.o.Records.Contains(rec.LSN) {
			continue
		}
		r.take(rec)
	}
	return nil
}

func (r *replayer) take(rec wal.Record) {
	if n := len(r.part); n < cap(r.part) {
		r.part = r.part[:n+1]
	} else {
		r.part = append(r.part, replayRecord{})
	}
	c := &r.part[len(r.part)-1]
	c.lsn, c.payload = rec.LSN, append(c.payload[:0], rec.Payload...)
	c.out.Reset()
	r.bytes += len(rec.Payload)
}

// swapRange holds the range's rows against what is stored, and swaps what differs, together with the progress. It starts
// anew when something it had read has changed meanwhile: rows deleted, documents sent again.
func (r *replayer) swapRange(ctx context.Context) error {
	for range replayRetries {
		again, err := r.trySwap(ctx)
		if err != nil || !again {
			return err
		}
	}
	return errors.New("rows of the range kept changing; run it again")
}

func (r *replayer) trySwap(ctx context.Context) (again bool, err error) {
	sn, err := r.s.Snapshot()
	if err != nil {
		return false, err
	}
	defer sn.Release()
	p := r.p
	p.Next = r.seen + 1
	swaps, err := r.compare(sn, &p)
	if err != nil {
		return false, err
	}
	if r.o.DryRun {
		r.p = p
		return false, nil
	}
	if len(swaps) == 0 {
		if p.Records == r.p.Records && !r.ended {
			r.p = p // not worth a batch
			return false, nil
		}
		err = r.s.publish(publication{stage: func(b *meta.Batch) { b.SetReplay(r.o.Name, p) }})
	} else {
		again, err = r.commit(ctx, sn, swaps, p)
	}
	if err == nil && !again {
		r.p = p
	}
	return again, err
}

// askedStatus is the last piece of work of a kind that somebody asked for, as a job.
type askedStatus struct {
	mu     sync.Mutex
	status jobs.Status
}

func (r *askedStatus) start(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = jobs.Status{Running: true, Last: now}
}

// step counts a range.
func (r *askedStatus) step(now time.Time, progress string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Progress = progress
	r.status.Steps++
	r.status.Last = now
}

func (r *askedStatus) end(now time.Time, took time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Running, r.status.Last, r.status.Took = false, now, took
	if err != nil {
		r.status.Errors++
		r.status.Err = err.Error()
	}
}

func (r *askedStatus) get(name string) jobs.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.status
	st.Name = name
	return st
}

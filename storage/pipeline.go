package storage

import (
	"context"
	"errors"
	"sync"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/wal"
)

// The kinds of log records. Values are stored: never renumber.
const (
	kindPing   wal.Kind = 1 // one submission: what Submit was given
	kindRows   wal.Kind = 2 // rows of an ordinary table; see rowrecord.go
	kindBulk   wal.Kind = 3 // nothing: it gives rows written beside the log their LSN
	kindTables wal.Kind = 4 // rows of several ordinary tables; see txrecord.go
)

// pipeline turns synced records into visible rows: one goroutine reads the log and fills jobs, several decode, one
// applies the jobs in the order in which they were filled, which is the order of LSNs. Whatever depends on the order
// (which document is the first of its key) is decided there and nowhere else.
type pipeline struct {
	s    *Store
	free chan *job // bounds what is decoded and not yet applied
	work chan *job
	turn chan *job // in order
	wg   sync.WaitGroup
}

// Bounds of a job: enough to pay for the hand-over, little enough to share the load between decoders.
const (
	jobRecordsMax = 64
	jobBytesMax   = 128 << 10
	keepBytesMax  = 4 << 20 // a buffer that a freak record grew beyond this is given back
)

// job is a few records on their way.
type job struct {
	records []record
	n       int
	payload []byte
	done    chan struct{} // one token: decoded
}

// record is one record of a job.
type record struct {
	lsn      uint64
	kind     wal.Kind
	from, to int // of job.payload
	route    types.TableName
	skip     bool // sealed before the last start
	out      Decoded
}

func (j *job) bytes(r *record) []byte { return j.payload[r.from:r.to] }

func (j *job) reset() {
	for i := range j.records[:j.n] {
		if r := &j.records[i]; cap(r.out.Row.Arena) > keepBytesMax || cap(r.out.Row.Values) > keepBytesMax/16 {
			r.out = Decoded{}
		}
	}
	if cap(j.payload) > keepBytesMax {
		j.payload = nil
	}
	j.n, j.payload = 0, j.payload[:0]
}

// add takes a copy of a record.
func (j *job) add(r wal.Record) {
	if j.n == len(j.records) {
		j.records = append(j.records, record{})
	}
	from := len(j.payload)
	j.payload = append(j.payload, r.Payload...)
	rec := &j.records[j.n]
	rec.lsn, rec.kind, rec.from, rec.to, rec.skip = r.LSN, r.Kind, from, len(j.payload), false
	j.n++
}

// start begins behind LSN after; ctx ends it.
func (p *pipeline) start(ctx context.Context, after uint64) error {
	rd, err := p.s.log.NewReader(after + 1)
	if err != nil {
		return err
	}
	jobs := 2*p.s.o.DecodeWorker + 1
	p.free, p.work, p.turn = make(chan *job, jobs), make(chan *job, jobs), make(chan *job, jobs)
	for range jobs {
		p.free <- &job{done: make(chan struct{}, 1)}
	}
	p.wg.Add(2 + p.s.o.DecodeWorker)
	go func() { defer p.wg.Done(); p.read(ctx, rd) }()
	for range p.s.o.DecodeWorker {
		go func() { defer p.wg.Done(); p.decode() }()
	}
	go func() { defer p.wg.Done(); p.apply(ctx) }()
	return nil
}

func (p *pipeline) wait() { p.wg.Wait() }

// read fills jobs until ctx ends or the log fails.
func (p *pipeline) read(ctx context.Context, rd *wal.Reader) {
	defer close(p.work)
	defer close(p.turn)
	defer func() { _ = rd.Close() }()
	for {
		var j *job
		select {
		case j = <-p.free:
		case <-ctx.Done():
			return
		}
		err := p.fill(ctx, rd, j)
		var hole *wal.DamageError
		if errors.As(err, &hole) { // reported, and the next call goes on behind it
			p.s.lostLog("decode", hole.Damage)
			err = p.s.saveDamage()
			if errors.Is(err, ErrFull) {
				err = nil // recorded in memory, and soon on disk
			}
		}
		if j.n > 0 {
			p.turn <- j
			p.work <- j
		} else {
			p.free <- j
		}
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, wal.ErrClosed) {
				p.s.fail(err)
			}
			return
		}
	}
}

// fill waits for a record and takes what else is there. Of a damaged log the last record may be missing: what was synced
// then never comes, so the last one that Open found ends a job too.
func (p *pipeline) fill(ctx context.Context, rd *wal.Reader, j *job) error {
	for {
		r, err := rd.Next(ctx)
		if err != nil {
			return err
		}
		j.add(r)
		if j.n == jobRecordsMax || len(j.payload) >= jobBytesMax || r.LSN >= p.s.log.Synced() || r.LSN == p.s.logLast {
			return nil
		}
	}
}

// decode is one decoder.
func (p *pipeline) decode() {
	var w DecodeWorker
	if p.s.decoder != nil {
		w = p.s.decoder.NewWorker()
	}
	for j := range p.work {
		for i := range j.records[:j.n] {
			r := &j.records[i]
			if r.kind != kindPing || w == nil {
				continue
			}
			payload := j.bytes(r)
			r.route = p.s.decoder.Route(payload)
			if r.skip = r.lsn <= p.s.bootMarks[r.route]; r.skip {
				continue
			}
			r.out.Reset()
			w.Decode(payload, r.lsn, &r.out)
		}
		j.done <- struct{}{}
	}
}

// apply is the applier.
func (p *pipeline) apply(ctx context.Context) {
	a := applier{s: p.s}
	if p.s.decoder != nil {
		a.worker = p.s.decoder.NewWorker()
	}
	for j := range p.turn {
		<-j.done
		if ctx.Err() == nil {
			p.s.waitForRoom(ctx)
		}
		if ctx.Err() == nil && p.s.usable() == nil {
			if err := a.job(j); err != nil {
				p.s.fail(err)
			}
		}
		j.reset()
		p.free <- j
	}
}

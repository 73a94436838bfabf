package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/jobs"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
	"github.com/telemdb/telemdb/storage/wal"
)

// Store is an open data directory. Its methods are safe for concurrent use.
type Store struct {
	o           Options
	fs          vfs.FS
	files       *filePool // fs for the readers of segments
	dir         string
	lock        io.Closer
	meta        *meta.DB
	log         *wal.Log
	cache       *segment.Cache
	paths       *column.Interner
	decoder     Decoder
	rollups     []*rollup
	catalog     *catalog
	manifest    *manifest
	pipeline    pipeline
	jobs        *jobs.Runner
	stop        context.CancelFunc         // ends the pipeline
	bootMarks   map[types.TableName]uint64 // marks as of Open: what replay skips
	shortInsert int                        // shortInsertBytes, but for tests
	runRows     int                        // segmentRowsMax of a run's segments, but for tests
	cutRows     int                        // segmentRowsMin, but for tests
	logLast     uint64                     // LSN of the last record that Open found
	logSynced   uint64                     // what the catalog knew at Open of how far the log was synced
	clock       lagClock
	damage      damageList
	scrub       scrubber

	// Locks, in the order in which they are taken.
	mergeMu   sync.Mutex // one merge at a time
	sealMu    sync.Mutex // one seal, DROP or rebuilding of a roll-up at a time
	applyMu   sync.Mutex // held by the applier for one job at a time: heads change between jobs only
	publishMu sync.Mutex // one publishing batch at a time
	mu        sync.Mutex // the moment: a snapshot is taken, and a change of what it sees is made, under it; never held over I/O

	// Under publishMu.
	marks     map[types.TableName]uint64 // marks of lanes on disk, all above logMark
	logMark   uint64
	published atomic.Int64 // batches

	// heads' list of lanes, and what is active in a lane, change under applyMu and mu together, so either is enough to
	// read them; what is frozen changes under sealMu and mu.
	heads   *heads
	applied uint64                           // under mu: all records up to here are seen
	balance map[types.TableName]meta.Balance // under mu: what is published
	moved   chan struct{}                    // under mu: closed when applied or heads next move, nil if nobody waits

	headBytes atomic.Int64
	diskSeen  atomic.Int64 // when free space was last looked at, unix nanoseconds
	diskFree  atomic.Int64 // bytes free if that is below the reserve, -1 if there is enough
	diskLow   atomic.Bool  // free space is below the soft reserve
	seals     atomic.Int64 // done since Open
	merges    atomic.Int64
	planner   mergePlanner

	replaying   atomic.Bool // a Replay runs
	replayed    askedStatus
	clusters    clusters
	replayRange int         // records of a range of a replay; replayRecords, but for tests
	recovering  atomic.Bool // Open has not read the log back yet
	roomy       atomic.Bool // the heads may still have Options.HeadRecoveryBytes

	mergesSkipped atomic.Int64 // for want of room on the disk
	expiredKeys   atomic.Int64 // document keys, since Open

	// Readers elsewhere, and being one.
	lender   *lender       // nil: nobody is lent anything
	lent     atomic.Uint64 // numbers the moments
	moment   *moment       // what a read-only store shows
	closed   chan struct{} // of a read-only store with a lease: closed by Close
	watching sync.WaitGroup

	failure   atomic.Pointer[error]
	closing   atomic.Bool
	closeOnce sync.Once
	closeErr  error
}

// rollup is a Rollup and the table of its states.
type rollup struct {
	Rollup
	states *types.Table
}

// usable returns why the store answers nothing any more, nil if it does.
func (s *Store) usable() error {
	if f := s.failure.Load(); f != nil {
		return *f
	}
	if s.closing.Load() {
		return ErrClosed
	}
	return nil
}

// fail makes the store failed: every waiter and every later call gets err. Its files are released by Close.
func (s *Store) fail(err error) {
	if !errors.Is(err, ErrFailed) {
		err = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	if !s.failure.CompareAndSwap(nil, &err) {
		return
	}
	s.o.Logger.Error("the store has failed", "dir", s.dir, "err", err)
	s.mu.Lock()
	s.signalLocked()
	s.mu.Unlock()
	if s.o.OnFailed != nil {
		s.o.OnFailed(err)
	}
}

// Failed returns what the store failed of, nil if it has not.
func (s *Store) Failed() error {
	if f := s.failure.Load(); f != nil {
		return *f
	}
	return nil
}

// Paths numbers the paths of rows given to InsertRows.
func (s *Store) Paths() *column.Interner { return s.paths }

// signalLocked wakes whoever waits for the moment to move.
func (s *Store) signalLocked() {
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
}

// waitUntil waits until ok, which is called under mu, is true.
func (s *Store) waitUntil(ctx context.Context, ok func() bool) error {
	for {
		if err := s.usable(); err != nil {
			return err
		}
		s.mu.Lock()
		if ok() {
			s.mu.Unlock()
			return nil
		}
		if s.moved == nil {
			s.moved = make(chan struct{})
		}
		moved := s.moved
		s.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// waitForRoom makes decoding wait while the heads are full, until a seal has made room.
func (s *Store) waitForRoom(ctx context.Context) {
	if s.o.Manual || s.headBytes.Load() < s.headLimit() {
		return
	}
	s.jobs.Kick(jobSeal)
	// An error means that the store fails or closes: the caller looks at that itself.
	_ = s.waitUntil(ctx, func() bool { return s.headBytes.Load() < s.headLimit() })
}

// grow counts bytes added to the heads.
func (s *Store) grow(n int64) { s.headBytes.Add(n) }

// Submit appends a submission to the log: the parts, joined, are what the decoder will be given. It is on disk when
// Submit returns its LSN, and visible soon after. ctx bounds the wait for the disk, not the record's fate: after its
// error the record may be there.
func (s *Store) Submit(ctx context.Context, parts ...[]byte) (lsn uint64, err error) {
	return s.append(ctx, kindPing, parts...)
}

func (s *Store) append(ctx context.Context, kind wal.Kind, parts ...[]byte) (lsn uint64, err error) {
	if err := s.writable(); err != nil {
		return 0, err
	}
	if err := s.spaceLeft(); err != nil {
		return 0, err
	}
	lsn, err = s.log.Append(ctx, kind, parts...)
	if err != nil {
		return 0, mapError(err)
	}
	s.clock.synced(lsn, s.o.Now())
	return lsn, nil
}

// WaitVisible waits until the record lsn and all before it are in what a snapshot sees.
func (s *Store) WaitVisible(ctx context.Context, lsn uint64) error {
	return s.waitUntil(ctx, func() bool { return s.applied >= lsn })
}

// Lag returns the age of the oldest synced record that is not visible yet, 0 if there is none.
func (s *Store) Lag() time.Duration {
	s.mu.Lock()
	applied := s.applied
	s.mu.Unlock()
	if applied >= s.log.Synced() {
		return 0
	}
	return s.clock.age(applied, s.o.Now())
}

// lagClock remembers when records were synced, coarsely.
type lagClock struct {
	mu      sync.Mutex
	samples []sample // ascending
}

type sample struct {
	lsn uint64
	at  time.Time
}

const lagResolution = 10 * time.Millisecond

func (c *lagClock) synced(lsn uint64, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.samples); n > 0 {
		last := &c.samples[n-1]
		if lsn <= last.lsn {
			return
		}
		if at.Sub(last.at) < lagResolution {
			last.lsn = lsn // keeps the earlier time: the age is never told too small
			return
		}
	}
	c.samples = append(c.samples, sample{lsn, at})
}

func (c *lagClock) age(applied uint64, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := 0
	for i < len(c.samples) && c.samples[i].lsn <= applied {
		i++
	}
	c.samples = c.samples[i:]
	if len(c.samples) == 0 {
		return 0
	}
	return max(0, now.Sub(c.samples[0].at))
}

// Flush waits until everything acknowledged so far is decoded, and seals and publishes all heads.
func (s *Store) Flush(ctx context.Context) error {
	if err := s.writable(); err != nil {
		return err
	}
	if err := s.WaitVisible(ctx, s.log.Synced()); err != nil {
		return err
	}
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	for _, l := range s.lanes() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.sealLocked(ctx, l); err != nil {
			return mapError(err)
		}
	}
	return mapError(s.advanceMark())
}

// lanes lists the lanes that have rows.
func (s *Store) lanes() []*lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*lane(nil), s.heads.order...)
}

// advanceMark publishes how far the log is sealed, if that has moved without a seal.
func (s *Store) advanceMark() error {
	s.mu.Lock()
	low := min(s.applied, s.heads.least(nil)-1)
	s.mu.Unlock()
	s.publishMu.Lock()
	moved := low > s.logMark
	s.publishMu.Unlock()
	if !moved {
		return nil
	}
	return s.publish(publication{})
}

// publication is what one batch publishes, beside the marks.
type publication struct {
	edit
	stage   func(b *meta.Batch) // more puts
	tables  []uint32            // tables whose schema must be on disk with it
	route   types.TableName     // a seal: whose records
	upto    uint64              // up to where; 0 if it is no seal
	sealed  *lane               // whose frozen rows they are
	frees   bool                // a delete: the ballast may be given up for it, although it adds files
	repair  bool                // what is dropped is made again by what is added
	mends   func(*Damage) bool  // other damage that is repaired by it
	install func()              // called under mu, when it is durable
}

// settles is the state of the damage of files that a publication drops.
func (p *publication) settles() meta.DamageState {
	if p.repair {
		return DamageRepaired
	}
	return DamageGone
}

// publish is the one publication: everything of p becomes durable in one batch and visible at one moment. After an error
// that is not ErrFailed, nothing of it is.
func (s *Store) publish(p publication) error {
	s.publishMu.Lock()
	defer s.publishMu.Unlock()
	if err := s.usable(); err != nil { // Close takes publishMu before it closes the catalog
		return err
	}
	if err := s.roomToPublish(len(p.add) > 0 && !p.frees); err != nil {
		return err
	}
	// A batch must not know of records that a power loss could take from the log.
	if err := s.log.Sync(); err != nil {
		return err
	}
	b := s.meta.NewBatch()
	if err := s.stageFiles(b, p.edit); err != nil {
		return errors.Join(err, b.Close())
	}
	s.manifest.stage(b, p.edit)
	stored := s.catalog.persist(b, p.tables)
	if p.stage != nil {
		p.stage(b)
	}
	settled := s.stageSettled(b, p)
	mark, marks := s.stageMarks(b, p)
	if err := s.meta.Commit(b); err != nil {
		return err
	}
	s.published.Add(1)
	stored()
	s.logMark, s.marks = mark, marks
	settled()
	s.mu.Lock()
	s.manifest.install(p.edit)
	if p.install != nil {
		p.install()
	}
	s.signalLocked()
	s.mu.Unlock()
	s.log.SetMark(mark)
	return nil
}

// stageFiles makes the names of new files durable before anything names them, and lets the catalog forget files that are
// removed once that is durable.
func (s *Store) stageFiles(b *meta.Batch, e edit) error {
	gone := s.manifest.takeGone()
	if len(gone)+len(e.add) == 0 {
		return nil
	}
	if err := s.fs.SyncDir(s.segmentsDir()); err != nil {
		return fmt.Errorf("sync %s: %w", s.segmentsDir(), err)
	}
	for _, id := range gone {
		b.ForgetFile(id)
	}
	return nil
}

// stageMarks puts the log's mark, and those of the lanes that are further, into b. publishMu is held.
func (s *Store) stageMarks(b *meta.Batch, p publication) (mark uint64, marks map[types.TableName]uint64) {
	s.mu.Lock()
	mark = max(s.logMark, min(s.applied, s.heads.least(p.sealed)-1))
	s.mu.Unlock()
	marks = map[types.TableName]uint64{}
	for route, lsn := range s.marks {
		if lsn > mark {
			marks[route] = lsn
		} else {
			b.DropMark(route)
		}
	}
	if p.upto > mark {
		marks[p.route] = p.upto
		b.SetMark(p.route, p.upto)
	}
	b.SetLogMark(mark)
	b.SetLogSynced(s.log.Durable())
	return mark, marks
}

// Close stops the jobs, the pipeline and the log, and releases the directory. What is not sealed is in the log. It may be
// called more than once.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

// noteLogEnd makes the catalog know how far the log was synced, so that a log that is cut while nobody has it open is found
// damaged and not torn. publishMu is held; the log is closed.
func (s *Store) noteLogEnd() error {
	if s.log == nil || s.Failed() != nil || s.log.Synced() == s.logSynced {
		return nil
	}
	b := s.meta.NewBatch()
	b.SetLogSynced(s.log.Durable())
	return s.meta.Commit(b)
}

func (s *Store) close() error {
	s.closing.Store(true)
	s.mu.Lock()
	s.signalLocked()
	s.mu.Unlock()
	errs := []error{s.lender.close()}
	if s.jobs != nil {
		s.jobs.Close()
	}
	if s.stop != nil {
		s.stop()
		s.pipeline.wait()
	}
	if s.log != nil {
		if err := s.log.Close(); err != nil && s.Failed() == nil {
			errs = append(errs, err)
		}
	}
	if s.meta != nil && s.Failed() == nil {
		if err := s.saveDamage(); err != nil {
			s.o.Logger.Warn("what has been found damaged could not be recorded; it will be found again", "err", err)
		}
	}
	if s.meta != nil {
		// Whoever is in the middle of a publication finishes it first.
		s.publishMu.Lock()
		errs = append(errs, s.noteLogEnd(), s.meta.Close())
		s.publishMu.Unlock()
	}
	if s.manifest != nil {
		errs = append(errs, s.manifest.close())
	}
	errs = append(errs, s.cache.Close())
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	errs = append(errs, s.closeReadOnly())
	return errors.Join(errs...)
}

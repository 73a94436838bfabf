package storage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/telemdb/telemdb/storage/jobs"
)

// The names of the background jobs.
const (
	jobSeal   = "seal"
	jobMerge  = "merge"
	jobExpire = "expire"
	jobTrim   = "trim"
	jobDamage = "damage"
	jobScrub  = "scrub"

	jobReplay  = "replay" // these run when somebody asks for them
	jobCluster = "cluster"
)

func (s *Store) jobList() []jobs.Job {
	if s.o.ReadOnly {
		return []jobs.Job{{Name: jobSeal, Every: time.Second, Step: s.SealOnce}} // keeps the heads in bounds
	}
	return []jobs.Job{
		{Name: jobSeal, Every: time.Second, Step: s.SealOnce},
		{Name: jobMerge, Every: 5 * time.Second, Step: s.afterRecovery(s.MergeOnce)},
		{Name: jobExpire, Every: 10 * time.Minute, Step: s.afterRecovery((&expiry{s: s}).step)},
		{Name: jobDamage, Every: 10 * time.Second, Step: s.damageStep},
		{Name: jobScrub, Every: time.Minute, Step: s.afterRecovery(s.scrub.step), Progress: s.scrub.progress},
		{Name: jobTrim, Every: 30 * time.Second, Step: s.trimOnce},
	}
}

// kickSeal wakes the seal when the applier has filled a lane. touched are the rowsets that grew.
func (s *Store) kickSeal(touched map[*rowset]bool) {
	full := s.headBytes.Load() >= s.headLimit()*3/4
	for rs := range touched {
		full = full || rs.bytes >= s.o.SealBytes && !s.recovering.Load()
	}
	if full {
		s.jobs.Kick(jobSeal)
	}
}

// SealOnce seals the lane that needs it most, if any does: by size, by age, because the heads are nearly full, or because
// it holds back a log that grows long.
func (s *Store) SealOnce(ctx context.Context) (did bool, err error) {
	if err := s.usable(); err != nil {
		return false, err
	}
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	l := s.pickSeal(s.o.Now())
	if l == nil {
		if s.log.UnsealedBytes() > s.o.WALFileBytes {
			return false, mapError(s.advanceMark())
		}
		return false, nil
	}
	return true, mapError(s.sealLocked(ctx, l))
}

// pickSeal chooses a lane, nil if none needs a seal.
func (s *Store) pickSeal(now time.Time) *lane {
	unsealed, recovering := s.log.UnsealedBytes(), s.recovering.Load()
	s.applyMu.Lock() // sizes are the applier's
	defer s.applyMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	var largest, oldest *lane
	var most int64
	for _, l := range s.heads.order {
		rs := l.oldest()
		if rs == nil {
			continue
		}
		if l.frozen != nil {
			return l // left from a seal that failed
		}
		if recovering || !s.crowded(rs) { // merges wait for the recovery, so it cannot wait for them
			if !recovering && (rs.bytes >= s.o.SealBytes || now.Sub(rs.since) >= s.o.SealMaxAge) {
				return l
			}
			if largest == nil || rs.bytes > most {
				largest, most = l, rs.bytes
			}
		}
		if oldest == nil || rs.first < oldest.oldest().first {
			oldest = l
		}
	}
	switch {
	case largest != nil && s.headBytes.Load() >= s.headLimit()*3/4:
		return largest
	case oldest != nil && unsealed >= s.o.WALMaxBytes/2 && !recovering:
		return oldest
	}
	return nil
}

// crowded tells whether a rowset waits for merges: see sealFilesMax. A log that grows long is sealed all the same.
func (s *Store) crowded(rs *rowset) bool {
	return slices.ContainsFunc(rs.parts, func(p *part) bool { return s.planner.crowded(p.table.ID) })
}

// oldest returns the rowset that is sealed next.
func (l *lane) oldest() *rowset {
	if l.frozen != nil {
		return l.frozen
	}
	return l.active
}

// Landfill tells how long log files are kept after they are sealed, and up to how many bytes: 0 is 20 % of the disk,
// below 0 no bound.
func (s *Store) Landfill() (keep time.Duration, maxBytes int64) {
	return s.o.LandfillKeep, s.o.LandfillMaxBytes
}

// trimOnce removes log files that are sealed and past their time, and looks at the disk.
func (s *Store) trimOnce(context.Context) (again bool, err error) {
	if err := s.usable(); err != nil {
		return false, err
	}
	s.lookAtDisk()
	ballastErr := s.keepBallast()
	limit := s.o.LandfillMaxBytes
	if limit == 0 {
		limit = -1
		if u, err := s.fs.DiskUsage(s.dir); err == nil {
			limit = int64(u.Total / 5)
		}
	}
	removed, err := s.log.Trim(s.o.LandfillKeep, limit, s.o.Now())
	if len(removed) > 0 {
		s.settle(DamageGone, func(d *Damage) bool { return d.Kind == damagedLog && slices.Contains(removed, path.Base(d.File)) })
		s.o.Logger.Info("landfill trimmed", "files", len(removed))
	}
	return false, errors.Join(err, ballastErr)
}

// spaceLeft says whether more may be written: the log's unsealed part and the disk have room.
func (s *Store) spaceLeft() error {
	if s.log.UnsealedBytes() >= s.o.WALMaxBytes {
		s.jobs.Kick(jobSeal)
		return fmt.Errorf("%w: %d bytes of the log wait to be sealed (wal.max_bytes)", ErrFull, s.o.WALMaxBytes)
	}
	if now := s.o.Now(); now.UnixNano()-s.diskSeen.Load() > int64(time.Second) {
		s.lookAtDisk()
	}
	if free := s.diskFree.Load(); free >= 0 {
		return fmt.Errorf("%w: %d bytes are free, below disk.hard_reserve", ErrFull, free)
	}
	return nil
}

// lookAtDisk notes whether free space is below the reserve.
func (s *Store) lookAtDisk() {
	s.diskSeen.Store(s.o.Now().UnixNano())
	u, err := s.fs.DiskUsage(s.dir)
	if err != nil || s.o.HardReserve < 0 {
		s.diskFree.Store(-1)
		s.diskLow.Store(false)
		return
	}
	if low := belowSoftReserve(u); s.diskLow.Swap(low) != low {
		s.tellDisk(low, u)
	}
	if u.Free >= s.hardReserve(u) {
		if s.diskFree.Swap(-1) >= 0 {
			s.jobs.Kick(jobTrim) // the ballast, if it was given up, is to be made again before it is needed
		}
		return
	}
	s.diskFree.Store(int64(u.Free))
}

// expiry removes what is past its time, a step at a time.
type expiry struct {
	s      *Store
	cursor []byte // where the scan of document keys goes on
}

const expireKeysStep = 50_000

func (e *expiry) step(ctx context.Context) (again bool, err error) {
	did, err := e.s.expireRows(ctx)
	if did || err != nil {
		return did, mapError(err)
	}
	e.cursor, err = e.s.expireKeys(e.cursor)
	return len(e.cursor) > 0, mapError(err)
}

// ExpireOnce drops the partitions that are past their table's retention, and the document keys that are past their time.
func (s *Store) ExpireOnce(ctx context.Context) error {
	e := expiry{s: s}
	for {
		if again, err := e.step(ctx); err != nil || !again {
			return err
		}
	}
}

const daySeconds = 24 * 60 * 60

func (s *Store) daysAgo(d time.Duration) int64 { return s.o.Now().Add(-d).Unix() / daySeconds }

// expireKeys removes old document keys, from cursor on.
func (s *Store) expireKeys(cursor []byte) (next []byte, err error) {
	s.publishMu.Lock() // Close takes it before it closes the catalog
	defer s.publishMu.Unlock()
	if err := s.usable(); err != nil {
		return nil, err
	}
	next, removed, err := s.meta.ExpireKeys(cursor, int32(s.daysAgo(s.o.DedupHorizon)), expireKeysStep)
	s.expiredKeys.Add(int64(removed))
	return next, err
}

package storage

import (
	"context"
	"fmt"
	"time"
)

// While Open reads the log back nobody asks anything, so the heads may have the memory that caches and queries have
// later, and nothing is sealed or merged unless they need even more: sealing costs as much as decoding, and what is
// sealed a minute later is sealed beside queries, not before them. Behind the recovery the larger bound stays until
// seals have brought the heads below the usual one for the first time; otherwise new submissions would wait for that.

// headLimit is how many bytes all heads together may have now.
func (s *Store) headLimit() int64 {
	if s.roomy.Load() {
		return max(s.o.HeadMaxBytes, s.o.HeadRecoveryBytes)
	}
	return s.o.HeadMaxBytes
}

// shrinkHead counts bytes that left the heads.
func (s *Store) shrinkHead(n int64) {
	if s.headBytes.Add(-n) < s.o.HeadMaxBytes && !s.recovering.Load() {
		s.roomy.Store(false)
	}
}

// afterRecovery holds a background step back until the log is read.
func (s *Store) afterRecovery(step func(context.Context) (bool, error)) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		if s.recovering.Load() {
			return false, nil
		}
		return step(ctx)
	}
}

// tellEvery is how often a recovery says how far it is.
const tellEvery = 5 * time.Second

// readBack waits until the records that Open found are visible, from behind LSN from to the last of the log.
func (s *Store) readBack(ctx context.Context, from uint64, start time.Time) error {
	last := s.logLast
	for {
		part, done := context.WithTimeout(ctx, tellEvery)
		err := s.WaitVisible(part, last)
		late := part.Err() != nil && ctx.Err() == nil
		done()
		if err == nil {
			break
		}
		if !late {
			return fmt.Errorf("replay log: %w", err)
		}
		s.mu.Lock()
		applied := s.applied
		s.mu.Unlock()
		s.o.Logger.Info("reading the log back", "records", applied-from, "of", last-from, "for", s.o.Now().Sub(start).Round(time.Second))
	}
	s.recovering.Store(false)
	if s.headBytes.Load() < s.o.HeadMaxBytes {
		s.roomy.Store(false)
	}
	return nil
}

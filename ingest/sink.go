package ingest

import (
	"context"
	"errors"
	"time"
)

// Sink is where accepted submissions go: the log. Its methods are called from many goroutines at once.
type Sink interface {
	// Submit makes a record durable: head (ping.EncodeHead) followed by body, neither kept after the return. A nil error
	// means that both are on disk. An error wraps one of the three below, is ctx's, or is a failure of the server. A
	// Submit that returns ctx's error may still become durable.
	Submit(ctx context.Context, head, body []byte) (lsn uint64, err error)
	// Lag is the age of the oldest record that no query can see yet. It is cheap: every submission asks.
	Lag() time.Duration
	// DiskState tells whether submissions still fit. It is cheap.
	DiskState() DiskState
}

// Failer is what a Sink has besides if it can fail for good. The heartbeat asks it.
type Failer interface {
	// Failure is why nothing is accepted any more, nil if all is well.
	Failure() error
}

// DiskState is how full the disk is (settings disk.soft_reserve and disk.hard_reserve).
type DiskState uint8

// The disk states.
const (
	DiskOK   DiskState = iota
	DiskLow            // below the soft reserve: a warning
	DiskFull           // below the hard reserve: submissions are refused with 507
)

// The errors of Sink.Submit that have a status of their own.
var (
	ErrOverload = errors.New("too much is waiting to be written") // 503
	ErrDiskFull = errors.New("no space left for the log")         // 507
	ErrClosed   = errors.New("the store is closing")              // 503
)

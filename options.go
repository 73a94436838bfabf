package telemdb

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/vfs"
)

// Options configures a database. The zero value is a good default for every field.
type Options struct {
	// Logger receives what an operator should know. nil discards it.
	Logger *slog.Logger
	// CacheBytes bounds the cache of verified column chunks, which lives outside the Go heap. Default 1 GiB.
	CacheBytes int64
	// SealBytes is the size of a table's unsealed values at which they are sealed into segments. Default 256 MiB.
	SealBytes int64
	// SealMaxAge is the age at which a quiet table is sealed. Default 10 minutes.
	SealMaxAge time.Duration
	// QueryMemory bounds one query; beyond it the query goes on with the help of the disk, or fails with SQLSTATE 53200. Default 2 GiB.
	QueryMemory int64
	// QueriesMemory bounds what all running queries hold together; beyond it, too, a query goes on with the help of the disk, or
	// fails with SQLSTATE 53200. Default half of storage.MemoryBudget, at least 64 MiB; negative: no bound.
	QueriesMemory int64
	// SpillBytes bounds what running queries keep on disk because it does not fit in QueryMemory, all together; beyond it, and
	// where free space falls below DiskReserve, they fail with SQLSTATE 53100. Default a quarter of the disk; negative: none.
	SpillBytes int64
	// CompactionMemory bounds what a merge of segments holds in memory. Default a tenth of storage.MemoryBudget, which is
	// 60 % of what the container or the machine has; at least 32 MiB.
	CompactionMemory int64
	// Workers is the number of cores one query may use. Default: all.
	Workers int
	// MaxLag is how far decoding may fall behind before submissions are refused with 503. Default 60 s.
	MaxLag time.Duration
	// MaxBodyBytes is the largest body a submission may have, as sent. Default 8 MiB.
	MaxBodyBytes int64
	// MaxInflightBytes bounds the bodies that are being read or wait for the log; more are refused with 503. Default 64 MiB.
	MaxInflightBytes int64
	// DiskReserve is the free space below which submissions are refused with 507, so that reads, seals and merges still
	// have room. Default 2 % of the disk, at least 1 GiB. Negative: none.
	DiskReserve int64
	// DiskBallast is the size of a file that is given up when the disk is full nevertheless, so that seals, and the next
	// Open, have room. Default none; telemdb serve keeps 64 MiB.
	DiskBallast int64
	// LogFileBytes is the size of a file of the log, which is reserved on disk when the file is made. Default 64 MiB.
	LogFileBytes int64
	// Durability says when a submission is acknowledged: "sync", the default, when it is on disk; "interval:<ms>" when it is
	// written, and it is on disk at most so many milliseconds later; "none" when it is written. The end of the process loses
	// nothing in any of them, the end of the system what is not on disk.
	Durability string
	// StrictLog makes Open fail where records of the log are lost, instead of going on with what is left.
	StrictLog bool
	// LogMaxBytes bounds the part of the log that is not sealed; beyond it submissions are refused with 507. Default 4 GiB.
	LogMaxBytes int64
	// LandfillKeep is how long log files are kept for replay after everything in them is sealed. Default 7 days (none in
	// memory), at least a minute; negative: not at all.
	LandfillKeep time.Duration
	// LandfillMaxBytes bounds them; the oldest go first. Default 20 % of the disk; negative: no bound.
	LandfillMaxBytes int64
	// ScrubInterval is how often all files are read again in the background and their checksums compared. Default 7 days,
	// at least a minute; negative: never.
	ScrubInterval time.Duration
	// ScrubBytesPerSecond bounds how fast that goes. Default 10 MiB, at least 64 KiB; negative: no bound.
	ScrubBytesPerSecond int64
	// FilesMaxOpen bounds the descriptors kept for segments. Default half of what the process may have; at least 32.
	FilesMaxOpen int
	// Locked, if not nil, is called once by Open, when the directory is locked and before anything is read back from the
	// log, which may take as long as decoding the unsealed part of it. An error ends Open with it.
	Locked func() error
	// ReadOnly opens a directory, or one backup, to be read: not a byte of it changes, and statements that write fail with
	// SQLSTATE 25006. It may be open in another process meanwhile; then this database shows one recent moment, until that
	// process ends: from then on every call fails.
	ReadOnly bool
	// MustExist makes Open fail on a directory that holds no database instead of making one.
	MustExist bool
	// Now is the clock; nil is the system's. Tests set it.
	Now func() time.Time

	fs vfs.FS // in place of the operating system's; tests break it
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.CacheBytes, 1<<30)
	def(&o.SealBytes, 256<<20)
	def(&o.QueryMemory, 2<<30)
	def(&o.QueriesMemory, max(storage.MemoryBudget()/2, 64<<20))
	def(&o.CompactionMemory, max(storage.MemoryBudget()/10, 32<<20))
	def(&o.MaxBodyBytes, 8<<20)
	def(&o.ScrubBytesPerSecond, 10<<20)
	if o.ScrubInterval == 0 {
		o.ScrubInterval = 7 * 24 * time.Hour
	}
	if o.FilesMaxOpen == 0 {
		o.FilesMaxOpen = storage.FilesMaxOpen()
	}
	if o.SealMaxAge == 0 {
		o.SealMaxAge = 10 * time.Minute
	}
	if o.MaxLag == 0 {
		o.MaxLag = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// The least of options that have a bound; storage has those of the others.
const (
	landfillKeepMin  = time.Minute
	scrubIntervalMin = time.Minute
	scrubBytesMin    = 64 << 10
)

// validate refuses what could not work.
func (o *Options) validate() error {
	if o.LandfillKeep > 0 && o.LandfillKeep < landfillKeepMin {
		return fmt.Errorf("landfill.retention is %v: it is at least %v, or negative for none", o.LandfillKeep, landfillKeepMin)
	}
	if o.ScrubInterval >= 0 && o.ScrubInterval < scrubIntervalMin {
		return fmt.Errorf("scrub.interval is %v: it is at least %v, or negative for never", o.ScrubInterval, scrubIntervalMin)
	}
	if o.ScrubBytesPerSecond >= 0 && o.ScrubBytesPerSecond < scrubBytesMin {
		return fmt.Errorf("scrub.bytes_per_second is %d: it is at least %d, or negative for no bound", o.ScrubBytesPerSecond, scrubBytesMin)
	}
	return nil
}

package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/telemdb/telemdb/storage/compact"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// The system tables that a store fills itself. Options.SystemTables brings their columns.
var (
	ErrorsTable     = types.TableName{Schema: "telemdb", Name: "errors"}
	DuplicatesTable = types.TableName{Schema: "telemdb", Name: "duplicates"}
)

// Options configures a store. The zero value of a limit means its default.
type Options struct {
	// FS is the file system; nil is the operating system's, or one in memory if the directory's name is empty.
	FS vfs.FS
	// Decoder makes the decoder of log records; nil is a store without submissions.
	Decoder func(DecodeEnv) (Decoder, error)
	// SystemTables are tables every store has: telemdb.errors and telemdb.duplicates among them if there is a decoder.
	// Their IDs are the store's to give. A table whose columns differ from the stored ones takes the new ones.
	SystemTables []*types.Table
	// Rollups are kept equal to their source tables. A store must always be opened with the roll-ups it has; one that
	// is new to it is built from the rows that are there.
	Rollups []Rollup
	Logger  *slog.Logger     // nil: discard
	Now     func() time.Time // nil: time.Now
	// OnFailed, if not nil, is called once when the store fails (ErrFailed). It may not call the store.
	OnFailed func(error)
	// Locked, if not nil, is called once by Open when the directory's lock is held and nothing is read yet. An error ends
	// Open with it.
	Locked func() error
	// ReadOnly opens a directory, or one backup, without changing a byte of it, also while another process has it open:
	// then the store shows one recent moment until that process ends (ErrLeaseEnded). Whatever writes gets ErrReadOnly.
	ReadOnly bool
	// Lend lets other processes open the directory read-only meanwhile, through a socket in it. FS must be vfs.OS().
	Lend bool
	// Manual starts no background jobs: seals, merges and expiry happen when they are asked for. For tests.
	Manual bool

	SealBytes    int64         // a table is sealed when its head holds this many bytes of values; 256 MiB
	SealMaxAge   time.Duration // or when its oldest row is this old; 10 min
	HeadMaxBytes int64         // all heads together; decoding waits beyond it; 1 GiB
	CacheBytes   int64         // verified chunks of segments, an eighth of it for their indexes; 256 MiB
	DecodeWorker int           // parallel decoders; the number of CPUs

	// HeadRecoveryBytes is HeadMaxBytes for the time in which Open reads the log back, and until the first seals behind it
	// are done; HeadMaxBytes if it is less.
	HeadRecoveryBytes int64

	// WALSyncEvery weakens what an acknowledgement means; see wal.Options.SyncEvery. It is announced at every Open.
	WALSyncEvery time.Duration
	// StrictWAL makes Open fail where records of the log are lost, instead of going on with what is left.
	StrictWAL bool

	WALFileBytes     int64         // 64 MiB; 4 MiB in memory
	WALMaxBytes      int64         // unsealed part of the log, then ErrFull; 4 GiB
	WALQueueBytes    int64         // bytes waiting for the disk, then ErrOverloaded; 64 MiB
	LandfillKeep     time.Duration // how long log files are kept after they are sealed; 7 days (none in memory)
	LandfillMaxBytes int64         // or up to this many bytes; 20 % of the disk
	HardReserve      int64         // free space below which submissions are refused; max(2 %, 1 GiB) of the disk
	BallastBytes     int64         // size of a file that is given up when the disk is full; none
	DedupHorizon     time.Duration // 15 days, never less than LandfillKeep
	ErrorsKeep       time.Duration // 28 days
	DuplicatesKeep   time.Duration // 14 days
	TablesMax        int           // ping tables; 10,000
	ColumnsMax       int           // columns of a ping table; 10,000
	MergeMaxBytes    int64         // values of the inputs of one merge; 2 GiB
	CompactionMemory int64         // what a merge may hold in memory, at least 32 MiB; 10 % of MemoryBudget

	InsertMemory int64 // rows that a long insert keeps until it sorts and writes them; 10 % of MemoryBudget

	// FilesMaxOpen bounds the descriptors kept for segments; what is not read for long is closed and opened again. Half
	// of what the process may have, at least 32.
	FilesMaxOpen int

	ScrubInterval       time.Duration // how often all files are read again and their checksums compared; 7 days, negative: never
	ScrubBytesPerSecond int64         // how fast that goes; 10 MiB, negative: no limit
}

// indexCacheShare is the part of CacheBytes that is kept for index areas: 32 MiB hold the filters of 20 million ids.
const indexCacheShare = 8

// memory tells whether the store is to live in memory only.
func (o *Options) memory(dir string) bool { return dir == "" && o.FS == nil }

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// FilesMaxOpen is the default of Options.FilesMaxOpen.
func FilesMaxOpen() int {
	if vfs.OpenFilesMax() == 0 {
		return filesMaxDefault
	}
	return max(vfs.OpenFilesMax()/2, filesMin)
}

// fill puts defaults in place.
func (o *Options) fill(dir string) {
	if o.memory(dir) {
		o.FS = vfs.NewMem()
		def(&o.WALFileBytes, 4<<20)
		def(&o.LandfillKeep, time.Nanosecond)
		def(&o.HardReserve, -1)
	}
	if o.FS == nil {
		o.FS = vfs.OS()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	def(&o.SealBytes, 256<<20)
	def(&o.SealMaxAge, 10*time.Minute)
	def(&o.HeadMaxBytes, 1<<30)
	def(&o.CacheBytes, 256<<20)
	def(&o.DecodeWorker, runtime.GOMAXPROCS(0))
	def(&o.WALFileBytes, 64<<20)
	def(&o.WALMaxBytes, 4<<30)
	def(&o.WALQueueBytes, 64<<20)
	def(&o.LandfillKeep, 7*24*time.Hour)
	def(&o.DedupHorizon, 15*24*time.Hour)
	o.DedupHorizon = max(o.DedupHorizon, o.LandfillKeep)
	def(&o.ErrorsKeep, 28*24*time.Hour)
	def(&o.DuplicatesKeep, 14*24*time.Hour)
	def(&o.TablesMax, 10_000)
	def(&o.ColumnsMax, 10_000)
	def(&o.MergeMaxBytes, 2<<30)
	if o.FilesMaxOpen == 0 {
		o.FilesMaxOpen = FilesMaxOpen()
	}
	def(&o.ScrubInterval, 7*24*time.Hour)
	def(&o.ScrubBytesPerSecond, 10<<20)
	if o.InsertMemory <= 0 {
		o.InsertMemory = max(MemoryBudget()/10, compact.MemoryMin)
	}
	if o.CompactionMemory == 0 {
		o.CompactionMemory = max(MemoryBudget()/10, compact.MemoryMin)
	}
}

// validate looks at what would only show later, before any file is touched.
func (o *Options) validate() error {
	var errs []error
	if o.SealBytes < 0 || o.HeadMaxBytes < 0 || o.CacheBytes < 0 || o.WALMaxBytes < 0 || o.DecodeWorker < 0 || o.SealMaxAge < 0 {
		errs = append(errs, errors.New("storage options: a limit is negative"))
	}
	if o.FilesMaxOpen < filesMin {
		errs = append(errs, fmt.Errorf("storage options: files.max_open is %d, a store needs at least %d", o.FilesMaxOpen, filesMin))
	}
	if o.CompactionMemory < compact.MemoryMin {
		errs = append(errs, fmt.Errorf("storage options: compaction.memory is %d bytes, a merge needs at least %d", o.CompactionMemory, compact.MemoryMin))
	}
	if o.Decoder != nil && (!o.hasSystem(ErrorsTable) || !o.hasSystem(DuplicatesTable)) {
		errs = append(errs, errors.New("storage options: a decoder needs the system tables telemdb.errors and telemdb.duplicates"))
	}
	return errors.Join(errs...)
}

func (o *Options) hasSystem(n types.TableName) bool {
	for _, t := range o.SystemTables {
		if t.FullName() == n {
			return true
		}
	}
	return false
}

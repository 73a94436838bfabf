package storage

import (
	"path"
	"slices"
	"time"

	"github.com/telemdb/telemdb/storage/jobs"
	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/wal"
)

// Stats is a store's state in numbers, at one moment. Bytes are bytes on disk unless said otherwise.
type Stats struct {
	Tables, Views int
	Segments      int
	SegmentBytes  int64
	SegmentRows   int64
	DeletedRows   int64 // of SegmentRows: no query sees them, no merge has written them away yet
	OpenFiles     int   // descriptors of segments
	HeadRows      int64
	HeadBytes     int64 // in memory
	Lanes         int   // routes with unsealed rows
	Snapshots     int   // pinned
	ObsoleteFiles int   // dropped, and kept for a pinned snapshot
	Synced        uint64
	Applied       uint64
	Sealed        uint64 // the log's mark
	UnsealedBytes int64
	Lag           time.Duration
	Seals, Merges int64 // since Open
	MergesSkipped int64 // since Open: for want of room on the disk
	// MergeDebt is the merging that is due: bytes of files that would be rewritten, and files that would go, until every
	// partition is in the shape it should have by now. It is as of the last look at what to merge.
	MergeDebtBytes, MergeDebtSegments int64
	Publications                      int64 // batches since Open
	Damage                            int   // things found broken that still are
	Log                               wal.Stats
}

// DropCaches forgets the verified bytes of segments that nobody is using, those of index areas only if they are asked for.
// They are read again when they are needed: for measurements of cold reads.
func (s *Store) DropCaches(indexes bool) { s.cache.Drop(indexes) }

// CacheStats returns the counters of the cache of verified bytes, of index areas and of everything else.
func (s *Store) CacheStats() (indexes, data segment.CacheStats) {
	return s.cache.IndexStats(), s.cache.Stats()
}

// Stats returns numbers for metrics.
func (s *Store) Stats() Stats {
	st := Stats{
		Lag: s.Lag(), UnsealedBytes: s.log.UnsealedBytes(), Synced: s.log.Synced(), Log: s.log.Stats(), HeadBytes: s.headBytes.Load(),
		Seals: s.seals.Load(), Merges: s.merges.Load(), Publications: s.published.Load(), Damage: s.damage.openRows(), OpenFiles: s.files.count(),
	}
	owed := s.planner.owed()
	st.MergesSkipped, st.MergeDebtBytes, st.MergeDebtSegments = s.mergesSkipped.Load(), owed.bytes, int64(owed.files)
	n := s.catalog.state()
	st.Tables, st.Views = len(n.tables), len(n.views)
	s.publishMu.Lock()
	st.Sealed = s.logMark
	s.publishMu.Unlock()
	s.mu.Lock()
	st.Applied = s.applied
	st.Lanes = len(s.heads.order)
	for _, l := range s.heads.order {
		st.HeadRows += l.frozen.visibleRows() + l.active.visibleRows()
	}
	s.mu.Unlock()
	s.manifest.addStats(&st)
	return st
}

func (r *rowset) visibleRows() (n int64) {
	if r == nil {
		return 0
	}
	for _, p := range r.parts {
		for _, v := range p.gens {
			n += int64(v.rows)
		}
	}
	return n
}

func (m *manifest) addStats(st *Stats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, files := range m.current.tables {
		for _, f := range files {
			st.Segments++
			st.SegmentBytes += f.Meta.Bytes
			st.SegmentRows += int64(f.Meta.Rows)
			dead := m.current.deadOf(f).count()
			st.DeletedRows += dead
			if toRewrite(f, dead) {
				st.MergeDebtBytes += f.Meta.Bytes
			}
		}
	}
	for _, v := range m.pinned {
		st.Snapshots += v.pins
	}
	st.ObsoleteFiles = len(m.obsolete)
}

// SegmentInfo describes a published segment.
type SegmentInfo struct {
	ID           uint64
	Table        types.TableName
	TableID      uint32
	File         string // in the directory "segments"
	Partition    int64  // days since 1970-01-01
	HasPartition bool
	Rows         int64
	Deleted      int64 // of Rows
	Minus        bool  // states of deleted rows, which a roll-up subtracts
	Groups       int
	Bytes        int64
	ValueBytes   int64
	MinLSN       uint64
	MaxLSN       uint64
	From, To     time.Time // of the first and last seal whose rows it holds
	Bulk         bool
	Run          uint64 // of which the segment is part; 0: none
}

// Segments lists the segments a snapshot sees, by table, partition and place in the log.
func (sn *Snapshot) Segments() []SegmentInfo {
	var out []SegmentInfo
	for _, id := range sortedIDs(sn.version.tables) {
		t := sn.names.byID[id]
		if t == nil {
			continue
		}
		for _, f := range sn.version.tables[id] {
			run := uint64(0)
			if f.Run != nil {
				run = f.Run.ID
			}
			out = append(out, SegmentInfo{
				ID: f.ID, Table: t.FullName(), TableID: id, File: path.Base(f.path), Partition: f.Meta.Partition,
				HasPartition: f.Meta.HasPartition, Rows: int64(f.Meta.Rows), Deleted: sn.version.deadOf(f).count(), Minus: f.Minus, Groups: len(f.Meta.GroupRows), Bytes: f.Meta.Bytes,
				ValueBytes: f.Meta.ValueBytes, MinLSN: f.Meta.MinLSN, MaxLSN: f.Meta.MaxLSN,
				From: time.Unix(f.From, 0).UTC(), To: time.Unix(f.To, 0).UTC(), Bulk: f.Bulk, Run: run,
			})
		}
	}
	return out
}

// Segments lists the published segments.
func (s *Store) Segments() ([]SegmentInfo, error) {
	sn, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	defer sn.Release()
	return sn.Segments(), nil
}

// WALFiles lists the files of the log, oldest first.
func (s *Store) WALFiles() []wal.FileInfo { return s.log.Files() }

// BalanceRow counts the submissions of one route, the table their address names: Accepted = Rows + Errors + Duplicates.
// Submissions that are in the log and not decoded yet are in no row; Pending counts them for all routes together.
type BalanceRow struct {
	Route                              types.TableName
	Accepted, Rows, Errors, Duplicates uint64
	Unsealed                           uint64 // of Accepted: not published yet
	Removed                            uint64 // rows that retention or DROP took away again
}

// Balance returns the counters by route, at one moment.
func (s *Store) Balance() (rows []BalanceRow, pending uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total, unsealed := map[types.TableName]meta.Balance{}, map[types.TableName]uint64{}
	for route, b := range s.balance {
		total[route] = b
	}
	for _, l := range s.heads.order {
		for _, rs := range []*rowset{l.frozen, l.active} {
			if rs != nil && rs.shown != (meta.Balance{}) {
				total[l.route] = total[l.route].Add(rs.shown)
				unsealed[l.route] += rs.shown.Accepted()
			}
		}
	}
	for route, b := range total {
		rows = append(rows, BalanceRow{
			Route: route, Accepted: b.Accepted(), Rows: b.Rows, Errors: b.Errors, Duplicates: b.Duplicates,
			Unsealed: unsealed[route], Removed: b.Removed,
		})
	}
	slices.SortFunc(rows, func(a, b BalanceRow) int { return compareNames(a.Route, b.Route) })
	return rows, s.log.Synced() - s.applied
}

// Jobs tells what the background jobs have done.
func (s *Store) Jobs() []jobs.Status {
	return append(s.jobs.Status(), s.clusters.status.get(jobCluster), s.replayed.get(jobReplay))
}

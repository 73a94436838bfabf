package storage

import (
	"path"
	"strings"
	"time"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// Status is what an operator asks first, beside Stats.
type Status struct {
	Dir            string
	Holder         string // what the directory's LOCK file says: who has opened it last for writing
	Disk           DiskState
	DiskFree       uint64 // 0 of 0: the file system cannot tell
	DiskTotal      uint64
	LogBytes       int64 // files with records that are not sealed, the active one among them
	LandfillBytes  int64
	CatalogBytes   int64
	OldestUnsealed time.Time // when the oldest unsealed row became visible; zero if there is none
}

// Status looks at the directory.
func (s *Store) Status() Status {
	st := Status{Dir: s.dir, Disk: s.Disk(), CatalogBytes: sizeOfFiles(s.fs, path.Join(s.dir, metaDir))}
	if raw, err := vfs.ReadFile(s.fs, path.Join(s.dir, lockFile)); err == nil {
		st.Holder = strings.TrimSpace(string(raw))
	}
	if u, err := s.fs.DiskUsage(s.dir); err == nil {
		st.DiskFree, st.DiskTotal = u.Free, u.Total
	}
	for _, f := range s.log.Files() {
		if f.Landfill {
			st.LandfillBytes += f.Bytes
		} else {
			st.LogBytes += f.Bytes
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.heads.order {
		for _, rs := range []*rowset{l.frozen, l.active} {
			if rs != nil && (st.OldestUnsealed.IsZero() || rs.since.Before(st.OldestUnsealed)) {
				st.OldestUnsealed = rs.since
			}
		}
	}
	return st
}

// sizeOfFiles adds up the files of a directory; what cannot be looked at counts nothing.
func sizeOfFiles(fsys vfs.FS, dir string) (n int64) {
	names, err := fsys.List(dir)
	if err != nil {
		return 0
	}
	for _, name := range names {
		if info, err := fsys.Stat(path.Join(dir, name)); err == nil && !info.Dir {
			n += info.Size
		}
	}
	return n
}

// TableStatus is a table in numbers, as a snapshot sees it.
type TableStatus struct {
	Table          *types.Table
	Segments       int
	Rows, HeadRows int64 // sealed, deleted ones among them; not sealed
	Deleted        int64 // of Rows
	Bytes          int64
	Damaged        int // segments that are quarantined
}

// TableStatus lists all tables, by schema and name.
func (sn *Snapshot) TableStatus() []TableStatus {
	out := make([]TableStatus, 0, len(sn.names.tables))
	for _, t := range sn.names.tables {
		st := TableStatus{Table: t}
		for _, f := range sn.version.tables[t.ID] {
			st.Segments++
			st.Rows += int64(f.Meta.Rows)
			st.Deleted += sn.version.deadOf(f).count()
			st.Bytes += f.Meta.Bytes
			if f.damaged.Load() {
				st.Damaged++
			}
		}
		for _, v := range sn.heads[t.ID] {
			st.HeadRows += int64(v.rows)
		}
		out = append(out, st)
	}
	return out
}

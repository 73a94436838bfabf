package storage

import (
	"testing"

	"github.com/telemdb/telemdb/storage/vfs"
)

func loadedFiles(s *Store) (loaded, all int) {
	v := s.manifest.pin()
	defer s.manifest.unpin(v)
	for _, files := range v.tables {
		for _, f := range files {
			f.mu.Lock()
			if all++; f.loaded {
				loaded++
			}
			f.mu.Unlock()
		}
	}
	return loaded, all
}

// TestOpenReadsTheDirectoriesOfSegments: those that can be read; the others are as they are, and told when they are asked for.
func TestOpenReadsTheDirectoriesOfSegments(t *testing.T) {
	fsys := vfs.NewMem()
	clock := newTestClock()
	s, err := Open("/db", testOptions(fsys, clock))
	must(t, err)
	submitDays(t, s, 0, 1, 2)
	segments, err := s.Segments()
	must(t, err)
	if loaded, _ := loadedFiles(s); loaded != 0 {
		t.Errorf("%d of the segments it wrote are open", loaded)
	}
	must(t, s.Close())
	var bad SegmentInfo
	for _, f := range segments {
		if f.Table == mainTable {
			bad = f
		}
	}
	name := "/db/segments/" + bad.File
	raw, err := vfs.ReadFile(fsys, name)
	must(t, err)
	raw[len(raw)-20] ^= 1 // of its footer
	must(t, vfs.WriteFile(fsys, name, func(f vfs.File) error { _, err := f.Write(raw); return err }))
	o := testOptions(fsys, clock)
	o.Manual = false
	s, err = Open("/db", o)
	must(t, err)
	if loaded, all := loadedFiles(s); loaded != all-1 || all < 3 {
		t.Errorf("%d of %d segments are loaded", loaded, all)
	}
	if d := s.Damage(); len(d) != 0 {
		t.Errorf("Open tells of %+v", d)
	}
	sn := snapshot(t, s)
	if _, err := locate(sn, tableOf(t, sn, mainTable)); err == nil {
		t.Error("the damaged segment answers")
	}
	sn.Release()
	if d := s.Damage(); len(d) != 1 || d[0].Segment != bad.ID {
		t.Errorf("damage %+v", d)
	}
	must(t, s.Close())
}

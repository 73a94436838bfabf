package meta

import (
	"bytes"
	"testing"

	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
)

// FuzzState: no key and value of the catalog make a loader panic, and a manifest entry that one takes is written back.
func FuzzState(f *testing.F) {
	entry, err := (&Segment{ID: 7, Table: 3, Meta: segment.Meta{Rows: 10}}).append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(segmentKey(3, 7), entry)
	f.Add(segmentKey(3, 7), []byte(`{"id":7,"table":3}`))
	f.Add(tableKey(3), []byte(`{"id":3,"schema":"public","name":"a","columns":[]}`))
	f.Add(damageKey(1), []byte(`{"id":1,"kind":"segment","file":"segments/1.seg"}`))
	f.Add(nameKey(prefixMark, types.TableName{Schema: "telemetry", Name: "main"}), make([]byte, 8))
	f.Add(nameKey(prefixBalance, types.TableName{Schema: "telemetry", Name: "main"}), make([]byte, 32))
	f.Add(nextTableKey, make([]byte, 4))
	f.Add(logSyncedKey, make([]byte, 8))
	f.Add(obsoleteKey(5), []byte{})
	f.Add([]byte{prefixBuilding}, make([]byte, 16))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if len(key) == 0 {
			return
		}
		s := &State{Marks: map[types.TableName]uint64{}, Balance: map[types.TableName]Balance{}}
		load := map[byte]func(k, v []byte) error{
			prefixNext: s.loadNext, prefixTable: s.loadTable, prefixView: s.loadView, prefixSegment: s.loadSegment, prefixDead: s.loadTombstone,
			prefixObsolete: s.loadObsolete, prefixBuilding: s.loadBuilding, prefixMark: s.loadMark, prefixBalance: s.loadBalance, prefixDamage: s.loadDamage,
		}[key[0]]
		if load == nil || load(key[1:], value) != nil || len(s.Segments) == 0 {
			return
		}
		again, err := s.Segments[0].append(nil)
		if err != nil {
			t.Fatal(err)
		}
		var back Segment
		if err := back.parse(again); err != nil {
			t.Fatal(err)
		}
		twice, err := back.append(nil)
		if err != nil || !bytes.Equal(again, twice) {
			t.Errorf("%x became %x, %v", again, twice, err)
		}
	})
}

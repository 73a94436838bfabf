package meta

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/telemdb/telemdb/storage/types"
)

// State is everything but the document keys, as it stands on disk.
type State struct {
	Schemas     []string
	Tables      []*types.Table
	Views       []*View
	Segments    []*Segment  // by table, then id
	Tombstones  []Tombstone // by table, then segment
	Obsolete    []uint64
	Building    []uint64
	NextTable   uint32
	NextSegment uint64
	LogMark     uint64
	LogSynced   uint64 // see Batch.SetLogSynced
	Marks       map[types.TableName]uint64
	Balance     map[types.TableName]Balance
	Damage      []*Damage // by id
}

// Load reads the state at one moment.
func (db *DB) Load() (*State, error) {
	if err := db.err(); err != nil {
		return nil, err
	}
	snap := db.pdb.NewSnapshot()
	s := &State{NextTable: 1, NextSegment: 1, Marks: map[types.TableName]uint64{}, Balance: map[types.TableName]Balance{}}
	err := errors.Join(
		s.each(snap, prefixNext, s.loadNext),
		s.each(snap, prefixSchema, func(k, _ []byte) error { s.Schemas = append(s.Schemas, string(k)); return nil }),
		s.each(snap, prefixTable, s.loadTable),
		s.each(snap, prefixView, s.loadView),
		s.each(snap, prefixSegment, s.loadSegment),
		s.each(snap, prefixDead, s.loadTombstone),
		s.each(snap, prefixObsolete, s.loadObsolete),
		s.each(snap, prefixBuilding, s.loadBuilding),
		s.each(snap, prefixMark, s.loadMark),
		s.each(snap, prefixBalance, s.loadBalance),
		s.each(snap, prefixDamage, s.loadDamage),
		snap.Close())
	if err != nil {
		return nil, err
	}
	return s, nil
}

// each calls f with every key under a prefix, without its first byte.
func (s *State) each(r pebble.Reader, prefix byte, f func(k, v []byte) error) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: upperBound(prefix)})
	if err != nil {
		return fmt.Errorf("read catalog: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := f(it.Key()[1:], it.Value()); err != nil {
			return errors.Join(fmt.Errorf("catalog key %q: %w", it.Key(), err), it.Close())
		}
	}
	return it.Close()
}

// fixed reads little-endian words of a value that has exactly n of them.
func fixed(v []byte, n int) ([]uint64, error) {
	if len(v) != 8*n {
		return nil, fmt.Errorf("value has %d bytes, want %d", len(v), 8*n)
	}
	out := make([]uint64, n)
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(v[8*i:])
	}
	return out, nil
}

func (s *State) loadNext(k, v []byte) error {
	switch {
	case bytes.Equal(k, nextTableKey[1:]) && len(v) == 4:
		s.NextTable = binary.LittleEndian.Uint32(v)
	case bytes.Equal(k, nextSegmentKey[1:]) && len(v) == 8:
		s.NextSegment = binary.LittleEndian.Uint64(v)
	case bytes.Equal(k, logSyncedKey[1:]) && len(v) == 8:
		s.LogSynced = binary.LittleEndian.Uint64(v)
	default:
		return fmt.Errorf("unknown counter or width %d", len(v))
	}
	return nil
}

func (s *State) loadTable(_, v []byte) error {
	t := &types.Table{}
	s.Tables = append(s.Tables, t)
	return json.Unmarshal(v, t)
}

func (s *State) loadView(_, v []byte) error {
	w := &View{}
	s.Views = append(s.Views, w)
	return json.Unmarshal(v, w)
}

func (s *State) loadSegment(k, v []byte) error {
	e := &Segment{}
	if err := e.parse(v); err != nil {
		return err
	}
	if !bytes.Equal(k, segmentKey(e.Table, e.ID)[1:]) {
		return fmt.Errorf("entry is about table %d segment %d", e.Table, e.ID)
	}
	s.Segments = append(s.Segments, e)
	return nil
}

func (s *State) loadObsolete(k, _ []byte) error {
	if len(k) != 8 {
		return fmt.Errorf("key has %d bytes, want 8", len(k))
	}
	s.Obsolete = append(s.Obsolete, binary.BigEndian.Uint64(k))
	return nil
}

func (s *State) loadBuilding(_, v []byte) (err error) {
	s.Building, err = fixed(v, len(v)/8)
	return err
}

func (s *State) loadMark(k, v []byte) error {
	w, err := fixed(v, 1)
	if err != nil {
		return err
	}
	if len(k) == 0 {
		s.LogMark = w[0]
	} else {
		s.Marks[parseName(k)] = w[0]
	}
	return nil
}

func (s *State) loadBalance(k, v []byte) error {
	w, err := fixed(v, 4)
	if err != nil {
		return err
	}
	s.Balance[parseName(k)] = Balance{Rows: w[0], Errors: w[1], Duplicates: w[2], Removed: w[3]}
	return nil
}

package meta

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// dedupBytes is the width of a document key's value: lsn u64, day u32.
const dedupBytes = 12

// Holder returns the LSN of the published record that holds a document.
func (db *DB) Holder(key []byte) (lsn uint64, ok bool, err error) {
	if err := db.err(); err != nil {
		return 0, false, err
	}
	var buf [128]byte
	v, closer, err := db.pdb.Get(append(append(buf[:0], prefixDedup), key...))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("look up document key %q: %w", key, err)
	}
	if len(v) != dedupBytes {
		return 0, false, errors.Join(fmt.Errorf("document key %q: value has %d bytes, want %d", key, len(v), dedupBytes), closer.Close())
	}
	lsn = binary.LittleEndian.Uint64(v)
	return lsn, true, closer.Close()
}

// Keys calls f with every published document key.
func (db *DB) Keys(f func(key []byte, lsn uint64, day int32) error) error {
	_, err := db.scanKeys(nil, -1, f)
	return err
}

// ExpireKeys looks at up to limit document keys from cursor on (nil: from the first) and removes those whose day is
// before the given one. It returns where to go on, nil at the end.
func (db *DB) ExpireKeys(cursor []byte, before int32, limit int) (next []byte, removed int, err error) {
	b := db.NewBatch()
	next, err = db.scanKeys(cursor, limit, func(key []byte, _ uint64, day int32) error {
		if day < before {
			removed++
			b.delete(dedupKey(key))
		}
		return nil
	})
	if err != nil || removed == 0 {
		return next, 0, errors.Join(err, b.Close())
	}
	return next, removed, db.Commit(b)
}

func (db *DB) scanKeys(cursor []byte, limit int, f func(key []byte, lsn uint64, day int32) error) (next []byte, err error) {
	if err := db.err(); err != nil {
		return nil, err
	}
	it, err := db.pdb.NewIter(&pebble.IterOptions{LowerBound: dedupKey(cursor), UpperBound: upperBound(prefixDedup)})
	if err != nil {
		return nil, fmt.Errorf("read document keys: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if limit == 0 {
			next = append([]byte(nil), it.Key()[1:]...)
			break
		}
		limit--
		v := it.Value()
		if len(v) != dedupBytes {
			err = fmt.Errorf("document key %q: value has %d bytes, want %d", it.Key()[1:], len(v), dedupBytes)
			break
		}
		if err = f(it.Key()[1:], binary.LittleEndian.Uint64(v), int32(binary.LittleEndian.Uint32(v[8:]))); err != nil {
			break
		}
	}
	return next, errors.Join(err, it.Close())
}

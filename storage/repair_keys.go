package storage

import (
	"context"
	"fmt"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/types"
)

// repairKeysStep is how many document keys one batch makes again.
const repairKeysStep = 10_000

// repairKeys makes the document keys again that rows of the last days lack. A document that has come again meanwhile
// belongs to its newer row.
func (s *Store) repairKeys(ctx context.Context, report func(Repaired)) error {
	sn, err := s.Snapshot()
	if err != nil {
		return err
	}
	defer sn.Release()
	var lost []docKey
	made := map[types.TableName]int{}
	err = s.eachDocument(sn, func(d *document) {
		if d.recent && !d.known {
			lost = append(lost, docKey{key: string(d.key), lsn: d.lsn, day: d.day})
			made[d.table]++
		}
	})
	if fatal := s.cannotGoOn(ctx, err); fatal != nil {
		return fatal
	}
	if err != nil {
		report(Repaired{Where: metaDir + ", document keys", Err: fmt.Errorf("they cannot be held against damaged rows: %w", err)})
		return nil
	}
	for from := 0; from < len(lost); from += repairKeysStep {
		last := from+repairKeysStep >= len(lost)
		if err := s.putLost(lost[from:min(from+repairKeysStep, len(lost))], last); err != nil {
			return err
		}
	}
	for t, n := range made {
		report(Repaired{Where: metaDir + ", document keys of " + t.String(), What: fmt.Sprintf("%d were made again from the rows", n)})
	}
	return nil
}

// putLost publishes document keys unless somebody holds them by now.
func (s *Store) putLost(lost []docKey, last bool) error {
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	s.applyMu.Lock() // from here on no submission takes a document
	defer s.applyMu.Unlock()
	var put []docKey
	for _, k := range lost {
		if _, held := s.heads.keys[k.key]; held {
			continue
		}
		_, held, err := s.meta.Holder([]byte(k.key))
		if err != nil {
			return err
		}
		if !held {
			put = append(put, k)
		}
	}
	return s.publish(publication{
		stage: func(b *meta.Batch) {
			for _, k := range put {
				b.PutKey([]byte(k.key), k.lsn, k.day)
			}
		},
		mends: func(d *Damage) bool { return last && d.Kind == damagedRule && d.Section == sectionKeys },
	})
}

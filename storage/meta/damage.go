package meta

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/telemdb/telemdb/storage/types"
)

// DamageState is what has become of a damage.
type DamageState string

// The states of a damage.
const (
	DamageOpen     DamageState = "open"     // it is there
	DamageRepaired DamageState = "repaired" // what it held has been made again, or is whole again
	DamageGone     DamageState = "gone"     // the bytes concerned have been removed with their file
)

// Damage is something found broken: bytes that are not what was written, records of the log that are lost, a file that is
// missing or nobody's.
type Damage struct {
	ID       uint64          `json:"id"`
	Kind     string          `json:"kind"` // "segment", "log", "catalog", "file", "invariant"
	File     string          `json:"file"` // in the data directory
	Offset   int64           `json:"offset"`
	Section  string          `json:"section,omitempty"` // the part of the file
	Table    types.TableName `json:"table,omitzero"`    // of a segment
	Segment  uint64          `json:"segment,omitempty"`
	Group    int             `json:"group,omitempty"`     // row group, if Column is set
	Column   string          `json:"column,omitempty"`    // path
	FirstLSN uint64          `json:"first_lsn,omitempty"` // of the log: the records that are lost; of a segment: those it holds
	LastLSN  uint64          `json:"last_lsn,omitempty"`
	Found    time.Time       `json:"found"`
	By       string          `json:"by"` // "open", "query", "merge", "scrub", "check"
	What     string          `json:"what"`
	State    DamageState     `json:"state"`
	Settled  time.Time       `json:"settled,omitzero"` // when it ceased to be open
}

// PutDamage stores a damage under its id.
func (b *Batch) PutDamage(d *Damage) { b.setJSON(damageKey(d.ID), d) }

// DropDamage forgets one.
func (b *Batch) DropDamage(id uint64) { b.delete(damageKey(id)) }

func (s *State) loadDamage(k, v []byte) error {
	d := &Damage{}
	if err := json.Unmarshal(v, d); err != nil {
		return err
	}
	if !bytes.Equal(k, damageKey(d.ID)[1:]) {
		return fmt.Errorf("entry is about damage %d", d.ID)
	}
	s.Damage = append(s.Damage, d)
	return nil
}

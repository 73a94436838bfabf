package meta

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// ReplayProgress is how far a replay of the landfill has come. It changes in the batch of the rows that it has swapped.
type ReplayProgress struct {
	Next uint64 // the first record that is still to be looked at
	// What became of the records before it.
	Records    uint64 // that were decoded again
	Same       uint64 // rows that today's decoder makes the same
	Changed    uint64 // rows that it makes otherwise
	Repaired   uint64 // errors that have become rows
	Refused    uint64 // rows that have become errors
	Duplicates uint64 // errors that turned out to be duplicates
	Missing    uint64 // records that are not in the log any more; their rows stay
}

func (p *ReplayProgress) fields() []*uint64 {
	return []*uint64{&p.Next, &p.Records, &p.Same, &p.Changed, &p.Repaired, &p.Refused, &p.Duplicates, &p.Missing}
}

func replayKey(name string) []byte { return append([]byte{prefixReplay}, name...) }

// SetReplay stores the progress of the replay called name.
func (b *Batch) SetReplay(name string, p ReplayProgress) {
	var v []byte
	for _, f := range p.fields() {
		v = binary.LittleEndian.AppendUint64(v, *f)
	}
	b.set(replayKey(name), v)
}

// DropReplay forgets a replay, which is done.
func (b *Batch) DropReplay(name string) { b.delete(replayKey(name)) }

// DropKey forgets a document, whose record has become an error.
func (b *Batch) DropKey(key []byte) { b.delete(dedupKey(key)) }

// Replay returns how far the replay called name has come; ok is false if there is none that was interrupted.
func (db *DB) Replay(name string) (p ReplayProgress, ok bool, err error) {
	if err := db.err(); err != nil {
		return p, false, err
	}
	v, closer, err := db.pdb.Get(replayKey(name))
	if errors.Is(err, pebble.ErrNotFound) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("look up replay %q: %w", name, err)
	}
	fields := p.fields()
	words, err := fixed(v, len(fields))
	if err != nil {
		return p, false, errors.Join(fmt.Errorf("replay %q: %w", name, err), closer.Close())
	}
	for i, f := range fields {
		*f = words[i]
	}
	return p, true, closer.Close()
}

// String says what became of the records in one line.
func (p ReplayProgress) String() string {
	return fmt.Sprintf("%d records decoded again: %d the same, %d changed, %d errors repaired, %d refused, %d duplicates; %d not in the log any more",
		p.Records, p.Same, p.Changed, p.Repaired, p.Refused, p.Duplicates, p.Missing)
}

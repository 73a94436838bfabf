package storage

import (
	"encoding/binary"
	"fmt"
)

// The payload of a kindTables record: the short inserts of one transaction into several tables. FORMAT.md draws it.
//
//	inserts until the end, each: length u32 | the payload of a kindRows record

func tablesParts(inserts []*Insert) (parts [][]byte) {
	for _, in := range inserts {
		own := in.short.parts()
		n := 0
		for _, p := range own {
			n += len(p)
		}
		parts = append(append(parts, binary.LittleEndian.AppendUint32(nil, uint32(n))), own...)
	}
	return parts
}

// eachTable calls f with the payload of each insert of a record.
func eachTable(payload []byte, f func(rows []byte) error) error {
	for rest := payload; len(rest) > 0; {
		if len(rest) < 4 || uint64(binary.LittleEndian.Uint32(rest)) > uint64(len(rest)-4) {
			return fmt.Errorf("%w: an insert of a transaction is cut", errRowRecord)
		}
		n := binary.LittleEndian.Uint32(rest)
		if err := f(rest[4 : 4+n]); err != nil {
			return err
		}
		rest = rest[4+n:]
	}
	return nil
}

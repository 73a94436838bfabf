package wal

import (
	"encoding/binary"
	"hash/crc32"
)

// Layout of a record (FORMAT.md). Records start at multiples of recordAlign.
const (
	recordMagic  = 0xB1 // version 1; another version gets another byte
	recordHeader = 24
	recordAlign  = 8
)

// Flags of a record. Those with a flag are the log's own: they carry no data and take no LSN.
const (
	flagMark = 1 << 0 // everything up to its LSN was synced when it was written
	flagBase = 1 << 1 // LSNs up to its own are accounted for; see baseRecord
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is a record's header without magic and checksum.
type header struct {
	kind   Kind
	flags  uint16
	lsn    uint64
	length uint32 // of the payload
	// behind is how far below lsn the last synced record was when this one was written. It proves to recovery that
	// everything up to lsn-behind had been acknowledged.
	behind uint32
}

// proven returns the highest LSN that the record shows to have been synced.
func (h *header) proven() uint64 { return h.lsn - uint64(h.behind) }

// recordSize returns the bytes a payload of n takes in a file.
func recordSize(n int) int { return (recordHeader + n + recordAlign - 1) &^ (recordAlign - 1) }

// The checksum runs over payload, header with zero checksum, file id: in that order, so that callers compute the greater
// part at once, before the LSN and the file are known.

func payloadChecksum(payload []byte) uint32 { return crc32.Update(0, castagnoli, payload) }

// stamp completes a record in place: rec begins with room for the header.
func stamp(rec []byte, h header, payloadCRC uint32, fileID uint64) {
	rec[0] = recordMagic
	rec[1] = byte(h.kind)
	le := binary.LittleEndian
	le.PutUint16(rec[2:], h.flags)
	le.PutUint32(rec[4:], 0)
	le.PutUint64(rec[8:], h.lsn)
	le.PutUint32(rec[16:], h.length)
	le.PutUint32(rec[20:], h.behind)
	le.PutUint32(rec[4:], finishChecksum(payloadCRC, rec[:recordHeader], fileID))
}

// finishChecksum extends a payload's checksum by a header whose checksum field is zero and by the file's id.
func finishChecksum(payloadCRC uint32, zeroed []byte, fileID uint64) uint32 {
	var id [8]byte
	binary.LittleEndian.PutUint64(id[:], fileID)
	return crc32.Update(crc32.Update(payloadCRC, castagnoli, zeroed), castagnoli, id[:])
}

// parseHeader reads the header at the start of b, which has recordHeader bytes, and tells whether its fields can be
// those of a record. The checksum is not looked at.
func parseHeader(b []byte) (h header, ok bool) {
	le := binary.LittleEndian
	h = header{
		kind: Kind(b[1]), flags: le.Uint16(b[2:]), lsn: le.Uint64(b[8:]),
		length: le.Uint32(b[16:]), behind: le.Uint32(b[20:]),
	}
	if b[0] != recordMagic || h.lsn < uint64(h.behind) {
		return h, false
	}
	switch h.flags {
	case 0:
		return h, h.behind > 0
	case flagMark:
		return h, h.behind == 0 && h.length == 0
	case flagBase:
		return h, h.behind == 0 && h.length == 8
	}
	return h, false
}

// parseRecord reads the record at the start of b. payload points into b; size is what the record takes in the file and
// may be more than b holds, by padding. ok is false for anything that is not a whole record of this file.
func parseRecord(b []byte, fileID uint64) (h header, payload []byte, size int, ok bool) {
	if len(b) < recordHeader {
		return h, nil, 0, false
	}
	h, ok = parseHeader(b)
	if !ok || uint64(h.length) > uint64(len(b)-recordHeader) {
		return h, nil, 0, false
	}
	payload = b[recordHeader : recordHeader+int(h.length)]
	var zeroed [recordHeader]byte
	copy(zeroed[:], b)
	clear(zeroed[4:8])
	sum := finishChecksum(payloadChecksum(payload), zeroed[:], fileID)
	return h, payload, recordSize(int(h.length)), sum == binary.LittleEndian.Uint32(b[4:])
}

// markRecord says that everything up to lsn is synced.
func markRecord(lsn, fileID uint64) []byte {
	rec := make([]byte, recordSize(0))
	stamp(rec, header{flags: flagMark, lsn: lsn}, payloadChecksum(nil), fileID)
	return rec
}

// baseRecord starts a log whose LSNs go on behind lsn although the last record found was found: the LSNs between them
// have been reported, or were never in this log.
func baseRecord(lsn, found, fileID uint64) []byte {
	rec := make([]byte, recordSize(8))
	binary.LittleEndian.PutUint64(rec[recordHeader:], found)
	stamp(rec, header{flags: flagBase, lsn: lsn, length: 8}, payloadChecksum(rec[recordHeader:recordHeader+8]), fileID)
	return rec
}

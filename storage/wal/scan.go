package wal

import (
	"bytes"
	"encoding/binary"
)

// hole is a range of a file that holds no valid record although something was there, and the LSNs that are missing
// (none if from > to). A hole without bytes is a jump of LSNs.
type hole struct {
	off, end int64
	from, to uint64
	before   int // records of the file in front of it
}

func (h hole) loses() bool { return h.from <= h.to }

// scanner walks the records of one file after another and remembers what the walk has shown.
type scanner struct {
	last   uint64 // the last LSN accounted for
	known  bool   // whether last is: a walk that starts in the middle of a log takes the first LSN it meets
	proven uint64 // the highest LSN that some record shows to have been synced
}

// fileScan is what the walk of one file found.
type fileScan struct {
	first, last uint64 // of its records, 0 if none
	records     int
	end         int64 // end of the last valid record of any kind
	holes       []hole
	garbage     int64 // bytes behind end, up to the last that is not zero
	group       int64 // where the last group starts, at the latest
	index       []indexEntry
}

// file walks one file. data is the whole file, id its id. visit, if not nil, is called for each record of data.
func (s *scanner) file(data []byte, id uint64, visit func(off int64, h header, payload []byte)) fileScan {
	out := fileScan{end: min(headBytes, int64(len(data))), group: headBytes}
	off := int(out.end)
	bad := -1 // where the bad range that we are in starts
	for off < len(data) {
		h, payload, size, ok := parseRecord(data[off:], id)
		if !ok || !s.follows(&h) {
			if bad < 0 {
				bad = off
			}
			off = nextCandidate(data, off+recordAlign)
			continue
		}
		proven := s.proven
		from, to := s.take(&h, payload)
		if s.proven > proven {
			out.group = int64(off)
		}
		if bad >= 0 || from <= to {
			if bad < 0 {
				bad = off
			}
			out.holes = append(out.holes, hole{int64(bad), int64(off), from, to, out.records})
			bad = -1
		}
		if h.flags == 0 {
			out.note(h.lsn, int64(off))
			if visit != nil {
				visit(int64(off), h, payload)
			}
		}
		off = min(off+size, len(data))
		out.end = int64(off)
	}
	out.garbage = int64(len(bytes.TrimRight(data[out.end:], "\x00")))
	return out
}

// follows tells whether a record with a good checksum may stand here by its LSN.
func (s *scanner) follows(h *header) bool {
	return h.flags != 0 || !s.known || h.lsn > s.last
}

// take accounts for a record and returns the LSNs that are missing before it.
func (s *scanner) take(h *header, payload []byte) (from, to uint64) {
	s.proven = max(s.proven, h.proven())
	if !s.known {
		s.known = true
		s.last = h.lsn
		return 1, 0
	}
	from, to = s.last+1, h.lsn
	switch h.flags {
	case 0:
		to = h.lsn - 1
	case flagBase:
		to = binary.LittleEndian.Uint64(payload)
	}
	s.last = max(s.last, h.lsn)
	return from, to
}

func (f *fileScan) note(lsn uint64, off int64) {
	if f.first == 0 {
		f.first = lsn
	}
	f.last = lsn
	f.records++
	if n := len(f.index); n == 0 || off-f.index[n-1].off >= indexEvery {
		f.index = append(f.index, indexEntry{lsn, off})
	}
}

// nextCandidate returns the first aligned offset from off on whose bytes can be a record's header, or len(data).
func nextCandidate(data []byte, off int) int {
	for ; off+recordHeader <= len(data); off += recordAlign {
		if binary.LittleEndian.Uint64(data[off:]) == 0 {
			continue // the empty rest of a preallocated file
		}
		if data[off] != recordMagic {
			continue
		}
		h, ok := parseHeader(data[off:])
		if ok && uint64(h.length) <= uint64(len(data)-off-recordHeader) {
			return off
		}
	}
	return len(data)
}

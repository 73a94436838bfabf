package codec

import (
	"encoding/binary"
	"slices"
)

// Values of a fixed number of bits go from chunk to chunk as they lie there.

// uuidMerger is the working memory of mergeUUIDs.
type uuidMerger struct {
	rows  []byte // values by row, where some have none
	texts []byte // bounds of the blocks
}

// mergeUUIDs appends zone map and chunk of columns of packed UUIDs. ok is false if so many repeat the one before that a
// dictionary may have become the better form.
func (e *Encoder) mergeUUIDs(zones, dst []byte, src []Source) (zonesOut, out []byte, ok bool) {
	m := &e.merge.uuids
	v := &e.merge.values
	at := len(dst)
	dst = slices.Grow(dst, uuidBytes*v.Rows)
	rows := dst[at : at+uuidBytes*v.Rows]
	if v.Pos != nil {
		m.rows = slices.Grow(m.rows[:0], uuidBytes*v.Rows)[:uuidBytes*v.Rows]
		rows = m.rows
	}
	for i, s := range src {
		scatterUUIDs(rows, s.Data[s.Chunk.at:], e.merge.lists[i])
	}
	dst = dst[:at+uuidBytes*v.Vec.N]
	if v.Pos != nil {
		for i, r := range v.Pos {
			copy(dst[at+uuidBytes*i:], rows[uuidBytes*int(r):][:uuidBytes])
		}
	}
	repeats := e.zones.scanUUIDs(v, dst[at:], &m.texts)
	if v.Vec.N < 2 || 2*repeats >= v.Vec.N {
		return zones, dst[:at], false
	}
	return e.zones.append(zones, v, nil), dst, true
}

func scatterUUIDs(rows, src []byte, list []uint32) {
	for _, w := range list {
		to, from := uuidBytes*int(w&0xffff), uuidBytes*int(w>>16)
		*(*[uuidBytes]byte)(rows[to:]) = *(*[uuidBytes]byte)(src[from:])
	}
}

// scanUUIDs computes the zone of each block of rows, and counts the values that are equal to the one before. The bounds
// lie in texts.
func (w *zoneWriter) scanUUIDs(v *Values, packed []byte, texts *[]byte) (repeats int) {
	w.zones = w.zones[:0]
	w.count(v)
	room := slices.Grow((*texts)[:0], 2*uuidText*len(w.counts)) // grown at once: the zones refer to it
	var prevHi, prevLo uint64
	for b, n := range w.counts {
		z := zone{any: n > 0}
		if z.any {
			block := packed[:uuidBytes*n]
			if b == 0 {
				prevHi, prevLo = ^be64(block), 0 // nothing stands before the first
			}
			least, most := 0, 0
			minHi, minLo := be64(block), be64(block[8:])
			maxHi, maxLo := minHi, minLo
			for i := 0; i+uuidBytes <= len(block); i += uuidBytes {
				u := (*[uuidBytes]byte)(block[i:])
				hi, lo := be64(u[:]), be64(u[8:])
				if hi == prevHi && lo == prevLo {
					repeats++
				}
				prevHi, prevLo = hi, lo
				if hi < minHi || hi == minHi && lo < minLo {
					minHi, minLo, least = hi, lo, i
				}
				if hi > maxHi || hi == maxHi && lo > maxLo {
					maxHi, maxLo, most = hi, lo, i
				}
			}
			at := len(room)
			room = readUUIDs(room, block[least:][:uuidBytes])
			room = readUUIDs(room, block[most:][:uuidBytes])
			z.minB, z.maxB = room[at:at+uuidText], room[at+uuidText:]
			packed = packed[len(block):]
		}
		w.zones = append(w.zones, z)
	}
	*texts = room
	return repeats
}

func be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// mergeBits appends zone map and chunk of booleans. ok is false if all are the same.
func (e *Encoder) mergeBits(zones, dst []byte, src []Source) (zonesOut, out []byte, ok bool) {
	v := &e.merge.values
	e.merge.bits = slices.Grow(e.merge.bits[:0], v.Rows+8)[:v.Rows+8]
	rows := e.merge.bits
	for i, s := range src {
		if s.Chunk.enc == encConst {
			x := byte(boolInt(s.Chunk.dict.Bits.Get(0)))
			for _, w := range e.merge.lists[i] {
				rows[w&0xffff] = x
			}
			continue
		}
		packed := s.Data[s.Chunk.at:]
		for _, w := range e.merge.lists[i] {
			rows[w&0xffff] = packed[w>>19] >> (w >> 16 & 7) & 1
		}
	}
	for i, r := range v.Pos { // to the front; r is never less than i
		rows[i] = rows[r]
	}
	n := v.Vec.N
	if trues := e.zones.scanBytes(v, rows); trues == 0 || trues == n {
		return zones, dst, false
	}
	clear(rows[n : n+8])
	for i := 0; i < n; i += 8 { // the lowest bits of eight bytes come together at the top
		dst = append(dst, byte(binary.LittleEndian.Uint64(rows[i:])*0x0102040810204080>>56))
	}
	return e.zones.append(zones, v, nil), dst, true
}

// scanBytes computes the zone of each block of booleans of a byte each, and counts those that are true.
func (w *zoneWriter) scanBytes(v *Values, vals []byte) (trues int) {
	w.zones = w.zones[:0]
	w.count(v)
	for _, n := range w.counts {
		sum := 0
		for _, x := range vals[:n] {
			sum += int(x)
		}
		z := zone{any: n > 0}
		if z.any {
			z.minI, z.maxI = int64(sum/n), int64(min(sum, 1))
		}
		w.zones = append(w.zones, z)
		trues += sum
		vals = vals[n:]
	}
	return trues
}

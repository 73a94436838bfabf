package op

import (
	"encoding/binary"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/storage/types"
)

// handsOver reports whether what the row group came to can be scattered: not where rows are left for the states.
func (x *fusedWorker) handsOver() bool {
	for i := range x.sums {
		if m := &x.sums[i]; m.rows || len(m.later) > 0 {
			return false
		}
	}
	return true
}

// scatterStep is the number of rows that are put together at a time.
const scatterStep = 512

// scatter gives the codes that have rows to the partitions, in the order of their first rows.
func (x *fusedWorker) scatter() error {
	x.end.beginParts()
	d, part := &x.named, x.end.part
	l := part.l
	d.want, d.order = d.want.Resize(x.index.n), d.order[:0]
	n := 0
	for c, rows := range x.counts[:x.index.n] {
		if rows > 0 {
			d.want.Set(c)
			n++
		}
	}
	x.inOrder(n)
	x.f.stats.Scattered.Add(1)
	part.begin(x.w.morsel)
	d.occ = append(d.occ[:0], d.order...)
	x.settle()
	for from := 0; from < n; from += scatterStep {
		codes := d.occ[from:min(from+scatterStep, n)]
		part.buf = sized(part.buf, len(codes)*l.width)
		if err := x.pack(l, from, codes, part.buf); err != nil {
			return err
		}
		part.scatter(part.buf)
	}
	return part.reserve()
}

// pack makes rows of what codes came to, which occurred from a place on.
func (x *fusedWorker) pack(l *partialLayout, from int, codes []uint32, rows []uint64) error {
	w := l.width
	for r, c := range codes {
		rows[r*w] = uint64(x.counts[c])
	}
	x.split(codes)
	for i := range l.keys {
		if x.packKey(l, i, rows) {
			continue
		}
		if err := x.keyVector(i, len(codes)); err != nil {
			return err
		}
		x.end.part.packKey(i, x.named.vecs[i], rowList{n: len(codes)}, rows)
	}
	for i := range x.sums {
		if m := &x.sums[i]; len(m.calls) > 0 && l.calls[m.calls[0]] >= 0 {
			l.slots[l.calls[m.calls[0]]].pack(&m.part, w, from, len(codes), rows)
		}
	}
	return nil
}

// pack writes n entries of a partial to the words of the slot.
func (s *partialSlot) pack(p *agg.Partial, w, from, n int, rows []uint64) {
	putWords(p.N[from:from+n], rows[s.n:], w)
	if s.sum > 0 {
		for i, at := 0, s.sum; i < n; i++ {
			if len(p.Exact) > 0 {
				rows[at], rows[at+1] = uint64(p.Exact[from+i].Hi), p.Exact[from+i].Lo
			} else {
				x := p.Sum[from+i]
				rows[at], rows[at+1] = uint64(x>>32), uint64(uint32(x))
			}
			at += w
		}
	}
	if s.least > 0 {
		putWords(p.Min[from:from+n], rows[s.least:], w)
	}
	if s.most > 0 {
		putWords(p.Max[from:from+n], rows[s.most:], w)
	}
}

// putWords writes every w-th word.
func putWords(xs []int64, words []uint64, w int) {
	for i, x := range xs {
		words[i*w] = uint64(x)
	}
}

// packKey writes key i, whose codes are split, without making a vector of it; false if that takes more than a look at its
// dictionary.
func (x *fusedWorker) packKey(l *partialLayout, i int, rows []uint64) bool {
	k, d, w := &x.keys[i], &x.named, l.width
	if d.keys[i].ev != nil || k.null >= 0 || k.valid != nil {
		return false
	}
	at, codes := l.keys[i].at, d.split[i]
	if to := l.keys[i].text; to > 0 {
		if k.dict == nil || d.keys[i].t.Phys() != types.PhysBytes {
			return false
		}
		part := x.end.part
		of := &part.codes[i]
		of.learn(k.dict, &part.texts)
		for r, c := range codes {
			rows[r*w+at], rows[r*w+to] = of.of(c, part)
		}
		return true
	}
	uuid := l.keys[i].t.Kind == types.UUID
	switch {
	case k.vals != nil && uuid == (k.more != nil):
		for _, c := range codes {
			rows[at] = uint64(k.vals[c])
			if uuid {
				rows[at+1] = uint64(k.more[c])
			}
			at += w
		}
	case k.vals != nil:
		return false
	case uuid && k.dict != nil && d.keys[i].t.Kind == types.UUID:
		data, off := k.dict.Data, k.dict.Off
		for _, c := range codes {
			b := data[off[c]:]
			rows[at], rows[at+1] = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
			at += w
		}
	case l.keys[i].t.Phys() == types.PhysInt64 && k.dict != nil && k.dict.Type.Phys() == types.PhysInt64:
		for _, c := range codes {
			rows[at] = uint64(k.dict.I64[c])
			at += w
		}
	case l.keys[i].t.Phys() == types.PhysInt64 && d.keys[i].t.Phys() == types.PhysInt64 && k.dict == nil && k.n > 1:
		for _, c := range codes {
			rows[at] = uint64(k.base + int64(c))
			at += w
		}
	default:
		return false
	}
	return true
}

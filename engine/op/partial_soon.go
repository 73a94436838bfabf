package op

import "github.com/telemdb/telemdb/storage/vec"

// Aggregations of few rows scatter their groups sooner than others (see fewRows), and then the order of their groups is that of the
// partitions, however they were made.

// scattersSoon reports whether what the row group came to is to be scattered though the worker's groups are still numbered: it is
// more groups than are.
func (x *fusedWorker) scattersSoon() bool {
	m := x.end.m
	if m.partial == nil || !m.soon || x.end.part != nil || x.index.n <= m.many {
		return false
	}
	n := 0
	for _, rows := range x.counts {
		if rows > 0 {
			n++
		}
	}
	return n > m.many
}

// byPartition returns the groups of t, none of which was scattered, in the order in which they would be given out if all were.
func (l *partialLayout) byPartition(t *groupTable) []uint32 {
	parts := l.partitions(t)
	var at [partialParts]int
	for _, p := range parts {
		at[p]++
	}
	sum := 0
	for p, n := range at {
		at[p] = sum
		sum += n
	}
	out := make([]uint32, len(parts))
	for _, g := range sortBySeen(t.first) {
		p := parts[g]
		out[at[p]] = g
		at[p]++
	}
	return out
}

// partitions returns the partition of each group.
func (l *partialLayout) partitions(t *groupTable) []uint8 {
	const step = 512
	vecs := make([]*vec.Vector, len(l.keys))
	for i := range vecs {
		vecs[i] = &vec.Vector{}
	}
	rows := make([]uint64, step*l.width)
	parts := make([]uint8, t.keys.Len())
	for from := 0; from < len(parts); from += step {
		to := min(from+step, len(parts))
		clear(rows)
		for i, v := range vecs {
			v.Reset(l.keys[i].t)
		}
		t.keys.Append(from, to, vecs)
		for i, v := range vecs {
			if l.keys[i].text > 0 {
				l.packHashes(i, v, to-from, rows)
			} else {
				l.packWords(i, v, rowList{n: to - from}, rows)
			}
		}
		for g := from; g < to; g++ {
			parts[g] = uint8(l.hash(rows[(g-from)*l.width:]) >> (64 - partialBits))
		}
	}
	return parts
}

// packHashes is packTexts of n rows without the texts.
func (l *partialLayout) packHashes(i int, v *vec.Vector, n int, rows []uint64) {
	for r := range n {
		if row := rows[r*l.width:]; v.Null(r) {
			row[0] |= 1 << (headNulls + i)
		} else {
			row[l.keys[i].at] = l.hashText(v.Bytes(r))
		}
	}
}

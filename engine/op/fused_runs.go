package op

import (
	"encoding/binary"
	"math/bits"

	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Where the keys have too many values together for an array, the rows of a row group often still come in runs that agree in
// all of them, because of the order of the table: then the runs are numbered, and everything is accumulated by the number of
// the run as it would be by code. The keys of a run are those of its first row. Runs of equal keys are put together by the
// table, as row groups are.

// runIndex finds the runs of row groups.
type runIndex struct {
	marks vec.Bitmap // rows with another key than the row before
	rows  []uint16   // the first row of each run
	skip  int        // row groups for which runs are not looked for, because there were none in the last one

	numbers, ends []uint32 // of the runs, in ascending order: see number
}

// runsAgain is after how many row groups without runs they are looked for again.
const runsAgain = 16

// wanted reports whether to look for runs in the next row group.
func (r *runIndex) wanted() bool {
	if r.skip > 0 {
		r.skip--
		return false
	}
	return true
}

// numberRuns makes index the number of the run of each row, where all keys are loaded; false if there are nearly as many runs as
// rows that passed.
func (x *fusedWorker) numberRuns() bool {
	r, n := &x.runs, x.group.rows
	r.marks = r.marks.Resize(n)
	for i := range x.keys {
		x.keys[i].changes(r.marks, n)
	}
	r.marks[0] |= 1
	r.rows = sized(r.rows, 64*len(r.marks))
	r.rows = r.rows[:simd.SelectU16(r.marks, r.rows)]
	if !x.end.scatters() && 2*len(r.rows) > x.group.alive {
		r.skip = runsAgain
		return false
	}
	x.index.n, x.index.runs = len(r.rows), r.rows
	return true
}

// changes sets the bits of rows that differ from the row before. Bit 0 may be set or not.
func (k *keyCodes) changes(marks vec.Bitmap, n int) {
	switch {
	case k.vals != nil:
		markChanges(k.vals[:n], marks)
		if k.more != nil {
			markChanges(k.more[:n], marks)
		}
		if k.valid != nil {
			last := uint64(0)
			for i, w := range k.valid[:len(marks)] {
				marks[i] |= w ^ (w<<1 | last>>63)
				last = w
			}
			if n&63 != 0 {
				marks[len(marks)-1] &= 1<<(n&63) - 1
			}
		}
	case k.n == 1:
	case k.c8 != nil:
		markChanges(k.c8[:n], marks)
	default:
		markChanges(k.c16[:n], marks)
	}
}

func markChanges[C uint8 | uint16 | int64](codes []C, marks vec.Bitmap) {
	last := codes[0]
	for w := range marks {
		part := codes[w<<6 : min(w<<6+64, len(codes))]
		m := uint64(0)
		for i, c := range part {
			d := uint64(0)
			if c != last {
				d = 1
			}
			m |= d << (i & 63)
			last = c
		}
		marks[w] |= m
	}
}

// number writes the run of each row, if the codes are of runs and are not there yet.
func (r *runIndex) number(at *codeIndex, rows int) {
	if at.runs == nil || at.n == 1 || at.c16 != nil {
		return
	}
	at.own16 = sized(at.own16, rows)
	at.c16 = at.own16
	r.ends = sized(r.ends, len(at.runs))
	for i, from := range at.runs[1:] {
		r.ends[i] = uint32(from)
	}
	r.ends[len(at.runs)-1] = uint32(rows)
	for i := len(r.numbers); i < len(at.runs); i++ {
		r.numbers = append(r.numbers, uint32(i))
	}
	simd.RepeatU16(at.c16, r.numbers[:len(r.ends)], r.ends)
}

// countRuns writes how many rows the runs have that passed; sel nil: all.
func (y *tally) countRuns(at *codeIndex, rows int, sel vec.Bitmap) {
	t := y.t[:len(at.runs)]
	if sel == nil {
		for i := range t[:len(t)-1] {
			t[i] = int64(at.runs[i+1]) - int64(at.runs[i])
		}
		t[len(t)-1] = int64(rows - int(at.runs[len(t)-1]))
		return
	}
	word, before, last := 0, 0, 0 // before: bits of the words in front of word; last: bits in front of the run
	for i := range t {
		to := rows
		if i+1 < len(t) {
			to = int(at.runs[i+1])
		}
		for ; word < to>>6; word++ {
			before += bits.OnesCount64(sel[word])
		}
		n := before
		if to&63 != 0 {
			n += bits.OnesCount64(sel[word] & (1<<(to&63) - 1))
		}
		t[i] = int64(n - last)
		last = n
	}
}

// loadValues reads the values of a key that does not come as codes: integers, and identifiers of 16 bytes as two.
func (k *keyCodes) loadValues(w *scan.Worker, g *rowGroup, c int, t types.Type) (ok bool, err error) {
	col, _ := w.Column(c)
	if col == nil {
		return false, nil
	}
	wide := t.Kind == types.UUID
	if !wide && (t.Phys() != types.PhysInt64 || col.Leaf().Phys() != types.PhysInt64) {
		return false, nil
	}
	k.ownVals = sized(k.ownVals, g.rows)
	k.vals, k.more, k.valid = k.ownVals, nil, nil
	if wide {
		k.ownMore = sized(k.ownMore, g.rows)
		k.more = k.ownMore
	}
	return k.decode(g, vec.BlockRows, col.Read, func(from, to int) bool {
		k.take(&k.vec, from, to, g.rows)
		return true
	})
}

// take copies the values of a block; NULL is 0 and not valid.
func (k *keyCodes) take(v *vec.Vector, from, to, rows int) {
	for i := range to - from {
		if v.Valid != nil && v.Null(i) {
			if k.valid == nil {
				k.ownValid = k.ownValid.Resize(rows)
				k.valid = k.ownValid
				k.valid.Fill(rows)
			}
			k.valid.Clear(from + i)
			k.vals[from+i] = 0
			if k.more != nil {
				k.more[from+i] = 0
			}
			continue
		}
		if k.more == nil {
			k.vals[from+i] = v.Int(i)
			continue
		}
		b := v.Bytes(i)
		k.vals[from+i], k.more[from+i] = int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))
	}
}

// splitRuns writes where the keys of runs are: their codes, or the rows of their values.
func (x *fusedWorker) splitRuns(runs []uint32) {
	for i := range x.keys {
		k, out := &x.keys[i], x.named.split[i]
		switch {
		case k.vals != nil:
			for r, c := range runs {
				out[r] = uint32(x.index.runs[c])
			}
		case k.n == 1:
			clear(out)
		case k.c8 != nil:
			for r, c := range runs {
				out[r] = uint32(k.c8[x.index.runs[c]])
			}
		default:
			for r, c := range runs {
				out[r] = uint32(k.c16[x.index.runs[c]])
			}
		}
	}
}

// appendValues is appendKeys of a key that has values.
func (k *keyCodes) appendValues(rows []uint32, out *vec.Vector) {
	var b [16]byte
	for _, i := range rows {
		switch {
		case k.valid != nil && !k.valid.Get(int(i)):
			out.AppendNull()
		case k.more != nil:
			binary.LittleEndian.PutUint64(b[:], uint64(k.vals[i]))
			binary.LittleEndian.PutUint64(b[8:], uint64(k.more[i]))
			out.AppendBytes(b[:])
		default:
			out.AppendInt(k.vals[i])
		}
	}
}

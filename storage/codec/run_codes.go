package codec

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync"

	"github.com/telemdb/telemdb/storage/simd"
)

// Codes of columns that are the same for all rows of a client come in runs, because the rows of a client lie together. A run
// is its length and its code, each of so many bits. None goes beyond a block of values, so that a block is read without those
// before it, and one longer than its bits can say is several: which number of bits is best follows from the lengths.

// runWidth is the width of codes that says so.
const runWidth = 32

// runCodes are codes as runs.
type runCodes struct {
	n        int // values
	runs     int
	lenBits  uint // of a length less 1
	codeBits uint
	index    int // offset of the number of runs before each block but the first, u16
	lens     int // offset of the lengths
	codes    int // offset of the codes
}

// maxRunBits is enough for the length of a run of a whole block.
const maxRunBits = 10

// parse reads: number of runs uvarint, bits of a length u8, bits of a code u8, index, lengths, codes. It checks all of them,
// so that what reads them later need not: limit is the size of the dictionary.
func (r *runCodes) parse(c *cursor, n, limit int) error {
	*r = runCodes{n: n, runs: c.count(n), lenBits: uint(c.u8()), codeBits: uint(c.u8())}
	if c.bad || r.lenBits > maxRunBits || r.codeBits > 16 || r.runs < blocksOf(n) {
		return corrupt("%d runs of codes, of %d and %d bits", r.runs, r.lenBits, r.codeBits)
	}
	r.index = c.skip(2 * (blocksOf(n) - 1))
	r.lens = c.skip(packedLen(r.runs, r.lenBits))
	r.codes = c.skip(packedLen(r.runs, r.codeBits))
	if c.bad {
		return corrupt("runs of codes cut short")
	}
	return r.check(c.data, limit)
}

// check reports runs that do not make up their blocks, and codes that the dictionary does not have.
func (r *runCodes) check(data []byte, limit int) error {
	w := getRunWindow()
	defer w.put()
	w.grow(r.runs)
	simd.Unpack32(w.codes, data[r.codes:], 0, r.codeBits)
	if top := simd.TopU32(w.codes); int(top) >= limit {
		return corrupt("code %d in a dictionary of %d", top, limit)
	}
	simd.Unpack32(w.ends, data[r.lens:], 0, r.lenBits)
	for b := range blocksOf(r.n) {
		first, end := r.block(data, b)
		if first >= end || end > r.runs {
			return corrupt("runs [%d, %d) of %d in block %d", first, end, r.runs, b)
		}
		sum := end - first
		for _, x := range w.ends[first:end] {
			sum += int(x)
		}
		if want := min(blockValues, r.n-b*blockValues); sum != want {
			return corrupt("runs of %d values in block %d of %d", sum, b, want)
		}
	}
	return nil
}

// block returns the runs of a block: [first, end).
func (r *runCodes) block(data []byte, b int) (first, end int) {
	end = r.runs
	if b > 0 {
		first = loadU16(data[r.index:], b-1)
	}
	if b+1 < blocksOf(r.n) {
		end = loadU16(data[r.index:], b)
	}
	return first, end
}

// runWindow is runs of codes, unpacked.
type runWindow struct {
	ends  []uint32 // behind the last value of each run, counted from the first value asked for
	codes []uint32
	bits  []uint64 // an outcome for each
	ends8 []uint32 // memory
	code8 []uint32
}

var runWindows = sync.Pool{New: func() any { return new(runWindow) }}

func getRunWindow() *runWindow { return runWindows.Get().(*runWindow) }
func (w *runWindow) put()      { runWindows.Put(w) }

func (w *runWindow) grow(n int) {
	w.ends8, w.code8 = sized(w.ends8, n), sized(w.code8, n)
	w.ends, w.codes = w.ends8, w.code8
}

// window unpacks the runs of values [a, b), which are not none. Runs that begin before a or end behind b are cut.
func (r *runCodes) window(data []byte, a, b int, w *runWindow) {
	first, _ := r.block(data, a/blockValues)
	_, end := r.block(data, (b-1)/blockValues)
	// Unpacking by vectors begins at every eighth number and goes by 64.
	lo, hi := first&^7, end
	if up := (hi - lo + 63) &^ 63; lo+up <= r.runs {
		hi = lo + up
	}
	w.grow(hi - lo)
	simd.Unpack32(w.ends, data[r.lens:], lo, r.lenBits)
	simd.Unpack32(w.codes, data[r.codes:], lo, r.codeBits)
	w.ends, w.codes = w.ends[first-lo:end-lo], w.codes[first-lo:end-lo]
	at := uint32(a / blockValues * blockValues)
	for i, x := range w.ends {
		at += x + 1
		w.ends[i] = at
	}
	w.cut(uint32(a), uint32(b))
}

// cut makes ends, of values of the chunk, those of values [a, b).
func (w *runWindow) cut(a, b uint32) {
	skip := 0
	for w.ends[skip] <= a {
		skip++
	}
	last := len(w.ends) - 1
	for last > skip && w.ends[last-1] >= b {
		last--
	}
	w.ends, w.codes = w.ends[skip:last+1], w.codes[skip:last+1]
	if a != 0 {
		for i := range w.ends {
			w.ends[i] -= a
		}
	}
	w.ends[len(w.ends)-1] = b - a
}

// read writes codes [a, b) to dst.
func (r *runCodes) read(data []byte, a, b int, dst []uint32) {
	w := getRunWindow()
	defer w.put()
	r.window(data, a, b, w)
	simd.RepeatU32(dst[:b-a], w.codes, w.ends)
}

// filter sets the bits of those values among [a, b) whose code passes; out is zero.
func (r *runCodes) filter(f *Filter, data []byte, a, b int, out bitset) {
	w := getRunWindow()
	defer w.put()
	r.window(data, a, b, w)
	w.bits = sized(w.bits, (len(w.codes)+63)/64)
	pass := bitset(w.bits)
	outside := f.oneRange && f.outside
	if f.oneRange {
		simd.RangeU32(w.codes, uint32(f.first), uint32(f.last), pass)
	} else {
		simd.LookupU32(w.codes, f.bitTable(), pass)
	}
	if simd.Popcount(pass)*2 > len(w.codes) { // rather the few
		pass.invert(len(w.codes))
		outside = !outside
	}
	for i, word := range pass {
		for ; word != 0; word &= word - 1 {
			k := i<<6 + bits.TrailingZeros64(word)
			from := uint32(0)
			if k > 0 {
				from = w.ends[k-1]
			}
			fillBits(out, int(from), int(w.ends[k]))
		}
	}
	if outside {
		out.invert(b - a)
	}
}

func (r *runCodes) name() string {
	return fmt.Sprintf("runs(%d, %d+%d bits)", r.runs, r.lenBits, r.codeBits)
}

// runWriter finds the runs of codes and writes them.
type runWriter struct {
	lens  []uint16 // less 1
	codes []uint16
	index []uint16
	count [blockValues + 1]uint32 // runs by their length
}

// runsMin is the mean length of runs from which they are looked at more closely.
const runsMin = 3

// findRuns takes the runs of codes within their blocks. ok is false if they are too short to be worth it.
func findRuns[T int64 | uint16](w *runWriter, codes []T) (ok bool) {
	n := len(codes)
	if n > 4*blockValues { // two blocks tell of most columns that they have none
		a, b := codes[:blockValues], codes[n/2:][:blockValues]
		if changesOf(a)*runsMin > blockValues && changesOf(b)*runsMin > blockValues {
			return false
		}
	}
	w.lens, w.codes, w.index = w.lens[:0], w.codes[:0], w.index[:0]
	clear(w.count[:])
	for at := 0; at < n; at += blockValues {
		block := codes[at:min(at+blockValues, n)]
		if at > 0 {
			w.index = append(w.index, uint16(len(w.lens)))
		}
		start := 0
		for i := 1; i <= len(block); i++ {
			if i == len(block) || block[i] != block[start] {
				w.lens, w.codes = append(w.lens, uint16(i-start-1)), append(w.codes, uint16(block[start]))
				w.count[i-start]++
				start = i
			}
		}
		if len(w.lens)*runsMin > n {
			return false
		}
	}
	return true
}

func changesOf[T int64 | uint16](codes []T) int {
	n := 0
	prev := codes[0]
	for _, c := range codes[1:] {
		if c != prev {
			n++
		}
		prev = c
	}
	return n
}

// plan picks the bits of a length, for codes below limit. size is that of what append writes.
func (w *runWriter) plan(limit int) (lenBits, codeBits uint, runs, size int) {
	codeBits = uint(bits.Len(uint(limit - 1)))
	for try := uint(0); try <= maxRunBits; try++ {
		pieces := 0
		for n, k := range w.count {
			pieces += int(k) * ((n + 1<<try - 1) >> try)
		}
		if s := packedLen(pieces, try) + packedLen(pieces, codeBits); try == 0 || s < size {
			lenBits, runs, size = try, pieces, s
		}
	}
	return lenBits, codeBits, runs, size + 6 + 2*len(w.index)
}

// append writes the runs found.
func (w *runWriter) append(dst []byte, lenBits, codeBits uint, runs int) []byte {
	w.split(1<<lenBits, runs)
	dst = binary.AppendUvarint(dst, uint64(runs))
	dst = append(dst, byte(lenBits), byte(codeBits))
	for _, x := range w.index {
		dst = binary.LittleEndian.AppendUint16(dst, x)
	}
	return appendPacked16(appendPacked16(dst, w.lens, lenBits), w.codes, codeBits)
}

// split cuts runs longer than longest, from the back to the front.
func (w *runWriter) split(longest, runs int) {
	from, to := len(w.lens)-1, runs-1
	if to == from {
		return
	}
	w.lens = append(w.lens, make([]uint16, to-from)...)
	w.codes = append(w.codes, make([]uint16, to-from)...)
	for b := len(w.index); b >= 0; b-- {
		first := 0
		if b > 0 {
			first = int(w.index[b-1])
		}
		for ; from >= first; from-- {
			n, code := int(w.lens[from])+1, w.codes[from]
			for ; n > 0; n -= longest {
				w.lens[to], w.codes[to] = uint16(min(n, longest)-1), code
				to--
			}
		}
		if b > 0 {
			w.index[b-1] = uint16(to + 1)
		}
	}
}

// appendPacked16 appends numbers of width bits each.
func appendPacked16(dst []byte, vals []uint16, width uint) []byte {
	acc, have := uint64(0), uint(0)
	for _, v := range vals {
		acc |= uint64(v) << have
		if have += width; have >= 32 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(acc))
			acc, have = acc>>32, have-32
		}
	}
	for ; have > 0; have -= min(have, 8) {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// appendRunCodes writes codes of a dictionary of limit values as runs, if that takes less than half of the aligned bytes.
func appendRunCodes[T int64 | uint16](w *runWriter, dst []byte, codes []T, limit, aligned int) (out []byte, ok bool) {
	if !findRuns(w, codes) {
		return dst, false
	}
	lenBits, codeBits, runs, size := w.plan(limit)
	if 2*size > aligned || runs > len(codes) {
		return dst, false
	}
	return w.append(append(dst, runWidth), lenBits, codeBits, runs), true
}

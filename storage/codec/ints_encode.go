package codec

import (
	"encoding/binary"
	"math/bits"
)

// intsWriter chooses the form of an integer stream and writes it. Its memory is reused.
type intsWriter struct {
	bounds  []intBounds // of each block of the values planned last
	blocks  []blockPlan
	deltas  []blockPlan
	steps   []int64
	runVals []int64
	runLast []uint16
	scaled  []int64
	inner   *intsWriter // writes the values of the runs, and the steps
}

// intBounds are the least and the largest value of a block.
type intBounds struct{ lo, hi int64 }

// blockPlan is what the statistics pass decides for one block.
type blockPlan struct {
	base  int64 // least value, or least step
	width uint
	exc   int // values that do not fit the width
	excB  int // bytes of their high parts
}

func (p blockPlan) size(n int) int { return packedLen(n, p.width) + p.exc*(2+p.excB) }

// intsPlan is a choice with its exact size in bytes.
type intsPlan struct {
	kind     uint8
	size     int
	min, max int64
	runs     int
	step     uint64 // intsScaled
	direct   int    // size of the best form that is none of steps
}

// Penalties in percent: what a form costs when it is scanned from memory (engine.md 4.4).
const (
	penaltyFOR   = 5
	penaltyRuns  = 5
	penaltyDelta = 15
	penaltySteps = 15
)

func penalised(size, percent int) int { return size + size*percent/100 }

// minRunLength is the mean length from which runs are considered.
const minRunLength = 6

// Which forms a plan may choose besides constant and plain.
type allowed uint8

const (
	allowFOR   allowed = 0 // always
	allowDelta allowed = 1
	allowRuns  allowed = 2
	allowAll           = allowDelta | allowRuns
	allowSteps allowed = 4
	allowWhole         = allowAll | allowSteps // for the values of a column
)

// plan looks at the values once and returns the best form. vals stays the caller's.
func (w *intsWriter) plan(vals []int64, allow allowed) intsPlan {
	if len(vals) == 0 {
		return intsPlan{kind: intsConst, size: 2}
	}
	p := intsPlan{kind: intsPlain, size: 1 + 8*len(vals)}
	p.min, p.max, p.runs = w.scan(vals, allow&allowRuns != 0)
	if p.min == p.max {
		p.kind, p.size = intsConst, 1+varintLen(p.min)
		return p
	}
	best := penalised(p.size, 0)
	consider := func(kind uint8, size, penalty int) {
		if s := penalised(size, penalty); s < best {
			best, p.kind, p.size = s, kind, size
		}
	}
	consider(intsFOR, w.planFOR(vals, p.min), penaltyFOR)
	if allow&allowRuns != 0 && p.runs*minRunLength <= len(vals) && len(vals) <= MaxRows {
		w.findRuns(vals)
		inner := w.innerWriter().plan(w.runVals, allowDelta)
		consider(intsRuns, 4+2*p.runs+inner.size, penaltyRuns)
	}
	if allow&allowDelta != 0 && len(vals) >= 16 && w.stepsPromise(vals) {
		consider(intsDelta, w.planDelta(vals), penaltyDelta)
	}
	p.direct = p.size
	if allow&allowSteps != 0 && len(vals) >= 16 {
		if step, size := w.planScaled(vals, p, allow); step != 0 {
			p.step = step
			consider(intsScaled, size, penaltySteps)
		}
	}
	return p
}

// scan finds the bounds of each block and of all, and, if they are asked for, the number of runs, or a number beyond what
// makes them worth while.
func (w *intsWriter) scan(vals []int64, countRuns bool) (lo, hi int64, runs int) {
	w.bounds = w.bounds[:0]
	lo, hi, runs = vals[0], vals[0], 1
	if countRuns && len(vals) > 4*blockValues { // where two blocks are full of changes, all of them are
		a, b := vals[:blockValues], vals[len(vals)/2:][:blockValues]
		if changes(a)*2 > blockValues && changes(b)*2 > blockValues {
			runs, countRuns = len(vals), false
		}
	}
	for i := 0; i < len(vals); i += blockValues {
		block := vals[i:min(i+blockValues, len(vals))]
		b := boundsOfInts(block)
		lo, hi = min(lo, b.lo), max(hi, b.hi)
		w.bounds = append(w.bounds, b)
		if countRuns {
			runs += changes(block)
			if i > 0 && vals[i-1] != vals[i] {
				runs++
			}
		}
	}
	return lo, hi, runs
}

// boundsOfInts keeps four pairs, so that no step waits for the one before.
func boundsOfInts(vals []int64) intBounds {
	lo0, hi0 := vals[0], vals[0]
	lo1, hi1, lo2, hi2, lo3, hi3 := lo0, hi0, lo0, hi0, lo0, hi0
	for ; len(vals) >= 4; vals = vals[4:] {
		a, b, c, d := vals[0], vals[1], vals[2], vals[3]
		lo0, hi0 = min(lo0, a), max(hi0, a)
		lo1, hi1 = min(lo1, b), max(hi1, b)
		lo2, hi2 = min(lo2, c), max(hi2, c)
		lo3, hi3 = min(lo3, d), max(hi3, d)
	}
	for _, v := range vals {
		lo0, hi0 = min(lo0, v), max(hi0, v)
	}
	return intBounds{min(lo0, lo1, lo2, lo3), max(hi0, hi1, hi2, hi3)}
}

// changes counts the values that differ from the one before, without a branch for each.
func changes(vals []int64) int {
	n := uint64(0)
	prev := vals[0]
	for _, v := range vals[1:] {
		d := uint64(v ^ prev)
		n += (d | -d) >> 63
		prev = v
	}
	return int(n)
}

func (w *intsWriter) innerWriter() *intsWriter {
	if w.inner == nil {
		w.inner = &intsWriter{}
	}
	return w.inner
}

func intStats(vals []int64) (lo, hi int64, runs int) {
	lo, hi, runs = vals[0], vals[0], 1
	prev := vals[0]
	for _, v := range vals[1:] {
		lo, hi = min(lo, v), max(hi, v)
		if v != prev {
			runs++
		}
		prev = v
	}
	return lo, hi, runs
}

func varintLen(v int64) int { return max(1, (bits.Len64(uint64(v<<1)^uint64(v>>63))+6)/7) }

func (w *intsWriter) planFOR(vals []int64, least int64) int {
	w.blocks = w.blocks[:0]
	size := 0
	maxBase := uint64(0)
	rest := vals
	for _, b := range w.bounds {
		n := min(blockValues, len(rest))
		p := planBlock(rest[:n], b.lo, b.hi)
		maxBase = max(maxBase, uint64(p.base)-uint64(least))
		size += p.size(n)
		w.blocks = append(w.blocks, p)
		rest = rest[n:]
	}
	head := forHeadBytes
	if len(w.blocks) > 1 {
		head += 4 + bytesFor(maxBase)
	}
	return 2 + varintLen(least) + size + head*len(w.blocks)
}

// planBlock picks the width that makes the block smallest, at most one value in 16 being an exception.
func planBlock(vals []int64, lo, hi int64) blockPlan {
	top := bits.Len64(uint64(hi) - uint64(lo))
	if top == 0 {
		return blockPlan{base: lo}
	}
	var lens [65]uint32
	countLengths(vals, lo, &lens)
	return widthOf(len(vals), lo, top, &lens)
}

// countLengths counts the distances from base by their lengths in bits, in four tables: an increment of the number that
// was incremented just before would wait for it.
func countLengths(vals []int64, base int64, lens *[65]uint32) {
	var b, c, d [65]uint32
	for ; len(vals) >= 4; vals = vals[4:] {
		lens[bits.Len64(uint64(vals[0]-base))]++
		b[bits.Len64(uint64(vals[1]-base))]++
		c[bits.Len64(uint64(vals[2]-base))]++
		d[bits.Len64(uint64(vals[3]-base))]++
	}
	for _, v := range vals {
		lens[bits.Len64(uint64(v-base))]++
	}
	for i := range lens {
		lens[i] += b[i] + c[i] + d[i]
	}
}

// stepsPromise looks at the first and the middle block, after planFOR: where the steps of neither are narrower than its
// values, those of the others are not either, nearly always.
func (w *intsWriter) stepsPromise(vals []int64) bool {
	for _, i := range [2]int{0, len(w.blocks) / 2} {
		block := vals[i*blockValues:]
		block = block[:min(blockValues, len(block))]
		if p := planSteps(block); packedLen(len(block)-1, p.width)+deltaHeadBytes < w.blocks[i].size(len(block))+forHeadBytes+12 {
			return true
		}
	}
	return false
}

func (w *intsWriter) planDelta(vals []int64) int {
	w.deltas = w.deltas[:0]
	size := 0
	for rest := vals; len(rest) > 0; {
		n := min(blockValues, len(rest))
		p := planSteps(rest[:n])
		size += packedLen(n-1, p.width)
		w.deltas = append(w.deltas, p)
		rest = rest[n:]
	}
	return 1 + size + deltaHeadBytes*len(w.deltas)
}

// planSteps computes steps modulo 2^64, so that no pair of values is too far apart.
func planSteps(vals []int64) blockPlan {
	if len(vals) < 2 {
		return blockPlan{}
	}
	least := vals[1] - vals[0]
	for i := 2; i < len(vals); i++ {
		least = min(least, vals[i]-vals[i-1])
	}
	var all uint64
	for i := 1; i < len(vals); i++ {
		all |= uint64(vals[i]-vals[i-1]) - uint64(least)
	}
	return blockPlan{base: least, width: uint(bits.Len64(all))}
}

func (w *intsWriter) findRuns(vals []int64) {
	w.runVals, w.runLast = w.runVals[:0], w.runLast[:0]
	for i, v := range vals {
		if i+1 == len(vals) || vals[i+1] != v {
			w.runVals = append(w.runVals, v)
			w.runLast = append(w.runLast, uint16(i))
		}
	}
}

// append plans and writes the stream.
func (w *intsWriter) append(dst []byte, vals []int64) []byte {
	return w.write(dst, vals, w.plan(vals, allowAll))
}

// appendWhole is append for the values of a column.
func (w *intsWriter) appendWhole(dst []byte, vals []int64) []byte {
	return w.write(dst, vals, w.plan(vals, allowWhole))
}

// write writes the stream in the form the last plan of the same values chose.
func (w *intsWriter) write(dst []byte, vals []int64, p intsPlan) []byte {
	dst = append(dst, p.kind)
	switch p.kind {
	case intsConst:
		return binary.AppendVarint(dst, p.min)
	case intsFOR:
		return w.writeFOR(dst, vals, p.min)
	case intsDelta:
		return w.writeDelta(dst, vals)
	case intsScaled:
		return w.writeScaled(dst, p)
	case intsRuns:
		dst = binary.AppendUvarint(dst, uint64(len(w.runLast)))
		for _, last := range w.runLast {
			dst = binary.LittleEndian.AppendUint16(dst, last)
		}
		in := w.innerWriter()
		return in.write(dst, w.runVals, in.plan(w.runVals, allowDelta))
	}
	for _, v := range vals {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	return dst
}

func (w *intsWriter) writeFOR(dst []byte, vals []int64, least int64) []byte {
	maxBase := uint64(0)
	for _, b := range w.blocks {
		maxBase = max(maxBase, uint64(b.base)-uint64(least))
	}
	baseBytes := bytesFor(maxBase)
	if len(w.blocks) == 1 {
		baseBytes = 0
	}
	dst = binary.AppendVarint(dst, least)
	dst = append(dst, byte(baseBytes))
	end := 0
	for i, b := range w.blocks {
		dst = append(dst, byte(b.width), byte(b.excB))
		dst = binary.LittleEndian.AppendUint16(dst, uint16(b.exc))
		if len(w.blocks) > 1 {
			end += b.size(min(blockValues, len(vals)-i*blockValues))
			dst = binary.LittleEndian.AppendUint32(dst, uint32(end))
			dst = appendBytes(dst, uint64(b.base)-uint64(least), baseBytes)
		}
	}
	for i, b := range w.blocks {
		block := vals[i*blockValues:]
		dst = w.writeBlock(dst, block[:min(blockValues, len(block))], b)
	}
	return dst
}

func (w *intsWriter) writeBlock(dst []byte, vals []int64, b blockPlan) []byte {
	dst = appendDistances(dst, vals, b.base, b.width)
	if b.exc == 0 {
		return dst
	}
	limit := uint64(1)<<b.width - 1 // a block with exceptions is less than 64 bits wide
	var at [blockValues + 1]uint16
	k := 0
	for i, v := range vals { // where the exceptions are is not to be foretold, so there is no branch
		at[k] = uint16(i)
		k += int(boolInt(uint64(v-b.base) > limit))
	}
	for _, i := range at[:k] {
		dst = binary.LittleEndian.AppendUint16(dst, i)
	}
	for _, i := range at[:k] {
		dst = appendBytes(dst, uint64(vals[i]-b.base)>>b.width, b.excB)
	}
	return dst
}

func (w *intsWriter) writeDelta(dst []byte, vals []int64) []byte {
	end := 0
	for i, b := range w.deltas {
		block := vals[i*blockValues:]
		end += packedLen(min(blockValues, len(block))-1, b.width)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(end))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(block[0]))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(b.base))
		dst = append(dst, byte(b.width))
	}
	for i, b := range w.deltas {
		block := vals[i*blockValues:]
		block = block[:min(blockValues, len(block))]
		w.steps = sized(w.steps, len(block)-1)
		for k := range w.steps {
			w.steps[k] = block[k+1] - block[k]
		}
		dst = appendDistances(dst, w.steps, b.base, b.width)
	}
	return dst
}

package codec

// planPacked is plan with allowFOR, in one pass where a plan takes three: streams of small numbers, such as those that
// histograms are made of, nearly always have a zero in each block, so the lengths of the numbers tell its bounds too.
func (w *intsWriter) planPacked(vals []int64) intsPlan {
	if len(vals) == 0 {
		return intsPlan{kind: intsConst, size: 2}
	}
	w.blocks = w.blocks[:0]
	size := 0
	varies := false
	var least, largest int64 // block bases
	for rest := vals; len(rest) > 0; {
		n := min(blockValues, len(rest))
		b, more := packBlock(rest[:n])
		if len(w.blocks) == 0 {
			least, largest = b.base, b.base
		}
		varies = varies || more
		least, largest = min(least, b.base), max(largest, b.base)
		size += b.size(n)
		w.blocks = append(w.blocks, b)
		rest = rest[n:]
	}
	if !varies && least == largest {
		return intsPlan{kind: intsConst, size: 1 + varintLen(least), min: least}
	}
	head := forHeadBytes
	if len(w.blocks) > 1 {
		head += 4 + bytesFor(uint64(largest)-uint64(least))
	}
	size += 2 + varintLen(least) + head*len(w.blocks)
	if plain := 1 + 8*len(vals); penalised(size, penaltyFOR) >= plain {
		return intsPlan{kind: intsPlain, size: plain, min: least}
	}
	return intsPlan{kind: intsFOR, size: size, min: least}
}

// packBlock plans a block; varies tells that its values are not all the same.
func packBlock(vals []int64) (p blockPlan, varies bool) {
	var lens [65]uint32
	countLengths(vals, 0, &lens)
	if lens[0] == 0 || lens[64] != 0 { // no zero, or negative numbers: the least one has to be found
		lo, hi, _ := intStats(vals)
		return planBlock(vals, lo, hi), lo != hi
	}
	if lens[0] == uint32(len(vals)) {
		return blockPlan{}, false
	}
	top := 63
	for lens[top] == 0 {
		top--
	}
	return widthOf(len(vals), 0, top, &lens), true
}

// widthOf picks the width that makes a block of n values smallest whose distances from lo have top bits at most, so
// many of each length; at most one value in 16 is an exception.
func widthOf(n int, lo int64, top int, lens *[65]uint32) blockPlan {
	best := blockPlan{base: lo, width: uint(top)}
	bestSize := best.size(n)
	exc := 0
	for width := top - 1; width >= 0; width-- {
		if exc += int(lens[width+1]); exc > n/16 {
			break
		}
		p := blockPlan{base: lo, width: uint(width), exc: exc, excB: (top - width + 7) / 8}
		if s := p.size(n); s < bestSize {
			best, bestSize = p, s
		}
	}
	return best
}

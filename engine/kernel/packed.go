package kernel

// A row costs what it reads, changes and writes of the tables, so that the sum and the count of a code may share a number:
// the values' distances from the least in the upper 48 bits, the rows in the lower 16 (SumByU8 of storage/simd does the same
// within one call; here the caller keeps the lanes over many).

// packedCount is the bits of a number that count rows.
const packedCount = 16

// PackedRows is the most rows that may be added before UnpackCodes8: no lane counts to 2^16, since rows are dealt out to
// four of them, all but the last few of a call.
const PackedRows = 1 << 16

// PackCodes8 adds xs[i]-least and one row to the number of each code. All values are less than 2^32 above least.
func PackCodes8(codes []uint8, xs []int64, least int64, t *Lanes) {
	one := 1 - least<<packedCount
	xs = xs[:len(codes)]
	t0, t1, t2, t3 := &t[0], &t[1], &t[2], &t[3]
	for len(codes) >= 8 && len(xs) >= 8 {
		c, x := (*[8]uint8)(codes), (*[8]int64)(xs)
		t0[c[0]] += x[0]<<packedCount + one
		t1[c[1]] += x[1]<<packedCount + one
		t2[c[2]] += x[2]<<packedCount + one
		t3[c[3]] += x[3]<<packedCount + one
		t0[c[4]] += x[4]<<packedCount + one
		t1[c[5]] += x[5]<<packedCount + one
		t2[c[6]] += x[6]<<packedCount + one
		t3[c[7]] += x[7]<<packedCount + one
		codes, xs = codes[8:], xs[8:]
	}
	for i, c := range codes {
		t[i&3][c] += xs[i]<<packedCount + one
	}
}

// PackCodesAt8 is PackCodes8 for the rows at positions pos.
func PackCodesAt8(codes []uint8, xs []int64, pos []uint16, least int64, t *Lanes) {
	one := 1 - least<<packedCount
	xs = xs[:len(codes)]
	for len(pos) >= 4 {
		p := (*[4]uint16)(pos)
		t[0][codes[p[0]]] += xs[p[0]]<<packedCount + one
		t[1][codes[p[1]]] += xs[p[1]]<<packedCount + one
		t[2][codes[p[2]]] += xs[p[2]]<<packedCount + one
		t[3][codes[p[3]]] += xs[p[3]]<<packedCount + one
		pos = pos[4:]
	}
	for i, p := range pos {
		t[i][codes[p]] += xs[p]<<packedCount + one
	}
}

// UnpackCodes8 adds the rows and the sums of the first len(counts) codes to counts and sums, and clears the lanes. sums is as
// long as counts.
func (t *Lanes) UnpackCodes8(least int64, counts, sums []int64) {
	sums = sums[:len(counts)]
	for c := range counts[:min(len(counts), 256)] {
		for i := range t {
			x := uint64(t[i][c])
			n := int64(x & (1<<packedCount - 1))
			counts[c] += n
			sums[c] += int64(x>>packedCount) + n*least
			t[i][c] = 0
		}
	}
}

// WideLanes is Lanes for more codes: four accumulators for each, one behind the other.
type WideLanes struct {
	n int
	t []int64
}

// WideMost is the most codes that WideLanes are for: more do not stay near the core.
const WideMost = 2048

// Reset makes the accumulators of n codes zero.
func (t *WideLanes) Reset(n int) {
	if t.n = n; cap(t.t) < 4*n {
		t.t = make([]int64, 4*n)
	}
	t.t = t.t[:4*n]
	clear(t.t)
}

// PackCodes16 is PackCodes8 for codes of two bytes, which are below the number of codes.
func PackCodes16(codes []uint16, xs []int64, least int64, t *WideLanes) {
	one := 1 - least<<packedCount
	xs = xs[:len(codes)]
	t0, t1, t2, t3 := t.t[:t.n], t.t[t.n:2*t.n], t.t[2*t.n:3*t.n], t.t[3*t.n:4*t.n]
	for len(codes) >= 4 && len(xs) >= 4 {
		c, x := (*[4]uint16)(codes), (*[4]int64)(xs)
		t0[c[0]] += x[0]<<packedCount + one
		t1[c[1]] += x[1]<<packedCount + one
		t2[c[2]] += x[2]<<packedCount + one
		t3[c[3]] += x[3]<<packedCount + one
		codes, xs = codes[4:], xs[4:]
	}
	for i, c := range codes {
		t.t[i*t.n+int(c)] += xs[i]<<packedCount + one
	}
}

// PackCodesAt16 is PackCodes16 for the rows at positions pos.
func PackCodesAt16(codes []uint16, xs []int64, pos []uint16, least int64, t *WideLanes) {
	one := 1 - least<<packedCount
	xs = xs[:len(codes)]
	for len(pos) >= 4 {
		p := (*[4]uint16)(pos)
		t.t[codes[p[0]]] += xs[p[0]]<<packedCount + one
		t.t[t.n+int(codes[p[1]])] += xs[p[1]]<<packedCount + one
		t.t[2*t.n+int(codes[p[2]])] += xs[p[2]]<<packedCount + one
		t.t[3*t.n+int(codes[p[3]])] += xs[p[3]]<<packedCount + one
		pos = pos[4:]
	}
	for i, p := range pos {
		t.t[i*t.n+int(codes[p])] += xs[p]<<packedCount + one
	}
}

// Unpack adds the rows and the sums of the codes to counts and sums.
func (t *WideLanes) Unpack(least int64, counts, sums []int64) {
	counts, sums = counts[:t.n], sums[:t.n]
	for lane := 0; lane < len(t.t); lane += t.n {
		for c, x := range t.t[lane : lane+t.n] {
			n := x & (1<<packedCount - 1)
			counts[c] += n
			sums[c] += int64(uint64(x)>>packedCount) + n*least
		}
	}
}

package kernel

// The loops of this file accumulate by small codes: dictionary codes of one byte, or indexes of two bytes into the product
// of several dictionaries. For one byte four tables take turns, so that equal codes in a row do not wait for each other's
// stores; the caller adds the four up. Every code of two bytes is below the table's length. The forms with positions look
// at the listed rows only.

// Lanes is the accumulators of up to 256 codes, four for each.
type Lanes [4][256]int64

// Fold adds the four lanes of the first len(dst) codes to dst and clears them.
func (t *Lanes) Fold(dst []int64) {
	for c := range dst[:min(len(dst), 256)] {
		dst[c] += t[0][c] + t[1][c] + t[2][c] + t[3][c]
		t[0][c], t[1][c], t[2][c], t[3][c] = 0, 0, 0, 0
	}
}

// CountCodes8 counts the rows of each code.
func CountCodes8(codes []uint8, t *Lanes) {
	for len(codes) >= 8 {
		c := (*[8]uint8)(codes)
		t[0][c[0]]++
		t[1][c[1]]++
		t[2][c[2]]++
		t[3][c[3]]++
		t[0][c[4]]++
		t[1][c[5]]++
		t[2][c[6]]++
		t[3][c[7]]++
		codes = codes[8:]
	}
	for _, c := range codes {
		t[0][c]++
	}
}

// CountCodes16 is CountCodes8 for codes of two bytes.
func CountCodes16(codes []uint16, t []int64) {
	for _, c := range codes {
		t[c]++
	}
}

// CountCodesAt8 counts the rows at positions pos.
func CountCodesAt8(codes []uint8, pos []uint16, t *Lanes) {
	for len(pos) >= 4 {
		p := (*[4]uint16)(pos)
		t[0][codes[p[0]]]++
		t[1][codes[p[1]]]++
		t[2][codes[p[2]]]++
		t[3][codes[p[3]]]++
		pos = pos[4:]
	}
	for _, p := range pos {
		t[0][codes[p]]++
	}
}

// CountCodesAt16 counts the rows at positions pos.
func CountCodesAt16(codes []uint16, pos []uint16, t []int64) {
	for _, p := range pos {
		t[codes[p]]++
	}
}

// SumCodes8 adds xs[i] to its code's sum. The caller knows that no sum overflows.
func SumCodes8(codes []uint8, xs []int64, t *Lanes) {
	xs = xs[:len(codes)]
	for len(codes) >= 4 && len(xs) >= 4 {
		c, x := (*[4]uint8)(codes), (*[4]int64)(xs)
		t[0][c[0]] += x[0]
		t[1][c[1]] += x[1]
		t[2][c[2]] += x[2]
		t[3][c[3]] += x[3]
		codes, xs = codes[4:], xs[4:]
	}
	for i, c := range codes {
		t[0][c] += xs[i]
	}
}

// SumCodes16 is SumCodes8 for codes of two bytes.
func SumCodes16(codes []uint16, xs []int64, t []int64) {
	xs = xs[:len(codes)]
	for i, c := range codes {
		t[c] += xs[i]
	}
}

// SumCodesAt8 adds the values at positions pos.
func SumCodesAt8(codes []uint8, xs []int64, pos []uint16, t *Lanes) {
	xs = xs[:len(codes)]
	for len(pos) >= 4 {
		p := (*[4]uint16)(pos)
		t[0][codes[p[0]]] += xs[p[0]]
		t[1][codes[p[1]]] += xs[p[1]]
		t[2][codes[p[2]]] += xs[p[2]]
		t[3][codes[p[3]]] += xs[p[3]]
		pos = pos[4:]
	}
	for _, p := range pos {
		t[0][codes[p]] += xs[p]
	}
}

// SumCodesAt16 adds the values at positions pos.
func SumCodesAt16(codes []uint16, xs []int64, pos []uint16, t []int64) {
	xs = xs[:len(codes)]
	for _, p := range pos {
		t[codes[p]] += xs[p]
	}
}

// MinCodes keeps the least value of each code in t, MaxCodes the greatest.
func MinCodes[C uint8 | uint16](codes []C, xs, t []int64) {
	xs = xs[:len(codes)]
	for i, c := range codes {
		if xs[i] < t[c] {
			t[c] = xs[i]
		}
	}
}

// MaxCodes keeps the greatest value of each code in t.
func MaxCodes[C uint8 | uint16](codes []C, xs, t []int64) {
	xs = xs[:len(codes)]
	for i, c := range codes {
		if xs[i] > t[c] {
			t[c] = xs[i]
		}
	}
}

// MinCodesAt is MinCodes for the rows at positions pos.
func MinCodesAt[C uint8 | uint16](codes []C, xs []int64, pos []uint16, t []int64) {
	xs = xs[:len(codes)]
	for _, p := range pos {
		if c := codes[p]; xs[p] < t[c] {
			t[c] = xs[p]
		}
	}
}

// MaxCodesAt is MaxCodes for the rows at positions pos.
func MaxCodesAt[C uint8 | uint16](codes []C, xs []int64, pos []uint16, t []int64) {
	xs = xs[:len(codes)]
	for _, p := range pos {
		if c := codes[p]; xs[p] > t[c] {
			t[c] = xs[p]
		}
	}
}

// SquareCodes adds xs[i]*xs[i] to its code's sum, SquareCodesAt for the rows at positions pos. The caller knows that
// nothing overflows.
func SquareCodes[C uint8 | uint16](codes []C, xs, t []int64) {
	xs = xs[:len(codes)]
	for i, c := range codes {
		t[c] += xs[i] * xs[i]
	}
}

// SquareCodesAt is SquareCodes for the rows at positions pos.
func SquareCodesAt[C uint8 | uint16](codes []C, xs []int64, pos []uint16, t []int64) {
	xs = xs[:len(codes)]
	for _, p := range pos {
		t[codes[p]] += xs[p] * xs[p]
	}
}

// Squares returns the sum of x*x.
func Squares(xs []int64) (sum int64) {
	for _, x := range xs {
		sum += x * x
	}
	return sum
}

// SquaresAt is Squares of the values at positions pos.
func SquaresAt(xs []int64, pos []uint16) (sum int64) {
	for _, p := range pos {
		sum += xs[p] * xs[p]
	}
	return sum
}

// RangeAt returns the least and the greatest of the values at positions pos, of which there is one at least.
func RangeAt(xs []int64, pos []uint16) (least, most int64) {
	least, most = xs[pos[0]], xs[pos[0]]
	for _, p := range pos[1:] {
		least, most = min(least, xs[p]), max(most, xs[p])
	}
	return least, most
}

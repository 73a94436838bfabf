package codec

import (
	"math"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A chunk of floats that are all decimals can be read as the integers they are over a power of ten: these add up exactly, and
// as fast as integers do.

// decimalForm is a chunk of floats as integers; ints is nil if some value is no decimal.
type decimalForm struct {
	ints *Chunk
	div  float64
}

// Decimals returns a chunk of integers over the same bytes, whose values divided by div are c's to the bit. ints is nil if
// there is none: some value is no decimal, or they are stored in another way.
func (c *Chunk) Decimals() (ints *Chunk, div float64) {
	f := c.asInts.Load()
	if f == nil {
		f = c.decimals()
		c.asInts.Store(f) // of two goroutines that do it at once each made the same
	}
	return f.ints, f.div
}

func (c *Chunk) decimals() *decimalForm {
	out := &Chunk{leaf: types.LeafInt, enc: encInts, pres: c.pres, ints: c.ints}
	switch {
	case c.leaf != types.LeafFloat:
	case c.enc == encInts:
		return &decimalForm{out, 1}
	case c.enc == encALP && c.alp.exc == 0:
		return &decimalForm{out, c.alp.div}
	case c.enc == encConst, c.enc == encDict, c.enc == encDictRare:
		entries, div, ok := decimalsOf(c.dict.F64[:c.dict.N])
		if !ok {
			break
		}
		out.enc, out.code = min(c.enc, encDict), c.code
		out.dict = &vec.Vector{Type: types.LeafInt.Type(), N: len(entries), I64: entries}
		return &decimalForm{out, div}
	}
	return &decimalForm{}
}

// decimalsOf returns the integers that vals are over the least power of ten that serves all of them.
func decimalsOf(vals []float64) (ints []int64, div float64, ok bool) {
	digits := 0
	for _, v := range vals {
		for {
			if _, ok := decimal(v, pow10[digits]); ok {
				break
			}
			if digits++; digits == len(pow10) {
				return nil, 0, false
			}
		}
	}
	ints = make([]int64, len(vals))
	for i, v := range vals {
		if ints[i], ok = decimal(v, pow10[digits]); !ok { // with more digits it has too many
			return nil, 0, false
		}
	}
	return ints, pow10[digits], true
}

// DecimalOf returns the integer that v is over div, for a bound of values that are all decimals over div.
func DecimalOf(v, div float64) int64 {
	if math.IsNaN(v) {
		return 0
	}
	n, _ := decimal(v, div)
	return n
}

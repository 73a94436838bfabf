package codec

import (
	"math/bits"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A predicate that texts have to be taken apart for looks at those of the rows that are still selected, where they are few:
// taking them apart costs more than the predicate.

// mayPick reports whether single values can be decoded, of which the plain way would decode all of a block.
func (f *Filter) mayPick() bool {
	c := f.c
	return c.leaf.Phys() == types.PhysBytes && (c.enc == encFSST || c.enc == encStems || c.enc == encPlain) && f.exact == nil && f.p.Op != column.OpPresent
}

// applySome clears the bits of sel whose value fails the predicate. sel's rows have values, which are among the packed ones
// [a, b); valid tells which rows have one, nil: all.
func (f *Filter) applySome(data []byte, a, b int, sel, valid vec.Bitmap) error {
	sc := getScratch()
	defer sc.put()
	var ends [blockValues + 1]uint32
	window, err := f.c.text.window(data, a, b, ends[:b-a+1])
	if err != nil {
		return err
	}
	v := &sc.vec
	v.Reset(f.c.leaf.Type())
	v.Off = append(v.Off, 0)
	before := 0
	for w, m := range sel {
		has := ^uint64(0)
		if valid != nil {
			has = valid[w]
		} else if n := b - a - w<<6; n < 64 {
			has = 1<<n - 1
		}
		sel[w] &= has
		for m &= has; m != 0; m &= m - 1 {
			i := before + bits.OnesCount64(has&(m&-m-1))
			coded := window[ends[i]:ends[i+1]]
			if f.c.enc == encStems {
				v.Data = append(v.Data, f.c.stem.of(data, a+i)...)
			}
			if f.c.enc == encPlain {
				v.Data = append(v.Data, coded...)
			} else if v.Data, err = f.c.syms.decode(v.Data, coded); err != nil {
				return err
			}
			v.Off = append(v.Off, uint32(len(v.Data)))
		}
		before += bits.OnesCount64(has)
	}
	v.N = len(v.Off) - 1
	var room [blockValues / 64]uint64
	hold := vec.Bitmap(room[:vec.Words(v.N)])
	hold.Fill(v.N)
	if err := f.p.Apply(v, hold); err != nil {
		return err
	}
	at := 0
	for w, m := range sel {
		for ; m != 0; m &= m - 1 {
			if !hold.Get(at) {
				sel[w] &^= m & -m
			}
			at++
		}
	}
	return nil
}

package stage

import (
	"bytes"
	"math/bits"
	"slices"

	"github.com/zeebo/xxh3"
)

// tableMax is the most texts of a table: codes take 16 bits.
const tableMax = 1 << 16

// Table gives the texts of a column numbers, in the order in which they come up. One goroutine adds to it; what was there
// when its Stager was last taken from may be read by any.
type Table struct {
	off   []uint32
	data  []byte
	slots []uint32 // open addressing: code + 1
	rank  []uint32 // by code: its place in the order of the texts, as of the last sort
	order []uint32 // the codes in the order of their texts
}

func newTable() *Table { return &Table{off: []uint32{0}, slots: make([]uint32, 64)} }

// Len returns the number of texts.
func (t *Table) Len() int { return len(t.off) - 1 }

// Text returns the text of a code.
func (t *Table) Text(code uint32) []byte { return t.data[t.off[code]:t.off[code+1]] }

// Rank returns each code's place in the order of the texts, Order the codes in that order.
func (t *Table) Rank() []uint32 { return t.rank }

// Order is the inverse of Rank.
func (t *Table) Order() []uint32 { return t.order }

func (t *Table) bytes() int64 { return int64(len(t.data) + 12*len(t.off)) }

// code finds a text or adds it.
func (t *Table) code(x []byte) uint32 {
	if 2*len(t.off) > len(t.slots) {
		t.grow()
	}
	mask := len(t.slots) - 1
	for at := int(xxh3.Hash(x)>>32) & mask; ; at = (at + 1) & mask {
		switch k := t.slots[at]; {
		case k == 0:
			t.data = append(t.data, x...)
			t.off = append(t.off, uint32(len(t.data)))
			t.slots[at] = uint32(t.Len())
			return uint32(t.Len() - 1)
		case bytes.Equal(t.Text(k-1), x):
			return k - 1
		}
	}
}

func (t *Table) grow() {
	t.slots = make([]uint32, 4<<bits.Len(uint(len(t.slots))))
	mask := len(t.slots) - 1
	for k := range t.Len() {
		at := int(xxh3.Hash(t.Text(uint32(k)))>>32) & mask
		for t.slots[at] != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = uint32(k + 1)
	}
}

// sort brings rank and order up to date. They are made anew, because segments may be written by the old ones.
func (t *Table) sort() {
	if len(t.rank) == t.Len() {
		return
	}
	t.order = make([]uint32, t.Len())
	for i := range t.order {
		t.order[i] = uint32(i)
	}
	slices.SortFunc(t.order, func(a, b uint32) int { return bytes.Compare(t.Text(a), t.Text(b)) })
	t.rank = make([]uint32, t.Len())
	for i, k := range t.order {
		t.rank[k] = uint32(i)
	}
}

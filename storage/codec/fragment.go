package codec

import (
	"encoding/binary"
	"math"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A fragment is some consecutive values of one column in a page of the rest area, where columns with few values lie one
// behind the other and are compressed together. It is self-contained: number of values, their rows, their values.

// AppendFragment appends values [k, next) of v, as many as it takes to make dst at least full bytes long, and at least
// one.
func AppendFragment(dst []byte, v *Values, k, full int) (out []byte, next int) {
	next = k
	for size := len(dst); next < v.Vec.N && (next == k || size < full); next++ {
		size += 2 + fragmentBytes(v, next)
	}
	dst = binary.AppendUvarint(dst, uint64(next-k))
	prev := -1
	for i := k; i < next; i++ {
		row := v.row(i)
		dst = binary.AppendUvarint(dst, uint64(row-prev-1))
		prev = row
	}
	switch v.Leaf.Phys() {
	case types.PhysBool:
		for i := k; i < next; i++ {
			dst = append(dst, byte(boolInt(v.Vec.Bits.Get(i))))
		}
	case types.PhysInt64:
		for _, x := range v.Vec.I64[k:next] {
			dst = binary.AppendVarint(dst, x)
		}
	case types.PhysFloat64:
		for _, x := range v.Vec.F64[k:next] {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
		}
	default:
		for i := k; i < next; i++ {
			dst = binary.AppendUvarint(dst, uint64(v.Vec.Off[i+1]-v.Vec.Off[i]))
		}
		dst = append(dst, v.Vec.Data[v.Vec.Off[k]:v.Vec.Off[next]]...)
	}
	return dst, next
}

// row returns the row of value i.
func (v *Values) row(i int) int {
	if v.Pos == nil {
		return i
	}
	return int(v.Pos[i])
}

func fragmentBytes(v *Values, i int) int {
	if v.Leaf.Phys() == types.PhysBytes {
		return 2 + int(v.Vec.Off[i+1]-v.Vec.Off[i])
	}
	return 4
}

// Rows collects the values of rows [from, to) from fragments given in order.
type Rows struct {
	leaf     types.Leaf
	from, to int
	dst      *vec.Vector
	valid    vec.Bitmap
	found    int
	filled   int // bytes class: offsets are set up to this index
}

// NewRows begins to fill dst.
func NewRows(leaf types.Leaf, from, to int, dst *vec.Vector) Rows {
	n := to - from
	dst.Reset(leaf.Type())
	switch leaf.Phys() {
	case types.PhysBool:
		dst.Bits = dst.Bits.Resize(n)
	case types.PhysInt64:
		dst.I64 = sized(dst.I64, n)
		clear(dst.I64)
	case types.PhysFloat64:
		dst.F64 = sized(dst.F64, n)
		clear(dst.F64)
	default:
		dst.Off = sized(dst.Off, n+1)
		dst.Off[0] = 0
	}
	return Rows{leaf: leaf, from: from, to: to, dst: dst, valid: vec.MakeBitmap(n)}
}

// Finish completes the vector.
func (r *Rows) Finish() {
	n := r.to - r.from
	if r.found == 0 {
		r.dst.SetConstNull(r.leaf.Type(), n)
		return
	}
	if r.leaf.Phys() == types.PhysBytes {
		r.fillOffsets(n)
	}
	r.dst.N = n
	if r.found < n {
		r.dst.Valid = r.valid
	}
}

func (r *Rows) fillOffsets(upto int) {
	for end := uint32(len(r.dst.Data)); r.filled < upto; {
		r.filled++
		r.dst.Off[r.filled] = end
	}
}

// Add takes those values of the fragment at the front of data whose rows are in the range. values is how many the
// fragment holds, bytes its length; rows is the number of rows of the group.
func (r *Rows) Add(data []byte, rows int) (values, bytes int, err error) {
	c := &cursor{data: data}
	n := c.count(rows)
	pos := *c // walks over the rows while c goes to the values
	for range n {
		c.uvarint()
	}
	if c.bad || n == 0 {
		return 0, 0, corrupt("fragment cut short")
	}
	body := *c // bytes class: walks over the data while c walks over the lengths
	if r.leaf.Phys() == types.PhysBytes {
		for range n {
			body.uvarint()
		}
	}
	row := -1
	for range n {
		gap := pos.uvarint()
		if gap >= uint64(rows-row-1) {
			return 0, 0, corrupt("fragment row behind the last of %d", rows)
		}
		row += int(gap) + 1
		if err := r.value(c, &body, row); err != nil {
			return 0, 0, err
		}
	}
	if r.leaf.Phys() == types.PhysBytes {
		return n, body.at, nil
	}
	return n, c.at, nil
}

// value reads the next value and keeps it if its row is wanted.
func (r *Rows) value(c, body *cursor, row int) error {
	want := row >= r.from && row < r.to
	at := row - r.from
	if want && r.valid.Get(at) {
		return corrupt("fragment has row %d again", row)
	}
	switch r.leaf.Phys() {
	case types.PhysBool:
		if x := c.u8(); want {
			r.dst.Bits.SetTo(at, x != 0)
		}
	case types.PhysInt64:
		if x := c.varint(); want {
			r.dst.I64[at] = x
		}
	case types.PhysFloat64:
		if x := c.u64(); want {
			r.dst.F64[at] = math.Float64frombits(x)
		}
	default:
		b := body.bytes(c.count(body.left()))
		if want {
			if at < r.filled {
				return corrupt("fragment rows are not ascending")
			}
			r.fillOffsets(at)
			r.dst.Data = append(r.dst.Data, b...)
			r.fillOffsets(at + 1)
		}
	}
	if c.bad || body.bad {
		return corrupt("fragment cut short")
	}
	if want {
		r.valid.Set(at)
		r.found++
	}
	return nil
}

package pgcatalog

import (
	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// writer gathers the rows of a relation. A column that a row does not set is NULL, or zero where the relation says NOT
// NULL.
type writer struct {
	rel  *relation
	cur  []*vec.Vector
	n    int // rows of cur
	done []*vec.Batch
}

func newWriter(r *relation) *writer {
	w := &writer{rel: r}
	w.start()
	return w
}

func (w *writer) start() {
	w.n = 0
	w.cur = make([]*vec.Vector, len(w.rel.cols))
	for i, c := range w.rel.cols {
		w.cur[i] = &vec.Vector{}
		w.cur[i].Reset(c.Type)
	}
}

// next ends a row.
func (w *writer) next() {
	w.n++
	for i, v := range w.cur {
		if v.N == w.n {
			continue
		}
		if w.rel.notNull[i] {
			appendZero(v)
		} else {
			v.AppendNull()
		}
	}
	if w.n == vec.BatchRows {
		w.flush()
	}
}

func (w *writer) flush() {
	if w.n > 0 {
		w.done = append(w.done, &vec.Batch{N: w.n, Cols: w.cur})
		w.start()
	}
}

func appendZero(v *vec.Vector) {
	switch v.Type.Phys() {
	case types.PhysBool:
		v.AppendBool(false)
	case types.PhysInt64:
		v.AppendInt(0)
	case types.PhysFloat64:
		v.AppendFloat(0)
	default:
		if _, ok := datum.ElemOf(v.Type); ok {
			v.AppendBytes(encodeInts(v.Type, nil))
			return
		}
		v.AppendBytes(nil)
	}
}

// cell sets one column of the row being written; each at most once a row.
type cell struct {
	w *writer
	i int
}

// col finds a column by name. A wrong name is a bug in a fill function, which the package's tests run into.
func (w *writer) col(name string) cell {
	for i := range w.rel.cols {
		if w.rel.cols[i].Name == name {
			return cell{w, i}
		}
	}
	panic("BUG: pgcatalog: " + w.rel.name.String() + " has no column " + name)
}

func (c cell) str(s string)    { c.w.cur[c.i].AppendString(s) }
func (c cell) char(b byte)     { c.w.cur[c.i].AppendBytes([]byte{b}) }
func (c cell) int(n int64)     { c.w.cur[c.i].AppendInt(n) }
func (c cell) oid(n uint32)    { c.w.cur[c.i].AppendInt(int64(n)) }
func (c cell) bool(b bool)     { c.w.cur[c.i].AppendBool(b) }
func (c cell) float(x float64) { c.w.cur[c.i].AppendFloat(x) }

// yes sets a column of information_schema that says YES or NO.
func (c cell) yes(b bool) {
	if b {
		c.str("YES")
	} else {
		c.str("NO")
	}
}

// ints sets an array or vector of integers.
func (c cell) ints(xs []int64) {
	v := c.w.cur[c.i]
	v.AppendBytes(encodeInts(v.Type, xs))
}

// strs sets an array of texts.
func (c cell) strs(xs []string) {
	v := c.w.cur[c.i]
	v.AppendBytes(encodeStrings(v.Type.Elem, xs))
}

// encodeInts encodes an array of integers or oids; the first subscript of the two vector types is 0.
func encodeInts(t types.Type, xs []int64) []byte {
	elem, _ := datum.ElemOf(t)
	var e vec.Vector
	e.Reset(types.Of(elem))
	for _, x := range xs {
		e.AppendInt(x)
	}
	lower := int32(1)
	if t.Kind != types.Array {
		lower = 0
	}
	return datum.EncodeArrayLower(nil, &e, 0, e.N, lower)
}

func encodeStrings(elem types.Kind, xs []string) []byte {
	var e vec.Vector
	e.Reset(types.Of(elem))
	for _, x := range xs {
		e.AppendString(x)
	}
	return datum.EncodeArray(nil, &e, 0, e.N)
}

// rows gives batches that others may be reading too: the vectors are shared, the batches are not.
type rows struct{ left []*vec.Batch }

var _ plan.Rows = (*rows)(nil)

func (r *rows) Next() (*vec.Batch, error) {
	if len(r.left) == 0 {
		return nil, nil
	}
	b := r.left[0]
	r.left = r.left[1:]
	return &vec.Batch{N: b.N, Cols: append([]*vec.Vector(nil), b.Cols...)}, nil
}

func (r *rows) Close() {}

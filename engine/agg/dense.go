package agg

import "github.com/telemdb/telemdb/storage/vec"

// dense brings the selected rows of a batch together, so that what is done with each of them is a loop over slices.
type dense[T any] struct {
	vals   []T
	groups []uint32
}

// rows returns the values of the selected rows and their groups (nil: all are of in.One). They are valid until the next call.
func (d *dense[T]) rows(vals []T, in *Input, sel vec.Bitmap) ([]T, []uint32) {
	if sel == nil {
		if in.Groups == nil {
			return vals[:in.N], nil
		}
		return vals[:in.N], in.Groups[:in.N]
	}
	n := sel.Count()
	d.vals = pick(room(d.vals[:0], n), vals[:in.N], sel)
	if in.Groups == nil {
		return d.vals, nil
	}
	d.groups = pick(room(d.groups[:0], n), in.Groups[:in.N], sel)
	return d.vals, d.groups
}

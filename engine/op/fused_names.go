package op

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// namedCodes turns the codes that occurred in a row group into groups.
type namedCodes struct {
	keys   []keyNames
	vecs   []*vec.Vector
	split  [][]uint32 // the code of each key
	finder *keys.Finder
	of     *groupTable // the finder's
	occ    []uint32    // codes with rows
	ids    []uint32    // their groups
	idOf   []uint32    // by code
	want   vec.Bitmap
	order  []uint32
}

// keyNames computes one key from the values of its column.
type keyNames struct {
	t     types.Type
	val   vec.Vector
	batch vec.Batch
	ev    *expr.Evaluator // nil: the value is the key
}

func (d *namedCodes) init(x *fusedWorker) {
	d.keys = make([]keyNames, len(x.f.keys))
	d.vecs = make([]*vec.Vector, len(x.f.keys))
	d.split = make([][]uint32, len(x.f.keys))
	cols := x.scan.Batch().Cols
	for i := range d.keys {
		k, f := &d.keys[i], &x.f.keys[i]
		k.t = x.f.read[f.col].Type
		if f.e != nil {
			k.ev = expr.Compile(f.e)
			k.batch.Cols = make([]*vec.Vector, len(cols))
			k.batch.Cols[f.col] = &k.val
		}
	}
}

// name finds the group of every code that has rows, adding groups in the order in which their first rows stand.
func (x *fusedWorker) name() error {
	d := &x.named
	if d.of != x.table {
		d.of, d.finder = x.table, x.table.keys.NewFinder()
	}
	d.occ = d.occ[:0]
	for c, n := range x.counts[:x.index.n] {
		if n > 0 {
			d.occ = append(d.occ, uint32(c))
		}
	}
	d.idOf = sized(d.idOf, x.index.n)
	x.table.added += len(d.occ)
	if err := x.find(); err != nil {
		return err
	}
	if err := x.addUnknown(); err != nil {
		return err
	}
	x.table.grow(x.table.keys.Len(), x.w.morsel)
	for i, c := range d.occ {
		d.idOf[c] = d.ids[i]
	}
	return nil
}

// find looks the codes' groups up: those without one get keys.None.
func (x *fusedWorker) find() error {
	d := &x.named
	d.ids = sized(d.ids, len(d.occ))
	for from := 0; from < len(d.occ); from += vec.BatchRows {
		to := min(from+vec.BatchRows, len(d.occ))
		if err := x.keyVectors(d.occ[from:to]); err != nil {
			return err
		}
		if d.finder.Find(d.vecs, nil, to-from, d.ids[from:to]) {
			spreadID(d.ids[from:to])
		}
	}
	return nil
}

func spreadID(ids []uint32) {
	for i := range ids {
		ids[i] = ids[0]
	}
}

// addUnknown adds the groups that are new.
func (x *fusedWorker) addUnknown() error {
	d := &x.named
	d.want = d.want.Resize(x.index.n)
	d.order = d.order[:0]
	unknown := 0
	for i, id := range d.ids {
		if id == keys.None {
			d.want.Set(int(d.occ[i]))
			unknown++
		}
	}
	if unknown == 0 {
		return nil
	}
	x.inOrder(unknown)
	for from := 0; from < len(d.order); from += vec.BatchRows {
		part := d.order[from:min(from+vec.BatchRows, len(d.order))]
		if err := x.keyVectors(part); err != nil {
			return err
		}
		ids := make([]uint32, len(part))
		single, err := x.table.mapper.Map(d.vecs, nil, len(part), ids)
		if err != nil {
			return err
		}
		if single {
			spreadID(ids)
		}
		for i, c := range part {
			d.idOf[c] = ids[i]
		}
	}
	x.table.grow(x.table.keys.Len(), x.w.morsel)
	for i, id := range d.ids {
		if id == keys.None {
			d.ids[i] = d.idOf[d.occ[i]]
		}
	}
	return x.table.reserve()
}

// inOrder appends the wanted codes, of which there are n, to order, in the order of their first rows.
func (x *fusedWorker) inOrder(n int) {
	d, at := &x.named, &x.index
	switch {
	case at.n == 1:
		d.order = append(d.order, 0)
	case at.runs != nil:
		d.want.All(func(c int) { d.order = append(d.order, uint32(c)) })
	case at.c8 != nil:
		d.order = firstRows(at.c8, x.group.sel, d.want, n, d.order)
	default:
		d.order = firstRows(at.c16, x.group.sel, d.want, n, d.order)
	}
}

func firstRows[C uint8 | uint16](codes []C, sel, want vec.Bitmap, n int, order []uint32) []uint32 {
	for i, c := range codes {
		if !want.Get(int(c)) || sel != nil && !sel.Get(i) {
			continue
		}
		want.Clear(int(c))
		order = append(order, uint32(c))
		if n--; n == 0 {
			break
		}
	}
	return order
}

// keyVectors makes vecs the keys that codes stand for.
func (x *fusedWorker) keyVectors(codes []uint32) error {
	d := &x.named
	x.split(codes)
	for i := range d.keys {
		if err := x.keyVector(i, len(codes)); err != nil {
			return err
		}
	}
	return nil
}

// keyVector makes vecs[i] the values of a key whose n codes are split.
func (x *fusedWorker) keyVector(i, n int) error {
	d := &x.named
	k := &d.keys[i]
	k.val.Reset(k.t)
	x.keys[i].appendKeys(d.split[i], &k.val)
	d.vecs[i] = &k.val
	if k.ev == nil {
		return nil
	}
	k.batch.N = n
	v, err := k.ev.Eval(x.w.ctx, &k.batch, nil)
	d.vecs[i] = v
	return err
}

// split makes split what codes are for each key.
func (x *fusedWorker) split(codes []uint32) {
	d := &x.named
	for i := range d.keys {
		d.split[i] = sized(d.split[i], len(codes))
	}
	if x.index.runs != nil {
		x.splitRuns(codes)
	} else {
		x.splitCodes(codes)
	}
}

// splitCodes writes the code of each key.
func (x *fusedWorker) splitCodes(codes []uint32) {
	d := &x.named
	for r, c := range codes {
		for i := range x.keys {
			n := uint32(x.keys[i].n)
			d.split[i][r] = c % n
			c /= n
		}
	}
}

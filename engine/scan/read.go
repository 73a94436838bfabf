package scan

import (
	"strconv"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// reader is one column of a scan in the current row group: where its values come from.
//
// A member of a jsonb column comes straight from its own stored columns where their kind is the wanted one; rows that
// have their value in another form (text where a number is wanted, a member of an array kept whole, an object) are put
// together as jsonb by the shredder and cast.
type reader struct {
	kind   kind
	col    plan.ScanCol
	path   types.Path
	direct column.Column // holds values in the wanted class
	second column.Column // floats: integers stored beside them
	others bool          // there are values that direct does not have
	above  bool          // a value above the path was kept whole and may hold the member
	shape  shred.Outline
	caster *expr.Caster
	mid    vec.Vector
	tmp    vec.Vector
	rem    vec.Bitmap
	text   []byte

	dict, labelled *vec.Vector // the last dictionary of another type, and the same as one of the column's type
}

type kind uint8

const (
	absent   kind = iota // no row has a value
	plain                // direct, relabelled
	widened              // double precision from integers, or from integers and floats
	printed              // text or numeric from integers
	whole                // a jsonb column
	document             // the whole document
	shredded             // through the shredder
	outlined             // what a jsonb value is, without the members of objects
	place                // the row's place in the source: types.ColRow
)

// open finds the column's values in a group.
func (r *reader) open(g column.Group, t *types.Table, c plan.ScanCol) {
	r.col, r.direct, r.second, r.others, r.above = c, nil, nil, false, false
	r.path = types.MakePath(c.Column, c.Path...)
	if c.Column == types.ColRow {
		r.kind = place
		return
	}
	stored := t.Columns[t.Col(c.Column)].Type
	switch {
	case c.Outline:
		r.kind, r.above = absent, r.keptWhole(g)
		if r.shape.Open(g, types.Path(c.Column), c.Path) {
			r.kind = outlined
		}
	case len(c.Path) > 0, stored.Kind == types.JSONB && c.Type.Kind != types.JSONB:
		r.openMember(g)
	case c.Column == types.ColDocument:
		r.kind = document
	case stored.Kind == types.JSONB:
		r.kind = whole
		if len(g.Under(r.path)) == 0 {
			r.kind = absent
		}
	default:
		r.kind = absent
		if col, ok := g.Find(r.path, types.LeafOf(stored)); ok {
			r.kind, r.direct = plain, col
		}
	}
}

func (r *reader) openMember(g column.Group) {
	at := g.Under(r.path)
	r.above = r.keptWhole(g)
	if len(at) == 0 && !r.above {
		r.kind = absent
		return
	}
	r.kind = shredded
	var ints, floats column.Column
	for _, c := range at {
		if c.Path() != r.path {
			continue
		}
		switch {
		case c.Leaf() == types.LeafInt:
			ints = c
		case c.Leaf() == types.LeafFloat:
			floats = c
		}
		if r.takes(c.Leaf()) {
			r.kind, r.direct = plain, c
		}
	}
	used := 0
	if r.direct != nil {
		used = 1
	}
	switch {
	case r.wantsFloat() && ints != nil:
		r.kind, r.direct, r.second, used = widened, ints, nil, 1
		if floats != nil {
			r.direct, r.second, used = floats, ints, 2
		}
	case r.direct == nil && ints != nil && len(at) == 1 && !r.above && r.prints():
		r.kind, r.direct, used = printed, ints, 1
	}
	r.others = r.above || len(at) > used
}

// assembled reports whether the value is jsonb put together from the columns at and below its path, and from nothing
// else.
func (r *reader) assembled() bool {
	return r.kind == whole || r.kind == outlined && !r.above || (r.kind == shredded && !r.above && !r.col.AsText && r.col.Type.Kind == types.JSONB)
}

// manyBlocks reports whether read takes rows of several blocks at once.
func (r *reader) manyBlocks() bool {
	switch r.kind {
	case absent, place:
		return true
	case plain, widened, printed:
		return !r.others
	}
	return false
}

// takes reports whether values of the leaf kind are values of the wanted type as they stand.
func (r *reader) takes(leaf types.Leaf) bool {
	switch r.col.Type.Kind {
	case types.Int64:
		return leaf == types.LeafInt
	case types.Float64:
		return leaf == types.LeafFloat
	case types.Bool:
		return leaf == types.LeafBool
	case types.Text:
		return leaf == types.LeafText && r.col.AsText
	case types.Histogram:
		return leaf == types.LeafHistogram
	}
	return false
}

func (r *reader) wantsFloat() bool { return r.col.Type.Kind == types.Float64 }

// prints reports whether an integer's decimal digits are the wanted value.
func (r *reader) prints() bool {
	switch r.col.Type.Kind {
	case types.Text:
		return r.col.AsText
	case types.Numeric:
		return r.col.Type.Mod == 0
	}
	return false
}

// keptWhole reports whether a value above the path was stored in one piece that may hold the member.
func (r *reader) keptWhole(g column.Group) bool {
	for n := range len(r.col.Path) {
		p := types.MakePath(r.col.Column, r.col.Path[:n]...)
		if _, ok := g.Find(p, types.LeafJSON); ok {
			return true
		}
		if _, ok := g.Find(p, types.LeafHistogram); ok {
			return true
		}
	}
	return false
}

// read makes dst the current block, right for the rows of w.sel.
func (r *reader) read(w *Worker, dst *vec.Vector) error {
	n := w.to - w.from
	switch r.kind {
	case absent:
		dst.SetConstNull(r.col.Type, n)
		return nil
	case place:
		dst.SetFlat(r.col.Type, n)
		for i := range n {
			dst.I64[i] = w.base + int64(w.from+i)
		}
		return nil
	case whole:
		return shred.Assemble(w.group, r.path, w.from, w.to, w.sel, dst)
	case outlined:
		return r.shape.Read(w.from, w.to, w.sel, dst)
	case document:
		return shred.DocumentValue(w.group, w.s.table.Columns, colRest, w.from, w.to, w.sel, dst)
	case shredded:
		v, err := r.extract(w, w.sel)
		if err != nil {
			return err
		}
		*dst, *v = *v, *dst // the buffers change hands; both are scratch
		dst.Type = r.col.Type
		return nil
	}
	if err := r.readDirect(w, dst); err != nil {
		return err
	}
	r.relabel(dst)
	if !r.others || r.kind == printed {
		return nil
	}
	return r.complete(w, dst)
}

// relabel gives dst the column's type, and its dictionary too: what is put out as a dictionary is printed from it. Integers
// stored as such are those of any of their types.
func (r *reader) relabel(dst *vec.Vector) {
	dst.Type = r.col.Type
	if dst.Form != vec.Dict || dst.Dict.Type.Kind == r.col.Type.Kind {
		return
	}
	if r.dict != dst.Dict {
		labelled := *dst.Dict
		labelled.Type = r.col.Type
		r.dict, r.labelled = dst.Dict, &labelled
	}
	dst.Dict = r.labelled
}

// readDirect reads the stored columns that hold the wanted class.
func (r *reader) readDirect(w *Worker, dst *vec.Vector) error {
	if r.kind == plain {
		return r.direct.Read(w.from, w.to, dst)
	}
	if err := r.direct.Read(w.from, w.to, &r.tmp); err != nil {
		return err
	}
	if r.kind == printed {
		r.print(&r.tmp, dst)
		return nil
	}
	if r.direct.Leaf() == types.LeafInt {
		widen(&r.tmp, dst)
		return nil
	}
	if err := r.second.Read(w.from, w.to, &r.mid); err != nil {
		return err
	}
	widen(&r.mid, dst)
	for i := range r.tmp.N {
		if !r.tmp.Null(i) {
			dst.F64[i] = r.tmp.Float(i)
			if dst.Valid != nil {
				dst.Valid.Set(i)
			}
		}
	}
	return nil
}

// widen makes dst the integers of v as floats, flat.
func widen(v, dst *vec.Vector) {
	dst.SetFlat(types.Of(types.Float64), v.N)
	if v.Valid != nil {
		dst.Valid = vec.MakeBitmap(v.N)
	}
	if v.Form == vec.Flat {
		for i, x := range v.I64[:v.N] {
			dst.F64[i] = float64(x)
		}
		copy(dst.Valid, v.Valid)
		return
	}
	for i := range v.N {
		if v.Null(i) {
			continue
		}
		dst.F64[i] = float64(v.Int(i))
		if dst.Valid != nil {
			dst.Valid.Set(i)
		}
	}
}

func (r *reader) print(v, dst *vec.Vector) {
	dst.Reset(r.col.Type)
	for i := range v.N {
		if v.Null(i) {
			dst.AppendNull()
			continue
		}
		r.text = strconv.AppendInt(r.text[:0], v.Int(i), 10)
		dst.AppendBytes(r.text)
	}
}

// complete fills the selected rows of dst that have their value elsewhere.
func (r *reader) complete(w *Worker, dst *vec.Vector) error {
	if dst.Valid == nil {
		return nil
	}
	r.rem = append(r.rem[:0], w.sel...)
	for i := range dst.N {
		if !dst.Null(i) {
			r.rem.Clear(i)
		}
	}
	if r.rem.Count() == 0 {
		return nil
	}
	v, err := r.extract(w, r.rem)
	if err != nil {
		return err
	}
	if v.Form == vec.Const && v.Null(0) {
		return nil
	}
	var out vec.Vector
	out.Reset(r.col.Type)
	for i := range dst.N {
		if r.rem.Get(i) {
			out.AppendFrom(v, i)
		} else {
			out.AppendFrom(dst, i)
		}
	}
	*dst = out
	return nil
}

// extract puts the member together from whatever holds it, and casts it to the wanted type.
func (r *reader) extract(w *Worker, sel vec.Bitmap) (*vec.Vector, error) {
	from := types.Of(types.JSONB)
	if r.col.AsText {
		from = types.Of(types.Text)
	}
	err := shred.Extract(w.group, types.Path(r.col.Column), r.col.Path, w.from, w.to, sel, r.col.AsText, &r.mid)
	if err != nil {
		return nil, err
	}
	if r.col.Type.Kind == from.Kind {
		return &r.mid, nil
	}
	if r.caster == nil {
		r.caster = expr.NewCaster(from, r.col.Type)
	}
	return r.caster.Cast(w.ctx, &r.mid, sel)
}

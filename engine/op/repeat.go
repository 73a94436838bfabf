package op

import (
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// repeat returns a vector of the given rows of v; rows do not descend. Long values that stand for many rows are there
// once: a set-returning function may give hundreds of rows for a document of a hundred kilobytes.
func repeat(v *vec.Vector, rows []uint16) *vec.Vector {
	w := &vec.Vector{}
	switch {
	case v.Form == vec.Const:
		w.SetConst(v, 0, len(rows))
	case v.Form == vec.Flat && v.Type.Phys() == types.PhysBytes:
		repeatCoded(w, v, rows)
	default:
		w.Reset(v.Type)
		vec.AppendIndexed(w, v, rows)
	}
	return w
}

// repeatCoded makes w a dictionary of the values that rows name.
func repeatCoded(w, v *vec.Vector, rows []uint16) {
	dict := &vec.Vector{}
	dict.Reset(v.Type)
	w.Reset(v.Type)
	w.Form, w.N, w.Dict, w.Codes = vec.Dict, len(rows), dict, make([]uint32, len(rows))
	if v.Valid != nil {
		w.Valid = vec.MakeBitmap(len(rows))
	}
	last := -1 // the row that the dictionary's last value came from
	for k, r := range rows {
		if v.Null(int(r)) {
			continue
		}
		if int(r) != last {
			dict.AppendBytes(v.Bytes(int(r)))
			last = int(r)
		}
		w.Codes[k] = uint32(dict.N - 1)
		if w.Valid != nil {
			w.Valid.Set(k)
		}
	}
}

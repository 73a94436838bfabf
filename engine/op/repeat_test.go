package op

import (
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func TestRepeatGivesTheRowsAndHoldsLongValuesOnce(t *testing.T) {
	flat := &vec.Vector{}
	flat.Reset(types.Of(types.Text))
	long := strings.Repeat("x", 1000)
	for _, s := range []string{"a", long, "", "b"} {
		flat.AppendString(s)
	}
	nulls := &vec.Vector{}
	nulls.Reset(types.Of(types.Text))
	nulls.AppendNull()
	nulls.AppendString("y")
	nulls.AppendNull()
	nulls.AppendString("z")
	one := &vec.Vector{}
	one.SetConst(flat, 1, 4)
	none := &vec.Vector{}
	none.SetConstNull(types.Of(types.Text), 4)
	coded := repeat(flat, []uint16{0, 1, 2, 3})
	ints := &vec.Vector{}
	ints.Reset(types.Of(types.Int64))
	for i := range 4 {
		ints.AppendInt(int64(i))
	}
	for name, v := range map[string]*vec.Vector{"flat": flat, "nulls": nulls, "const": one, "null": none, "coded": coded, "ints": ints} {
		for _, rows := range [][]uint16{{}, {0}, {1, 1, 1}, {0, 0, 1, 2, 3, 3}, {2, 2}} {
			w := repeat(v, rows)
			if w.N != len(rows) {
				t.Fatalf("%s %v: %d rows", name, rows, w.N)
			}
			for k, r := range rows {
				if w.Null(k) != v.Null(int(r)) {
					t.Errorf("%s %v: row %d is NULL: %v", name, rows, k, w.Null(k))
				} else if !w.Null(k) && v != ints && string(w.Bytes(k)) != string(v.Bytes(int(r))) {
					t.Errorf("%s %v: row %d is %q", name, rows, k, w.Bytes(k))
				} else if v == ints && w.Int(k) != v.Int(int(r)) {
					t.Errorf("%s %v: row %d is %d", name, rows, k, w.Int(k))
				}
			}
		}
	}
	if w := repeat(flat, []uint16{1, 1, 1, 1, 1, 1}); len(w.Dict.Data) != len(long) {
		t.Errorf("%d bytes for one value of %d", len(w.Dict.Data), len(long))
	}
}

package builtin

import (
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestDatesAreSubtractedAlikeAtOnceAndOneByOne: also where one is infinite, in a row that counts or in one that does not.
func TestDatesAreSubtractedAlikeAtOnceAndOneByOne(t *testing.T) {
	rows := intRow(func(_ *expr.Ctx, a []*vec.Vector, i int) (int64, error) {
		return datum.SubDates(a[0].Int(i), a[1].Int(i))
	})
	days := []int64{0, 1, -1, 20000, -2440588, 2145031948, datum.PosInfinity, datum.NegInfinity}
	for _, x := range days {
		for _, y := range days {
			for _, counts := range []bool{true, false} {
				var a, b, one, all vec.Vector
				for _, v := range []*vec.Vector{&a, &b} {
					v.Reset(tDate)
					v.AppendInt(7)
				}
				a.AppendInt(x)
				b.AppendInt(y)
				sel := vec.Bitmap{1}
				if counts {
					sel[0] = 3
				}
				one.Type, all.Type = types.Of(types.Int32), types.Of(types.Int32)
				err1 := rows(nil, []*vec.Vector{&a, &b}, sel, 2, &one)
				err2 := subDates(rows)(nil, []*vec.Vector{&a, &b}, sel, 2, &all)
				if (err1 == nil) != (err2 == nil) || err1 == nil && (one.I64[0] != all.I64[0] || counts && one.I64[1] != all.I64[1]) {
					t.Errorf("%d - %d: %v, %v; one by one %v, %v", x, y, all.I64, err2, one.I64, err1)
				}
			}
		}
	}
}

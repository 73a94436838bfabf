package scan

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// datedSource is a segment whose integers are dates.
type datedSource struct {
	*flatSource
	t types.Table
}

func (s *datedSource) Table() *types.Table { return &s.t }

// A dictionary of dates is stored as integers. Values are printed from it, so that it has to know that it is of dates.
func TestDictionariesHaveTheTypeOfTheirColumn(t *testing.T) {
	_, seg := newFlat(t, rand.New(rand.NewPCG(1, 2)), 2, 6000, 0)
	src := &datedSource{seg, *flatTable}
	src.t.Columns = slices.Clone(flatTable.Columns)
	few := &src.t.Columns[flatTable.Col("few")]
	few.Type = types.Of(types.Date)
	ctx := &expr.Ctx{}
	scan, err := New(ctx, src, &plan.Scan{Table: &src.t, Read: []plan.ScanCol{{Column: "few", Type: few.Type}}, Out: 1})
	if err != nil {
		t.Fatal(err)
	}
	w, dicts := scan.NewWorker(ctx), 0
	defer w.Close()
	for i := range scan.Morsels() {
		if err := w.Morsel(i, func(b *vec.Batch, _ vec.Bitmap) error {
			v := b.Cols[0]
			if v.Type != few.Type || v.Form == vec.Dict && v.Dict.Type != few.Type {
				t.Errorf("a batch of %v, or a dictionary of another type: want %v", v.Type, few.Type)
			}
			if v.Form == vec.Dict {
				dicts++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if dicts == 0 {
		t.Error("no batch has a dictionary")
	}
}

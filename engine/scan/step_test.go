package scan

import (
	"slices"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestLongDocumentsComeInShortBatches: blocks shrink where documents are long and grow back where they are not; what
// presence says of a whole block is not taken for what it says of a part of one.
func TestLongDocumentsComeInShortBatches(t *testing.T) {
	long := strings.Repeat("x", 80_000)
	var docs []doc
	for i := range 3000 {
		d := doc{n: int64(i + 1), payload: `{"short": 1}`}
		switch {
		case i >= 1000 && i < 1300:
			d.payload = `{"long": {"text": "` + long + `"}}`
		case i%3 == 0:
			d.payload = `{"long": {"text": "y", "a": 2}}`
		case i >= 2048 && i < 2176:
			d.payload = ""
		}
		docs = append(docs, d)
	}
	src := newSource(t, docs, 3000, false)
	ctx := &expr.Ctx{}
	for _, negate := range []bool{false, true} {
		outline := member(false, tJSONB, "long")
		outline.Outline = true
		n := &plan.Scan{Table: table, Out: 2, Read: []plan.ScanCol{
			{Column: "n", Type: types.Of(types.Int32)}, {Column: "payload", Type: tJSONB}, outline},
			Filter: []expr.Expr{&expr.IsNull{Arg: &expr.Col{Idx: 2, T: tJSONB}, Negate: negate}}}
		s, err := New(ctx, src, n)
		if err != nil {
			t.Fatal(err)
		}
		w := s.NewWorker(ctx)
		var rows, sizes []int
		tooLong, shrunk := false, false
		if err := w.Morsel(0, func(b *vec.Batch, sel vec.Bitmap) error {
			sizes = append(sizes, b.N)
			if tooLong && b.N >= sizes[len(sizes)-2] {
				t.Errorf("a batch of more than %d bytes is followed by one of as many rows: %d", stepMost, sizes)
			}
			tooLong = len(b.Cols[1].Data) > stepMost
			shrunk = shrunk || tooLong
			for i := range b.N {
				if sel == nil || sel.Get(i) {
					row := int(b.Cols[0].Int(i)) - 1
					rows = append(rows, row)
					if got, want := show(b.Cols[1], i), docs[row].payload; !sameText(got, want) {
						t.Fatalf("row %d: %.60s…, want %.60s…", row, got, want)
					}
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		w.Close()
		var want []int
		for i, d := range docs {
			if strings.Contains(d.payload, "long") == negate {
				want = append(want, i)
			}
		}
		if !slices.Equal(rows, want) {
			t.Errorf("IS NULL, negated %v: %d rows, want %d", negate, len(rows), len(want))
		}
		if sizes[0] != stepMin || slices.Max(sizes) != vec.BlockRows || shrunk != negate {
			t.Errorf("batches of %d rows", sizes)
		}
	}
}

// sameText compares jsonb as it is put together with the text of the test, whose members may be in another order.
func sameText(got, want string) bool {
	if want == "" {
		want = "NULL"
	}
	return len(got) == len(want)
}

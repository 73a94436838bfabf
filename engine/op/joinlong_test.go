package op

import (
	"fmt"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// A row with a long text on either side, many partners each: all pairs are put out, a few at a time.
func TestPairsOfLongTextsComeAFewAtATime(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	table := newTable(types.Column{Name: "k", Type: tInt}, types.Column{Name: "s", Type: tText})
	probe := make([]row, 40)
	for i := range probe {
		probe[i] = row{int64(i % 2), fmt.Sprint("short ", i)}
		if i%10 == 0 {
			probe[i][1] = long + fmt.Sprint(i)
		}
	}
	src := newSource(table, probe, 1024)
	for _, gathered := range []int{300, 6000} {
		dims := make([]row, gathered)
		for i := range dims {
			dims[i] = row{int64(i % 2), fmt.Sprint("gathered ", i)}
			if i == 7 {
				dims[i][1] = long
			}
		}
		j := &plan.Join{Kind: plan.Inner, L: scanOf(table), R: valuesOf([]types.Type{tInt, tText}, dims),
			LeftKeys: []expr.Expr{col(0, tInt)}, RightKeys: []expr.Expr{col(0, tInt)}}
		env := &Env{Ctx: &expr.Ctx{}, Workers: 1, Source: func(*types.Table) (column.Source, error) { return src, nil }}
		rows, err := Run(env, j)
		if err != nil {
			t.Fatal(err)
		}
		pairs, texts, most := 0, 0, 0
		for {
			b, err := rows.Next()
			if err != nil {
				t.Fatal(err)
			}
			if b == nil {
				break
			}
			bytes := 0
			for i := range b.N {
				for _, c := range []int{1, 3} {
					bytes += len(b.Cols[c].Bytes(i))
				}
			}
			pairs, texts, most = pairs+b.N, texts+bytes, max(most, bytes)
		}
		rows.Close()
		wantTexts := 0
		for _, p := range probe {
			for _, d := range dims {
				if p[0] == d[0] {
					wantTexts += len(p[1].(string)) + len(d[1].(string))
				}
			}
		}
		if want := len(probe) * gathered / 2; pairs != want || texts != wantTexts {
			t.Fatalf("%d gathered rows: %d pairs of %d bytes, want %d of %d", gathered, pairs, texts, want, wantTexts)
		}
		if limit := pairBytes + 2*len(long) + 1000; most > limit {
			t.Fatalf("%d gathered rows: a batch has %d bytes of text, at most %d are wanted", gathered, most, limit)
		}
	}
}

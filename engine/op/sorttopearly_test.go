package op

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/scan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// TestATopOfRareRowsTellsTheScanEarly: a few rows of each row group pass, and as soon as there are enough of them the scan leaves
// out what lies behind.
func TestATopOfRareRowsTellsTheScanEarly(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	table := newTable(types.Column{Name: "at", Type: tInt}, types.Column{Name: "url", Type: tText})
	rows := make([]row, 40000)
	for i := range rows {
		rows[i] = row{rng.Int64N(1 << 40), fmt.Sprint("https://", rng.Uint32()%50)}
	}
	src := newSource(table, rows, 1000)
	passed := map[bool]int64{}
	answer := map[bool]string{}
	for _, late := range []bool{false, true} {
		s := scanOf(table, cmpCall(">", col(1, tText), lit(tText, "https://8")))
		sort := &plan.Sort{In: s, Limit: 5, Keys: []plan.SortKey{{Expr: col(0, tInt)}}}
		env := &Env{Ctx: &expr.Ctx{}, Workers: 1, Scan: scan.Without{TopFirst: late}, Analyze: &Analysis{},
			Source: func(*types.Table) (column.Source, error) { return src, nil }}
		answer[late] = shown(t, env, sort)
		passed[late] = env.Analyze.Node(s).Scan().RowsOut
	}
	if answer[false] != answer[true] {
		t.Errorf("%s\nwant\n%s", answer[false], answer[true])
	}
	if passed[false] > 100 || passed[true] < 500 {
		t.Errorf("the scan gave out %d rows, and %d when it was told late", passed[false], passed[true])
	}
}

package op

import (
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/vec"
)

// TestRowsOfRunsAreCountedAsIfOneByOne: those that passed, and all; and each row gets the number of its run.
func TestRowsOfRunsAreCountedAsIfOneByOne(t *testing.T) {
	rng := seeded(t)
	var r runIndex
	for range 200 {
		rows := 1 + rng.IntN([]int{70, 1000, 65536}[rng.IntN(3)])
		at := codeIndex{runs: []uint16{0}}
		most := []int{2, 20, 3000}[rng.IntN(3)]
		for from := 1 + rng.IntN(most); from < rows; from += 1 + rng.IntN(most) {
			at.runs = append(at.runs, uint16(from))
		}
		at.n = len(at.runs)
		sel := vec.MakeBitmap(rows)
		for i := range sel {
			sel[i] = rng.Uint64() & rng.Uint64() // bits behind the last row too
		}
		all, passed, numbers := make([]int64, at.n), make([]int64, at.n), make([]uint16, rows)
		run := 0
		for i := range rows {
			if run+1 < at.n && int(at.runs[run+1]) == i {
				run++
			}
			numbers[i] = uint16(run)
			all[run]++
			if sel.Get(i) {
				passed[run]++
			}
		}
		for _, c := range []struct {
			sel  vec.Bitmap
			want []int64
		}{{nil, all}, {sel, passed}} {
			y := tally{}
			y.reset(at.n)
			if y.countRuns(&at, rows, c.sel); !slices.Equal(y.t, c.want) {
				t.Fatalf("%d rows in %d runs, selected: %v: counts differ", rows, at.n, c.sel != nil)
			}
		}
		if r.number(&at, rows); at.n > 1 && !slices.Equal(at.c16, numbers) {
			t.Fatalf("%d rows in %d runs: numbers differ", rows, at.n)
		}
	}
}

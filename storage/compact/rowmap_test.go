package compact

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/vec"
)

// deadRows marks some rows of an input dead: none, some, or whole groups.
func deadRows(rng *rand.Rand, in *Input) (dead []bool) {
	chance := []float64{0, 0.3, 0.9, 1}[rng.IntN(4)]
	var maps []vec.Bitmap
	for i := range in.Groups {
		g, _ := in.Open(i)
		b := vec.MakeBitmap(g.Rows())
		for r := range g.Rows() {
			d := rng.Float64() < chance
			b.SetTo(r, d)
			dead = append(dead, d)
		}
		if b.Count() == 0 && rng.IntN(2) == 0 {
			b = nil
		}
		maps = append(maps, b)
	}
	in.Dead = func(i int) vec.Bitmap { return maps[i] }
	return dead
}

func TestAMergeLeavesDeadRowsOutAndTellsWhereTheOthersWent(t *testing.T) {
	for seed := range uint64(80) {
		rng := rand.New(rand.NewPCG(seed, 9))
		var inputs []Input
		var ids [][]int64
		var dead [][]bool
		type live struct {
			testRow
			input int
		}
		var want []live
		for i := range 1 + rng.IntN(5) {
			rows := make([]testRow, rng.IntN(40))
			for j := range rows {
				rows[j] = randomRow(rng, int64(i*1000+j))
			}
			slices.SortStableFunc(rows, compareTestRows)
			in := cutInput(rng, rows, nil, []column.Group{groupOf(rows)})
			d := deadRows(rng, &in)
			for j, r := range rows {
				if !d[j] {
					want = append(want, live{r, i})
				}
			}
			inputs, dead, ids = append(inputs, in), append(dead, d), append(ids, idsOf(rows))
		}
		slices.SortStableFunc(want, func(a, b live) int { return compareTestRows(a.testRow, b.testRow) })
		var sink memSink
		places, err := MergeRows(context.Background(), &sink, inputs, KeyOf(testTable), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got := sink.ids(t)
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d rows, want %d", seed, len(got), len(want))
		}
		for i, r := range want {
			if got[i] != r.id {
				t.Fatalf("seed %d: row %d is %d, want %d", seed, i, got[i], r.id)
			}
		}
		if len(places) != len(inputs) {
			t.Fatalf("seed %d: a map of %d inputs, there are %d", seed, len(places), len(inputs))
		}
		left := int64(0)
		for i, p := range places {
			if len(p) != len(ids[i]) {
				t.Fatalf("seed %d: %d places for the %d rows of input %d", seed, len(p), len(ids[i]), i)
			}
			for r, to := range p {
				if dead[i][r] {
					left++
				}
				if dead[i][r] != (to == NoRow) || to != NoRow && got[to] != ids[i][r] {
					t.Fatalf("seed %d: row %d of input %d (dead: %v) went to %d", seed, r, i, dead[i][r], to)
				}
			}
		}
		if places.Left() != left {
			t.Errorf("seed %d: %d rows were left out, want %d", seed, places.Left(), left)
		}
	}
}

func TestAMergeOfDeadRowsWritesNothing(t *testing.T) {
	in := memInput([]column.Group{groupOf(make([]testRow, 3)), groupOf(make([]testRow, 2))})
	in.Dead = func(i int) vec.Bitmap {
		b := vec.MakeBitmap(3)
		b.Fill([]int{3, 2}[i])
		return b
	}
	var sink memSink
	places, err := MergeRows(context.Background(), &sink, []Input{in}, KeyOf(testTable), Limits{})
	if err != nil || len(sink.groups) != 0 || places.Left() != 5 {
		t.Errorf("%d groups, %d left out, %v", len(sink.groups), places.Left(), err)
	}
}

func TestStatesHaveNoDeadRows(t *testing.T) {
	in := memInput(states(map[string]int64{"a": 1}))
	in.Dead = func(int) vec.Bitmap { return nil }
	var sink memSink
	if err := MergeStates(context.Background(), &sink, []Input{in}, KeyOf(statesTable), addStates); err == nil {
		t.Error("dead rows of states were taken")
	}
}

// countSink counts groups and rows and keeps nothing.
type countSink struct{ groups, rows int }

func (s *countSink) AddGroup(_ []column.Group, rows []segment.RowRef) error {
	s.groups++
	s.rows += len(rows)
	return nil
}

func TestAMergeCutsGroupsAtTheirLimitWhateverRunsItTakes(t *testing.T) {
	group := func(channel string, n int) column.Group {
		rows := make([]testRow, n)
		for i := range rows {
			rows[i] = testRow{channel: channel, ok: [3]bool{true, true, true}}
		}
		return groupOf(rows)
	}
	for _, n := range []int{GroupRows - 1, GroupRows, GroupRows + 1} {
		a, b := n/2, n-n/2
		var sink countSink
		inputs := []Input{memInput([]column.Group{group("a", a)}), memInput([]column.Group{group("b", b)})}
		if _, err := MergeRows(context.Background(), &sink, inputs, KeyOf(testTable), Limits{}); err != nil {
			t.Fatal(err)
		}
		if want := (n + GroupRows - 1) / GroupRows; sink.groups != want || sink.rows != n {
			t.Errorf("%d rows came as %d groups of %d rows, want %d groups", n, sink.groups, sink.rows, want)
		}
	}
}

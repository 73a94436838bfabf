package compact

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

var testTable = &types.Table{
	Columns: []types.Column{
		{Name: "channel", Type: types.Of(types.Text)}, {Name: "n", Type: types.Of(types.Int64)},
		{Name: "x", Type: types.Of(types.Float64)}, {Name: "id", Type: types.Of(types.Int64)},
	},
	SortKey: []string{"channel", "n", "x"},
}

// testRow is a row of testTable; ok tells which columns are not NULL.
type testRow struct {
	channel string
	n       int64
	x       float64
	id      int64
	ok      [3]bool
}

func randomRow(rng *rand.Rand, id int64) testRow {
	r := testRow{
		channel: []string{"", "a", "a\x00", "a\x00b", "ab", "b", "\xff"}[rng.IntN(7)], n: int64(rng.IntN(4)) - 2,
		x: []float64{math.Inf(-1), -1.5, 0, 2, math.NaN()}[rng.IntN(5)], id: id,
	}
	for i := range r.ok {
		r.ok[i] = rng.IntN(5) > 0
	}
	return r
}

func compareNullable[T any](a, b T, aOK, bOK bool, compare func(a, b T) int) int {
	switch {
	case aOK && bOK:
		return compare(a, b)
	case aOK:
		return -1
	case bOK:
		return 1
	}
	return 0
}

func compareTestRows(a, b testRow) int {
	return cmp.Or(
		compareNullable(a.channel, b.channel, a.ok[0], b.ok[0], cmp.Compare[string]),
		compareNullable(a.n, b.n, a.ok[1], b.ok[1], cmp.Compare[int64]),
		compareNullable(a.x, b.x, a.ok[2], b.ok[2], column.CompareFloat))
}

func groupOf(rows []testRow) column.Group {
	var c, n, x, id vec.Vector
	c.Reset(types.Of(types.Text))
	n.Reset(types.Of(types.Int64))
	x.Reset(types.Of(types.Float64))
	id.Reset(types.Of(types.Int64))
	for _, r := range rows {
		addOr(&c, r.ok[0], func() { c.AppendString(r.channel) })
		addOr(&n, r.ok[1], func() { n.AppendInt(r.n) })
		addOr(&x, r.ok[2], func() { x.AppendFloat(r.x) })
		id.AppendInt(r.id)
	}
	m := column.NewMem(len(rows))
	m.Add("channel", types.LeafText, &c)
	m.Add("n", types.LeafInt, &n)
	m.Add("x", types.LeafFloat, &x)
	m.Add("id", types.LeafInt, &id)
	return m
}

func addOr(v *vec.Vector, ok bool, add func()) {
	if ok {
		add()
	} else {
		v.AppendNull()
	}
}

// memSink keeps what it is given.
type memSink struct{ groups []column.Group }

func (s *memSink) AddGroup(src []column.Group, rows []segment.RowRef) error {
	g, err := Copy(src, rows)
	s.groups = append(s.groups, g)
	return err
}

func (s *memSink) ids(t *testing.T) (out []int64) {
	t.Helper()
	for _, g := range s.groups {
		v, err := readColumn(g, "id", types.LeafInt)
		if err != nil {
			t.Fatal(err)
		}
		for i := range g.Rows() {
			out = append(out, v.Int(i))
		}
	}
	return out
}

func idsOf(rows []testRow) (out []int64) {
	for _, r := range rows {
		out = append(out, r.id)
	}
	return out
}

func TestEncodedKeysOrderAsTheRowsDo(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	rows := make([]testRow, 300)
	for i := range rows {
		rows[i] = randomRow(rng, int64(i))
	}
	keys, err := ReadKeys(groupOf(rows), KeyOf(testTable))
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range rows {
		for j, b := range rows {
			if got, want := keys.Compare(i, keys, j), compareTestRows(a, b); got != want {
				t.Fatalf("%+v against %+v: %d, want %d", a, b, got, want)
			}
		}
	}
}

// More rows than are sorted at a time, in several groups, many of them with equal keys.
func TestRowsOfManyRunsAreSortedStably(t *testing.T) {
	for _, n := range []int{sortedRun, 2*sortedRun - 1, 3*sortedRun + 5, 5 * sortedRun} {
		rng := rand.New(rand.NewPCG(uint64(n), 3))
		var rows []testRow
		var src []column.Group
		var refs, want []segment.RowRef
		for from := 0; from < n; from += 30_000 {
			part := make([]testRow, min(30_000, n-from))
			for i := range part {
				part[i] = randomRow(rng, int64(from+i))
				refs = append(refs, segment.RowRef{Group: uint32(len(src)), Row: uint16(i)})
			}
			src, rows = append(src, groupOf(part)), append(rows, part...)
		}
		want = slices.Clone(refs)
		slices.SortStableFunc(want, func(a, b segment.RowRef) int {
			return compareTestRows(rows[int(a.Group)*30_000+int(a.Row)], rows[int(b.Group)*30_000+int(b.Row)])
		})
		if err := Sort(t.Context(), src, refs, KeyOf(testTable)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(refs, want) {
			t.Fatalf("%d rows: another order than a stable sort of them all", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Sort(ctx, src, refs, KeyOf(testTable)); !errors.Is(err, context.Canceled) {
			t.Fatalf("sorting what is not wanted any more: %v", err)
		}
	}
}

func TestASortedMergeIsTheSortedWhole(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var all []testRow
		var inputs []Input
		for range 1 + rng.IntN(5) {
			rows := make([]testRow, rng.IntN(40))
			for i := range rows {
				rows[i] = randomRow(rng, int64(len(all)+i))
			}
			src := []column.Group{groupOf(rows)}
			refs := make([]segment.RowRef, len(rows))
			for i := range refs {
				refs[i].Row = uint16(i)
			}
			if err := Sort(t.Context(), src, refs, KeyOf(testTable)); err != nil {
				t.Fatal(err)
			}
			slices.SortStableFunc(rows, compareTestRows)
			all = append(all, rows...)
			inputs = append(inputs, cutInput(rng, rows, refs, src))
		}
		slices.SortStableFunc(all, compareTestRows)
		var sink memSink
		if _, err := MergeRows(context.Background(), &sink, inputs, KeyOf(testTable), Limits{}); err != nil {
			t.Fatal(err)
		}
		if got, want := sink.ids(t), idsOf(all); !slices.Equal(got, want) {
			t.Fatalf("seed %d: got %v, want %v", seed, got, want)
		}
	}
}

func TestAMergeOfKeysWithLongBeginningsInCommonIsTheSortedWhole(t *testing.T) {
	channels := []string{"", "the channel", "the channel of a long name", "the channel of a long name\x00", "the channel of a long nam\xff", "zz"}
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var all []testRow
		var inputs []Input
		for range 2 + rng.IntN(5) {
			rows := make([]testRow, 300+rng.IntN(300))
			for i := range rows {
				rows[i] = testRow{id: int64(len(all) + i), channel: channels[rng.IntN(1+int(seed)%len(channels))], n: int64(rng.IntN(4)) << (8 * rng.IntN(7))}
				rows[i].x = float64(rng.IntN([]int{1, 5, 1000}[rng.IntN(3)]))
				rows[i].ok = [3]bool{rng.IntN(50) > 0, true, rng.IntN(9) > 0}
			}
			slices.SortStableFunc(rows, compareTestRows)
			all = append(all, rows...)
			refs, src := make([]segment.RowRef, len(rows)), []column.Group{groupOf(rows)}
			inputs = append(inputs, cutInput(rng, rows, refs, src))
			inputs[len(inputs)-1].RowBytes = 10
		}
		slices.SortStableFunc(all, compareTestRows)
		var sink memSink
		if _, err := MergeRows(context.Background(), &sink, inputs, KeyOf(testTable), Limits{}); err != nil {
			t.Fatal(err)
		}
		if got, want := sink.ids(t), idsOf(all); !slices.Equal(got, want) {
			t.Fatalf("seed %d: got %v, want %v", seed, got, want)
		}
	}
}

// cutInput cuts sorted rows into row groups at random places; some inputs have rows so large that each makes a group of
// the output.
func cutInput(rng *rand.Rand, rows []testRow, refs []segment.RowRef, src []column.Group) Input {
	var groups []column.Group
	for i, r := range refs {
		if int(r.Row) >= src[0].Rows() {
			panic(i)
		}
	}
	for len(rows) > 0 {
		n := 1 + rng.IntN(len(rows))
		groups = append(groups, groupOf(rows[:n]))
		rows = rows[n:]
	}
	in := memInput(groups)
	in.RowBytes = []int64{10, GroupBytes}[rng.IntN(2)]
	return in
}

func memInput(groups []column.Group) Input {
	return Input{Groups: len(groups), Open: func(i int) (column.Group, error) { return groups[i], nil }}
}

func TestWriteCutsGroupsByRowsAndBytes(t *testing.T) {
	rows := make([]testRow, 10)
	for i := range rows {
		rows[i].id = int64(i)
	}
	src := []column.Group{groupOf(rows)}
	refs := make([]segment.RowRef, len(rows))
	for i := range refs {
		refs[i].Row = uint16(i)
	}
	var sink memSink
	sizes := []int64{1, 1, GroupBytes, GroupBytes + 5, 1, GroupBytes - 1, 1, 1, 1, 1}
	if err := Write(&sink, src, refs, func(r segment.RowRef) int64 { return sizes[r.Row] }); err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, g := range sink.groups {
		got = append(got, g.Rows())
	}
	if want := []int{2, 1, 1, 2, 4}; !slices.Equal(got, want) {
		t.Errorf("groups of %v rows, want %v", got, want)
	}
	if got := sink.ids(t); !slices.Equal(got, idsOf(rows)) {
		t.Errorf("rows %v", got)
	}
}

var statesTable = &types.Table{
	Kind:    types.TableStates,
	Columns: []types.Column{{Name: "k", Type: types.Of(types.Text)}, {Name: "count", Type: types.Of(types.Int64)}},
	SortKey: []string{"k"},
}

func states(counts map[string]int64) []column.Group {
	var k, n vec.Vector
	k.Reset(types.Of(types.Text))
	n.Reset(types.Of(types.Int64))
	keys := make([]string, 0, len(counts))
	for key := range counts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		k.AppendString(key)
		n.AppendInt(counts[key])
	}
	m := column.NewMem(len(keys))
	m.Add("k", types.LeafText, &k)
	m.Add("count", types.LeafInt, &n)
	return []column.Group{m}
}

func addStates(in []column.Group) ([]column.Group, error) {
	sum, err := countsOf(in)
	return states(sum), err
}

func countsOf(groups []column.Group) (map[string]int64, error) {
	sum := map[string]int64{}
	for _, g := range groups {
		k, err := readColumn(g, "k", types.LeafText)
		if err != nil {
			return nil, err
		}
		n, err := readColumn(g, "count", types.LeafInt)
		if err != nil {
			return nil, err
		}
		for i := range g.Rows() {
			sum[string(k.Bytes(i))] += n.Int(i)
		}
	}
	return sum, nil
}

func TestMergedStatesAreTheSumsOfTheirInputs(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 3))
		want := map[string]int64{}
		var inputs []Input
		for range 1 + rng.IntN(5) {
			counts := map[string]int64{}
			for range rng.IntN(60) {
				key := fmt.Sprint(rng.IntN(50))
				counts[key]++
				want[key]++
			}
			whole := states(counts)[0]
			var groups []column.Group
			for at := 0; at < whole.Rows(); {
				n := 1 + rng.IntN(whole.Rows()-at)
				g, err := rowsOf(whole, at, at+n)
				if err != nil {
					t.Fatal(err)
				}
				groups = append(groups, g)
				at += n
			}
			inputs = append(inputs, memInput(groups))
		}
		var sink memSink
		if err := MergeStates(context.Background(), &sink, inputs, KeyOf(statesTable), addStates); err != nil {
			t.Fatal(err)
		}
		diff, err := Diff(statesTable, states(want), sink.groups)
		if err != nil || diff != "" {
			t.Fatalf("seed %d: %s %v", seed, diff, err)
		}
		var last []byte
		for _, g := range sink.groups {
			keys, err := ReadKeys(g, KeyOf(statesTable))
			if err != nil {
				t.Fatal(err)
			}
			for i := range keys.Len() {
				if bytes.Compare(keys.At(i), last) <= 0 {
					t.Fatalf("seed %d: key %q after %q", seed, keys.At(i), last)
				}
				last = keys.At(i)
			}
		}
	}
}

func TestDiffTellsAValueThatDiffers(t *testing.T) {
	a, b := states(map[string]int64{"x": 1, "y": 2}), states(map[string]int64{"x": 1, "y": 3})
	if d, err := Diff(statesTable, a, a); d != "" || err != nil {
		t.Errorf("equal: %q, %v", d, err)
	}
	if d, _ := Diff(statesTable, a, b); d != "row 1, column count: 2 against 3" {
		t.Errorf("different: %q", d)
	}
	if d, _ := Diff(statesTable, a, states(map[string]int64{"x": 1})); d != "2 rows against 1" {
		t.Errorf("shorter: %q", d)
	}
}

package op

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// twoTables are the sides of joins: a key with NULLs, a text, a number, a boolean.
type twoTables struct {
	t    [2]*types.Table
	rows [2][]row
	src  [2]*memSource
}

var sideTypes = []types.Type{tInt, tText, tFloat, tBool}

func newTwoTables(rng *rand.Rand, n [2]int, domain int, skew bool) *twoTables {
	s := &twoTables{}
	for i := range s.t {
		s.t[i] = newTable(types.Column{Name: "k", Type: tInt}, types.Column{Name: "s", Type: tText}, types.Column{Name: "f", Type: tFloat}, types.Column{Name: "b", Type: tBool})
		for range n[i] {
			k := int64(rng.IntN(domain))
			if skew && rng.IntN(10) < 1+8*i { // a tenth of one side, nearly all of the other
				k = 1
			}
			r := row{k, fmt.Sprint("text ", k), float64(rng.IntN(1000)), rng.IntN(2) == 0}
			if rng.IntN(12) == 0 {
				r[rng.IntN(4)] = nil
			}
			s.rows[i] = append(s.rows[i], r)
		}
		s.src[i] = newSource(s.t[i], s.rows[i], 1+rng.IntN(1+n[i]/3))
	}
	return s
}

// run returns the rows of a plan over the tables and the error it ended with. No file is left then.
func (s *twoTables) run(t testing.TB, ctx context.Context, n plan.Node, env Env, seen func(b *vec.Batch)) ([]row, error) {
	t.Helper()
	env.Ctx = &expr.Ctx{Context: ctx}
	env.Source = func(table *types.Table) (column.Source, error) {
		if table == s.t[0] {
			return s.src[0], nil
		}
		return s.src[1], nil
	}
	r, err := Run(&env, n)
	if err != nil {
		return nil, err
	}
	defer func() {
		r.Close()
		if s := env.Spill; s != nil && (s.Used() != 0 || s.Files() != 0) {
			t.Errorf("%d bytes in %d files are left", s.Used(), s.Files())
		}
	}()
	var out []row
	for {
		b, err := r.Next()
		if err != nil || b == nil {
			return out, err
		}
		if seen != nil {
			seen(b)
			continue
		}
		for i := range b.N {
			var x row
			for _, v := range b.Cols {
				x = append(x, valueAt(v, i))
			}
			out = append(out, x)
		}
	}
}

var joinKinds = []plan.JoinKind{plan.Inner, plan.Left, plan.Right, plan.Full, plan.Semi, plan.Anti}

// join is one of the tables by the given columns, and under a further condition or none.
func (s *twoTables) join(kind plan.JoinKind, by []int, cond bool) *plan.Join {
	j := &plan.Join{Kind: kind, L: scanOf(s.t[0]), R: scanOf(s.t[1])}
	for _, c := range by {
		j.LeftKeys = append(j.LeftKeys, col(c, sideTypes[c]))
		j.RightKeys = append(j.RightKeys, col(c, sideTypes[c]))
	}
	if cond {
		j.Cond = cmpCall("<", col(2, tFloat), col(6, tFloat))
	}
	return j
}

// NOT IN asks whether any gathered key is NULL and whether there is any, over all workers and partitions.
func TestNotInKnowsNullsAndNothing(t *testing.T) {
	rng := seeded(t)
	for round := range 12 {
		s := newTwoTables(rng, [2]int{400, []int{0, 1, 5, 300}[round%4]}, 500, false)
		null := round/4 == 1
		for k := range s.rows[1] {
			if s.rows[1][k][0] == nil {
				s.rows[1][k][0] = int64(7)
			}
		}
		if null && len(s.rows[1]) > 0 {
			s.rows[1][rng.IntN(len(s.rows[1]))][0] = nil
		}
		s.src[1] = newSource(s.t[1], s.rows[1], 1+rng.IntN(100))
		in := map[any]bool{}
		for _, r := range s.rows[1] {
			in[r[0]] = true
		}
		var want []row
		for _, r := range s.rows[0] {
			if len(in) == 0 || !in[nil] && r[0] != nil && !in[r[0]] {
				want = append(want, r)
			}
		}
		j := s.join(plan.Anti, []int{0}, false)
		j.NotIn = true
		for _, e := range []Env{{Workers: 1}, {Workers: 3}, {Workers: 2, NoJoinKeys: true, BatchRows: 3}, {Workers: 2, ForceSpill: true, Spill: newSpace()},
			{Workers: 1, ForceSpill: true, HashEqual: true, Spill: newSpace()}} {
			got, err := s.run(t, context.Background(), j, e, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(sortedLines(got), sortedLines(want)) {
				t.Fatalf("round %d, %d gathered rows, a NULL among them %v, %d workers, forced %v: %d rows, want %d", round, len(s.rows[1]), null, e.Workers, e.ForceSpill, len(got), len(want))
			}
		}
	}
}

// plusOne makes a key that is no column.
func plusOne(e expr.Expr) expr.Expr {
	add := &expr.Func{Name: "plus one", Args: []types.Type{tInt}, Ret: tInt, Eval: func(_ *expr.Ctx, a []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		out.Reset(tInt)
		for i := range n {
			if sel != nil && !sel.Get(i) || a[0].Null(i) {
				out.AppendNull()
			} else {
				out.AppendInt(a[0].Int(i) + 1)
			}
		}
		return nil
	}}
	return &expr.Call{Fn: add, Args: []expr.Expr{e}, T: tInt}
}

// Joins of every kind find the same rows on disk as in memory: with NULLs, duplicates, one key that most rows have, empty sides,
// further conditions, keys of every class, computed keys, no keys at all, and hashes that are no good. Their order does not depend on
// the number of workers.
func TestJoinsOnDiskAnswerAsInMemory(t *testing.T) {
	rng := seeded(t)
	sizes := [][2]int{{70, 700}, {0, 200}, {500, 70}, {200, 0}, {1, 1}, {100, 900}}
	for round, n := range sizes {
		s := newTwoTables(rng, n, []int{40, 300, 90}[round%3], round%2 == 1)
		for _, kind := range joinKinds {
			for _, by := range [][]int{{0}, {1, 3}, [][]int{{1}, {2}, {}}[rng.IntN(3)]} {
				if len(by) == 0 && n[0]*n[1] > 10_000 && kind != plan.Semi {
					continue
				}
				j := s.join(kind, by, rng.IntN(3) == 0)
				if len(by) == 1 && by[0] == 0 && rng.IntN(2) == 0 {
					j.LeftKeys[0], j.RightKeys[0] = plusOne(j.LeftKeys[0]), plusOne(j.RightKeys[0])
				}
				what := fmt.Sprintf("round %d, kind %v by %v, condition %v, %v rows", round, kind, by, j.Cond != nil, n)
				mem, err := s.run(t, context.Background(), j, Env{Workers: 1}, nil)
				if err != nil {
					t.Fatal(what, err)
				}
				want := sortedLines(mem)
				order := ""
				for _, e := range []Env{{Workers: 1, ForceSpill: true}, {Workers: 3, ForceSpill: true}, {Workers: 2, ForceSpill: true, NoJoinKeys: true, BatchRows: 7},
					{Workers: 2, ForceSpill: true, HashEqual: true}} {
					e.Spill = newSpace()
					got, err := s.run(t, context.Background(), j, e, nil)
					if err != nil {
						t.Fatalf("%s, %d workers: %v", what, e.Workers, err)
					}
					lines := show(got)
					if sorted := strings.Split(strings.TrimSuffix(lines, "\n"), "\n"); !equalSorted(sorted, want) {
						t.Fatalf("%s, %d workers, forced %v, hashes equal %v: %d rows, want %d", what, e.Workers, e.ForceSpill, e.HashEqual, len(got), len(mem))
					}
					if e.ForceSpill && e.BatchRows == 0 && !e.HashEqual {
						if order == "" {
							order = lines
						}
						if order != lines {
							t.Fatalf("%s: the order of the rows depends on the number of workers", what)
						}
					}
				}
			}
		}
	}
}

func equalSorted(lines, want []string) bool {
	slices.Sort(lines)
	return slices.Equal(lines, want)
}

// Joins above and below each other, and an aggregation above them, answer as in memory when all of them are on disk.
func TestJoinsOfJoinsOnDiskAnswerAsInMemory(t *testing.T) {
	rng := seeded(t)
	s := newTwoTables(rng, [2]int{400, 300}, 300, false)
	for _, kind := range joinKinds[:4] {
		for _, second := range joinKinds {
			below := s.join(kind, []int{0}, false)
			j := &plan.Join{Kind: second, L: below, R: s.join(plan.Inner, []int{1}, true), LeftKeys: []expr.Expr{col(5, tText)}, RightKeys: []expr.Expr{col(1, tText)}}
			top := aggOut(&plan.Agg{In: j, Keys: []expr.Expr{col(1, tText)}, Aggs: []plan.AggCall{aggCall("count", tInt), aggCall("sum", tFloat, col(2, tFloat))}})
			for name, n := range map[string]plan.Node{"joins": j, "aggregation": top} {
				want, err := s.run(t, context.Background(), n, Env{Workers: 1}, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range []Env{{Workers: 1, ForceSpill: true}, {Workers: 2, ForceSpill: true}} {
					e.Spill = newSpace()
					got, err := s.run(t, context.Background(), n, e, nil)
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(sortedLines(got), sortedLines(want)) {
						t.Fatalf("%s, kinds %v and %v, %d workers: %d rows, want %d", name, kind, second, e.Workers, len(got), len(want))
					}
				}
			}
		}
	}
}

// Within a memory that the gathered side does not fit in, partitions are divided again, and a key that most rows have is joined in
// chunks. The disk's limit gives its error, and nothing stays there; so does a cancellation, in whatever phase.
func TestJoinsGoOnBeyondTheirMemory(t *testing.T) {
	rng := seeded(t)
	const memory = 5 << 19
	s := newTwoTables(rng, [2]int{40_000, 60_000}, 50_000, false)
	for i := range 20_000 { // of one key, which a side's rows cannot be divided by
		s.rows[1][i][0] = int64(-1)
	}
	s.rows[0][0][0], s.rows[0][1][0] = int64(-1), int64(-1)
	for i := range s.src {
		s.src[i] = newSource(s.t[i], s.rows[i], 9000)
	}
	for _, kind := range joinKinds {
		j := s.join(kind, []int{0}, kind == plan.Semi || kind == plan.Anti)
		want := 0
		if _, err := s.run(t, context.Background(), j, Env{Workers: 1}, func(b *vec.Batch) { want += b.N }); err != nil {
			t.Fatal(err)
		}
		space, a, n := newSpace(), &Analysis{}, 0
		_, err := s.run(t, context.Background(), j, Env{Workers: 2, Memory: memory, Spill: space, Analyze: a}, func(b *vec.Batch) { n += b.N })
		if err != nil || n != want {
			t.Fatalf("kind %v: %d rows, want %d, %v", kind, n, want, err)
		}
		if bytes, _ := a.Node(j).Spilled(); bytes == 0 || bytes != space.Written() {
			t.Errorf("kind %v: %d bytes of %d spilled are the join's", kind, bytes, space.Written())
		}
		if peak := a.Node(j).MemoryPeak(); peak > 4*memory {
			t.Errorf("kind %v: %d bytes held, query_memory is %d", kind, peak, memory)
		}
		if _, err := s.run(t, context.Background(), j, Env{Workers: 2, Memory: memory}, nil); sqlstate.Code(err) != sqlstate.OutOfMemory {
			t.Errorf("kind %v without a disk: %v", kind, err)
		}
		// What two workers have on disk at a time depends on how far each has come: half of the most they had is never enough.
		full := spill.New(vfs.NewMem(), "/spill", int64(rng.Uint64N(uint64(space.Peak()/2))))
		if _, err := s.run(t, context.Background(), j, Env{Workers: 2, Memory: memory, Spill: full}, func(*vec.Batch) {}); sqlstate.Code(err) != sqlstate.DiskFull {
			t.Errorf("kind %v on a full disk: %v", kind, err)
		}
		for range 3 {
			s.cancelAt(t, j, Env{Workers: 1 + rng.IntN(2), Memory: memory, Spill: newSpace()}, int64(rng.Uint64N(uint64(space.Written()))))
		}
	}
}

// A cross join whose gathered side does not fit in memory reads the other side once for each chunk of it.
func TestCrossJoinsGoOnBeyondTheirMemory(t *testing.T) {
	const memory = 3 << 20
	s := newTwoTables(seeded(t), [2]int{5, 60_000}, 50_000, false)
	for _, kind := range []plan.JoinKind{plan.Inner, plan.Left, plan.Full, plan.Semi, plan.Anti} {
		j := s.join(kind, nil, true)
		want, n, space := 0, 0, newSpace()
		if _, err := s.run(t, context.Background(), j, Env{Workers: 1}, func(b *vec.Batch) { want += b.N }); err != nil {
			t.Fatal(err)
		}
		_, err := s.run(t, context.Background(), j, Env{Workers: 2, Memory: memory, Spill: space}, func(b *vec.Batch) { n += b.N })
		if err != nil || n != want || space.Written() == 0 {
			t.Errorf("kind %v: %d rows, want %d, %d bytes spilled, %v", kind, n, want, space.Written(), err)
		}
	}
}

// cancelAt cancels an execution when it has written so many bytes.
func (s *twoTables) cancelAt(t *testing.T, n plan.Node, env Env, bytes int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var hit atomic.Bool
	env.Spill.SetReserve(func() bool {
		if env.Spill.Written() >= bytes {
			hit.Store(true)
			cancel()
		}
		return false
	})
	if _, err := s.run(t, ctx, n, env, func(*vec.Batch) {}); sqlstate.Code(err) != sqlstate.QueryCanceled && (err != nil || hit.Load()) {
		t.Errorf("cancelled after %d bytes: %v", bytes, err)
	}
}

// Long texts go to disk and come back, though 512 rows of them would be gigabytes.
func TestJoinsOnDiskHoldFewLongTexts(t *testing.T) {
	rng := seeded(t)
	s := newTwoTables(rng, [2]int{60, 40}, 30, false)
	long := strings.Repeat("x", 9<<20)
	for i := range s.rows {
		for k := range 2 {
			s.rows[i][k*7][1] = long + fmt.Sprint(k)
		}
		s.src[i] = newSource(s.t[i], s.rows[i], 1024)
	}
	for _, kind := range []plan.JoinKind{plan.Left, plan.Full, plan.Anti} {
		j := s.join(kind, []int{0}, false)
		count := func(env Env) (rows, bytes int) {
			_, err := s.run(t, context.Background(), j, env, func(b *vec.Batch) {
				rows += b.N
				for i := range b.N {
					bytes += rowBytes(b.Cols, i)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			return rows, bytes
		}
		rows, bytes := count(Env{Workers: 1})
		gotRows, gotBytes := count(Env{Workers: 2, ForceSpill: true, Spill: newSpace()})
		if rows != gotRows || bytes != gotBytes {
			t.Errorf("kind %v: %d rows of %d bytes, want %d of %d", kind, gotRows, gotBytes, rows, bytes)
		}
	}
}

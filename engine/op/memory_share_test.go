package op

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
)

// manyClients is an aggregation of nearly as many groups as rows, whose sum of floats keeps it from being scattered.
func manyClients(n int) (*memSource, *plan.Agg) {
	rng := rand.New(rand.NewPCG(7, 7))
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{rng.Int64N(1 << 40), fmt.Sprint("client-", rng.IntN(n)), nil, nil, nil, rng.Int64N(1 << 40), rng.Float64()}
	}
	return newSource(keyTable, rows, 10_000), aggOut(&plan.Agg{In: scanOf(keyTable), Keys: []expr.Expr{col(0, tInt), col(1, tText)},
		Aggs: []plan.AggCall{countCall(), aggCall("sum", tFloat, col(6, tFloat)), aggCall("max", tText, col(1, tText))}})
}

// An aggregation that holds most of the memory leaves a sort above it enough for runs that are few.
func TestASortAboveAnAggregationOnDiskMakesFewRuns(t *testing.T) {
	src, agg := manyClients(100_000)
	n := &plan.Sort{In: agg, Keys: []plan.SortKey{{Expr: col(3, tFloat), Desc: true}, {Expr: col(0, tInt)}}}
	want, err := runEnv(t, src, n, Env{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{1, 2} {
		stats := &Analysis{}
		got, err := runEnv(t, src, n, Env{Workers: workers, Memory: 8 << 20, Spill: newSpace(), Analyze: stats})
		if err != nil {
			t.Fatal(err)
		}
		if show(got) != show(want) {
			t.Fatalf("%d workers: the answer is another one than in memory", workers)
		}
		if _, files := stats.Node(n).Spilled(); files == 0 || files > 24 {
			t.Errorf("%d workers: %d runs of the sort", workers, files)
		}
	}
}

// A sort that needs little is not what fails where an aggregation below holds more than the memory.
func TestATopNAboveALargeAggregationGoesOnInLittleMemory(t *testing.T) {
	src, agg := manyClients(100_000)
	n := &plan.Sort{In: agg, Keys: []plan.SortKey{{Expr: col(3, tFloat), Desc: true}, {Expr: col(0, tInt)}}, Limit: 2}
	want, err := runEnv(t, src, n, Env{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, memory := range []int64{2 << 20, 8 << 20} {
		got, err := runEnv(t, src, n, Env{Workers: 2, Memory: memory, Spill: newSpace()})
		if err != nil {
			t.Fatalf("%d bytes: %v", memory, err)
		}
		if show(got) != show(want) {
			t.Fatalf("%d bytes: got %v, want %v", memory, got, want)
		}
	}
}

// An aggregation without groups above one that holds more than the memory needs next to nothing, and gets it.
func TestWhatNeedsLittleDoesNotFailForWhatOthersHold(t *testing.T) {
	src, agg := manyClients(100_000)
	n := aggOut(&plan.Agg{In: agg, Aggs: []plan.AggCall{countCall(), aggCall("max", tInt, col(0, tInt))}})
	want, err := runEnv(t, src, n, Env{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	got, err := runEnv(t, src, n, Env{Workers: 2, Memory: 2 << 20, Spill: newSpace()})
	if err != nil {
		t.Fatal(err)
	}
	if show(got) != show(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	mem := &memory{limit: 8 << 20}
	held, small := account{m: mem, operator: "aggregation", soft: true}, account{m: mem, operator: "window"}
	if err := held.to(9 << 20); err != nil {
		t.Fatal(err)
	}
	if err := small.to(1 << 20); err != nil {
		t.Errorf("an eighth, though others hold too much: %v", err)
	}
	if err := small.to(1<<20 + 1); sqlstate.Code(err) != sqlstate.OutOfMemory {
		t.Errorf("more than an eighth: %v, want 53200", err)
	}
	held.free()
	if err := small.to(8<<20 + 1); sqlstate.Code(err) != sqlstate.OutOfMemory {
		t.Errorf("more than all: %v, want 53200", err)
	}
	small.free()
	if mem.used.Load() != 0 || mem.soft.Load() != 0 {
		t.Errorf("%d bytes are left, %d of them soft", mem.used.Load(), mem.soft.Load())
	}
}

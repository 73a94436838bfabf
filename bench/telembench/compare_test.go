package main

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/telemdb/telemdb/bench/peer"
	"github.com/telemdb/telemdb/bench/workload"
	"github.com/telemdb/telemdb/bench/workload/flat"
	"github.com/telemdb/telemdb/bench/workload/hits"
)

// rowsOfText makes an answer of lines of values between spaces; "-" is NULL.
func rowsOfText(kinds string, lines ...string) *answer {
	a := &answer{}
	for i, k := range strings.Fields(kinds) {
		a.cols = append(a.cols, peer.Column{Name: fmt.Sprint("c", i), Kind: peer.Kind(k)})
	}
	for _, l := range lines {
		var row []*string
		for _, v := range strings.Fields(l) {
			if v == "-" {
				row = append(row, nil)
			} else {
				row = append(row, &v)
			}
		}
		a.rows = append(a.rows, row)
	}
	return a
}

func TestAnswersAreComparedByTheirQuerysRule(t *testing.T) {
	unordered := workload.Query{}
	ordered := workload.Query{Ordered: true, OrderBy: []int{1}}
	limited := workload.Query{Ordered: true, OrderBy: []int{1}, Limited: true}
	for _, c := range []struct {
		name string
		q    workload.Query
		a, b *answer
		same bool
	}{
		{"a multiset in another order", unordered, rowsOfText("text int", "a 1", "b 2", "a 1"), rowsOfText("text int", "b 2", "a 1", "a 1"), true},
		{"a multiset with another multiplicity", unordered, rowsOfText("text int", "a 1", "b 2", "a 1"), rowsOfText("text int", "b 2", "a 1", "b 2"), false},
		{"fewer rows", unordered, rowsOfText("int", "1", "2"), rowsOfText("int", "1"), false},
		{"NULL is not nothing", unordered, rowsOfText("text", "-"), rowsOfText("text", "0"), false},
		{"NULL is NULL", unordered, rowsOfText("int", "-", "1"), rowsOfText("float", "1", "-"), true},
		{"floats within the tolerance", unordered, rowsOfText("float", "1.0000000001"), rowsOfText("float", "1"), true},
		{"floats beyond it", unordered, rowsOfText("float", "1.00000001"), rowsOfText("float", "1"), false},
		{"whole numbers are exact, whatever their type", unordered, rowsOfText("int", "10000000000001"), rowsOfText("float", "10000000000002"), false},
		{"a float and a whole number", unordered, rowsOfText("int", "3"), rowsOfText("float", "3.00000000001"), true},
		{"NaN is NaN", unordered, rowsOfText("float", "NaN"), rowsOfText("float", "NaN"), true},
		{"text that looks like a number is text", unordered, rowsOfText("text", "1.0"), rowsOfText("text", "1"), false},
		{"the order is held", ordered, rowsOfText("text int", "a 1", "b 2"), rowsOfText("text int", "b 2", "a 1"), false},
		{"ties of the order come in any order", ordered, rowsOfText("text int", "a 1", "b 1", "c 2"), rowsOfText("text int", "b 1", "a 1", "c 2"), true},
		{"but they are the same rows", ordered, rowsOfText("text int", "a 1", "b 1", "c 2"), rowsOfText("text int", "b 1", "x 1", "c 2"), false},
		{"behind a limit ties may be others", limited, rowsOfText("text int", "a 1", "b 2", "c 2"), rowsOfText("text int", "a 1", "y 2", "z 2"), true},
		{"before the last tie they may not", limited, rowsOfText("text int", "a 1", "b 2", "c 2"), rowsOfText("text int", "x 1", "y 2", "z 2"), false},
	} {
		if err := sameAnswer(&c.q, c.a, c.b); (err == nil) != c.same {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := sameAnswer(&c.q, c.b, c.a); (err == nil) != c.same {
			t.Errorf("%s, the other way round: %v", c.name, err)
		}
	}
}

func TestEstimatesAreHeldAgainstExactValues(t *testing.T) {
	q := workload.Query{Approx: &workload.Approx{Columns: []int{1}, Within: 0.05, Exact: workload.Everywhere("x")}}
	exact := rowsOfText("text int", "a 1000", "b 200")
	if err := goodEstimate(&q, exact, rowsOfText("text int", "b 203", "a 960")); err != nil {
		t.Error(err)
	}
	if goodEstimate(&q, exact, rowsOfText("text int", "b 203", "a 940")) == nil {
		t.Error("6 % off passes for 5")
	}
	if goodEstimate(&q, exact, rowsOfText("text int", "c 203", "a 1000")) == nil {
		t.Error("another group passes")
	}
}

func TestANoisyRoundDoesNotCount(t *testing.T) {
	ms := func(n float64) int64 { return int64(n * float64(time.Millisecond)) }
	rounds := []sample{
		{Nanos: 100, Wall: ms(500), CPU: ms(990)},
		{Nanos: 900, Wall: ms(800), CPU: ms(1000)},                 // it waited for a processor
		{Nanos: 300, Wall: ms(500), CPU: ms(985), Others: ms(200)}, // others were there
		{Nanos: 110, Wall: ms(500), CPU: ms(975)},
		{Nanos: 120, Wall: ms(510), CPU: ms(1000)},
	}
	if n := judge(rounds, 2, 2); n != 3 || rounds[1].Counts || rounds[2].Counts {
		t.Fatalf("%d rounds count: %+v", n, rounds)
	}
	if ns, noisy := medianOf(rounds, 3); ns != 110 || noisy {
		t.Errorf("median %d, noisy %v", ns, noisy)
	}
	if _, noisy := medianOf(rounds, 4); !noisy {
		t.Error("three quiet rounds pass for four")
	}
	serial := []sample{{Nanos: 5, Wall: ms(100), CPU: ms(101)}, {Nanos: 6, Wall: ms(100), CPU: ms(100)}, {Nanos: 9, Wall: ms(130), CPU: ms(101)}}
	if n := judge(serial, 2, 2); n != 2 {
		t.Errorf("%d rounds of a query on one thread count, not 2", n)
	}
}

func TestPagesOfDroppedFilesAreGone(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, make([]byte, 3<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := dropPages(dir); err != nil {
		t.Skip(err) // a file system in memory keeps its pages
	}
	if _, err := os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, err := inMemory(f, 3<<20); err != nil || n != 3<<20 {
		t.Fatalf("after reading it, %d bytes of the file are in memory, %v", n, err)
	}
	if left, err := dropFile(name); err != nil || left != 0 {
		t.Fatalf("%d bytes left, %v", left, err)
	}
}

func TestWorkloadsAreWhole(t *testing.T) {
	for _, w := range []*workload.Workload{flat.Workload(1000), hits.Workload(1000), tiny()} {
		if err := w.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// tiny is a workload of two columns that takes no time.
func tiny() *workload.Workload {
	const rows = 500
	return &workload.Workload{
		Name: "tiny", Title: "two columns", Scale: rows,
		Tables: []workload.Table{{
			Name:    "t",
			SortKey: []string{"a"},
			Columns: []workload.Column{
				{Name: "a", Telemdb: "bigint", DuckDB: "BIGINT", ClickHouse: "Int64", Postgres: "bigint"},
				{Name: "b", Telemdb: "text", DuckDB: "VARCHAR", ClickHouse: "Nullable(String)", Postgres: "text"},
			},
			Rows: func(int64) int64 { return rows },
			CSV: func(w io.Writer, _ int64, shard, of int) error {
				rng, out := rand.New(rand.NewPCG(1, uint64(shard))), bufio.NewWriter(w)
				for i := rows * shard / of; i < rows*(shard+1)/of; i++ {
					fmt.Fprintf(out, "%d,%s\n", i, []string{"", `""`, "x", `"a ""b"", c"`}[rng.IntN(4)])
				}
				return out.Flush()
			},
		}},
		Queries: []workload.Query{
			{Name: "q1", Title: "by text", SQL: workload.Everywhere("SELECT b, count(*), avg(a) FROM t GROUP BY b")},
			{Name: "q2", Title: "the largest", SQL: workload.Everywhere("SELECT a, b FROM t ORDER BY a DESC LIMIT 3"), Ordered: true, OrderBy: []int{0}, Limited: true},
			{Name: "q3", Title: "wrong", SQL: workload.Everywhere("SELECT nothing FROM t")},
		},
	}
}

// TestATinyWorkloadGoesTheWholeWay runs the harness with the engines that are named in TELEMDB_BENCH_PEERS beside telemdb.
func TestATinyWorkloadGoesTheWholeWay(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	out := t.TempDir()
	set := func(values ...string) {
		*cmpPeers, *cmpOut, *cmpRounds, *cmpRetries, *cmpCold = values[0], values[1], 2, 0, 1
	}
	old := []string{*cmpPeers, *cmpOut}
	rounds, retries, cold := *cmpRounds, *cmpRetries, *cmpCold
	t.Cleanup(func() { set(old...); *cmpRounds, *cmpRetries, *cmpCold = rounds, retries, cold })
	set(os.Getenv("TELEMDB_BENCH_PEERS"), out)
	b := &bench{table: &table{part: "tiny", command: "test"}, dir: t.TempDir()}
	if err := compareWorkload(b, tiny()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "tiny.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for _, q := range r.Main.Queries {
		for name, x := range q.Engines {
			if wrong := q.Name == "q3"; wrong != (x.Error != "") || x.Differs != "" {
				t.Errorf("%s on %s: %+v", q.Name, name, x)
			} else if !wrong && (len(x.Warm) == 0 || x.WarmNS <= 0 || x.ColdNS <= 0 || x.Peak <= 0) {
				t.Errorf("%s on %s has no times: %+v", q.Name, name, x)
			}
		}
		if x := q.Engines["telemdb"]; q.Name != "q3" && x.Small != "ok" {
			t.Errorf("%s with little memory: %q", q.Name, x.Small)
		}
	}
	if got := r.Main.Engines[0].Load; got.Rows != 500 || got.DataBytes <= 0 {
		t.Errorf("loaded: %+v", got)
	}
	for _, name := range []string{"tiny-warm.svg", "tiny-cold.svg", "tiny-geomean.svg"} {
		if err := wellFormed(filepath.Join(out, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := b.markdown(); !strings.Contains(s, "| q1 | by text |") || !strings.Contains(s, "q3 on telemdb: ") {
		t.Error(s)
	}
}

func wellFormed(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for d := xml.NewDecoder(f); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

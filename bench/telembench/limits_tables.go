package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/telemdb/telemdb/bench/peer"
	"github.com/telemdb/telemdb/bench/workload"
)

// The tables that the bare loops are held against have columns of the same kinds, and no sort key: the codes lie unsorted.
// What is drawn for them is drawn a second time to know what the queries have to answer.

// limitTable is a table of rows that are two drawn numbers each.
type limitTable struct {
	name    string
	columns []string // with types
	plain   bool
	rows    func() int
	draw    func(rng *rand.Rand) (a, b int64)
	text    func(out []byte, a, b int64) []byte // the CSV line of a row
}

func limitTables() []limitTable {
	return []limitTable{
		{name: "numbers", columns: []string{"x bigint", "g text"}, rows: func() int { return *limitRows }, draw: func(rng *rand.Rand) (x, g int64) {
			r := rng.Uint64()
			return int64(r >> 32 % 1000), int64(r % limitGroups)
		}, text: func(out []byte, x, g int64) []byte {
			out = append(strconv.AppendInt(out, x, 10), ",group "...)
			return append(strconv.AppendInt(out, g, 10), '\n')
		}},
		{name: "plain_numbers", columns: []string{"x bigint"}, plain: true, rows: func() int { return *limitRows }, draw: func(rng *rand.Rand) (x, _ int64) {
			return int64(rng.Uint64() >> 32 % 1000), 0
		}, text: func(out []byte, x, _ int64) []byte {
			return append(strconv.AppendInt(out, x, 10), '\n')
		}},
		{name: "codes", columns: []string{"a text", "b text"}, rows: func() int { return *limitCodes }, draw: func(rng *rand.Rand) (a, b int64) {
			r := rng.Uint32()
			return int64(r % limitA), int64(r >> 16 % limitB)
		}, text: func(out []byte, a, b int64) []byte {
			out = append(strconv.AppendInt(append(out, 'a'), a, 10), ",b"...)
			return append(strconv.AppendInt(out, b, 10), '\n')
		}},
	}
}

func limitWorkload() *workload.Workload {
	w := &workload.Workload{Name: "limits", Title: "bare loops, and SQL over the same bytes", Queries: limitQueries()}
	for _, t := range limitTables() {
		table := workload.Table{Name: t.name, Plain: t.plain, Rows: func(int64) int64 { return int64(t.rows()) }, CSV: t.csv}
		for _, c := range t.columns {
			var name, kind string
			_, _ = fmt.Sscan(c, &name, &kind) // they are two words
			table.Columns = append(table.Columns, workload.Column{Name: name, Telemdb: kind, DuckDB: kind, ClickHouse: kind, Postgres: kind})
		}
		w.Tables = append(w.Tables, table)
	}
	return w
}

// The queries, by the loops they are held against.
const (
	packedSum = "filtered sum"
	plainSum  = "filtered sum, plain"
	twoCodes  = "two codes"
	groupBy   = "group by"
)

func limitQueries() []workload.Query {
	one := func(name, title, sql string, args ...any) workload.Query {
		return workload.Query{Name: name, Title: title, SQL: workload.Everywhere(fmt.Sprintf(sql, args...))}
	}
	return []workload.Query{
		one(packedSum, "sum(x) where lo <= x and x < hi, the engine's own encoding (10 bits)", "SELECT sum(x) FROM numbers WHERE x >= %d AND x < %d", limitLo, limitHi),
		one(plainSum, "sum(x) where lo <= x and x < hi, without an encoding", "SELECT sum(x) FROM plain_numbers WHERE x >= %d AND x < %d", limitLo, limitHi),
		one(twoCodes, "count(*) with two dictionary predicates, unsorted", "SELECT count(*) FROM codes WHERE a = 'a%d' AND b = 'b%d'", limitIsA, limitIsB),
		one(groupBy, fmt.Sprintf("count and sum by %d values", limitGroups), "SELECT g, count(*), sum(x) FROM numbers GROUP BY g"),
	}
}

// shard calls f with the rows of a shard.
func (t *limitTable) shard(shard, of int, f func(a, b int64) error) error {
	rng := rand.New(rand.NewPCG(3, uint64(shard)))
	for range t.rows()*(shard+1)/of - t.rows()*shard/of {
		if err := f(t.draw(rng)); err != nil {
			return err
		}
	}
	return nil
}

func (t *limitTable) csv(w io.Writer, _ int64, shard, of int) error {
	out, buf := bufio.NewWriterSize(w, 256<<10), []byte(nil)
	err := t.shard(shard, of, func(a, b int64) error {
		buf = t.text(buf[:0], a, b)
		_, err := out.Write(buf)
		return err
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// expected is what the queries have to answer.
type expected struct {
	packed, plain, both int64
	groups              [limitGroups]struct{ n, sum int64 }
}

// drawn draws all rows again, on both cores.
func (c *comparison) drawn() *expected {
	tables := limitTables()
	var mu sync.Mutex
	total := &expected{}
	var wg sync.WaitGroup
	for core := range 2 {
		wg.Go(func() {
			e := &expected{}
			for i := range tables {
				t, of := &tables[i], c.shards(&c.w.Tables[i])
				for shard := core; shard < of; shard += 2 {
					_ = t.shard(shard, of, e.adder(t.name)) // the adder never fails
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total.packed, total.plain, total.both = total.packed+e.packed, total.plain+e.plain, total.both+e.both
			for g := range e.groups {
				total.groups[g].n += e.groups[g].n
				total.groups[g].sum += e.groups[g].sum
			}
		})
	}
	wg.Wait()
	return total
}

// adder returns what takes a table's rows in.
func (e *expected) adder(table string) func(a, b int64) error {
	switch table {
	case "numbers":
		return func(x, g int64) error {
			if x >= limitLo && x < limitHi {
				e.packed += x
			}
			e.groups[g].n++
			e.groups[g].sum += x
			return nil
		}
	case "plain_numbers":
		return func(x, _ int64) error {
			if x >= limitLo && x < limitHi {
				e.plain += x
			}
			return nil
		}
	}
	return func(a, b int64) error {
		if a == limitIsA && b == limitIsB {
			e.both++
		}
		return nil
	}
}

// answer is what a query has to answer, in the form of a peer's.
func (e *expected) answer(query string) *answer {
	row := func(fields ...string) (out []*string) {
		for i := range fields {
			out = append(out, &fields[i])
		}
		return out
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	integer := peer.Column{Kind: peer.Int}
	switch query {
	case packedSum:
		return &answer{[]peer.Column{integer}, [][]*string{row(number(e.packed))}}
	case plainSum:
		return &answer{[]peer.Column{integer}, [][]*string{row(number(e.plain))}}
	case twoCodes:
		return &answer{[]peer.Column{integer}, [][]*string{row(number(e.both))}}
	}
	a := &answer{cols: []peer.Column{{Kind: peer.Text}, integer, integer}}
	for g := range e.groups {
		if e.groups[g].n > 0 {
			a.rows = append(a.rows, row(fmt.Sprintf("group %d", g), number(e.groups[g].n), number(e.groups[g].sum)))
		}
	}
	return a
}

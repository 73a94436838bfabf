package oracle_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// column is a column of a table, or of a table in a scope, where its name is qualified.
type column struct {
	name, typ string
	kind      kind
	wild      bool // floats whose sums depend on their order
}

type table struct {
	name  string
	cols  []column
	key   string   // of telemdb's sort
	parts []string // COPY data
	after []string // statements behind each part: "" or a DELETE
	seal  []bool   // telemdb seals behind the part
	run   bool     // telemdb makes one sorted run of the segments in the end
}

// world is a random schema with data.
type world struct {
	seed   uint64
	rows   int      // of the first table
	tables []*table // the first is the large one
}

// as returns the table's columns under an alias.
func (t *table) as(alias string) []column {
	out := make([]column, len(t.cols))
	for i, c := range t.cols {
		c.name = alias + "." + c.name
		out[i] = c
	}
	return out
}

func (t *table) create(own bool) string {
	cols := make([]string, len(t.cols))
	for i, c := range t.cols {
		cols[i] = c.name + " " + c.typ
	}
	sql := fmt.Sprintf("CREATE TABLE %s (%s)", t.name, strings.Join(cols, ", "))
	if own && t.key != "" {
		sql += fmt.Sprintf(" WITH (sort_key = '%s')", t.key)
	}
	return sql
}

func newWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 4))
	rows := []int{60, 900, 3000, 9000}[r.IntN(4)]
	if r.IntN(20) == 0 {
		rows = 25000
	}
	w := &world{seed: seed, rows: rows}
	w.tables = append(w.tables, newTable(r, "t0", rows), newTable(r, "t1", 20+r.IntN(300)), newTable(r, "t2", r.IntN(30)))
	return w
}

// drawer gives the COPY text of a column's value in a row.
type drawer func(row int) string

func newTable(r *rand.Rand, name string, rows int) *table {
	t := &table{name: name}
	var draws []drawer
	add := func(c column, d drawer) {
		if n := []int{0, 0, 4, 30}[r.IntN(4)]; n > 0 {
			draw := d
			d = func(i int) string {
				v := draw(i)
				if r.IntN(n) == 0 {
					return `\N`
				}
				return v
			}
		}
		t.cols, draws = append(t.cols, c), append(draws, d)
	}
	whole := func(c column, d drawer) { t.cols, draws = append(t.cols, c), append(draws, d) } // without NULLs
	whole(column{name: "id", typ: "int", kind: integer}, strconv.Itoa)
	for i, typ := range []string{"smallint", "int", "bigint"} {
		add(column{name: fmt.Sprintf("i%d", 2<<i), typ: typ, kind: integer}, ints(r, typ, rows))
	}
	add(column{name: "j", typ: "int", kind: integer}, ints(r, "smallint", rows))
	add(column{name: "f", typ: "float8", kind: float}, func(int) string { return fmt.Sprint(float64(r.IntN(4000)-2000) / 8) })
	add(column{name: "g", typ: "float8", kind: float, wild: true}, wildFloats(r))
	add(column{name: "h", typ: "real", kind: float}, func(int) string { return fmt.Sprint(float64(r.IntN(100)) / 4) })
	add(column{name: "n", typ: "numeric(12,2)", kind: numeric}, func(int) string { return fmt.Sprintf("%d.%02d", r.IntN(200)-100, r.IntN(100)) })
	skew := 1 + r.IntN(3)
	add(column{name: "a", typ: "text", kind: text}, func(int) string { return words[r.IntN(1+r.IntN(len(words)))/skew] })
	add(column{name: "u", typ: "text", kind: text}, func(i int) string { return fmt.Sprintf("%s%d", word(r), r.IntN(1+rows)) })
	add(column{name: "b", typ: "boolean", kind: boolean}, func(int) string { return fmt.Sprint(r.IntN(3) == 0) })
	add(column{name: "d", typ: "date", kind: date}, func(int) string { return day(r) })
	add(column{name: "ts", typ: "timestamp", kind: stamp}, func(int) string { return moment(r) })
	add(column{name: "tz", typ: "timestamptz", kind: stampTZ}, func(int) string { return moment(r) + "+00" })
	whole(column{name: "k", typ: "smallint", kind: integer}, narrow(r))
	whole(column{name: "m", typ: "bigint", kind: integer}, narrow(r))
	most := 1 + r.IntN(1+rows/8) // sources, whose rows are runs or are scattered
	whole(column{name: "s", typ: "text", kind: text}, func(i int) string {
		if most%2 == 0 {
			return fmt.Sprintf("source %d", i*most/rows)
		}
		return fmt.Sprintf("source %d", r.IntN(most))
	})
	add(column{name: "v", typ: "text", kind: text}, func(i int) string { return fmt.Sprintf("v%d", i%500) }) // unique in small tables
	t.key = []string{"", "id", "a, id", "d", "i4", "ts", "s, ts", "s, id", "k, s", "v", "k"}[r.IntN(11)]
	t.run = t.key != "" && r.IntN(3) == 0
	t.cut(r, rows, draws)
	return t
}

// cut makes the rows in parts: each is a COPY, may be sealed, and is followed by a DELETE at times.
func (t *table) cut(r *rand.Rand, rows int, draws []drawer) {
	parts := 1 + r.IntN(4)
	for p := range parts {
		var b strings.Builder
		for i := p * rows / parts; i < (p+1)*rows/parts; i++ {
			for c, d := range draws {
				if c > 0 {
					b.WriteByte('\t')
				}
				b.WriteString(d(i))
			}
			b.WriteByte('\n')
		}
		t.parts = append(t.parts, b.String())
		t.seal = append(t.seal, r.IntN(3) > 0)
		after := ""
		if r.IntN(3) == 0 {
			after = fmt.Sprintf("DELETE FROM %s WHERE id %% %d = %d", t.name, 3+r.IntN(40), r.IntN(3))
		}
		t.after = append(t.after, after)
	}
}

// ints draws one of: a constant, few values, a running number, runs, a heavy tail, values over the whole type.
func ints(r *rand.Rand, typ string, rows int) drawer {
	edge := map[string]int64{"smallint": math.MaxInt16, "int": math.MaxInt32, "bigint": math.MaxInt64}[typ]
	scale := min(edge, 900)
	switch r.IntN(7) {
	case 0:
		return func(int) string { return "7" }
	case 1:
		return func(int) string { return fmt.Sprint(r.IntN(5)) }
	case 2:
		return func(i int) string { return fmt.Sprint(i % 30000) }
	case 3:
		return func(i int) string { return fmt.Sprint(i / 50 % 40) }
	case 4:
		return func(int) string { return fmt.Sprint(int64(math.Exp(r.Float64() * math.Log(float64(scale))))) }
	case 5:
		return func(int) string {
			if r.IntN(50) == 0 {
				return fmt.Sprint(edge - r.Int64N(3))
			}
			return fmt.Sprint(r.Int64N(2*scale) - scale)
		}
	}
	return func(int) string { return fmt.Sprint(r.Int64N(int64(1+rows)) % 30000) }
}

// narrow draws values of few bits around some number.
func narrow(r *rand.Rand) drawer {
	from, to := r.IntN(2000)-1000, 1+r.IntN([]int{1, 2, 16, 250, 5000}[r.IntN(5)])
	return func(int) string { return fmt.Sprint(from + r.IntN(to)) }
}

func wildFloats(r *rand.Rand) drawer {
	return func(int) string {
		if r.IntN(200) == 0 {
			return []string{"NaN", "Infinity", "-Infinity", "0"}[r.IntN(4)]
		}
		return strconv.FormatFloat(r.NormFloat64()*1000, 'g', -1, 64)
	}
}

var words = []string{"alpha", "Beta", "", "delta", "Épsilon", "zeta", "eta", "théta", "iota", "x'1", "x_1 a longer text than the others"}

func word(r *rand.Rand) string { return words[r.IntN(len(words))] }

func day(r *rand.Rand) string { return fmt.Sprintf("2026-%02d-%02d", 1+r.IntN(3), 1+r.IntN(28)) }

func moment(r *rand.Rand) string {
	return fmt.Sprintf("%s %02d:%02d:%02d.%03d", day(r), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000))
}

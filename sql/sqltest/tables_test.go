package sqltest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// table is the data of a table in COPY's text format.
type table struct{ name, data string }

// tables returns the rows of setup.sql's tables: the same at every run.
func tables() []table {
	r := rand.New(rand.NewPCG(15, 5433))
	return []table{
		{"sales", rows(2000, func(i int) []string { return sale(r, i) })},
		{"products", rows(40, func(i int) []string { return product(r, i) })},
		{"regions", "N\tNorth\t\\N\nS\tSouth\t\\N\nE\tEast\tN\nW\tWest\tS\nX\tNowhere\tW\n"},
		{"odd", odd},
	}
}

func rows(n int, row func(i int) []string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Join(row(i+1), "\t") + "\n")
	}
	return b.String()
}

const null = `\N`

// sometimes returns the value, and NULL once in n.
func sometimes(r *rand.Rand, n int, value string) string {
	if r.IntN(n) == 0 {
		return null
	}
	return value
}

var words = []string{"alpha", "Beta", "gamma", "delta", "Épsilon", "zeta", "eta", "théta", "iota", "Kappa"}

func word(r *rand.Rand) string { return words[r.IntN(len(words))] }

func sale(r *rand.Rand, i int) []string {
	day := r.IntN(200)
	return []string{
		fmt.Sprint(i),
		sometimes(r, 20, fmt.Sprint(r.IntN(45))), // product: some are not in products
		sometimes(r, 15, []string{"N", "S", "E", "W", "Q"}[r.IntN(5)]), // region: Q is not in regions
		sometimes(r, 10, fmt.Sprint(r.IntN(12)-1)),
		sometimes(r, 10, fmt.Sprintf("%d.%02d", r.IntN(1000), r.IntN(100))),
		sometimes(r, 10, fmt.Sprintf("%d.%d", r.IntN(100)-50, []int{0, 5, 25, 75}[r.IntN(4)])),
		sometimes(r, 10, fmt.Sprintf("2026-%02d-%02d", 1+day/28, 1+day%28)),
		sometimes(r, 10, fmt.Sprintf("2026-%02d-%02d %02d:%02d:%02d.%03d", 1+day/28, 1+day%28, r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000))),
		sometimes(r, 10, fmt.Sprint(r.IntN(2) == 0)),
		sometimes(r, 8, word(r)+" "+word(r)),
		sometimes(r, 10, document(r, i)),
	}
}

func document(r *rand.Rand, i int) string {
	switch r.IntN(10) {
	case 0:
		return "{}"
	case 1:
		return fmt.Sprintf(`[%d, "%s", null]`, i%7, word(r))
	case 2:
		return []string{"null", `"text"`, "12.50", "true"}[r.IntN(4)]
	}
	return fmt.Sprintf(`{"n": %d, "s": "%s", "f": %d.%d, "b": %t, "tags": ["%s", "%s"], "deep": {"a": {"b": [%d, {"c": "%s"}]}}, "%s": null}`,
		r.IntN(50), word(r), r.IntN(10), r.IntN(100), r.IntN(2) == 0, word(r), word(r), i%5, word(r), word(r))
}

func product(r *rand.Rand, i int) []string {
	return []string{
		fmt.Sprint(i), fmt.Sprintf("%s %d", word(r), i), sometimes(r, 6, word(r)),
		sometimes(r, 8, fmt.Sprintf("%d.%02d", r.IntN(100), r.IntN(100))),
		sometimes(r, 5, fmt.Sprintf("{%s,%s}", word(r), word(r))),
	}
}

// odd holds values at the edges of their types.
const odd = "1\t-32768\t-2147483648\t-9223372036854775808\t-Infinity\t-1e37\t-0.00000001\t\t4713-01-01 BC\t0001-01-01 00:00:00\tf\n" +
	"2\t32767\t2147483647\t9223372036854775807\tInfinity\t1e37\t12345678901234567890.123456789\ta\\tb\\nc\t5874897-12-31\t294246-12-31 23:59:59.999999\tt\n" +
	"3\t0\t0\t0\tNaN\tNaN\tNaN\t'quoted' \"double\" \\\\ back\t2000-02-29\t1999-12-31 23:59:59.999999\t\\N\n" +
	"4\t1\t-1\t1\t-0\t1.5\t0.10\t日本語 ünïcödé 😀\t1970-01-01\t1970-01-01 00:00:00\tt\n" +
	"5\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\n" +
	"6\t5\t5\t5\t5e-324\t1e-37\t1e20\t  spaces  \tinfinity\tinfinity\tf\n" +
	"7\t6\t6\t6\t1.7976931348623157e308\t3.4e38\t-5.50\tNULL\t-infinity\t-infinity\tt\n" +
	"8\t-5\t-5\t-5\t0.1\t0.1\t100\tABC\t2024-12-31\t2024-12-31 12:30:45.5\tf\n"

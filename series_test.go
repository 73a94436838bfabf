package telemdb

import (
	"fmt"
	"testing"
)

// A series comes a batch at a time, with the rows that it has beside another set, where all of it is made at once.
func TestASeriesByPartsIsTheSeries(t *testing.T) {
	db, err := Open("", Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	mustExec(t, db, "CREATE TABLE bounds (k int, a bigint, b bigint, s bigint)")
	mustExec(t, db, `INSERT INTO bounds VALUES (1, 1, 4095, 1), (2, 5, 4, 1), (3, 1, 4097, 1), (4, NULL, 7, 1), (5, 10, -20000, -3), (6, 3, 3, 5), (7, 0, 4095, 1),
		(8, 9223372036854775800, 9223372036854775807, 3), (9, -9223372036854775808, 9223372036854775807, 1844674407370955161), (10, 1, 12288, 1), (11, 1, 100, 0 + 7),
		(12, 9223372036854775807, -9223372036854775808, -184467440737095516)`)
	const sum = "SELECT count(*) || ' ' || count(g) || ' ' || md5(string_agg(k || ':' || coalesce(g::text, '-') || ':' || coalesce(o::text, '-'), ',' ORDER BY k, o, g)) FROM "
	for _, join := range []string{"bounds CROSS JOIN LATERAL %s", "bounds LEFT JOIN LATERAL %s ON true", "(SELECT * FROM bounds WHERE k > 3) b LEFT JOIN LATERAL %s ON true"} {
		parts := one(t, db, sum+fmt.Sprintf(join, "generate_series(a, b, s) WITH ORDINALITY x(g, o)"))
		whole := one(t, db, sum+fmt.Sprintf(join, "ROWS FROM (generate_series(a, b, s), generate_series(1, 0)) WITH ORDINALITY x(g, z, o)"))
		if parts != whole || len(parts) < 32 {
			t.Errorf("%s: %s, at once %s", join, parts, whole)
		}
	}
	if got := one(t, db, "SELECT count(*) FROM (SELECT g FROM generate_series(1, 30000000) g LIMIT 5000) x"); got != "5000" {
		t.Errorf("%s rows", got)
	}
}

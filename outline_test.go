package telemdb_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/telemdb/telemdb"
)

// TestQuestionsAboutStoredJSONAreThoseAboutItsText: what a scan answers from the presence of columns is what the operators
// say of the same documents as text, in the head and in segments, as a value and as a condition.
func TestQuestionsAboutStoredJSONAreThoseAboutItsText(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 1))
	ctx := context.Background()
	db, err := telemdb.Open("", telemdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := db.Exec(ctx, sql, args...); err != nil {
			t.Fatalf("seed %d: %s: %v", seed, sql, err)
		}
	}
	exec("CREATE TABLE docs (id bigint, j jsonb, s text)")
	id := 0
	for _, rows := range []int{1500, 40, 400} {
		var values []string
		for range rows {
			id++
			doc := "NULL"
			if r.IntN(20) > 0 {
				doc = "'" + randomJSON(r, 0) + "'"
			}
			values = append(values, fmt.Sprintf("(%d, %s, %s)", id, doc, doc))
		}
		if rows == 400 { // the last ones stay in the head
			if err := db.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
		exec("INSERT INTO docs VALUES " + strings.Join(values, ", "))
	}
	value := func() string { return []string{"X", "X->'a'", "X->'a'->'b'", "X->'c'", "X->'b'->'b'->'a'"}[r.IntN(5)] }
	key := func() string { return []string{"a", "b", "c", "d", "", "1", "é"}[r.IntN(7)] }
	questions := []string{"X", "X->'a'", "X->'b'", "X IS NULL AND id > 1000"}
	for range 120 {
		v := value()
		keys := fmt.Sprintf("'{%q,%q}'", key(), key())
		questions = append(questions, []string{
			v + " IS NULL", v + " IS NOT NULL", "jsonb_typeof(" + v + ")", v + " ? '" + key() + "'",
			v + " ?| " + keys, v + " ?& " + keys, v + " @> '" + randomJSON(r, 1) + "'",
			v + " @> '{\"" + key() + "\": " + randomJSON(r, 2) + "}'", v + " @> '{\"a\": {\"b\": " + randomJSON(r, 3) + "}}'",
			"NOT (" + v + " @> '{\"b\": \"a\"}') OR " + v + " ? 'a'",
		}[r.IntN(10)])
	}
	for _, q := range questions {
		stored, text := strings.ReplaceAll(q, "X", "j"), strings.ReplaceAll(q, "X", "s::jsonb")
		requireNothing(t, db, fmt.Sprintf("SELECT id, j, %[1]s, %[2]s FROM docs WHERE (%[1]s) IS DISTINCT FROM (%[2]s)", stored, text))
		if strings.HasPrefix(q, "jsonb_typeof") || !strings.Contains(q, " ") {
			requireNothing(t, db, fmt.Sprintf("SELECT count(%s), count(%s) FROM docs HAVING count(%[1]s) <> count(%[2]s)", stored, text))
			stored, text = "("+stored+") IS NOT NULL", "("+text+") IS NOT NULL"
		}
		requireNothing(t, db, fmt.Sprintf(`(SELECT id FROM docs WHERE %[1]s EXCEPT SELECT id FROM docs WHERE %[2]s)
			UNION ALL (SELECT id FROM docs WHERE %[2]s EXCEPT SELECT id FROM docs WHERE %[1]s)`, stored, text))
	}
}

func requireNothing(t *testing.T, db *telemdb.DB, sql string) {
	t.Helper()
	rows, err := db.Query(context.Background(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	if rows.Next() {
		t.Errorf("%s gives %v", sql, rows.Values())
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// randomJSON is a document of few keys, so that two of them have much in common.
func randomJSON(r *rand.Rand, depth int) string {
	n := r.IntN(12)
	if depth == 0 && r.IntN(8) > 0 {
		n = 11
	}
	switch {
	case n < 1:
		return "null"
	case n < 2:
		return []string{"true", "false"}[r.IntN(2)]
	case n < 4:
		return []string{"1", "1.0", "2", "1e2", "100", "0.5"}[r.IntN(6)]
	case n < 6:
		return []string{`"a"`, `"b"`, `""`, `"1"`, `"\u00e9"`}[r.IntN(5)]
	case n < 8 || depth > 3:
		items := make([]string, r.IntN(3))
		for i := range items {
			items[i] = randomJSON(r, depth+1)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	keys := []string{"a", "b", "c", "d", "", "é", "long key"}
	if r.IntN(15) == 0 {
		keys = []string{"1", "22", "a", "b"} // a keyed map: stored in one piece
	}
	var members []string
	for _, k := range keys {
		if r.IntN(3) == 0 {
			members = append(members, fmt.Sprintf("%q:%s", k, randomJSON(r, depth+1)))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

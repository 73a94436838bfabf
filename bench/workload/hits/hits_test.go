package hits

import (
	"bytes"
	"encoding/csv"
	"testing"
)

func cut(t testing.TB, scale int64, shards int) []byte {
	t.Helper()
	var out bytes.Buffer
	for i := range shards {
		if err := writeRows(&out, scale, i, shards); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestTheRowsAreTheSameHoweverTheyAreCut(t *testing.T) {
	whole := cut(t, 5000, 1)
	if !bytes.Equal(whole, cut(t, 5000, 7)) {
		t.Error("seven shards make other rows than one")
	}
	if n := bytes.Count(whole, []byte("\n")); n != 5000 {
		t.Errorf("%d rows, not 5000", n)
	}
}

func TestTheWorkloadIsWhole(t *testing.T) {
	w := Workload(0)
	if err := w.Validate(); err != nil {
		t.Error(err)
	}
	if len(w.Queries) != 43 {
		t.Errorf("%d queries, not 43", len(w.Queries))
	}
	if len(columns) != 105 {
		t.Errorf("%d columns, not 105", len(columns))
	}
}

// TestTheRowsHaveTheCardinalitiesTheyClaim compares shares of a cut with those of the public table.
func TestTheRowsHaveTheCardinalitiesTheyClaim(t *testing.T) {
	r := csv.NewReader(bytes.NewReader(cut(t, 60_000, 3)))
	r.FieldsPerRecord = len(columns)
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, c := range columns {
		at[c.Name] = i
	}
	for name, want := range map[string]struct{ low, high float64 }{
		"user_id": {0.15, 0.20}, "url": {0.14, 0.24}, "referer": {0.14, 0.27}, "title": {0.07, 0.17}, "client_ip": {0.07, 0.13},
		"search_phrase": {0.04, 0.08}, "watch_id": {1, 1}, "counter_id": {0.08, 0.11},
	} {
		distinct := map[string]bool{}
		for _, row := range rows {
			distinct[row[at[name]]] = true
		}
		if got := float64(len(distinct)) / float64(len(rows)); got < want.low || got > want.high {
			t.Errorf("%s: %.3f of the values are distinct, not %v to %v", name, got, want.low, want.high)
		}
	}
	for _, c := range []struct {
		name, value string
		low, high   float64
	}{
		{"search_phrase", "", 0.85, 0.89}, {"adv_engine_id", "0", 0.99, 0.996}, {"referer", "", 0.16, 0.22},
		{"mobile_phone_model", "", 0.92, 0.96}, {"counter_id", "62", 0.006, 0.009}, {"title", "", 0.05, 0.16},
	} {
		n := 0
		for _, row := range rows {
			if row[at[c.name]] == c.value {
				n++
			}
		}
		if got := float64(n) / float64(len(rows)); got < c.low || got > c.high {
			t.Errorf("%s is %q in %.4f of the rows, not %v to %v", c.name, c.value, got, c.low, c.high)
		}
	}
}

func BenchmarkRows(b *testing.B) {
	g := newGenerator(Scale)
	var buf []byte
	n := int64(0)
	for i := range int64(b.N) {
		buf = g.appendRow(buf[:0], i*(Scale/int64(b.N)))
		n += int64(len(buf))
	}
	b.SetBytes(n / int64(b.N))
}

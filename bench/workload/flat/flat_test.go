package flat

import (
	"bytes"
	"encoding/csv"
	"testing"
)

// cut is the table at a scale, made in so many shards.
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
	if len(w.Queries) != 25 {
		t.Errorf("%d queries, not 25", len(w.Queries))
	}
	if len(countryCodes) != 240 {
		t.Errorf("%d countries, not 240", len(countryCodes))
	}
}

// TestTheRowsHaveTheShapeTheyClaim reads a table back and holds what the queries live on: skew, NULLs, clients that stay
// what they are and come back.
func TestTheRowsHaveTheShapeTheyClaim(t *testing.T) {
	r := csv.NewReader(bytes.NewReader(cut(t, 40_000, 3)))
	r.FieldsPerRecord = len(columns)
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	nulls, values := map[string]int{}, map[string]map[string]int{}
	for i, c := range columns {
		values[c.Name] = map[string]int{}
		for _, row := range rows {
			values[c.Name][row[i]]++
			if row[i] == "" {
				nulls[c.Name]++
			}
		}
	}
	for name, want := range map[string][2]int{ // per cent
		"client_id": {0, 0}, "uri_count": {2, 6}, "city": {15, 25}, "top_site": {40, 50}, "ad_clicks": {87, 93},
		"crashes_plugin": {98, 99}, "experiment_branch": {88, 96},
	} {
		if share := nulls[name] * 100 / len(rows); share < want[0] || share > want[1] {
			t.Errorf("%s is NULL in %d %% of the rows, not %d to %d", name, share, want[0], want[1])
		}
	}
	for name, want := range map[string][2]int{
		"submission_date": {days, days}, "channel": {5, 5}, "os": {4, 4}, "country": {200, 240}, "sample_id": {100, 100},
		"app_build_id": {100, 260}, "client_id": {2000, 3333}, "top_addon": {800, 5000},
	} {
		if n := len(values[name]); n < want[0] || n > want[1] {
			t.Errorf("%s has %d values, not %d to %d", name, n, want[0], want[1])
		}
	}
	stable(t, rows)
}

// stable checks that what a client is stays, and that clients come back.
func stable(t *testing.T, rows [][]string) {
	type client struct {
		row  []string
		days map[string]bool
	}
	clients := map[string]*client{}
	id, day := indexOf("client_id"), indexOf("submission_date")
	again := 0
	for _, row := range rows {
		c := clients[row[id]]
		if c == nil {
			c = &client{row, map[string]bool{}}
			clients[row[id]] = c
		}
		for _, name := range []string{"channel", "sample_id", "os", "os_version", "country", "locale", "cpu_count", "profile_created", "top_addon"} {
			if i := indexOf(name); row[i] != c.row[i] {
				t.Fatalf("client %s has %s %q and %q", row[id], name, c.row[i], row[i])
			}
		}
		c.days[row[day]] = true
		if len(c.days) == 2 {
			again++
		}
	}
	if again*2 < len(clients) {
		t.Errorf("%d of %d clients come back on another day", again, len(clients))
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

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/telemdb/telemdb/ingest/gen"
)

// day is what a naive reader of the generated JSON knows: every valid document once, decoded by encoding/json.
type day struct {
	mains, crashes, events    []map[string]any
	sent, broken, duplicates  int
	scalarName, histogramName string
}

func (d *day) add(p *gen.Ping, seen map[string]bool) {
	d.sent++
	var doc map[string]any
	if err := json.Unmarshal(p.Body, &doc); err != nil || doc == nil {
		d.broken++
		return
	}
	key := p.DocType + "/" + strings.ToLower(p.DocID)
	if seen[key] {
		d.duplicates++
		return
	}
	seen[key] = true
	switch p.DocType {
	case "main":
		d.mains = append(d.mains, d.pruned(doc))
	case "crash":
		d.crashes = append(d.crashes, doc)
	case "event":
		d.events = append(d.events, doc)
	}
}

// pruned keeps of a main ping what the questions ask for: 50,000 whole documents do not fit in memory.
func (d *day) pruned(doc map[string]any) map[string]any {
	out := map[string]any{}
	for _, path := range [][]string{
		{"clientId"}, {"application"}, {"environment", "settings"}, {"environment", "system", "os"}, {"environment", "system", "hdd"},
		{"payload", "info", "reason"}, {"payload", "simpleMeasurements", "uptime"},
		{"payload", "processes", "parent", "scalars", d.scalarName}, {"payload", "histograms", d.histogramName},
	} {
		if v := at(doc, path...); v != nil {
			put(out, v, path...)
		}
	}
	return out
}

func put(m map[string]any, v any, path ...string) {
	for _, k := range path[:len(path)-1] {
		sub, ok := m[k].(map[string]any)
		if !ok {
			sub = map[string]any{}
			m[k] = sub
		}
		m = sub
	}
	m[path[len(path)-1]] = v
}

// choose picks the scalar and the histogram that most of the first pings have.
func (d *day) choose(g *gen.Generator) {
	scalars, histograms := map[string]int{}, map[string]int{}
	var p gen.Ping
	for range 200 {
		var doc map[string]any
		if !g.Next(&p) || json.Unmarshal(p.Body, &doc) != nil || p.DocType != "main" {
			continue
		}
		for k, v := range object(doc, "payload", "processes", "parent", "scalars") {
			if _, ok := v.(float64); ok {
				scalars[k]++
			}
		}
		for k := range object(doc, "payload", "histograms") {
			histograms[k]++
		}
	}
	d.scalarName, d.histogramName = mostCommon(scalars), mostCommon(histograms)
}

// at follows keys through objects; nil where they end.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

func object(v any, keys ...string) map[string]any {
	m, _ := at(v, keys...).(map[string]any)
	return m
}

func text(v any, keys ...string) string {
	s, _ := at(v, keys...).(string)
	return s
}

func mostCommon(counts map[string]int) string {
	best := ""
	for k, n := range counts {
		if n > counts[best] || (n == counts[best] && k < best) {
			best = k
		}
	}
	return best
}

// TestDayAnswersEqualANaiveEvaluation loads generated pings and asks a dozen questions in psql; each answer is computed
// again from the generated JSON. TELEMDB_DAY sets the number of pings.
func TestDayAnswersEqualANaiveEvaluation(t *testing.T) {
	needPsql(t)
	n := envInt("TELEMDB_DAY", 400)
	o := gen.Options{Seed: 7, Pings: n, Start: time.Now().UTC().Truncate(24 * time.Hour), Days: 1}
	d := &day{}
	d.choose(gen.New(o))
	p := serve(t, t.TempDir())
	g := gen.New(o)
	seen := map[string]bool{}
	next := func() (filePing, error) {
		var ping gen.Ping
		if !g.Next(&ping) {
			return filePing{}, io.EOF
		}
		d.add(&ping, seen)
		return filePing{URI: ping.URI, Body: slices.Clone(ping.Body)}, nil
	}
	// Duplicates are copies: whichever of two comes first, the row is the same.
	if err := sendAll(context.Background(), next, newHTTPSink(p.http), 16, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pings: %d main, %d crash, %d event, %d broken, %d duplicates; scalar %s, histogram %s", d.sent, len(d.mains),
		len(d.crashes), len(d.events), d.broken, d.duplicates, d.scalarName, d.histogramName)
	eventually(t, 5*time.Minute, "all pings are visible", func() bool { return p.psql(t, "SELECT lag_seconds = 0 FROM telemdb.wal_status") == "t" })
	d.ask(t, p, "from the head")
	p.psql(t, "SELECT telemdb.flush()")
	d.ask(t, p, "from segments")
	p.stop(t)
}

func (d *day) ask(t *testing.T, p *process, where string) {
	t.Helper()
	for _, q := range d.questions() {
		got := p.psql(t, q.sql)
		if got != q.want {
			t.Errorf("%s: %s\n got  %.300s\n want %.300s", where, q.sql, got, q.want)
		}
	}
}

type question struct{ sql, want string }

func (d *day) questions() []question {
	uptime := func(m map[string]any) (float64, bool) {
		v, ok := at(m, "payload", "simpleMeasurements", "uptime").(float64)
		return v, ok
	}
	var upSum, upCount float64
	byOS, byVersion, byReason := map[string]int{}, map[string]int{}, map[string]int{}
	clients, nightly := map[string]bool{}, 0
	scalarSum, scalarCount := 0.0, 0
	var hist struct{ count, sum, rows float64 }
	perClient := map[string]int{}
	withSettings, ssd := 0, 0
	longest := math.Inf(-1)
	for _, m := range d.mains {
		if u, ok := uptime(m); ok {
			upSum += u
			upCount++
			longest = max(longest, u)
		}
		byOS[text(m, "environment", "system", "os", "name")]++
		byVersion[text(m, "application", "version")]++
		byReason[text(m, "payload", "info", "reason")]++
		if id := text(m, "clientId"); id != "" { // a ping of the wrong shape may lack it
			clients[id] = true
			perClient[id]++
		}
		if text(m, "application", "channel") == "nightly" {
			nightly++
		}
		if v, ok := at(m, "payload", "processes", "parent", "scalars", d.scalarName).(float64); ok {
			scalarSum += v
			scalarCount++
		}
		if h := object(m, "payload", "histograms", d.histogramName); h != nil {
			hist.rows++
			hist.sum += h["sum"].(float64)
			for _, n := range object(h, "values") {
				hist.count += n.(float64)
			}
		}
		if object(m, "environment")["settings"] != nil {
			withSettings++
		}
		if text(m, "environment", "system", "hdd", "profile", "type") == "SSD" {
			ssd++
		}
	}
	crashTypes := map[string]int{}
	for _, c := range d.crashes {
		crashTypes[text(c, "payload", "processType")]++
	}
	top := topClients(perClient, 5)
	i := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	return []question{
		{"SELECT count(*) FROM main", fmt.Sprint(len(d.mains))},
		{"SELECT count(*) FROM crash", fmt.Sprint(len(d.crashes))},
		{"SELECT count(*) FROM event", fmt.Sprint(len(d.events))},
		{"SELECT count(*) FROM telemdb.errors", fmt.Sprint(d.broken)},
		{"SELECT count(*) FROM telemdb.duplicates", fmt.Sprint(d.duplicates)},
		{"SELECT accepted = rows + errors + duplicates FROM telemdb.balance", "t"},
		{"SELECT count(DISTINCT client_id) FROM main", fmt.Sprint(len(clients))},
		{"SELECT count(*) FROM main WHERE payload IS NOT NULL AND application->>'channel' = 'nightly'", fmt.Sprint(nightly)},
		{"SELECT environment->'system'->'os'->>'name', count(*) FROM main GROUP BY 1 ORDER BY 1", lines(byOS)},
		{"SELECT app_version, count(*) FROM main GROUP BY app_version ORDER BY app_version", lines(byVersion)},
		{"SELECT payload#>>'{info,reason}', count(*) FROM main GROUP BY 1 ORDER BY 1", lines(byReason)},
		{"SELECT sum((payload->'simpleMeasurements'->>'uptime')::bigint), count((payload->'simpleMeasurements'->>'uptime')::bigint), max((payload->'simpleMeasurements'->>'uptime')::bigint) FROM main",
			i(upSum) + "|" + i(upCount) + "|" + i(longest)},
		{fmt.Sprintf("SELECT sum((payload->'processes'->'parent'->'scalars'->>'%[1]s')::numeric), count(payload->'processes'->'parent'->'scalars'->>'%[1]s') FROM main", d.scalarName),
			fmt.Sprintf("%s|%d", i(scalarSum), scalarCount)},
		{fmt.Sprintf("SELECT hist_count(h), hist_sum(h), n FROM (SELECT hist_merge((payload->'histograms'->'%s')::histogram) h, count(payload->'histograms'->'%[1]s') n FROM main) x", d.histogramName),
			fmt.Sprintf("%s|%s|%s", i(hist.count), i(hist.sum), i(hist.rows))},
		{"SELECT count(*) FROM main WHERE environment ? 'settings'", fmt.Sprint(withSettings)},
		{"SELECT count(*) FROM main WHERE environment @> '{\"system\": {\"hdd\": {\"profile\": {\"type\": \"SSD\"}}}}'", fmt.Sprint(ssd)},
		{"SELECT payload->>'processType', count(*) FROM crash GROUP BY 1 ORDER BY 1", lines(crashTypes)},
		{"SELECT client_id, count(*) FROM main GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5", top},
	}
}

// lines prints groups as psql does, in byte order; an absent value comes last.
func lines(groups map[string]int) string {
	keys := make([]string, 0, len(groups))
	for k := range groups {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	if len(keys) > 0 && keys[0] == "" {
		keys = append(keys[1:], "")
	}
	var out []string
	for _, k := range keys {
		out = append(out, fmt.Sprintf("%s|%d", k, groups[k]))
	}
	return strings.Join(out, "\n")
}

func topClients(counts map[string]int, n int) string {
	ids := make([]string, 0, len(counts))
	for id := range counts {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(a, b int) bool {
		if counts[ids[a]] != counts[ids[b]] {
			return counts[ids[a]] > counts[ids[b]]
		}
		return ids[a] < ids[b]
	})
	var out []string
	for _, id := range ids[:min(n, len(ids))] {
		out = append(out, fmt.Sprintf("%s|%d", id, counts[id]))
	}
	return strings.Join(out, "\n")
}

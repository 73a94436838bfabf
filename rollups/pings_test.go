package rollups_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/vec"
)

// openStore opens a store in memory as the server does.
func openStore(t testing.TB) *storage.Store {
	t.Helper()
	s, err := storage.Open("", storage.Options{
		Manual:       true,
		SystemTables: ingest.SystemTables(),
		Rollups:      []storage.Rollup{rollups.Aggregates{}},
		Decoder: func(env storage.DecodeEnv) (storage.Decoder, error) {
			return ingest.NewDecoder(env, ingest.DecodeOptions{}), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func submit(t testing.TB, s *storage.Store, uri string, body []byte, received time.Time) {
	t.Helper()
	r, err := ingest.NewRecord(uri, nil, "", received)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(context.Background(), ping.EncodeHead(nil, r), body); err != nil {
		t.Fatal(err)
	}
}

// inputs returns what rollups.histograms is made of.
func inputs(t testing.TB, s *storage.Store) (states, head []column.Group, release func()) {
	t.Helper()
	if err := s.WaitVisible(context.Background(), s.Stats().Synced); err != nil {
		t.Fatal(err)
	}
	sn, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	in, err := sn.RollupInputs(rollups.Aggregates{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range in.States {
		g, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, g)
	}
	return states, in.Head, sn.Release
}

// lines prints rollups.histograms as the oracle prints its states.
func lines(t testing.TB, states, head []column.Group) []string {
	return linesLess(t, states, nil, head)
}

func linesLess(t testing.TB, states, minus, head []column.Group) []string {
	t.Helper()
	r, err := rollups.Read(states, minus, head, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			slices.Sort(out)
			return out
		}
		for i := range b.N {
			out = append(out, line(t, b.Cols, i))
		}
	}
}

func line(t testing.TB, cols []*vec.Vector, i int) string {
	t.Helper()
	text := func(c int) string { return string(cols[c].Bytes(i)) }
	var h sketch.Histogram
	if err := h.Decode(cols[13].Bytes(i)); err != nil {
		t.Fatal(err)
	}
	k := stateKey{
		date: cols[0].Int(i), channel: text(1), version: text(2), buildID: text(3), application: text(4), architecture: text(5), os: text(6),
		osVersion: text(7), metric: text(8), label: text(9), process: text(10),
		layoutType: int64(h.Layout.Type), layoutBuckets: int64(h.Layout.Buckets), layoutLow: h.Layout.Low, layoutHigh: h.Layout.High,
	}
	var b strings.Builder
	for _, bucket := range h.Buckets {
		if bucket.Count > 0 {
			fmt.Fprintf(&b, " %d:%d", bucket.Bound, bucket.Count)
		}
	}
	return fmt.Sprintf("%+v: %d %d%s", k, cols[11].Int(i), cols[12].Int(i), b.String())
}

func compare(t *testing.T, where string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	missing, extra := minus(want, got), minus(got, want)
	t.Fatalf("%s: %d states, want %d\nmissing %d: %s\nnot wanted %d: %s", where, len(got), len(want),
		len(missing), head(missing), len(extra), head(extra))
}

func minus(a, b []string) (out []string) {
	for _, s := range a {
		if _, ok := slices.BinarySearch(b, s); !ok {
			out = append(out, s)
		}
	}
	return out
}

func head(s []string) string { return "\n  " + strings.Join(s[:min(len(s), 8)], "\n  ") }

// day returns the submission date of a time.
func day(t time.Time) int64 { return t.Unix() / 86400 }

// checkAgainstOracle submits what next gives and compares what is unsealed, half sealed, and sealed and merged.
func checkAgainstOracle(t *testing.T, next func() (uri string, body []byte, at time.Time, counts, ok bool)) {
	ctx := context.Background()
	s, o := openStore(t), newOracle()
	for n := 1; ; n++ {
		uri, body, at, counts, ok := next()
		if !ok {
			break
		}
		submit(t, s, uri, body, at)
		if counts {
			o.add(uri, body, day(at))
		}
		if n%97 == 0 {
			if err := s.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if o.pings == 0 || len(o.states) == 0 {
		t.Fatal("no ping is aggregated")
	}
	t.Logf("%d pings, %d states", o.pings, len(o.states))
	want := o.lines()
	states, unsealed, release := inputs(t, s)
	compare(t, "sealed and unsealed", lines(t, states, unsealed), want)
	release()
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	for did := true; did; {
		var err error
		if did, err = s.MergeOnce(ctx); err != nil {
			t.Fatal(err)
		}
	}
	states, unsealed, release = inputs(t, s)
	defer release()
	if len(unsealed) > 0 {
		t.Fatal("rows are unsealed after a flush")
	}
	compare(t, "sealed and merged", lines(t, states, nil), want)
}

func TestAggregatesOfGeneratedPingsAreThoseOfTheReferenceRules(t *testing.T) {
	for _, c := range []struct {
		name string
		gen.Options
	}{
		{"small", gen.Options{Seed: 5, Pings: 600, Days: 3, Small: true, Kinds: gen.Kinds{Main: 9, Crash: 1}}},
		{"real size", gen.Options{Seed: 6, Pings: 40, Kinds: gen.Kinds{Main: 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gen.New(c.Options)
			var p gen.Ping
			checkAgainstOracle(t, func() (string, []byte, time.Time, bool, bool) {
				ok := g.Next(&p)
				return p.URI, p.Body, p.Received, !p.Broken && !p.Duplicate, ok
			})
		})
	}
}

// sharedData returns the path of a part of the reference data beside the repository, or skips the test.
func sharedData(t testing.TB, elem ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("the tests do not run inside the repository")
		}
		dir = up
	}
	p := filepath.Join(append([]string{dir, "..", "shared", "data"}, elem...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skip("the reference data is not there")
	}
	return p
}

func TestAggregatesOfSamplePingsAreThoseOfTheReferenceRules(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedData(t, "validation", "telemetry"), "main.4*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	i := 0
	checkAgainstOracle(t, func() (string, []byte, time.Time, bool, bool) {
		if i == len(files) {
			return "", nil, time.Time{}, false, false
		}
		body, err := os.ReadFile(files[i])
		if err != nil {
			t.Fatal(err)
		}
		i++
		uri := fmt.Sprintf("/submit/telemetry/%08d-0000-4000-8000-000000000000/main/Firefox/61.0/release/20180328030202?v=4", i)
		return uri, body, time.Unix(1522238400, 0), true, true
	})
}

// pingOf is a main ping with the given payload.
func pingOf(payload string) []byte {
	return []byte(`{"type":"main","version":4,"clientId":"c0ffeec0-ffee-4fee-8fee-c0ffeec0ffee",
		"application":{"channel":"beta","version":"61.0b2","buildId":"20180328030202","name":"Firefox","architecture":"x86-64"},
		"environment":{"system":{"os":{"name":"Linux","version":"4.15.0"}}},"payload":` + payload + `}`)
}

// TestAggregatesSeeValuesWhateverTheirShapeInStorage sends the same probes as objects that the decoder makes columns of
// and as objects that it keeps whole.
func TestAggregatesSeeValuesWhateverTheirShapeInStorage(t *testing.T) {
	hist := `{"bucket_count":5,"histogram_type":1,"sum":12,"range":[1,10],"values":{"0":1,"1":2,"4":0}}`
	count := `{"bucket_count":3,"histogram_type":4,"sum":7,"range":[1,2],"values":{"0":7,"1":0}}`
	old := strings.Replace(hist, `"sum"`, `"log_sum":1.5,"sum"`, 1)
	float := strings.Replace(hist, `"sum":12`, `"sum":12.0`, 1)
	wide := &strings.Builder{}
	for i := range 300 {
		fmt.Fprintf(wide, `"N%03d":%s,`, i, hist)
	}
	payloads := []string{
		`{}`, `5`, `null`, `[]`,
		`{"histograms":{"A":` + hist + `,"B":` + count + `,"C":` + old + `,"D":` + float + `,"a b":` + hist + `}}`,
		`{"histograms":{"1":` + hist + `,"B":` + count + `,"C":` + old + `}}`,
		`{"histograms":{"A":{"values":{"0":1,"x":2,"3":"no","-1":4},"sum":1,"histogram_type":2},"B":{"values":{"0":-1},"sum":1,"histogram_type":2}}}`,
		`{"histograms":{"A":{"values":[],"sum":1,"histogram_type":2},"B":{"values":{},"sum":-1,"histogram_type":2},"C":{"values":{},"sum":1}}}`,
		`{"histograms":{` + wide.String() + `"A":` + hist + `}}`,
		`{"histograms":{"A":` + hist + `,"x12345":` + hist + `,"B":` + count + `,"C":` + hist + `}}`,
		`{"keyedHistograms":{"K":{"a":` + hist + `,"b":` + count + `},"MESSAGE_MANAGER_MESSAGE_SIZE":{"a":` + hist + `}}}`,
		`{"keyedHistograms":{"7":{"a":` + hist + `,"b":` + count + `},"K":{"a":` + old + `}}}`,
		`{"simpleMeasurements":{"uptime":5,"firstPaint":1.75,"x":-1,"y":true,"z":"s","js":{"a":1,"b":2.5,"c":{"d":3},"e":"s"},"UITelemetry":{"u":4}}}`,
		`{"simpleMeasurements":{"0":5,"js":{"1":3,"a":7}}}`,
		`{"simpleMeasurements":{"big":123456789012345678901234567890,"e":1e2,"m":1.10,"n":-0.5,"h":` + hist + `}}`,
		`{"processes":{"parent":{"histograms":{"A":` + hist + `},"scalars":{"a.b":1,"f":1.5,"t":true,"s":"x","browser.engagement.navigation.z":4},
			"keyedScalars":{"k.s":{"Aa":1,"bB":2.5,"c":true,"d":"s","e":-1},"browser.engagement.navigation.q":{"a":1}}}}}`,
		`{"processes":{"0":{},"content":{"histograms":{"A":` + hist + `},"keyedHistograms":{"K":{"a":` + hist + `}},"scalars":{"a.b":3},"keyedScalars":{"k.s":{"a":4}}}}}`,
		`{"processes":{"content":{"1":2,"histograms":{"A":` + hist + `},"scalars":{"h":` + hist + `}},"gpu":{"histograms":{"A":` + count + `},"scalars":{"a.b":2}},"dynamic":{"scalars":{"a":1}}}}`,
		`{"2":1,"histograms":{"A":` + hist + `},"simpleMeasurements":{"uptime":7},"childPayloads":[{"histograms":{"A":` + hist + `}}]}`,
		`{"childPayloads":[{"histograms":{"A":` + hist + `,"B":` + count + `},"keyedHistograms":{"K":{"a":` + hist + `}},"simpleMeasurements":{"uptime":3,"js":{"a":2}}},{}]}`,
		`{"childPayloads":[{"histograms":{"A":` + hist + `}},5],"histograms":{"A":` + hist + `}}`,
		`{"histograms":{"B":` + count + `,"[[COUNT]]_B":` + hist + `,"SCALARS_A.B":` + hist + `},"processes":{"parent":{"scalars":{"a.b":6}}}}`,
		`{"histograms":{"B":` + count + `,"A":{"values":{"1":1,"01":2},"sum":1,"histogram_type":1}},"keyedHistograms":{"K":{}}}`,
		`{"processes":{"parent":{"keyedScalars":{"k.s":{"aa":1,"AA":2,"x\"y":3},"n":{"0":1,"é":2}},"scalars":{"huge":1e300,"neg":-5,"z":-0.0}}}}`,
		`{"simpleMeasurements":` + hist + `}`,
		`{"childPayloads":{"a":5},"histograms":{"A":` + hist + `}}`,
	}
	i := 0
	checkAgainstOracle(t, func() (string, []byte, time.Time, bool, bool) {
		if i == 2*len(payloads) {
			return "", nil, time.Time{}, false, false
		}
		i++
		uri := fmt.Sprintf("/submit/telemetry/%08d-0000-4000-8000-000000000000/main/Firefox/61.0/beta/20180328030202?v=4", i)
		return uri, pingOf(payloads[(i-1)%len(payloads)]), time.Unix(1522238400, 0), true, true
	})
}

package rollups

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// ping is a main ping as a flat set of values: what a decoder would have made of it.
type ping map[types.Path]any

func basePing(channel, version, build, os, osVersion string, date int64) ping {
	return ping{
		"document_type": "main", "document_version": "4", "sample_id": int64(42), "submission_date": date,
		types.MakePath("metadata", "uri", "app_name"):            "Firefox",
		types.MakePath("application", "channel"):                 channel,
		types.MakePath("application", "version"):                 version,
		types.MakePath("application", "buildId"):                 build,
		types.MakePath("application", "name"):                    "Firefox",
		types.MakePath("application", "architecture"):            "x86-64",
		types.MakePath("environment", "system", "os", "name"):    os,
		types.MakePath("environment", "system", "os", "version"): osVersion,
	}
}

// jsonText is a value stored as jsonb.
type jsonText string

func leafOf(v any) types.Leaf {
	switch v.(type) {
	case bool:
		return types.LeafBool
	case int64:
		return types.LeafInt
	case float64:
		return types.LeafFloat
	case *sketch.Histogram:
		return types.LeafHistogram
	case jsonText:
		return types.LeafJSON
	}
	return types.LeafText
}

func groupOf(pings []ping) column.Group {
	type key struct {
		p types.Path
		l types.Leaf
	}
	cols := map[key]*vec.Vector{}
	for _, p := range pings {
		for path, v := range p {
			k := key{path, leafOf(v)}
			if cols[k] == nil {
				cols[k] = &vec.Vector{}
				cols[k].Reset(k.l.Type())
			}
		}
	}
	for _, p := range pings {
		for k, col := range cols {
			v, ok := p[k.p]
			if !ok || leafOf(v) != k.l {
				col.AppendNull()
				continue
			}
			switch x := v.(type) {
			case bool:
				col.AppendBool(x)
			case int64:
				col.AppendInt(x)
			case float64:
				col.AppendFloat(x)
			case *sketch.Histogram:
				col.AppendBytes(x.AppendTo(nil))
			case jsonText:
				col.AppendString(string(x))
			case string:
				col.AppendString(x)
			}
		}
	}
	m := column.NewMem(len(pings))
	for k, col := range cols {
		m.Add(k.p, k.l, col)
	}
	return m
}

// dump prints groups of states a line a state.
func dump(t *testing.T, groups []column.Group) []string {
	t.Helper()
	m, err := newMerger(groups, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for row := newStateVectors(); m.next(row); row = newStateVectors() {
		var h sketch.Histogram
		if err := h.Decode(row[colHistogram].Bytes(0)); err != nil {
			t.Fatal(err)
		}
		var f []string
		for i := range keyCols {
			if i == colDate {
				f = append(f, fmt.Sprint(row[i].Int(0)))
			} else if i != colLayout {
				f = append(f, string(row[i].Bytes(0)))
			}
		}
		out = append(out, fmt.Sprintf("%s | %d %.3f %s", strings.Join(f, " "), row[colCount].Int(0), row[colFraction].Float(0), h.String()))
	}
	if m.err != nil {
		t.Fatal(m.err)
	}
	return out
}

func hist(text string) *sketch.Histogram {
	h, err := sketch.Parse(text)
	if err != nil {
		panic(err)
	}
	return h
}

func TestBuildFollowsTheReferenceRules(t *testing.T) {
	p1 := basePing("nightly", "61.0a1", "20180328030202", "Linux", "4.15.0", 17618)
	p1[types.MakePath("payload", "histograms", "GC_MS")] = hist("5;1;12;1,10;0:1,1:2,4:1,7:0")
	p1[types.MakePath("payload", "histograms", "ODD")] = jsonText(`{"sum": 3, "values": {"0": 1, "x": 5, "2": "no"}, "histogram_type": 1, "log_sum": 1}`)
	p1[types.MakePath("payload", "histograms", "TABS")] = hist("3;4;23;1,2;0:23,1:0")
	p1[types.MakePath("payload", "processes", "content", "histograms", "GC_MS")] = hist("5;1;3;1,10;1:3,4:0")
	p1[types.MakePath("payload", "processes", "dynamic", "scalars", "ignored")] = int64(1)
	p1[types.MakePath("payload", "processes", "parent", "scalars", "browser.engagement.total_uri_count")] = int64(22)
	p1[types.MakePath("payload", "processes", "parent", "scalars", "browser.engagement.navigation.x")] = int64(22)
	p1[types.MakePath("payload", "processes", "parent", "scalars", "flag")] = true
	p1[types.MakePath("payload", "processes", "parent", "keyedScalars", "k.s")] = jsonText(`{"a": 5, "b": "text", "c": -1}`)
	p1[types.MakePath("payload", "keyedHistograms", "KH")] = jsonText(`{"Key": {"bucket_count": 3, "histogram_type": 2, "sum": 1, "range": [1, 2], "values": {"0": 0, "1": 1, "2": 0}}}`)
	p1[types.MakePath("payload", "simpleMeasurements", "uptime")] = float64(7.5)
	p1[types.MakePath("payload", "simpleMeasurements", "js", "setProto")] = int64(-1)
	p1[types.MakePath("payload", "childPayloads")] = jsonText(`[{"histograms": {"GC_MS": {"bucket_count": 5, "histogram_type": 1, "sum": 9, "range": [1, 10], "values": {"7": 1}}}}]`)
	p2 := basePing("esr", "60.0", "20180328030202", "Windows_NT", "6.1", 17618)
	p2[types.MakePath("payload", "histograms", "GC_MS")] = hist("5;1;12;1,10;0:1")
	p3 := basePing("nightly", "61.0a1", "20180328230202", "Linux", "4.15.9", 17618)
	p3[types.MakePath("payload", "histograms", "GC_MS")] = hist("5;1;100;1,10;10:4")
	p4 := basePing("nightly", "61.0a1", "20180328230202", "Linux", "4.15.9", 17618)
	p4[types.MakePath("payload", "histograms", "GC_MS")] = hist("5;1;100;1,10;10:4")
	p4[types.MakePath("payload", "childPayloads")] = jsonText(`[{}, 5]`)

	groups, err := build(groupOf([]ping{p1, p2, p3, p4}), []uint16{0, 1, 2, 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := dump(t, groups)
	const dims = " nightly 61 20180328 Firefox x86-64 Linux 4.1 17618 | "
	want := []string{
		"GC_MS content " + dims + "2 0.000 5;1;12;1,10;1:3,7:1",
		"GC_MS parent " + dims + "2 0.000 5;1;112;1,10;0:1,1:2,4:1,10:4",
		"KH parent Key" + dims + "1 0.000 3;2;1;1,2;1:1",
		"ODD parent " + dims + "1 0.000 0;1;3;0,0;0:1",
		"SCALARS_BROWSER.ENGAGEMENT.TOTAL_URI_COUNT parent " + dims + "1 0.000 100;0;22;1,10000;21:1",
		"SCALARS_FLAG parent " + dims + "1 0.000 100;0;1;1,10000;1:1",
		"SCALARS_K.S parent A" + dims + "1 0.000 100;0;5;1,10000;5:1",
		"SIMPLE_MEASURES_UPTIME parent " + dims + "1 0.500 50;0;7;1,30000;7:1",
		"[[COUNT]]_TABS parent " + dims + "1 0.000 100;0;23;1,10000;23:1",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func randomPing(r *rand.Rand) ping {
	p := basePing([]string{"nightly", "beta", "release", "aurora", "esr"}[r.IntN(5)], fmt.Sprintf("%d.0", 60+r.IntN(2)),
		fmt.Sprintf("2018032%d030202", r.IntN(3)), []string{"Linux", "Windows_NT"}[r.IntN(2)], fmt.Sprintf("%d.15", r.IntN(3)), int64(17000+r.IntN(2)))
	layouts := []sketch.Layout{{Type: 1, Buckets: 10, Low: 1, High: 100}, {Type: 0, Buckets: 20, Low: 1, High: 1000}, {Type: 4, Buckets: 3, Low: 1, High: 2}}
	for i := range 6 {
		if r.IntN(3) == 0 {
			continue
		}
		l := layouts[i%3]
		if r.IntN(20) == 0 {
			l.Low = 2
		}
		h := &sketch.Histogram{Layout: l, Sum: r.Int64N(1000)}
		for _, b := range l.Bounds() {
			if r.IntN(3) == 0 {
				h.Buckets = append(h.Buckets, sketch.Bucket{Bound: b, Count: r.Int64N(5)})
			}
		}
		p[types.MakePath("payload", "histograms", fmt.Sprintf("H%d", i))] = h
		p[types.MakePath("payload", "processes", "content", "histograms", fmt.Sprintf("H%d", i))] = h
	}
	p[types.MakePath("payload", "processes", "gpu", "scalars", "s")] = r.Int64N(20000)
	p[types.MakePath("payload", "simpleMeasurements", "f")] = float64(r.IntN(100)) / 4
	return p
}

// TestMergeOfPartsEqualsTheWhole is the promise that lets a seal publish deltas: however rows are cut into seals and
// states into merges, the roll-up is the recomputation.
func TestMergeOfPartsEqualsTheWhole(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		var pings []ping
		for range 1 + r.IntN(60) {
			pings = append(pings, randomPing(r))
		}
		whole, err := build(groupOf(pings), allRows(len(pings)), nil)
		if err != nil {
			t.Fatal(err)
		}
		var parts []column.Group
		for rest := pings; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			g, err := build(groupOf(rest[:n]), allRows(n), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.IntN(2) == 0 {
				if parts, err = merge(append(parts, g...), nil); err != nil {
					t.Fatal(err)
				}
			} else {
				parts = append(parts, g...)
			}
			rest = rest[n:]
		}
		a, b := dump(t, whole), dump(t, parts)
		if strings.Join(a, "\n") != strings.Join(b, "\n") {
			t.Fatalf("seed %d: whole\n%s\nparts\n%s", seed, strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
		if !sort.StringsAreSorted(metricsOf(whole)) {
			t.Fatalf("seed %d: states are not sorted", seed)
		}
	}
}

func metricsOf(groups []column.Group) []string {
	var out []string
	for _, g := range groups {
		v, err := readWhole(g, "metric", types.LeafText)
		if err != nil {
			panic(err)
		}
		for i := range v.N {
			out = append(out, string(v.Bytes(i)))
		}
	}
	return out
}

// TestReadAddsTheHeadAndHonoursWhere reads sealed states and unsealed rows together.
func TestReadAddsTheHeadAndHonoursWhere(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var pings []ping
	for range 40 {
		pings = append(pings, randomPing(r))
	}
	sealed, err := build(groupOf(pings[:25]), allRows(25), nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := build(groupOf(pings), allRows(40), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range []string{"H1", "[[COUNT]]_H2", "SCALARS_S", "NONE"} {
		want := countRows(t, mustRead(t, all, nil, nil), metric)
		got := countRows(t, mustRead(t, sealed, []column.Group{groupOf(pings[25:])}, []Where{{"metric", []string{metric}}}), metric)
		if got != want {
			t.Errorf("%s: got %v, want %v", metric, got, want)
		}
	}
}

func mustRead(t *testing.T, states, head []column.Group, where []Where) *Reader {
	t.Helper()
	r, err := Read(states, nil, head, where)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// countRows returns rows, contributions and sum of one metric.
func countRows(t *testing.T, r *Reader, metric string) (out [3]int64) {
	t.Helper()
	for {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return out
		}
		for i := range b.N {
			if string(b.Cols[8].Bytes(i)) == metric {
				out[0]++
				out[1] += b.Cols[11].Int(i)
				out[2] += b.Cols[12].Int(i)
			}
		}
	}
}

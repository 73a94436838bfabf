package shred

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// document shreds one document with every member in its own column and returns the row's leaves.
func document(t *testing.T, s *Shredder, in *column.Interner, text string) string {
	t.Helper()
	var row column.RowBuf
	err := s.Document([]byte(text), &row, func(m string) (uint32, bool) { return in.Intern(types.Path(m)), true })
	if err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return leaves(in, &row)
}

func TestPingRulesStopWhereKeysAreData(t *testing.T) {
	in := column.NewInterner()
	s := New(in, &Rules{Stops: PingRules})
	for text, want := range map[string]string{
		`{"payload":{"keyedHistograms":{"N":{"some key":{"sum":1}}}}}`:                              "payload.keyedHistograms.N json",
		`{"payload":{"keyedHistograms":{}}}`:                                                        "payload.keyedHistograms json",
		`{"payload":{"processes":{"content":{"keyedScalars":{"a.b":{"k":1}},"scalars":{"c":2}}}}}`:  "payload.processes.content.keyedScalars.a.b json,payload.processes.content.scalars.c int",
		`{"environment":{"addons":{"activeAddons":{"x@y":{"version":"1"}},"theme":{"id":"t"}}}}`:    "environment.addons.activeAddons json,environment.addons.theme.id text",
		`{"environment":{"experiments":{"exp":{"branch":"b"}},"settings":{"userPrefs":{"a.b":1}}}}`: "environment.experiments json,environment.settings.userPrefs json",
		`{"payload":{"slowSQL":{"mainThread":{"SELECT 1":[1,2]},"otherThreads":{}}}}`:               "payload.slowSQL.mainThread json,payload.slowSQL.otherThreads json",
		`{"metrics":{"labeled_counter":{"a.b":{"x":1}},"counter":{"c.d":2}}}`:                       "metrics.labeled_counter.a.b json,metrics.counter.c.d int",
		`{"metrics":{"timing_distribution":{"a.b":{"sum":1,"values":{"1":2}}}}}`:                    "metrics.timing_distribution.a.b json",
		`{"payload":{"histograms":{"H":{"sum":"odd"}}}}`:                                            "payload.histograms.H json",
		`{"searches":{"google.urlbar":1}}`:                                                          "searches json",
	} {
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(document(t, s, in, text)), "\n") {
			got = append(got, strings.Join(strings.Fields(line)[:2], " "))
		}
		// A key with a space in it would be cut: none of the wanted paths has one.
		if strings.Join(got, ",") != want {
			t.Errorf("%s:\ngot  %s\nwant %s", text, strings.Join(got, ","), want)
		}
	}
}

func TestManyKeysThatLookLikeValuesBecomeAKeyedMap(t *testing.T) {
	in := column.NewInterner()
	s := New(in, nil)
	for i := range 300 {
		document(t, s, in, fmt.Sprintf(`{"p":{"ids":{"user-%06d":1},"named":{"name%c%c":1}}}`, i, 'a'+i/26, 'a'+i%26))
	}
	got := document(t, s, in, `{"p":{"ids":{"user-999999":1,"plain":2},"named":{"other":3}}}`)
	if want := "p.ids json {\"plain\": 2, \"user-999999\": 1}\np.named.other int 3\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if w := in.Width(in.Intern("p\x00ids")); w > widthMax+1 {
		t.Errorf("%d paths under the map", w)
	}
	// A second worker sees the same width and stops at its first new id.
	if got := document(t, New(in, nil), in, `{"p":{"ids":{"user-888888":1}}}`); got != "p.ids json {\"user-888888\": 1}\n" {
		t.Error(got)
	}
}

func TestPathsOfATableAreCapped(t *testing.T) {
	in := column.NewInterner()
	rules := &Rules{PathsPerTable: 10}
	a, b := New(in, rules), New(in, rules)
	main := types.TableName{Schema: "telemetry", Name: "main"}
	a.Use(main)
	b.Use(main)
	for i := range 8 {
		document(t, a, in, fmt.Sprintf(`{"p":{"name%c":1}}`, 'a'+i))
	}
	document(t, b, in, `{"p":{"o":{"x":1}}}`)
	if got := document(t, b, in, `{"p":{"o":{"x":1,"y":2},"namea":3}}`); got != "p.o json {\"x\": 1, \"y\": 2}\np.namea int 3\n" {
		t.Errorf("the eleventh path: %s", got)
	}
	if got := document(t, a, in, `{"p":{"new":1}}`); got != "p json {\"new\": 1}\n" {
		t.Error(got)
	}
	b.Use(types.TableName{Schema: "telemetry", Name: "crash"})
	if got := document(t, b, in, `{"p":{"new":1}}`); got != "p.new int 1\n" {
		t.Errorf("another table has a cap of its own: %s", got)
	}
}

func TestWorkersShareCapsSafely(t *testing.T) {
	in := column.NewInterner()
	rules := &Rules{PathsPerTable: 100, Stops: PingRules}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			s := New(in, rules)
			for i := range 300 {
				var row column.RowBuf
				text := fmt.Sprintf(`{"p":{"key%c%c":{"a":1},"histograms":{"H":{"sum":1}}}}`, 'a'+(i+w)%26, 'a'+i/26)
				if err := s.Document([]byte(text), &row, func(m string) (uint32, bool) { return in.Intern(types.Path(m)), true }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := in.Len(); n > 110 {
		t.Errorf("%d paths", n)
	}
}

func TestCapsOnPathsNeverDecideWhetherADocumentIsAccepted(t *testing.T) {
	// The first document is just at the cap on tokens and near that on zeros, the second above.
	member := `"m":{"n":{"o":{"l":[1` + strings.Repeat(",1", 500) + `],"e":[1e130000,1e130000,1e130000,1e130000],"x1":1,` +
		`"h":{"bucket_count":3,"histogram_type":4,"sum":1,"range":[1,2],"values":{"0":1,"1":0},"log_sum":0}},"x2":1},"x3":1}`
	for _, extra := range []struct {
		text string
		ok   bool
	}{{"", true}, {`,"y":0`, false}} {
		text := `{` + member + `,` + strings.Replace(member, `"m"`, `"r"`, 1) + extra.text + `}`
		for _, paths := range []int{0, 1, 2, 3, 4, 5} {
			in := column.NewInterner()
			rules := &Rules{PathsPerTable: paths, Rest: "rest", Limits: Limits{Depth: 64, Tokens: 2*(521+20) + 1, KeyBytes: 100}}
			s := New(in, rules)
			for range 2 {
				var row column.RowBuf
				err := s.Document([]byte(text), &row, func(m string) (uint32, bool) { return in.Intern(types.Path(m)), m == "m" })
				if (err == nil) != extra.ok {
					t.Fatalf("%d paths: accepted %v, want %v: %v", paths, err == nil, extra.ok, err)
				}
			}
		}
	}
}

func TestKeysTooLongForAPath(t *testing.T) {
	in := column.NewInterner()
	s := New(in, nil)
	long := strings.Repeat("k", pathKeyBytesMax+1)
	if got := document(t, s, in, `{"p":{"a":1,"`+long+`":2}}`); got != "p json {\"a\": 1, \""+long+"\": 2}\n" {
		t.Error(got)
	}
}

func TestWatchedValues(t *testing.T) {
	in := column.NewInterner()
	s := New(in, &Rules{Watch: []string{"a.b", "v"}, Rest: "rest"})
	for text, want := range map[string]string{
		`{"a":{"b":"x"},"v":3}`:                 "x 3",
		`{"a":{"b":{"c":1}},"v":null}`:          "- -",
		`{"a":{"b":[1]},"v":{}}`:                "- -",
		`{"a":{"b":"x"},"a":{"c":1},"v":1}`:     "- 1",
		`{"v":1,"a":{"b":"x","b":"y"},"v":2}`:   "y 2",
		`{"a":{"b":"x"},"a":{"b":"z"},"v":"t"}`: "z t",
	} {
		var row column.RowBuf
		if err := s.Document([]byte(text), &row, func(m string) (uint32, bool) { return in.Intern(types.Path(m)), m == "a" }); err != nil {
			t.Fatal(err)
		}
		got := ""
		for i := range 2 {
			v, ok := s.Watched(i)
			switch {
			case !ok:
				got += " -"
			case v.Leaf == types.LeafText:
				got += " " + string(row.Data(v))
			default:
				got += fmt.Sprint(" ", int64(v.Num))
			}
		}
		if got[1:] != want {
			t.Errorf("%s: %s, want %s", text, got[1:], want)
		}
	}
}

func TestWatchedValuesAreFoundPastTheCaps(t *testing.T) {
	in := column.NewInterner()
	s := New(in, &Rules{Watch: []string{"a.b.c", "v"}, Rest: "rest", PathsPerTable: 1})
	for range 2 {
		var row column.RowBuf
		if err := s.Document([]byte(`{"a":{"x":{},"b":{"c":"q\"t"}},"v":12}`), &row, func(m string) (uint32, bool) { return in.Intern(types.Path(m)), m == "a" }); err != nil {
			t.Fatal(err)
		}
		c, ok := s.Watched(0)
		if !ok || string(row.Data(c)) != `q"t` {
			t.Error(ok, leaves(in, &row))
		}
		if v, ok := s.Watched(1); !ok || v.Leaf != types.LeafInt || v.Num != 12 {
			t.Error(v, ok, leaves(in, &row))
		}
	}
}

func TestLooksLikeValue(t *testing.T) {
	for key, want := range map[string]bool{
		"GC_MS": false, "a11y.theme": false, "HTTP_SUB_CACHED": false, "uptime": false, "devtools.entry_point": false, "sqlite3": false,
		"{ec8030f7-c20a-464f-9b0e-13a3a9e97384}": true, "x@y": true, "12": true, "1.2.3": true, "https://a.b": true, "two words": true,
		"user-123456": true, "deadbeef01": true, "été": true, strings.Repeat("a", 101): true,
	} {
		if got := looksLikeValue([]byte(key)); got != want {
			t.Errorf("%q: %v", key, got)
		}
	}
}

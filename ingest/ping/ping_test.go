package ping

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/telemdb/telemdb/storage/types"
	"pgregory.net/rapid"
)

// shared returns the path of a file of the reference data beside the repository, or skips the test.
func shared(t testing.TB, elem ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		p := filepath.Join(append([]string{dir, "..", "shared"}, elem...)...)
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			if _, err := os.Stat(p); err != nil {
				t.Skip("no reference data beside the repository")
			}
			return p
		}
		if dir == filepath.Dir(dir) {
			t.Skip("not in the repository")
		}
		dir = filepath.Dir(dir)
	}
}

func TestSnakeCaseAgreesWithTheGoldenVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t, "data", "golden", "casing"), "*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatal("no vectors", err)
	}
	n := 0
	for _, f := range files {
		r, err := os.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(r).ReadAll()
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			n++
			if got := SnakeCase(row[0]); got != row[1] {
				t.Errorf("%s: SnakeCase(%q) = %q, want %q", filepath.Base(f), row[0], got, row[1])
			}
		}
	}
	if n < 250 {
		t.Errorf("only %d vectors", n)
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"D2DEnabled": "d2d_enabled", "slowSQLstartup": "slow_sq_lstartup", "a11y.theme": "a11y_theme", "GC_MS": "gc_ms",
		"live-sink": "live_sink", "liveSink": "live_sink", "live_sink": "live_sink", "clientId": "client_id",
		"": "", "---": "", "7AA": "_7aa", "_x_": "x", "é": "", "a__b": "a_b", "org-mozilla-fenix": "org_mozilla_fenix",
	} {
		if got := Name(in); got != want {
			t.Errorf("Name(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSnakeCaseIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "name")
		once := SnakeCase(s)
		if strings.Trim(once, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			t.Fatalf("%q has other characters", once)
		}
		if isSnake(once) && SnakeCase(once) != once {
			t.Fatal("not stable")
		}
	})
}

const id = "2c3a0767-d84a-4d02-8a92-fa54a3376049"

func TestParseURI(t *testing.T) {
	for _, c := range []struct{ path, err, class string }{
		{"/submit/telemetry/" + id + "/main/Firefox/61.0a1/nightly/20180328030202", "", ""},
		{"/submit/telemetry/" + id + "/main/Firefox/61.0a1/nightly/20180328030202/", "", ""},
		{"/submit/eng-workflow/hgpush/1/" + id, "", ""},
		{"/submit/eng-workflow/hgpush/1/" + id + "//", "", ""},
		{"/submit/telemetry/main/Firefox/61.0a1/nightly/20180328030202",
			"Found -1 more path elements in the URI than expected for this endpoint", ClassPathElements},
		{"/submit/telemetry/" + id, "Found -5 more path elements in the URI than expected for this endpoint", ClassPathElements},
		{"/submit/telemetry/foo/1/" + id, "Found -3 more path elements in the URI than expected for this endpoint", ClassPathElements},
		{"/submit/telemetry//update/Firefox/61/release/1", "Invalid UUID string: ", ClassInvalidURI},
		{"/submit/a/b/1/" + id + "/x", "Found 1 more path elements in the URI than expected for this endpoint", ClassPathElements},
		{"/submit/a/b/1/not-a-uuid", "Invalid UUID string: not-a-uuid", ClassInvalidURI},
		{"/submit/", "Found -3 more path elements in the URI than expected for this endpoint", ClassPathElements},
		{"/submit/sslreports", "sslreports are not collected", ClassUnwanted},
		{"/other", "Unknown URI prefix", ClassInvalidURI},
		{"", "Unknown URI prefix", ClassInvalidURI},
	} {
		_, err := ParseURI(c.path)
		if c.err == "" {
			if err != nil {
				t.Errorf("%s: %v", c.path, err)
			}
			continue
		}
		if e, ok := err.(*URIError); !ok || e.Msg != c.err || e.Class != c.class {
			t.Errorf("%s: got %v, want %s: %s", c.path, err, c.class, c.err)
		}
	}
	u, err := ParseURI("/submit/telemetry/" + id + "/main/Firefox/61.0a1/nightly/20180328030202")
	want := URI{Namespace: "telemetry", DocType: "main", DocID: id, Telemetry: true,
		AppName: "Firefox", AppVersion: "61.0a1", AppUpdateChannel: "nightly", AppBuildID: "20180328030202"}
	if err != nil || u != want {
		t.Error(cmp.Diff(want, u), err)
	}
	u, err = ParseURI("/submit/eng-workflow/hgpush/1/" + id)
	if want := (URI{Namespace: "eng-workflow", DocType: "hgpush", DocVersion: "1", DocID: id}); err != nil || u != want {
		t.Error(cmp.Diff(want, u), err)
	}
}

func TestUUIDIsCheckedAsTheReferenceDoes(t *testing.T) {
	for s, want := range map[string]bool{
		id: true, strings.ToUpper(id): true, "1-2-3-4-5": true, "": false, "1-2-3-4": false, "1-2-3-4-5-6": false,
		"1--3-4-5": false, "g-2-3-4-5": false, id + "0": false, "{" + id + "}": false, "-1-2-3-4": false, "1-2-3-4-": false,
	} {
		if IsUUID(s) != want {
			t.Errorf("IsUUID(%q) = %v", s, !want)
		}
	}
	if got, ok := ClientID("{" + strings.ToUpper(id) + "}"); !ok || got != id {
		t.Error(got, ok)
	}
}

func TestSampleIDOfThePublishedVectors(t *testing.T) {
	for s, want := range map[string]int64{
		"2907648d-711b-4e9f-94b5-52a2b40a44b1": 67, "90210716-99f8-0a4f-8119-9bfc16cd68a3": 17,
		"0e085f25-dd1c-412a-86c7-177d1b5aa5eb": 12, "6fd3eb50-8bec-4b9c-8778-59406171312a": 50, "": 0,
	} {
		if got := SampleID(s); got != want {
			t.Errorf("SampleID(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestNormalisedFields(t *testing.T) {
	type rule struct {
		f        func(string) string
		in, want string
	}
	for _, c := range []rule{
		{Channel, "release", "release"}, {Channel, "esr", "esr"}, {Channel, "Release", "Other"}, {Channel, "esr52", "Other"},
		{Channel, "nightlyx", "Other"}, {Channel, "betastop", "beta"}, {Channel, "nightly-cck-google", "nightly"}, {Channel, "", "Other"},
		{OS, "Windows_NT", "Windows"}, {OS, "WINNT", "Windows"}, {OS, "Darwin", "Mac"}, {OS, "GNU/Linux", "Linux"}, {OS, "FreeBSD", "Linux"},
		{OS, "SunOS", "Linux"}, {OS, "iOS", "iOS"}, {OS, "an iPhone", "iOS"}, {OS, "Android", "Android"}, {OS, "windows", "Other"},
		{OSVersion, "10.10.3.4.1", "10.10.3"}, {OSVersion, "3.13.0-168-lowlatency", "3.13.0"}, {OSVersion, "hi", ""}, {OSVersion, "10", "10"},
		{OSVersion, "10.", "10"}, {OSVersion, "1.x", "1"}, {OSVersion, "", ""},
		{AppName, "Firefox", "Firefox"}, {AppName, "FirefoxOS", "Firefox"}, {AppName, "Focus-TV2", "Focus-TV"}, {AppName, "Zerda_cn", "Zerda_cn"},
		{AppName, "firefox", "Other"}, {CountryCode, "us", "US"}, {CountryCode, "DE", "DE"}, {CountryCode, "??", "Other"},
		{CountryCode, "USA", "Other"}, {CountryCode, "u1", "Other"}, {CountryCode, "[[", "Other"}, {CountryCode, "\x41\x1a", "Other"},
	} {
		if got := c.f(c.in); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestCutKeepsWholeCharacters(t *testing.T) {
	if s := strings.Repeat("x", 1024); Cut(s) != s {
		t.Error("1,024 bytes were cut")
	}
	for _, s := range []string{strings.Repeat("x", 1025), strings.Repeat("é", 600), "x" + strings.Repeat("€", 400)} {
		got := Cut(s)
		if len(got) > AttributeMax || len(got) < AttributeMax-4 || !strings.HasSuffix(got, "...") ||
			!strings.HasPrefix(s, strings.TrimSuffix(got, "...")) || strings.ContainsRune(got, '\uFFFD') {
			t.Errorf("cut to %d bytes: %q", len(got), got[len(got)-10:])
		}
	}
}

func drawRecord(t *rapid.T) *Record {
	field := rapid.SliceOfN(rapid.Byte(), 0, 300)
	r := &Record{
		Time: rapid.Int64().Draw(t, "time"), Method: rapid.SampledFrom([]Method{MethodPost, MethodPut}).Draw(t, "method"),
		Path: field.Draw(t, "path"), Query: field.Draw(t, "query"), Protocol: field.Draw(t, "protocol"),
		RemoteAddr: field.Draw(t, "peer"), Body: field.Draw(t, "body"),
	}
	for h := range r.Headers {
		if rapid.Bool().Draw(t, "present") {
			r.Headers[h] = field.Draw(t, "header")
		}
	}
	return r
}

func TestRecordGivesBackWhatItWasGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		payload := AppendRecord(nil, r)
		var got Record
		if err := DecodeRecord(payload, &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, &got); d != "" {
			t.Fatal(d)
		}
		head := len(payload) - len(r.Body)
		for n := range head {
			if err := DecodeRecord(payload[:n], &got); err == nil {
				t.Fatalf("a head cut to %d of %d bytes was accepted", n, head)
			}
		}
	})
}

func TestRecordOfTheFormatDocument(t *testing.T) {
	r := &Record{Time: 1, Method: MethodPost, Path: []byte("/submit/a/b/1/c"), Query: []byte("v=4"), Protocol: []byte("HTTP/1.1"),
		RemoteAddr: []byte("::1"), Body: []byte("{}")}
	r.Headers[HeaderDNT] = []byte("1")
	want := "\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00" + "\x0f/submit/a/b/1/c" + "\x03v=4" + "\x08HTTP/1.1" + "\x03::1" + "\x01\x03\x011" + "{}"
	if got := string(AppendRecord(nil, r)); got != want {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(AppendRecord(nil, &Record{Method: MethodPut, Path: []byte("/submit/a/b/1/" + id), Body: []byte("x")}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var r Record
		if DecodeRecord(payload, &r) == nil {
			var again Record
			if err := DecodeRecord(AppendRecord(nil, &r), &again); err != nil || !cmp.Equal(r, again) {
				t.Fatal("a decoded record does not encode to itself", err)
			}
		}
		new(Router).Route(payload)
	})
}

func TestRouteAgreesWithParseURI(t *testing.T) {
	var router Router
	rapid.Check(t, func(t *rapid.T) {
		elem := rapid.SampledFrom([]string{"telemetry", "main", "", "eng-workflow", "a.b", "1", id, "telemdb", "pg_x", "x y", "---"})
		path := rapid.SampledFrom([]string{"/submit/", "/submit/telemetry/", "/", "/stub/"}).Draw(t, "prefix") +
			strings.Join(rapid.SliceOfN(elem, 0, 8).Draw(t, "elements"), "/")
		want := ErrorsTable
		if u, err := ParseURI(path); err == nil {
			if table, err := Table(u.Namespace, u.DocType); err == nil {
				want = table
			}
		}
		payload := AppendRecord(nil, &Record{Method: MethodPost, Path: []byte(path)})
		for range 2 {
			if got := router.Route(payload); got != want {
				t.Fatalf("%s: routed to %v, want %v", path, got, want)
			}
		}
	})
	want := types.TableName{Schema: "eng_workflow", Name: "hgpush"}
	if got := router.Route(AppendRecord(nil, &Record{Method: MethodPost, Path: []byte("/submit/eng-workflow/hgpush/1/" + id)})); got != want {
		t.Error(got)
	}
}

func BenchmarkRoute(b *testing.B) {
	var router Router
	payload := AppendRecord(nil, &Record{Method: MethodPost, Path: []byte("/submit/telemetry/" + id + "/main/Firefox/61.0a1/nightly/20180328030202")})
	b.ReportAllocs()
	for b.Loop() {
		router.Route(payload)
	}
}

package ingest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/valyala/fastjson"
)

const mainURI = "/submit/telemetry/" + docID + "/main/Firefox/61.0a1/nightly-cck-x/20180328030202"

func TestEverySampleBecomesItsRow(t *testing.T) {
	env := newFakeEnv()
	for _, s := range samples(t) {
		for _, body := range [][]byte{s.text, gzipped(t, string(s.text))} {
			row := decodeOne(t, env, s.uri, body, nil)
			if row.out.Table != s.table {
				t.Errorf("%s: went to %v: %s", s.file, row.out.Table, row.get("error_message"))
				continue
			}
			if got := row.document(); !sameJSON(t, []byte(got), s.text) {
				t.Errorf("%s: document is not given back: %.300s", s.file, got)
			}
		}
	}
}

func TestEnvelopeColumnsOfATelemetryPing(t *testing.T) {
	doc := `{"type":"main","version":4,"clientId":"2907648D-711B-4E9F-94B5-52A2B40A44B1","application":{"name":"X"},
		"environment":{"system":{"os":{"name":"Windows_NT","version":"10.0.1.2.3"}}},"payload":{"info":{"reason":"daily"}}}`
	row := decodeOne(t, newFakeEnv(), mainURI, []byte(doc), func(r *ping.Record) {
		r.Headers[ping.HeaderDNT] = []byte("1")
		r.Headers[ping.HeaderXDebugID] = []byte("")
		r.Headers[ping.HeaderUserAgent] = []byte("secret agent")
	})
	for name, want := range map[string]string{
		"submission_timestamp": "1520888538123456", "submission_date": "17602", "document_id": docID, "document_type": "main",
		"document_version": "4", "client_id": "2907648d-711b-4e9f-94b5-52a2b40a44b1", "sample_id": "67", "normalized_app_name": "Firefox",
		"normalized_channel": "nightly", "normalized_os": "Windows", "normalized_os_version": "10.0.1", "normalized_country_code": "",
		"app_version": "61.0a1", "app_build_id": "20180328030202", "geo_country": "", "_lsn": "42",
	} {
		if got := row.get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if got, want := row.json("additional_properties"), `{"clientId": "2907648D-711B-4E9F-94B5-52A2B40A44B1"}`; got != want {
		t.Errorf("additional_properties = %s: a client may not write the server's client_id column", got)
	}
	want := `{"geo":{},"isp":{},"user_agent":{},"header":{"dnt":"1","x_debug_id":""},"document_namespace":"telemetry","document_type":"main",
		"document_version":"4","uri":{"uri":"` + mainURI + `","app_name":"Firefox","app_version":"61.0a1","app_update_channel":"nightly-cck-x",
		"app_build_id":"20180328030202"}}`
	if got := row.json("metadata"); !sameJSON(t, []byte(got), []byte(want)) {
		t.Errorf("metadata = %s", got)
	}
	if got := row.document(); !sameJSON(t, []byte(got), []byte(doc)) {
		t.Errorf("document = %s", got)
	}
	if got, want := string(row.out.Key), "telemetry\x00main\x00"+docID; got != want || row.out.Partition != 17602 {
		t.Errorf("key %q, partition %d", got, row.out.Partition)
	}
}

func TestAttributesFromOtherDocuments(t *testing.T) {
	glean := "/submit/org-mozilla-fenix/baseline/1/" + strings.ToUpper(docID)
	core := "/submit/telemetry/" + docID + "/core/Fennec/60/release/1"
	for _, c := range []struct{ uri, doc, columns string }{
		{glean, `{"client_info":{"client_id":"{90210716-99F8-0A4F-8119-9BFC16CD68A3}","app_channel":"beta","os":"Android","os_version":"9","app_display_version":"1.2","app_build":"77"}}`,
			"client_id=90210716-99f8-0a4f-8119-9bfc16cd68a3 sample_id=17 normalized_channel=beta normalized_os=Android normalized_os_version=9 app_version=1.2 app_build_id=77 document_version=1 normalized_app_name="},
		{glean, `{"client_id":"0e085f25-dd1c-412a-86c7-177d1b5aa5eb","os":"iOS","osversion":"12.1","release_channel":"other"}`,
			"client_id=0e085f25-dd1c-412a-86c7-177d1b5aa5eb sample_id=12 normalized_os=iOS normalized_os_version=12.1 normalized_channel=Other"},
		{core, `{"v":9,"clientId":"not a uuid","os":"Android"}`, "client_id= sample_id= document_version=9 normalized_os=Android normalized_channel=release normalized_app_name=Fennec"},
		{core, `{}`, "document_version= normalized_os= client_id="},
		{core, `{"version":"4","os":12,"clientId":null}`, "document_version=4 normalized_os=Other client_id="},
		{core, `{"version":4,"version":5}`, "document_version=5"},
		{core, `{"client_info":{},"os":"Linux"}`, "normalized_os=Linux"},
	} {
		row := decodeOne(t, newFakeEnv(), c.uri, []byte(c.doc), nil)
		for _, kv := range strings.Fields(c.columns) {
			name, want, _ := strings.Cut(kv, "=")
			if got := row.get(name); got != want {
				t.Errorf("%s: %s = %q, want %q (%s)", c.doc, name, got, want, row.get("error_message"))
			}
		}
	}
	if key := string(decodeOne(t, newFakeEnv(), glean, []byte("{}"), nil).out.Key); key != "org_mozilla_fenix\x00baseline\x00"+docID {
		t.Errorf("key %q is not folded", key)
	}
}

func TestWhatIsNoDocumentBecomesAnErrorRow(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + "}" }
	bomb := gzipped(t, strings.Repeat(" ", 8<<20+1))
	exact := gzipped(t, "{}"+strings.Repeat(" ", 8<<20-2))
	whole := gzipped(t, `{"a":1}`)
	for _, c := range []struct {
		name, uri string
		body      []byte
		stage     string
		message   string
	}{
		{"array", mainURI, []byte(`[]`), stagePayload, "not a JSON object"},
		{"cut", mainURI, []byte(`{`), stagePayload, "expected a key at byte 1"},
		{"empty", mainURI, nil, stagePayload, "unexpected end at byte 0"},
		{"second value", mainURI, []byte(`{}{}`), stagePayload, "unexpected text behind the value at byte 2"},
		{"invalid UTF-8", mainURI, []byte("{\"a\":\"x\xff\"}"), stagePayload, "invalid UTF-8 in string at byte 7"},
		{"lone surrogate", mainURI, []byte(`{"a":"\ud800"}`), stagePayload, "lone surrogate in string at byte 6"},
		{"NUL", mainURI, []byte(`{"a":"\u0000"}`), stagePayload, `\u0000 in string at byte 6`},
		{"NUL in key", mainURI, []byte(`{"\u0000":1}`), stagePayload, `\u0000 in string at byte 2`},
		{"NaN", mainURI, []byte(`{"a":NaN}`), stagePayload, "unexpected token at byte 5"},
		{"depth 64", mainURI, []byte(deep(64)), "", ""},
		{"depth 65", mainURI, []byte(deep(65)), stagePayload, "nested too deeply"},
		{"depth 65 of objects", mainURI, []byte(strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65)), stagePayload, "nested too deeply"},
		{"depth 64 of objects", mainURI, []byte(strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64)), "", ""},
		{"a million elements", mainURI, []byte(`{"a":[1` + strings.Repeat(",1", 1_000_000) + "]}"), stagePayload, "too many keys and values"},
		{"long key", mainURI, []byte(`{"` + strings.Repeat("k", 16<<10+1) + `":1}`), stagePayload, "key is too long at byte 1"},
		{"key at the limit", mainURI, []byte(`{"` + strings.Repeat("k", 16<<10) + `":1}`), "", ""},
		{"exponent bomb", mainURI, []byte(`{"a":[1e100000` + strings.Repeat(",1e100000", 20) + "]}"), stagePayload, "number out of range"},
		{"short URI", "/submit/telemetry/" + docID, []byte("{}"), stageURI, "Found -5 more path elements in the URI than expected for this endpoint"},
		{"unknown prefix", "/submit", []byte("{}"), stageURI, "Unknown URI prefix"},
		{"reserved", "/submit/telemdb/errors/1/" + docID, []byte("{}"), stageURI, "namespace telemdb is reserved for the server"},
		{"bomb", mainURI, bomb, stageSize, "document is larger than decode.max_inflated_bytes"},
		{"8 MiB exactly", mainURI, exact, "", ""},
		{"two members", mainURI, gzipped(t, `{"a":`, `1}`), "", ""},
		{"trailing garbage", mainURI, append(bytes.Clone(whole), "garbage"...), "", ""},
		{"cut gzip", mainURI, whole[:len(whole)-9], stagePayload, "body begins as gzip and cannot be inflated: unexpected EOF"},
		{"wrong sum", mainURI, append(bytes.Clone(whole[:len(whole)-8]), 0, 0, 0, 0, 7, 0, 0, 0), stagePayload, "body begins as gzip and cannot be inflated: gzip: invalid checksum"},
		{"nested gzip", mainURI, gzipped(t, string(whole)), stagePayload, "unexpected token at byte 0"},
	} {
		row := decodeOne(t, newFakeEnv(), c.uri, c.body, func(r *ping.Record) {
			r.Query = []byte("v=4")
			r.Headers[ping.HeaderUserAgent] = []byte("agent")
		})
		if c.stage == "" {
			if row.out.Table == ping.ErrorsTable {
				t.Errorf("%s: refused: %s", c.name, row.get("error_message"))
			}
			continue
		}
		if row.out.Table != ping.ErrorsTable || row.get("error_type") != c.stage || !strings.Contains(row.get("error_message"), c.message) {
			t.Errorf("%s: %v %s %q, want %s %q", c.name, row.out.Table, row.get("error_type"), row.get("error_message"), c.stage, c.message)
			continue
		}
		if len(row.out.Key) != 0 {
			t.Errorf("%s: an error row blocks its repeat", c.name)
		}
		if v, ok := row.group.Find("payload", types.LeafText); !ok {
			t.Errorf("%s: no payload", c.name)
		} else if s := v.Stats(); s.Present != 1 {
			t.Errorf("%s: payload missing", c.name)
		}
		for name, want := range map[string]string{"uri": c.uri, "args": "v=4", "method": "POST", "user_agent": "agent", "_lsn": "42", "submission_date": "17602"} {
			if got := row.get(name); got != want {
				t.Errorf("%s: %s = %q, want %q", c.name, name, got, want)
			}
		}
	}
}

func TestAnUnknownPayloadIsKept(t *testing.T) {
	env := newFakeEnv()
	var out storage.Decoded
	NewDecoder(env.env(), DecodeOptions{}).NewWorker().Decode([]byte("\x09what is this"), 7, &out)
	row := groupOfRow(t, env, &out)
	if out.Table != ping.ErrorsTable || row.get("error_type") != stageRecord || row.get("payload") != "\x09what is this" || row.get("_lsn") != "7" {
		t.Error(out.Table, row.get("error_message"), row.get("payload"))
	}
}

func TestTableThatIsNotAdmittedIsAnErrorRow(t *testing.T) {
	env := newFakeEnv()
	env.refuse = func(types.TableName) error { return errors.New("schema.max_tables (10000) reached") }
	row := decodeOne(t, env, mainURI, []byte("{}"), nil)
	if row.get("error_type") != stageTable || !strings.Contains(row.get("error_message"), "schema.max_tables (10000) reached") {
		t.Error(row.get("error_message"))
	}
}

func TestDuplicateRow(t *testing.T) {
	env := newFakeEnv()
	w := NewDecoder(env.env(), DecodeOptions{}).NewWorker()
	var out storage.Decoded
	w.Duplicate(ping.AppendRecord(nil, &ping.Record{Time: 5, Method: ping.MethodPost, Path: []byte(mainURI), RemoteAddr: []byte("192.0.2.1")}), 9, 3, &out.Row)
	row := groupOfRow(t, env, &out)
	got := ""
	for _, c := range []string{"document_namespace", "document_type", "document_id", "first_lsn", "_lsn", "uri", "submission_timestamp", "submission_date"} {
		got += row.get(c) + " "
	}
	if want := "telemetry main " + docID + " 3 9 " + mainURI + " 5 0 "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRowsFitTheirTables checks that every column of a system row and of the envelope exists in its table's schema with
// the leaf kind its type is stored in.
func TestRowsFitTheirTables(t *testing.T) {
	env := newFakeEnv()
	tables := SystemTables()
	check := func(cols []types.Column, row *column.RowBuf) {
		t.Helper()
		for _, v := range row.Values {
			p := env.paths.Path(v.Path)
			found := false
			for _, c := range cols {
				if c.Name == p.Column() {
					found = true
					if c.Type.Kind != types.JSONB && types.LeafOf(c.Type) != v.Leaf {
						t.Errorf("%s is stored as %v, and its type is %v", c.Name, v.Leaf, c.Type)
					}
				}
			}
			if !found {
				t.Errorf("no column %s", p.Column())
			}
		}
	}
	fill := func(r *ping.Record) {
		for h := range r.Headers {
			r.Headers[h] = []byte("v")
		}
	}
	check(tables[0].Columns, &decodeOne(t, env, "/submit/a/b/2/"+docID, []byte("["), fill).out.Row)
	check(types.PingColumns, &decodeOne(t, env, mainURI, []byte("{}"), nil).out.Row)
	var dup column.RowBuf
	NewDecoder(env.env(), DecodeOptions{}).NewWorker().Duplicate(ping.AppendRecord(nil, &ping.Record{Method: 1, Path: []byte(mainURI)}), 1, 2, &dup)
	check(tables[1].Columns, &dup)
	for _, table := range tables {
		if table.Col(table.PartitionBy) < 0 {
			t.Error(table.FullName(), "is partitioned by a column it has not")
		}
		for _, k := range table.SortKey {
			if table.Col(k) < 0 {
				t.Error(table.FullName(), "is sorted by a column it has not:", k)
			}
		}
	}
}

func TestMembersThatCollide(t *testing.T) {
	env := newFakeEnv()
	doc := `{"buildId":1,"build_id":2,"BuildID":{"x":3},"---":4,"submissionDate":5,"` + strings.Repeat("long", 20) + `":6,"7":7,"":8,"metadata":9,"_lsn":10,"lsn":11}`
	row := decodeOne(t, env, mainURI, []byte(doc), nil)
	if got := row.document(); !sameJSON(t, []byte(got), []byte(doc)) {
		t.Errorf("document = %s", got)
	}
	want := `{"": 8, "---": 4, "lsn": 11, "BuildID": {"x": 3}, "build_id": 2, "metadata": 9, "submissionDate": 5, "` + strings.Repeat("long", 20) + `": 6}`
	if got := row.json("additional_properties"); got != want {
		t.Errorf("additional_properties = %s", got)
	}
	if row.json("build_id") != "1" || row.json("_7") != "7" || row.json("lsn") != "10" || row.get("submission_date") != "17602" {
		t.Error(row.json("build_id"), row.json("_7"), row.json("lsn"), row.get("submission_date"))
	}
}

func TestMadeUpMembersLeaveNoPathsBehind(t *testing.T) {
	env := newFakeEnv()
	full := env.env()
	full.ColumnFor = func(types.TableName, string, string) bool { return false }
	w := NewDecoder(full, DecodeOptions{MaxPathsPerTable: 100}).NewWorker()
	before := env.paths.Len()
	var out storage.Decoded
	for i := range 2000 {
		out.Reset()
		w.Decode(ping.AppendRecord(nil, &ping.Record{Method: 1, Path: []byte(mainURI), Body: fmt.Appendf(nil, `{"m%c%c%c":{"x":%d}}`, 'a'+i%26, 'a'+i/26%26, 'a'+i/676, i)}), 1, &out)
		if want := fmt.Sprintf(`{"m%c%c%c": {"x": %d}}`, 'a'+i%26, 'a'+i/26%26, 'a'+i/676, i); groupOfRow(t, env, &out).json("additional_properties") != want {
			t.Fatalf("document %d: %s", i, groupOfRow(t, env, &out).json("additional_properties"))
		}
	}
	if n := env.paths.Len() - before; n > 102 {
		t.Errorf("%d paths", n)
	}
}

func TestDecodingIsDeterministic(t *testing.T) {
	env := newFakeEnv()
	d := NewDecoder(env.env(), DecodeOptions{})
	fresh, used := d.NewWorker(), d.NewWorker()
	for round := range 2 {
		for i, s := range samples(t) {
			payload := ping.AppendRecord(nil, &ping.Record{Time: int64(i), Method: ping.MethodPut, Path: []byte(s.uri), Body: s.text})
			var a, b storage.Decoded
			used.Decode(payload, uint64(i), &a)
			if round == 1 {
				fresh = d.NewWorker()
			}
			fresh.Decode(payload, uint64(i), &b)
			if a.Table != b.Table || !bytes.Equal(a.Key, b.Key) || groupOfRow(t, env, &a).document() != groupOfRow(t, env, &b).document() {
				t.Fatalf("%s: two workers disagree", s.file)
			}
			if route := d.Route(payload); route != s.table {
				t.Fatalf("%s: routed to %v", s.file, route)
			}
		}
	}
}

func TestGoldenDecoderVectors(t *testing.T) {
	in, err := os.ReadFile(sharedData(t, "golden", "decoder", "valid-input.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(sharedData(t, "golden", "decoder", "output.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	type message struct {
		AttributeMap map[string]string
		Payload      string
	}
	read := func(line []byte) (m message, payload map[string]any) {
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		body, err := base64.StdEncoding.DecodeString(m.Payload)
		if err != nil {
			t.Fatal(err)
		}
		m.Payload = string(body)
		_ = json.Unmarshal(body, &payload) // inputs may be gzip
		return m, payload
	}
	wants := bytes.Split(bytes.TrimSpace(want), []byte("\n"))
	for i, line := range bytes.Split(bytes.TrimSpace(in), []byte("\n")) {
		m, _ := read(line)
		_, out := read(wants[i])
		row := decodeOne(t, newFakeEnv(), m.AttributeMap["uri"], []byte(m.Payload), nil)
		meta := out["metadata"].(map[string]any)
		meta["geo"], meta["isp"] = map[string]any{}, map[string]any{} // a later issue
		wantMeta, err := json.Marshal(meta)
		if err != nil {
			t.Fatal(err)
		}
		if got := row.json("metadata"); !sameJSON(t, []byte(got), wantMeta) {
			t.Errorf("line %d: metadata %s, want %s", i, got, wantMeta)
		}
		if d := cmp.Diff(out["document_id"], any(row.get("document_id"))); d != "" {
			t.Error(d)
		}
	}
}

func TestInflaterStaysWithinItsBounds(t *testing.T) {
	const limit = 1 << 20
	z := inflater{max: limit}
	for _, n := range []int{0, 1, limit - 1, limit, limit + 1, 40 << 20} {
		doc, cause, err := z.inflate(gzipped(t, strings.Repeat("x", n)))
		if n > limit {
			if err != errTooLarge {
				t.Errorf("%d bytes: %v", n, err)
			}
		} else if err != nil || cause != nil || len(doc) != n {
			t.Errorf("%d bytes: %d, %v, %v", n, len(doc), cause, err)
		}
		if cap(z.buf) > limit+64<<10 {
			t.Errorf("buffer of %d bytes", cap(z.buf))
		}
	}
}

func FuzzInflate(f *testing.F) {
	f.Add([]byte("{}"))
	f.Add(gzipped(f, "{}", "x"))
	f.Fuzz(func(t *testing.T, body []byte) {
		z := inflater{max: 1 << 12}
		doc, _, err := z.inflate(body)
		if err == nil && len(doc) > 1<<12 {
			t.Fatal("too large")
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(ping.AppendRecord(nil, &ping.Record{Method: 1, Path: []byte(mainURI), Body: []byte(`{"a":{"b":1.0}}`)}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		env := newFakeEnv()
		var out storage.Decoded
		NewDecoder(env.env(), DecodeOptions{MaxInflatedBytes: 1 << 16}).NewWorker().Decode(payload, 1, &out)
		row := groupOfRow(t, env, &out)
		if row.get("_lsn") != "1" {
			t.Fatal("a row without its LSN")
		}
	})
}

func BenchmarkDecodeMain(b *testing.B) {
	var text []byte
	for _, s := range samples(b) {
		if s.file == "telemetry/main.4.sample.pass.json" {
			var c bytes.Buffer
			if err := json.Compact(&c, s.text); err != nil {
				b.Fatal(err)
			}
			text = c.Bytes()
		}
	}
	payload := ping.AppendRecord(nil, &ping.Record{Method: 1, Path: []byte(mainURI), Body: gzipped(b, string(text))})
	env := newFakeEnv()
	w := NewDecoder(env.env(), DecodeOptions{}).NewWorker()
	var out storage.Decoded
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		w.Decode(payload, 1, &out)
	}
	if out.Table.Name != "main" {
		b.Fatal(fmt.Sprint(out.Table))
	}
}

func TestGeneratedPingsAreGivenBack(t *testing.T) {
	env := newFakeEnv()
	w := NewDecoder(env.env(), DecodeOptions{}).NewWorker()
	g := gen.New(gen.Options{Seed: 7, Pings: 150})
	var p gen.Ping
	kinds := map[types.Leaf]int{}
	for n := 0; g.Next(&p); n++ {
		path, query, _ := strings.Cut(p.URI, "?")
		payload := ping.AppendRecord(nil, &ping.Record{Time: p.Received.UnixMicro(), Method: ping.MethodPost, Path: []byte(path), Query: []byte(query), Body: p.Body})
		var out storage.Decoded
		w.Decode(payload, uint64(n), &out)
		row := groupOfRow(t, env, &out)
		if p.Broken != (out.Table == ping.ErrorsTable) {
			t.Fatalf("ping %d: broken %v, went to %v: %s", n, p.Broken, out.Table, row.get("error_message"))
		}
		if p.Broken {
			continue
		}
		if got := row.document(); !sameJSON(t, []byte(got), p.Body) {
			t.Fatalf("ping %d (%s) is not given back", n, p.URI)
		}
		if row.get("document_id") != p.DocID || row.get("document_type") != p.DocType || row.get("sample_id") == "" {
			t.Fatalf("ping %d: envelope %s %s %q", n, row.get("document_id"), row.get("document_type"), row.get("sample_id"))
		}
		for _, v := range out.Row.Values {
			kinds[v.Leaf]++
		}
	}
	if kinds[types.LeafHistogram] < 1000 || env.paths.Len() > 8000 {
		t.Errorf("%d histograms, %d paths", kinds[types.LeafHistogram], env.paths.Len())
	}
	t.Log(kinds, env.paths.Len(), "paths")
}

// BenchmarkDecodeGenerated decodes a stream of different pings, plain: the shape cache at work.
func BenchmarkDecodeGenerated(b *testing.B) {
	var payloads [][]byte
	size := 0
	g := gen.New(gen.Options{Seed: 1, Pings: 200, Kinds: gen.Kinds{Main: 1}})
	var p gen.Ping
	for g.Next(&p) {
		path, _, _ := strings.Cut(p.URI, "?")
		payloads = append(payloads, ping.AppendRecord(nil, &ping.Record{Method: ping.MethodPost, Path: []byte(path), Body: p.Body}))
		size += len(p.Body)
	}
	w := NewDecoder(newFakeEnv().env(), DecodeOptions{}).NewWorker()
	var out storage.Decoded
	values := 0
	b.SetBytes(int64(size / len(payloads)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		out.Reset()
		w.Decode(payloads[i%len(payloads)], 1, &out)
		values += len(out.Row.Values)
	}
	b.ReportMetric(float64(values)/float64(b.N), "values/ping")
}

// BenchmarkFastjsonGenerated parses and walks the same stream with fastjson.
func BenchmarkFastjsonGenerated(b *testing.B) {
	var bodies [][]byte
	size := 0
	g := gen.New(gen.Options{Seed: 1, Pings: 200, Kinds: gen.Kinds{Main: 1}})
	var p gen.Ping
	for g.Next(&p) {
		bodies = append(bodies, bytes.Clone(p.Body))
		size += len(p.Body)
	}
	var parser fastjson.Parser
	sum := 0.0
	b.SetBytes(int64(size / len(bodies)))
	for i := 0; b.Loop(); i++ {
		if v, err := parser.ParseBytes(bodies[i%len(bodies)]); err == nil {
			sum += walkFastjson(v)
		}
	}
	if sum == 0 {
		b.Fatal("nothing was read")
	}
}

func walkFastjson(v *fastjson.Value) (sum float64) {
	switch v.Type() {
	case fastjson.TypeObject:
		v.GetObject().Visit(func(_ []byte, v *fastjson.Value) { sum += walkFastjson(v) })
	case fastjson.TypeArray:
		for _, e := range v.GetArray() {
			sum += walkFastjson(e)
		}
	case fastjson.TypeNumber:
		return v.GetFloat64()
	case fastjson.TypeString:
		return float64(len(v.GetStringBytes()))
	}
	return sum
}

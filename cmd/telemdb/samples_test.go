package main

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// sample is a published sample document with the URI a client would have used.
type sample struct {
	file, namespace, docType, version, id, uri string
	body                                       []byte
	doc                                        map[string]any
}

// sharedData finds the shared reference data beside the project, or skips the test.
func sharedData(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Skip("not inside the project")
		}
	}
	data := filepath.Join(filepath.Dir(dir), "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("the shared reference data is not here")
	}
	return data
}

func readSamples(t *testing.T) []sample {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sharedData(t), "validation*", "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []sample
	for i, file := range files {
		s := sample{file: filepath.Base(file), namespace: filepath.Base(filepath.Dir(file))}
		if s.namespace == "metadata" {
			continue // descriptions of the pipeline, not pings
		}
		parts := strings.Split(s.file, ".")
		s.docType, s.version = parts[0], parts[1]
		if s.body, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(s.body, &s.doc); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		s.id = uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, i, s.file)).String() // samples share document ids
		s.uri = fmt.Sprintf("/submit/%s/%s/%s/%s", s.namespace, s.docType, s.version, s.id)
		if s.namespace == "telemetry" {
			s.uri = fmt.Sprintf("/submit/telemetry/%s/%s/Firefox/61.0a1/nightly-cck-x/20180328030202?v=4", s.id, s.docType)
		}
		out = append(out, s)
	}
	return out
}

func (s sample) table() string {
	snake := func(v string) string { return strings.ReplaceAll(v, "-", "_") }
	return fmt.Sprintf("%s.%s", snake(s.namespace), snake(s.docType))
}

// TestSamplesComeOutAsTheyWentIn posts every published sample over real HTTP and reads it back by psql and by pgx.
func TestSamplesComeOutAsTheyWentIn(t *testing.T) {
	needPsql(t)
	samples := readSamples(t)
	p := serve(t, t.TempDir())
	for i, s := range samples {
		body := s.body
		if i%2 == 0 {
			body = gzipped(body)
		}
		status, err := newHTTPSink(p.http).post(context.Background(), s.uri, body)
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %v", s.file, status, err)
		}
	}
	conn, err := pgx.Connect(context.Background(), p.pg+"?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sealed := range []bool{false, true} {
		if sealed {
			p.psql(t, "SELECT telemdb.flush()")
		}
		var asked []psqlQuestion
		for _, s := range samples {
			asked = append(asked, checkSample(t, conn, s)...)
		}
		p.askAll(t, asked)
	}
	p.stop(t)
}

// checkSample reads a sample's document by pgx, and returns what is to be asked by psql.
func checkSample(t *testing.T, conn *pgx.Conn, s sample) []psqlQuestion {
	t.Helper()
	var text string
	eventually(t, time.Minute, s.file+" is visible", func() bool {
		err := conn.QueryRow(context.Background(), "SELECT _document::text FROM "+s.table()+" WHERE document_id = $1", s.id).Scan(&text)
		return err == nil
	})
	sameJSON(t, s.file+" by pgx", text, string(s.body))
	from := fmt.Sprintf(" FROM %s WHERE document_id = '%s'", s.table(), s.id)
	out := []psqlQuestion{{"SELECT _document" + from, func(got string) { sameJSON(t, s.file+" by psql", got, string(s.body)) }}}
	for member, column := range map[string]string{"payload": "payload", "environment": "environment", "application": "application"} {
		if v, ok := s.doc[member]; ok {
			want, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, psqlQuestion{"SELECT " + column + from, func(got string) { sameJSON(t, s.file+" "+member, got, string(want)) }})
		}
	}
	return append(out, psqlQuestion{`SELECT document_type, coalesce(client_id, '-'), coalesce(sample_id, -1), coalesce(normalized_channel, '-'),
		submission_date = submission_timestamp::date, coalesce(app_build_id, '-')` + from, func(got string) {
		if want := s.envelope(); got != want {
			t.Errorf("%s: envelope %s, want %s", s.file, got, want)
		}
	}})
}

// envelope is what the columns must say, by the rules of the ingestion reference, written down anew here.
func (s sample) envelope() string {
	client, sampleID, channel, build := "-", "-1", "-", "-"
	id := ""
	if info, ok := s.doc["client_info"].(map[string]any); ok {
		id, _ = info["client_id"].(string)
	}
	for _, k := range []string{"client_id", "clientId"} {
		if v, ok := s.doc[k].(string); ok && id == "" {
			id = v
		}
	}
	id = strings.Trim(id, "{}")
	if u, err := uuid.Parse(id); err == nil {
		client = strings.ToLower(u.String())
		sampleID = fmt.Sprint(crc32.ChecksumIEEE([]byte(client)) % 100)
	}
	if s.namespace == "telemetry" {
		channel, build = "nightly", "20180328030202"
	}
	if info, ok := s.doc["client_info"].(map[string]any); ok {
		if c, ok := info["app_channel"].(string); ok {
			channel = normalChannel(c)
		}
		build, _ = info["app_build"].(string)
	} else if c, ok := s.doc["release_channel"].(string); ok {
		channel = normalChannel(c)
	}
	return strings.Join([]string{s.docType, client, sampleID, channel, "t", build}, "|")
}

func normalChannel(c string) string {
	switch {
	case c == "release", c == "esr", c == "beta", c == "aurora", c == "nightly":
		return c
	case strings.HasPrefix(c, "nightly-cck-"):
		return "nightly"
	case strings.HasPrefix(c, "beta"):
		return "beta"
	}
	return "Other"
}

// sameJSON compares two JSON texts as jsonb does: member order apart, numbers by value.
func sameJSON(t *testing.T, what, got, want string) {
	t.Helper()
	a, err := decodeExact(got)
	if err != nil {
		t.Errorf("%s: %v in %.200s", what, err, got)
		return
	}
	b, err := decodeExact(want)
	if err != nil {
		t.Fatal(err)
	}
	if at := difference(a, b, "$"); at != "" {
		t.Errorf("%s differs at %s", what, at)
	}
}

func decodeExact(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func difference(a, b any, at string) string {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return fmt.Sprintf("%s: %.100v / %.100v", at, a, b)
		}
		for k, v := range x {
			w, ok := y[k]
			if !ok {
				return at + "." + k + " is missing"
			}
			if d := difference(v, w, at+"."+k); d != "" {
				return d
			}
		}
		return ""
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return fmt.Sprintf("%s: %.100v / %.100v", at, a, b)
		}
		for i := range x {
			if d := difference(x[i], y[i], fmt.Sprintf("%s[%d]", at, i)); d != "" {
				return d
			}
		}
		return ""
	case json.Number:
		y, ok := b.(json.Number)
		if ok {
			p, ok1 := new(big.Rat).SetString(x.String())
			q, ok2 := new(big.Rat).SetString(y.String())
			ok = ok1 && ok2 && p.Cmp(q) == 0
		}
		if !ok {
			return fmt.Sprintf("%s: %v / %v", at, a, b)
		}
		return ""
	}
	if a != b {
		return fmt.Sprintf("%s: %v / %v", at, a, b)
	}
	return ""
}

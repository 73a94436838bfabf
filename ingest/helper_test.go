package ingest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

const docID = "2c3a0767-d84a-4d02-8a92-fa54a3376049"

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
		if dir == filepath.Dir(dir) {
			t.Skip("not in the repository")
		}
		dir = filepath.Dir(dir)
	}
	p := filepath.Join(append([]string{dir, "..", "shared", "data"}, elem...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skip("no reference data beside the repository")
	}
	return p
}

// sample is a sample document and the URI it would be posted to.
type sample struct {
	file, uri string
	table     types.TableName
	text      []byte
}

func samples(t testing.TB) []sample {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sharedData(t, "validation"), "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	var out []sample
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		ns := filepath.Base(filepath.Dir(f))
		part := strings.SplitN(filepath.Base(f), ".", 3)
		s := sample{file: ns + "/" + filepath.Base(f), text: text, table: types.TableName{Schema: ping.Name(ns), Name: ping.Name(part[0])}}
		s.uri = "/submit/" + ns + "/" + part[0] + "/" + part[1] + "/" + docID
		if ns == "telemetry" {
			s.uri = "/submit/telemetry/" + docID + "/" + part[0] + "/Firefox/61.0a1/nightly/20180328030202"
		}
		out = append(out, s)
	}
	return out
}

// fakeEnv is a store that gives every member its column, and remembers the sources.
type fakeEnv struct {
	mu      sync.Mutex
	paths   *column.Interner
	columns map[types.TableName]map[string]string // want -> member
	refuse  func(types.TableName) error
}

func newFakeEnv() *fakeEnv {
	return &fakeEnv{paths: column.NewInterner(), columns: map[types.TableName]map[string]string{}}
}

func (e *fakeEnv) env() storage.DecodeEnv {
	return storage.DecodeEnv{Paths: e.paths, ColumnFor: e.columnFor, Admit: e.refuse}
}

func (e *fakeEnv) columnFor(t types.TableName, member, want string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.columns[t] == nil {
		e.columns[t] = map[string]string{}
	}
	owner, taken := e.columns[t][want]
	if !taken {
		e.columns[t][want] = member
		return true
	}
	return owner == member
}

// sources returns the columns of a table that hold members.
func (e *fakeEnv) sources(t types.TableName) []types.Column {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []types.Column
	for want, member := range e.columns[t] {
		out = append(out, types.Column{Name: want, Type: types.Of(types.JSONB), Source: member})
	}
	return out
}

// rowOf is a decoded row by path, and the group of just that row.
type rowOf struct {
	t     testing.TB
	env   *fakeEnv
	out   *storage.Decoded
	group column.Group
}

func groupOfRow(t testing.TB, env *fakeEnv, out *storage.Decoded) rowOf {
	t.Helper()
	g := column.NewMem(1)
	seen := map[column.RowValue]bool{}
	for _, v := range out.Row.Values {
		k := column.RowValue{Path: v.Path, Leaf: v.Leaf}
		if seen[k] {
			t.Fatalf("two values of kind %v at %v", v.Leaf, env.paths.Path(v.Path))
		}
		seen[k] = true
		c := &vec.Vector{}
		c.Reset(v.Leaf.Type())
		switch v.Leaf {
		case types.LeafBool:
			c.AppendBool(v.Num != 0)
		case types.LeafInt:
			c.AppendInt(int64(v.Num))
		case types.LeafFloat:
			c.AppendFloat(math.Float64frombits(v.Num))
		default:
			c.AppendBytes(out.Row.Data(v))
		}
		g.Add(env.paths.Path(v.Path), v.Leaf, c)
	}
	return rowOf{t, env, out, g}
}

// get returns the text of a column, "" for NULL.
func (r rowOf) get(name string) string {
	r.t.Helper()
	var v vec.Vector
	if err := shred.Extract(r.group, types.Path(name), nil, 0, 1, nil, true, &v); err != nil {
		r.t.Fatal(err)
	}
	if v.Null(0) {
		return ""
	}
	return string(v.Bytes(0))
}

// json returns a jsonb column's text.
func (r rowOf) json(name string) string {
	r.t.Helper()
	var v vec.Vector
	if err := shred.Assemble(r.group, types.Path(name), 0, 1, nil, &v); err != nil {
		r.t.Fatal(err)
	}
	if v.Null(0) {
		return ""
	}
	return string(v.Bytes(0))
}

func (r rowOf) document() string {
	r.t.Helper()
	var v vec.Vector
	if err := shred.DocumentValue(r.group, r.env.sources(r.out.Table), restColumn, 0, 1, nil, &v); err != nil {
		r.t.Fatal(err)
	}
	return string(v.Bytes(0))
}

// sameJSON compares two JSON texts with encoding/json.
func sameJSON(t testing.TB, a, b []byte) bool {
	t.Helper()
	return reflect.DeepEqual(parse(t, a), parse(t, b))
}

func parse(t testing.TB, text []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%.100s: %v", text, err)
	}
	return v
}

func gzipped(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(p)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// decodeOne decodes one body posted to uri.
func decodeOne(t testing.TB, env *fakeEnv, uri string, body []byte, change func(*ping.Record)) rowOf {
	t.Helper()
	r := &ping.Record{Time: 1_520_888_538_123_456, Method: ping.MethodPost, Path: []byte(uri), Protocol: []byte("HTTP/1.1"),
		RemoteAddr: []byte("192.0.2.1"), Body: body}
	r.Headers[ping.HeaderXForwardedFor] = []byte("192.0.2.77")
	if change != nil {
		change(r)
	}
	out := &storage.Decoded{}
	payload := ping.AppendRecord(nil, r)
	d := NewDecoder(env.env(), DecodeOptions{})
	d.NewWorker().Decode(payload, 42, out)
	if strings.Contains(string(out.Row.Arena), "192.0.2.") {
		t.Error("the client's address is in the row")
	}
	return groupOfRow(t, env, out)
}

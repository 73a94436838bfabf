package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/telemdb/telemdb"
)

// run runs a command of this program and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(args)
	err := root.Execute()
	return out.String(), err
}

func TestInspectShowsEveryKindOfFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	db, err := telemdb.Open(dir, telemdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const uri = "/submit/telemetry/a1b2c3d4-0000-4000-8000-000000000001/event/Firefox/61.0/release/20180328030202?v=4"
	if _, err := db.Ingest(context.Background(), telemdb.Submission{URI: uri, Body: []byte(`{"version":4,"payload":{"reason":"max"}}`)}); err != nil {
		t.Fatal(err)
	}
	if err := db.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "inspect", dir); err == nil || !strings.Contains(err.Error(), "in use (pid ") {
		t.Errorf("a directory in use: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	segments, err := os.ReadDir(filepath.Join(dir, "segments"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no segments: %v", err)
	}
	segment := filepath.Join(dir, "segments", segments[0].Name())
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{dir}, []string{"data directory", "table telemetry.event (pings, ", "1 rows in 1 segments"}},
		{[]string{filepath.Join(dir, "meta")}, []string{"balance of telemetry.event: 1 submissions = 1 rows + 0 errors + 0 duplicates", "1 document keys"}},
		{[]string{filepath.Join(dir, "wal")}, []string{`submission, POST "/submit/telemetry/a1b2c3d4-0000-4000-8000-000000000001/event/Firefox/61.0/release/20180328030202", 40 bytes of plain body`}},
		{[]string{"--head", "2", segment}, []string{"row group 0: 1 rows", " more columns"}},
		{[]string{"--column", "payload.reason", segment}, []string{"payload.reason text: ", `block 0: 1 of 1 rows, "max" to "max"`}},
	} {
		out, err := run(t, append([]string{"inspect"}, c.args...)...)
		if err != nil {
			t.Errorf("inspect %q: %v", c.args, err)
		}
		for _, w := range c.want {
			if !strings.Contains(out, w) {
				t.Errorf("inspect %q does not print %q:\n%s", c.args, w, out)
			}
		}
	}
	if _, err := run(t, "inspect", "--head", "-1", dir); err == nil {
		t.Error("a negative --head is taken")
	}
}

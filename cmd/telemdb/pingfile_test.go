package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestPingFilesOfEveryKindAreRead(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	written := []filePing{
		{URI: "/submit/a/b/1/2c3a0767-d84a-4d02-8a92-fa54a3376049", Received: at, Body: []byte(`{"x": 1.10, "y": [1,2]}`)},
		{URI: "/submit/a/b/1/2c3a0767-d84a-4d02-8a92-fa54a3376050", Received: at.Add(time.Microsecond), Body: []byte("{\"cut\": ")},
	}
	for _, name := range []string{"plain.ndjson", "zipped.ndjson.gz", "packed.ndjson.zst"} {
		file := filepath.Join(t.TempDir(), name)
		w, closeAll, err := createOutput(file)
		if err != nil {
			t.Fatal(err)
		}
		var text []byte
		for _, p := range written {
			text = appendPingLine(text, p)
		}
		text = append(text, "\n"...) // an empty line is passed over
		text = append(text, `{"attributeMap": {"uri": "/submit/c/d/1/x", "submission_timestamp": "2018-03-12T21:02:18.123456Z"}, "payload": "e30="}`+"\n"...)
		text = append(text, `{"type": "main", "id": "9ed1ed34", "application": {"name": "Firefox", "version": "61.0", "channel": "beta", "buildId": "20180328"}}`...)
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := closeAll(); err != nil {
			t.Fatal(err)
		}
		got := readAll(t, file)
		if len(got) != 4 {
			t.Fatalf("%s: %d pings", name, len(got))
		}
		for i, want := range written {
			if got[i].URI != want.URI || !got[i].Received.Equal(want.Received) || !bytes.Equal(got[i].Body, want.Body) {
				t.Errorf("%s: ping %d is %v %q", name, i, got[i], got[i].Body)
			}
		}
		if string(got[2].Body) != "{}" || got[2].URI != "/submit/c/d/1/x" {
			t.Errorf("%s: raw message is %v", name, got[2])
		}
		if want := "/submit/telemetry/9ed1ed34/main/Firefox/61.0/beta/20180328?v=4"; got[3].URI != want {
			t.Errorf("%s: bare document goes to %s", name, got[3].URI)
		}
	}
}

func readAll(t *testing.T, file string) (out []filePing) {
	t.Helper()
	r, err := openPings(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
}

func TestABadLineIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(file, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := openPings(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = r.Next()
	if want := file + `, line 1: a line needs "uri" and "body", or is a telemetry document with "id" and "type"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestStatusShowsADirectoryAndARunningServerOnOneScreen(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir, "--disk-reserve", "1MiB")
	url := p.pg
	for _, sql := range []string{
		"CREATE TABLE public.numbers AS SELECT generate_series(1, 1000) AS n",
		"SELECT telemdb.flush()",
	} {
		if out, status := runBinary(t, nil, "sql", url, "-c", sql); status != 0 {
			t.Fatalf("%s: %s", sql, out)
		}
	}
	check := func(args ...string) {
		t.Helper()
		out, status := runBinary(t, nil, append([]string{"status"}, args...)...)
		if status != 0 || !strings.Contains(out, "public.numbers  1000") || !strings.Contains(out, "0 open") || !strings.Contains(out, "28 days") {
			t.Errorf("status %v is %d:\n%s", args, status, out)
		}
		out, status = runBinary(t, nil, append([]string{"status", "--json"}, args...)...)
		var got struct {
			Segments  int              `json:"segments"`
			TableList []map[string]any `json:"table_list"`
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil || status != 0 || got.Segments == 0 || len(got.TableList) == 0 {
			t.Errorf("status --json %v is %d, %v:\n%s", args, status, err, out)
		}
	}
	check("--url", url)
	check("--data", dir) // beside the server
	if out, status := runBinary(t, nil, "sql", url, "-c", "SELECT count(*) FROM telemdb.check"); status != 0 || !strings.Contains(out, " 0") {
		t.Errorf("the check on a running server, %d:\n%s", status, out)
	}
	p.stop(t)
	check("--data", dir)
	if out, status := runBinary(t, nil, "status", "--data", dir, "--url", url); status == 0 {
		t.Errorf("both --data and --url were taken:\n%s", out)
	}
}

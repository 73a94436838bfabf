package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCheckWithRepairMakesADamagedDirectoryWholeAgain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "pings.ndjson")
	for _, args := range [][]string{{"gen", "--pings", "50", "-o", file}, {"load", "--data", dir, file}, {"sql", dir, "--write", "-c", "SELECT telemdb.flush()"}} {
		if out, status := runBinary(t, nil, args...); status != 0 {
			t.Fatalf("%v: %s", args, out)
		}
	}
	segments, err := filepath.Glob(filepath.Join(dir, "segments", "*.seg"))
	if err != nil || len(segments) < 2 {
		t.Fatalf("segments %v, %v", segments, err)
	}
	slices.Sort(segments)
	for _, name := range segments {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/3] ^= 0x10
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, status := runBinary(t, nil, "check", dir); status != 3 || !strings.Contains(out, filepath.Base(segments[0])) {
		t.Fatalf("the check ends with %d:\n%s", status, out)
	}
	out, status := runBinary(t, nil, "check", dir, "--repair")
	if status != 0 || !strings.Contains(out, "were decoded again from the landfill") || !strings.Contains(out, "no problems in "+dir) {
		t.Errorf("the repair ends with %d:\n%s", status, out)
	}
	if out, status := runBinary(t, nil, "check", dir); status != 0 {
		t.Errorf("after it the check ends with %d:\n%s", status, out)
	}
}

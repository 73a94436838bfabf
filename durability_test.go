package telemdb

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestDurabilityIsOneOfThree(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "sync": 0, "none": -1, "interval:1": time.Millisecond, "interval:60000": time.Minute,
	} {
		if got, err := (&Options{Durability: text}).syncEvery(); got != want || err != nil {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"interval:0", "interval:60001", "interval:", "interval", "interval:1s", "fsync", "Sync"} {
		if _, err := Open("", Options{Durability: text}); err == nil || !strings.Contains(err.Error(), "wal.durability") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAWeakLogIsAnnounced(t *testing.T) {
	for _, weak := range []bool{false, true} {
		var out strings.Builder
		o := Options{DiskReserve: -1, Logger: slog.New(slog.NewTextHandler(&out, nil))}
		if weak {
			o.Durability = "interval:100"
		}
		db, err := Open(t.TempDir(), o)
		if err != nil {
			t.Fatal(err)
		}
		var value string
		askRow(t, db, "SELECT value FROM telemdb.settings WHERE name = 'wal.durability'", &value)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "ACKNOWLEDGES BEFORE") != weak || value != o.durability() {
			t.Errorf("weak %v: setting %q, logged %q", weak, value, out.String())
		}
	}
}

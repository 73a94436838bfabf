package invariants

import (
	"bytes"
	"slices"
	"testing"
)

func TestMangleChangesEveryByteOnlyWhenEnabled(t *testing.T) {
	was := []byte("lent")
	b := bytes.Clone(was)
	Mangle(b)
	for i := range b {
		if (b[i] != was[i]) != Enabled {
			t.Fatalf("byte %d is %x, was %x, Enabled is %v", i, b[i], was[i], Enabled)
		}
	}
}

func TestSometimesFiresOnlyWhenEnabledAndIsCounted(t *testing.T) {
	yes := 0
	for range 10_000 {
		if Sometimes("test place") {
			yes++
		}
	}
	if (yes > 0) != Enabled || yes == 10_000 {
		t.Fatalf("fired %d times of 10000, Enabled is %v", yes, Enabled)
	}
	if got := slices.Contains(Fired(), "test place"); got != Enabled {
		t.Fatalf("Fired names the place: %v, want %v", got, Enabled)
	}
}

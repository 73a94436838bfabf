package prove_test

import (
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/prove"
)

func TestSeedsAreCountedFromTheFirst(t *testing.T) {
	t.Setenv(prove.EnvSeed, "")
	t.Setenv(prove.EnvMinutes, "")
	t.Setenv(prove.EnvFrom, "100")
	t.Setenv(prove.EnvCount, "")
	if got := slices.Collect(prove.Seeds(t, "test", 3)); !slices.Equal(got, []uint64{100, 101, 102}) {
		t.Errorf("three by default: %v", got)
	}
	t.Setenv(prove.EnvCount, "2")
	if got := slices.Collect(prove.Seeds(t, "test", 3)); !slices.Equal(got, []uint64{100, 101}) {
		t.Errorf("two asked for: %v", got)
	}
}

func TestOneSeedAlone(t *testing.T) {
	t.Setenv(prove.EnvCount, "7")
	t.Setenv(prove.EnvSeed, "42")
	if got := slices.Collect(prove.Seeds(t, "test", 3)); !slices.Equal(got, []uint64{42}) {
		t.Errorf("seed 42 alone: %v", got)
	}
}

func TestTimeEndsASuiteButNotBeforeAQuarter(t *testing.T) {
	t.Setenv(prove.EnvSeed, "")
	t.Setenv(prove.EnvFrom, "")
	t.Setenv(prove.EnvCount, "10")
	t.Setenv(prove.EnvMinutes, "0")
	if got := slices.Collect(prove.Seeds(t, "test", 3)); len(got) != 3 {
		t.Errorf("no time at all, ten seeds: %d were played, a quarter is 3", len(got))
	}
}

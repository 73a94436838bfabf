// Package prove is how the suites of random proofs agree on how much they run and on what they tell of it. Tests use it,
// nothing else does. bench/proof runs the suites by size and writes their tallies into one page.
package prove

import (
	"iter"
	"os"
	"strconv"
	"testing"
	"time"
)

// The environment of a run. All of it is optional.
const (
	EnvCount   = "TELEMDB_SEEDS"   // how many seeds a suite plays
	EnvMinutes = "TELEMDB_MINUTES" // or for how many minutes, whichever ends first, but never under a quarter of the seeds
	EnvSeed    = "TELEMDB_SEED"    // this seed alone
	EnvFrom    = "TELEMDB_FROM"    // the first seed, if not 0
)

// TallyPrefix begins each line of the test log that states what a suite has done: prefix, name, ": ", number, as in
// "tally crash seeds: 500". Equal names of one run are added up.
const TallyPrefix = "tally "

// Seeds yields the seeds that a suite plays: few by default, as the environment says otherwise. It ends early when the
// test has failed. When it ends it states the tally "suite seeds".
func Seeds(t testing.TB, suite string, few int) iter.Seq[uint64] {
	t.Helper()
	if v := os.Getenv(EnvSeed); v != "" {
		seed := number(t, EnvSeed, 0)
		return func(yield func(uint64) bool) { yield(seed) }
	}
	from, count := number(t, EnvFrom, 0), number(t, EnvCount, uint64(few))
	limit, limited := minutes(t)
	t.Logf("seeds from %d, %d of them; %s=n plays one alone", from, count, EnvSeed)
	return func(yield func(uint64) bool) {
		begin, done := time.Now(), uint64(0)
		defer func() { Tally(t, suite+" seeds", int64(done)) }()
		for ; done < count; done++ {
			if limited && done >= (count+3)/4 && time.Since(begin) >= limit {
				return
			}
			if !yield(from+done) || t.Failed() {
				return
			}
		}
	}
}

// All reports whether a test that samples by default is to try everything.
func All() bool { return os.Getenv(EnvCount) != "" }

// Rounds is how many rounds a test plays that samples by default: few then, and all where everything is to be tried.
func Rounds(few, all int) int {
	if All() {
		return all
	}
	return few
}

// Tally states that a suite has done n of something.
func Tally(t testing.TB, what string, n int64) {
	t.Helper()
	t.Logf(TallyPrefix+"%s: %d", what, n)
}

func number(t testing.TB, name string, def uint64) uint64 {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return def
	}
	n, err := strconv.ParseUint(v, 10, 62)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func minutes(t testing.TB) (limit time.Duration, limited bool) {
	t.Helper()
	v := os.Getenv(EnvMinutes)
	if v == "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n < 0 {
		t.Fatalf("%s: %q is not a number of minutes", EnvMinutes, v)
	}
	return time.Duration(n * float64(time.Minute)), true
}

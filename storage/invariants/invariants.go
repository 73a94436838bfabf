// Package invariants holds checks that are too dear for a release. They exist in builds with the tag "invariants", which
// every CI test run sets, and cost nothing elsewhere: Enabled is a constant, so the compiler drops what it guards.
package invariants

import (
	"math/rand/v2"
	"sort"
	"sync"
)

// sometimesOneIn is how rarely Sometimes says yes.
const sometimesOneIn = 8

var fired struct {
	sync.Mutex
	count map[string]int64
}

// Sometimes tells a real path to take its rare branch now and then (a short buffer, an early flush), so that tests reach
// it without a second path. name identifies the place in Fired. It is false in a build without the tag.
func Sometimes(name string) bool {
	if !Enabled || rand.IntN(sometimesOneIn) != 0 {
		return false
	}
	fired.Lock()
	defer fired.Unlock()
	if fired.count == nil {
		fired.count = map[string]int64{}
	}
	fired.count[name]++
	return true
}

// Fired returns the names for which Sometimes has been true in this process, sorted: a test compares them with the list
// of places it expects to have reached.
func Fired() []string {
	fired.Lock()
	defer fired.Unlock()
	names := make([]string, 0, len(fired.count))
	for n := range fired.count {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Mangle scribbles over memory whose loan has ended, so that a borrower who kept it reads rubbish. It does nothing in a
// build without the tag.
func Mangle(b []byte) {
	if !Enabled {
		return
	}
	for i := range b {
		b[i] ^= 0xa5
	}
}

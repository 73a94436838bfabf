//go:build unix

package rollups_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/storage/column"
)

// mainPings returns the head's groups of n generated main pings of real size.
func mainPings(b *testing.B, seed uint64, n int) (groups []column.Group) {
	b.Helper()
	s := openStore(b)
	g := gen.New(gen.Options{Seed: seed, Pings: n, Kinds: gen.Kinds{Main: 1}})
	var p gen.Ping
	for g.Next(&p) {
		submit(b, s, p.URI, p.Body, p.Received)
	}
	_, groups, release := inputs(b, s)
	b.Cleanup(release)
	return groups
}

func rowsOf(g column.Group) []uint16 {
	rows := make([]uint16, g.Rows())
	for i := range rows {
		rows[i] = uint16(i)
	}
	return rows
}

func build(b *testing.B, groups []column.Group) (states []column.Group) {
	b.Helper()
	for _, g := range groups {
		s, err := rollups.Aggregates{}.Build(g, rowsOf(g))
		if err != nil {
			b.Fatal(err)
		}
		states = append(states, s...)
	}
	return states
}

func countRows(groups []column.Group) (n int) {
	for _, g := range groups {
		n += g.Rows()
	}
	return n
}

// cpuTime is what the process has used, its collector included: on a busy machine the clock tells little.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBuild aggregates unsealed main pings of real size, as a seal does.
func BenchmarkBuild(b *testing.B) {
	groups := mainPings(b, 1, 400)
	pings := countRows(groups)
	b.ReportAllocs()
	start, states := cpuTime(b), 0
	for b.Loop() {
		states = countRows(build(b, groups))
	}
	b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/float64(b.N*pings), "cpu-µs/ping")
	b.ReportMetric(float64(states)/float64(pings), "states/ping")
}

// BenchmarkMerge adds up the states of four seals.
func BenchmarkMerge(b *testing.B) {
	var in []column.Group
	for seed := range uint64(4) {
		in = append(in, build(b, mainPings(b, seed, 100))...)
	}
	rows, start := countRows(in), cpuTime(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (rollups.Aggregates{}).Merge(in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*rows)/(cpuTime(b)-start).Seconds(), "states/cpu-s")
}

package main

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How a round is judged. On a machine that others use too, a time counts only if the engine had the processors for itself:
//
//   - its CPU time over the wall time is at least 0.97 of what it is at best: of its threads, or of the most that this query
//     reached on this engine in any round, for a query that never keeps all threads busy;
//   - everybody else (other processes, and what the host took away: steal) had at most 5 % of the cores meanwhile.
//
// Both leave room for the resolution of the clocks they are read from. Memory bandwidth that others take is in no clock;
// therefore engines take turns, and only ratios of one run are compared.
const (
	cpuShareLeast   = 0.97
	othersShareMost = 0.05
	ownSlack        = 2 * time.Millisecond  // the kernel counts what runs on other cores from tick to tick
	othersSlack     = 20 * time.Millisecond // /proc/stat counts in ticks of 10 ms, on each core
)

// sample is one round of one engine: several repetitions of a short query, one of a long one.
type sample struct {
	Nanos  int64 `json:"ns"`     // median of the repetitions
	Wall   int64 `json:"wall"`   // of all repetitions
	CPU    int64 `json:"cpu"`    // of the engine in that time
	Others int64 `json:"others"` // CPU time of everybody else and stolen time
	Times  int   `json:"times"`  // repetitions
	Counts bool  `json:"counts"` // the round was quiet
}

func (s *sample) share() float64 { return float64(s.CPU) / float64(max(s.Wall, 1)) }

// judge marks the rounds that count, and returns how many do.
func judge(samples []sample, threads, cores int) (quiet int) {
	best := 0.0
	for i := range samples {
		best = max(best, samples[i].share())
	}
	best = min(best, float64(threads))
	for i := range samples {
		s := &samples[i]
		own := float64(s.CPU)+float64(ownSlack) >= cpuShareLeast*best*float64(s.Wall)
		s.Counts = own && !othersBusy(s, cores)
		if s.Counts {
			quiet++
		}
	}
	return quiet
}

func othersBusy(s *sample, cores int) bool {
	return float64(s.Others) > othersShareMost*float64(s.Wall)*float64(cores)+float64(othersSlack)
}

// medianOf is the median of the rounds that count; if there are too few, of the want rounds that were least disturbed, and
// noisy is true.
func medianOf(samples []sample, want int) (ns int64, noisy bool) {
	var quiet []int64
	for _, s := range samples {
		if s.Counts {
			quiet = append(quiet, s.Nanos)
		}
	}
	if len(quiet) >= want {
		return medianNanos(quiet), false
	}
	all := slices.Clone(samples)
	slices.SortStableFunc(all, func(a, b sample) int { return cmp.Compare(b.share(), a.share()) })
	var least []int64
	for _, s := range all[:min(want, len(all))] {
		least = append(least, s.Nanos)
	}
	return medianNanos(least), true
}

// medianNanos: of an even number is the mean of the two in the middle. It sorts ns.
func medianNanos(ns []int64) int64 {
	if len(ns) == 0 {
		return 0
	}
	slices.Sort(ns)
	mid := len(ns) / 2
	if len(ns)%2 == 1 {
		return ns[mid]
	}
	return (ns[mid-1] + ns[mid]) / 2
}

// machineBusy returns the CPU time all processes of the machine have used, and what its host took from it.
func machineBusy() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields, ticks := strings.Fields(line), int64(0)
	for i, f := range fields {
		// cpu user nice system idle iowait irq softirq steal; guests are in user
		if i == 0 || i == 4 || i == 5 || i > 8 {
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

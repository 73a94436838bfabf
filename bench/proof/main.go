// Command proof runs the suites of proofs of domain reliability (crashes, faults, kills, full disks, flipped bytes, fuzzing,
// oracles, coverage) by size, adds up what they state to have done, and writes it into one page, bench/PROOF.md.
//
//	go run ./bench/proof                    the sizes of every change, as .ci/run does; prints only
//	go run ./bench/proof -size release      the sizes of a release, each suite within its share of minutes; writes the page
//	go run ./bench/proof -only fuzz -v      one suite, with what the tests print
//
// A suite runs its number of seeds or its share of minutes, whichever ends first, and never under a quarter of the number.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	size := flag.String("size", "ci", "ci or release")
	only := flag.String("only", "", "the suites to run, separated by commas; empty: all")
	list := flag.Bool("list", false, "list the suites")
	scale := flag.Float64("scale", 1, "multiplies every suite's number and its share of minutes")
	report := flag.String("report", "", "file to write the page to; empty: bench/PROOF.md for a release, none for ci")
	verbose := flag.Bool("v", false, "print what the tests print")
	flag.Parse()
	if *list {
		for _, s := range suites {
			fmt.Printf("%-12s %s\n", s.name, s.about)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := &runner{ctx: ctx, scale: *scale, verbose: *verbose}
	switch *size {
	case "ci":
	case "release":
		r.release = true
		if *report == "" && *only == "" {
			*report = "bench/PROOF.md"
		}
	default:
		fmt.Fprintf(os.Stderr, "proof: size %q is neither ci nor release\n", *size)
		os.Exit(2)
	}
	r.report = *report
	if err := r.all(chosen(*only)); err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
	if r.failed() {
		os.Exit(1)
	}
}

// chosen returns the suites named in a list, all for none.
func chosen(only string) []suite {
	if only == "" {
		return suites
	}
	var out []suite
	for _, name := range strings.Split(only, ",") {
		i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
		if i < 0 {
			fmt.Fprintf(os.Stderr, "proof: there is no suite %q; -list names them\n", name)
			os.Exit(2)
		}
		out = append(out, suites[i])
	}
	return out
}

// outcome is what one suite did.
type outcome struct {
	suite
	took    time.Duration
	tallies map[string]int64
	err     error
	detail  string // the test's output if it failed, or a table
}

// runner runs suites one after the other.
type runner struct {
	ctx      context.Context
	release  bool
	scale    float64
	verbose  bool
	report   string // the page's file, written after each suite; "" for none
	outcomes []outcome
}

func (r *runner) all(list []suite) error {
	for _, s := range list {
		fmt.Printf("== %s: %s\n", s.name, s.about)
		o := outcome{suite: s, tallies: map[string]int64{}}
		began := time.Now()
		if s.special != nil {
			o.detail, o.err = s.special(r, &o)
		} else {
			o.detail, o.err = r.goTest(&o)
		}
		o.took = time.Since(began)
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		r.outcomes = append(r.outcomes, o)
		if r.report != "" {
			if err := os.WriteFile(r.report, []byte(r.page()), 0o644); err != nil {
				return err
			}
		}
		for _, line := range o.lines() {
			fmt.Println("  ", line)
		}
		if o.err != nil {
			fmt.Printf("   FAILED after %s: %v\n%s\n", o.took.Round(time.Second), o.err, o.detail)
		} else {
			fmt.Printf("   passed in %s\n", o.took.Round(time.Second))
		}
	}
	return nil
}

func (r *runner) failed() bool {
	return slices.ContainsFunc(r.outcomes, func(o outcome) bool { return o.err != nil })
}

// lines tells the tallies, by name.
func (o *outcome) lines() []string {
	var out []string
	for what, n := range o.tallies {
		out = append(out, fmt.Sprintf("%s: %s", what, thousands(n)))
	}
	slices.Sort(out)
	return out
}

// thousands prints 1234567 as 1,234,567.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"time"
)

var fuzzFunc = regexp.MustCompile(`(?m)^func (Fuzz[A-Za-z0-9_]+)\(`)

// target is one fuzz target.
type target struct{ folder, name string }

// targets finds all fuzz targets of the tree, by folder and name.
func targets() ([]target, error) {
	var out []target
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range fuzzFunc.FindAllSubmatch(text, -1) {
			out = append(out, target{"./" + filepath.ToSlash(filepath.Dir(path)), string(m[1])})
		}
		return nil
	})
	sort.Slice(out, func(i, j int) bool { return out[i].folder+out[i].name < out[j].folder+out[j].name })
	return out, err
}

// fuzz gives each target its seconds. At every change the targets take turns by date, so that all are met within days;
// for a release each has its turn, of fewer seconds if there are more targets than minutes.
func fuzz(r *runner, o *outcome) (detail string, err error) {
	all, err := targets()
	if err != nil {
		return "", err
	}
	a := r.amount(&o.suite)
	seconds, turns := a.n, 1
	for budget := a.minutes * 60; float64(seconds*len(all)/turns) > budget; {
		if r.release {
			seconds = max(10, int(budget)/len(all))
			break
		}
		turns++
	}
	turn := time.Now().YearDay() % turns
	o.tallies["fuzz targets in the tree"] = int64(len(all))
	for i, t := range all {
		if i%turns != turn {
			continue
		}
		began := time.Now()
		out, err := r.output("go", "test", t.folder, "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", fmt.Sprintf("%ds", seconds))
		if err != nil {
			return "", fmt.Errorf("%s %s: %w", t.folder, t.name, err)
		}
		o.tallies["fuzz targets run"]++
		o.tallies["fuzz seconds"] += int64(time.Since(began).Seconds())
		o.tallies["fuzz executions"] += executions(string(out))
	}
	return "", nil
}

var execs = regexp.MustCompile(`execs: (\d+)`)

// executions reads the last count that go test printed.
func executions(out string) int64 {
	m := execs.FindAllStringSubmatch(out, -1)
	if len(m) == 0 {
		return 0
	}
	var n int64
	fmt.Sscan(m[len(m)-1][1], &n)
	return n
}

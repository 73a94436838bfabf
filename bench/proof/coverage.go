package main

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// What the coverage counts, and below what share of statements it fails.
var covered = []struct {
	folder string
	least  float64 // percent
}{
	{"storage", 90},
	{"storage/wal", 90},
	{"ingest", 0},
	{"wire", 0},
}

// coverage runs the tests of the folders above, and those of the root, which goes the whole way, and counts the statements
// they reach.
func coverage(r *runner, o *outcome) (detail string, err error) {
	dir, err := os.MkdirTemp("", "proof-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	profile := filepath.Join(dir, "cover.out")
	_, err = r.output("go", "test", "-count=1", "-timeout", "1h", "-coverprofile", profile, "-coverpkg", "./storage/...,./ingest/...,./wire/...",
		"./storage/...", "./ingest/...", "./rollups", "./wire/...", "./cmd/telemdb", ".")
	if err != nil {
		return "", err
	}
	blocks, err := readProfile(profile)
	if err != nil {
		return "", err
	}
	for _, c := range covered {
		hit, all := share(blocks, c.folder)
		percent := 100 * float64(hit) / float64(max(1, all))
		detail += fmt.Sprintf("%s: %.1f %% of %s statements\n", c.folder, percent, thousands(int64(all)))
		if percent < c.least {
			err = fmt.Errorf("%s is covered to %.1f %%, not %.0f %%", c.folder, percent, c.least)
		}
	}
	return detail + byPackage(blocks), err
}

// block is a run of statements of a file.
type block struct {
	file string
	at   string
}

type reach struct {
	statements int
	hit        bool
}

// readProfile adds up a profile, in which each tested package lists all blocks.
func readProfile(name string) (map[block]reach, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[block]reach{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			continue // "mode: set"
		}
		file, at, _ := strings.Cut(fields[0], ":")
		n, err1 := strconv.Atoi(fields[1])
		count, err2 := strconv.Atoi(fields[2])
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%s: %q", name, lines.Text())
		}
		b := block{strings.TrimPrefix(file, "github.com/telemdb/telemdb/"), at}
		out[b] = reach{n, out[b].hit || count > 0}
	}
	return out, lines.Err()
}

// notOurs are folders whose statements only tests run.
var notOurs = []string{"storage/prove", "storage/invariants"}

// share counts the statements of a folder and those below it.
func share(blocks map[block]reach, folder string) (hit, all int) {
	for b, r := range blocks {
		dir := path.Dir(b.file)
		if dir != folder && !strings.HasPrefix(dir, folder+"/") || slices.Contains(notOurs, dir) || strings.HasSuffix(b.file, "_gen.go") {
			continue
		}
		all += r.statements
		if r.hit {
			hit += r.statements
		}
	}
	return hit, all
}

// byPackage lists the packages, the least covered first.
func byPackage(blocks map[block]reach) string {
	type row struct {
		dir      string
		hit, all int
	}
	var rows []row
	for b, r := range blocks {
		dir := path.Dir(b.file)
		i := slices.IndexFunc(rows, func(r row) bool { return r.dir == dir })
		if i < 0 {
			i = len(rows)
			rows = append(rows, row{dir: dir})
		}
		rows[i].all += r.statements
		if r.hit {
			rows[i].hit += r.statements
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return a.hit*b.all - b.hit*a.all })
	var out strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&out, "  %5.1f %%  %s\n", 100*float64(r.hit)/float64(max(1, r.all)), r.dir)
	}
	return out.String()
}

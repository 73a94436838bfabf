// Command telembench measures telemdb on this machine, part by part, and writes each part's table into bench/README.md.
//
//	go run ./bench/telembench                  the whole way of a ping with the real binary (part "way")
//	go run ./bench/telembench -only NAME,…     other parts; -list names them
//
// The load generator runs in this process, on the same cores as the server; its own CPU is shown.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// part is one table of the report. What it measures with beside b are flags of its own, named after it ("find.rows").
type part struct {
	name  string
	about string
	run   func(ctx context.Context, b *bench) error
}

// bench is what a part measures with: a scratch directory, which is removed at the end, and the table it fills.
type bench struct {
	*table
	dir       string
	printOnly bool // the report's file stays as it is
}

var parts = []part{
	{"way", "the whole way of a ping: start, submission, lag, disk, queries", measureWay},
	{"size", "bytes of a sealed day beside its gzip bodies and beside Parquet", measureSize},
	{"merge", "segments of flat rows and of main pings merged: bytes per second of CPU, memory", measureMerges},
	{"find", "rows of one client among those of 400 partitions, cold", measureFind},
	{"delete", "rows of one client in 400 partitions deleted, roll-ups corrected", measureDelete},
}

func main() {
	only := flag.String("only", "way", "the parts to run, separated by commas")
	list := flag.Bool("list", false, "list the parts")
	report := flag.String("report", "bench/README.md", "file whose generated parts are replaced; empty: print only")
	scratch := flag.String("dir", "", "where scratch directories are made; empty: the system's place for temporary files")
	profile := flag.String("cpuprofile", "", "file that gets a CPU profile of the parts")
	flag.Parse()
	if dir := os.Getenv(recoveryWriter); dir != "" {
		if err := fillLog(context.Background(), dir); err != nil {
			fmt.Fprintf(os.Stderr, "telembench: fill the log: %v\n", err)
			os.Exit(1)
		}
	}
	if *list {
		for _, p := range parts {
			fmt.Printf("%-10s %s\n", p.name, p.about)
		}
		return
	}
	for _, name := range strings.Split(*only, ",") {
		if err := profiled(*profile, func() error { return run(context.Background(), name, *report, *scratch) }); err != nil {
			fmt.Fprintf(os.Stderr, "telembench: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

// profiled runs f and writes a CPU profile of it to a file; "" is none.
func profiled(name string, f func() error) error {
	if name == "" {
		return f()
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	err = f()
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}

func run(ctx context.Context, name, report, scratch string) error {
	i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
	if i < 0 {
		return fmt.Errorf("there is no such part; -list names them")
	}
	dir, err := os.MkdirTemp(scratch, "telembench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{table: &table{part: name, command: command(name)}, dir: dir}
	began := time.Now()
	if err := parts[i].run(ctx, b); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: %.1f s\n", name, time.Since(began).Seconds())
	fmt.Print(b.markdown())
	if report == "" || b.printOnly {
		return nil
	}
	return b.writeInto(report)
}

// command is how this part is run again: the flags that were set, but for where and what else.
func command(name string) string {
	out := "go run ./bench/telembench -only " + name
	flag.Visit(func(f *flag.Flag) {
		if !slices.Contains([]string{"only", "report", "dir", "recovery.keep", "cpuprofile", "keep", "out", "python", "strict"}, f.Name) {
			out += fmt.Sprintf(" -%s %s", f.Name, f.Value)
		}
	})
	return out
}

var (
	pings = flag.Int("pings", 50_000, "way: pings of the demo day")
	burst = flag.Int("burst", 6000, "way: pings sent at each number of connections")
	tests = flag.Bool("tests", true, "way: time go test ./... too")
)

// measureWay goes the whole way of a ping with the real binary.
func measureWay(ctx context.Context, b *bench) error {
	t, dir := b.table, b.dir
	bin, err := buildBinary(dir)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		f    func() error
	}{
		{"binary and start", func() error { return measureStart(t, bin, dir) }},
		{"submission", func() error { return measureSubmission(ctx, t, bin, filepath.Join(dir, "burst"), *burst) }},
		{"aggregates", func() error { return measureAggregates(ctx, t) }},
		{"demo day", func() error { return measureDay(ctx, t, bin, filepath.Join(dir, "day"), *pings) }},
		{"tests", func() error { return measureTests(t, *tests) }},
	} {
		began := time.Now()
		if err := step.f(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %.1f s\n", step.name, time.Since(began).Seconds())
	}
	return nil
}

// buildBinary builds the product into dir.
func buildBinary(dir string) (bin string, err error) {
	bin = filepath.Join(dir, "telemdb")
	build := exec.Command("go", "build", "-o", bin, "./cmd/telemdb")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("build: %w", err)
	}
	return bin, nil
}

// measureTests times a warm `go test ./...`, results not cached.
func measureTests(t *table, wanted bool) error {
	if !wanted {
		return nil
	}
	began := time.Now()
	out, err := exec.Command("go", "test", "-count=1", "./...").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test: %w\n%s", err, out)
	}
	t.add("tests", "`go test -count=1 ./...`, warm build cache", fmt.Sprintf("%.0f s", time.Since(began).Seconds()))
	return nil
}

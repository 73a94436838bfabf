// Command telembench measures the whole way of a ping with the real binary on this machine: start, durable submission,
// lag, disk, queries. It writes its table into bench/README.md.
//
//	go run ./bench/telembench -pings 50000
//
// The load generator runs in this process, on the same cores as the server; its own CPU is shown.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	pings := flag.Int("pings", 50_000, "pings of the demo day (real size, about 9 GB of JSON for 50,000)")
	burst := flag.Int("burst", 6000, "pings sent at each number of connections")
	report := flag.String("report", "bench/README.md", "file whose generated part is replaced; empty: print only")
	tests := flag.Bool("tests", true, "time go test ./... too")
	flag.Parse()
	if err := run(context.Background(), *pings, *burst, *report, *tests); err != nil {
		fmt.Fprintln(os.Stderr, "telembench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, pings, burst int, report string, tests bool) error {
	dir, err := os.MkdirTemp("", "telembench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "telemdb")
	build := exec.Command("go", "build", "-o", bin, "./cmd/telemdb")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	t := &table{command: fmt.Sprintf("go run ./bench/telembench -pings %d -burst %d", pings, burst)}
	for _, step := range []struct {
		name string
		f    func() error
	}{
		{"binary and start", func() error { return measureStart(t, bin, dir) }},
		{"submission", func() error { return measureSubmission(ctx, t, bin, filepath.Join(dir, "burst"), burst) }},
		{"aggregates", func() error { return measureAggregates(ctx, t) }},
		{"demo day", func() error { return measureDay(ctx, t, bin, filepath.Join(dir, "day"), pings) }},
		{"tests", func() error { return measureTests(t, tests) }},
	} {
		began := time.Now()
		if err := step.f(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %.1f s\n", step.name, time.Since(began).Seconds())
	}
	fmt.Print(t.markdown())
	if report == "" {
		return nil
	}
	return t.writeInto(report)
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

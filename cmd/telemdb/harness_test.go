package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The tests of this package use the real binary, a real directory, real HTTP and a real psql.

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "telemdb-bin-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "telemdb")
	// Without what debuggers read it is linked in half the time.
	out, err := exec.Command("go", "build", "-ldflags=-s", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func telemdbBinary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is a running `telemdb serve`.
type process struct {
	cmd       *exec.Cmd
	http      string // http://127.0.0.1:port
	pg        string // postgres://…
	ready     time.Duration
	stderr    strings.Builder
	stdout    *bufio.Scanner
	exited    chan struct{}
	exitError error
}

// serve starts the binary on dir with ports of its own, and waits for its four lines.
func serve(t testing.TB, dir string, args ...string) *process {
	t.Helper()
	p, err := startProcess(telemdbBinary(t), append([]string{"serve", "--data", dir, "--http", "127.0.0.1:0", "--pg", "127.0.0.1:0"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	return p
}

func startProcess(bin string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(bin, args...), exited: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	started := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.stdout = bufio.NewScanner(out)
	for range 4 {
		if !p.stdout.Scan() {
			err := p.cmd.Wait()
			return nil, fmt.Errorf("%v ended before it was ready: %v\n%s", args, err, p.stderr.String())
		}
		switch word, rest, _ := strings.Cut(p.stdout.Text(), " "); word {
		case "submit":
			p.http = strings.TrimSuffix(strings.TrimSpace(rest), "/submit/")
		case "sql":
			p.pg = strings.Trim(strings.TrimPrefix(strings.TrimSpace(rest), "psql "), "'")
		}
	}
	p.ready = time.Since(started)
	go func() {
		for p.stdout.Scan() { // what a demo prints later must not fill the pipe
		}
		p.exitError = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// stop ends the process by SIGTERM and fails the test if it does not end cleanly.
func (p *process) stop(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(40 * time.Second):
		p.kill()
		t.Fatal("the server did not stop within 40 s of SIGTERM")
	}
	if p.exitError != nil {
		t.Fatalf("the server ended with %v\n%s", p.exitError, p.stderr.String())
	}
}

// kill ends the process at once, as kill -9 does.
func (p *process) kill() {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(err)
	}
	<-p.exited
}

// psql runs statements and returns the rows, a line a row with | between values.
func (p *process) psql(t testing.TB, query string) string {
	t.Helper()
	out, err := p.tryPsql(query)
	if err != nil {
		t.Fatalf("psql %q: %v\n%s", query, err, out)
	}
	return out
}

// psqlQuestion is a statement and what is made of its answer.
type psqlQuestion struct {
	query string
	check func(answer string)
}

// askAll has one psql run all statements, and looks at each answer.
func (p *process) askAll(t testing.TB, all []psqlQuestion) {
	t.Helper()
	const end = "-- that was the answer --"
	var script strings.Builder
	for _, q := range all {
		fmt.Fprintf(&script, "%s;\n\\echo '%s'\n", q.query, end)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", p.pg, "-f", "-")
	cmd.Stdin = strings.NewReader(script.String())
	out, err := cmd.CombinedOutput()
	answers := strings.SplitAfter(string(out), end+"\n")
	if err != nil || len(answers) != len(all)+1 || answers[len(all)] != "" {
		t.Fatalf("psql: %v, %d answers to %d statements; the last is %.1000q", err, len(answers)-1, len(all), answers[len(answers)-1])
	}
	for i, q := range all {
		q.check(strings.TrimRight(strings.TrimSuffix(answers[i], end+"\n"), "\n"))
	}
}

func (p *process) tryPsql(query string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", p.pg, "-c", query)
	out, err := cmd.CombinedOutput()
	return strings.TrimRight(string(out), "\n"), err
}

func needPsql(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("psql"); err != nil {
		t.Skip("psql is not installed")
	}
}

// eventually waits for a condition that another process brings about, looking every few milliseconds.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// tallyLine is what storage/prove logs.
var tallyLine = regexp.MustCompile(`: tally (.+): (-?\d+)$`)

// goTest runs a suite's tests and adds up their tallies. The detail is the output's end if they failed.
func (r *runner) goTest(o *outcome) (detail string, err error) {
	args := []string{"test", "-count=1", "-v", "-timeout", "6h", "-run", o.run}
	if o.tags {
		args = append(args, "-tags", "invariants")
	}
	if o.race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(r.ctx, "go", append(args, o.packages...)...)
	cmd.Env = append(os.Environ(), r.env(&o.suite)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return "", err
	}
	tail := r.read(out, o)
	if err := cmd.Wait(); err != nil {
		return tail, err
	}
	return "", nil
}

// env is how much a suite runs.
func (r *runner) env(s *suite) []string {
	a := r.amount(s)
	if a.n == 0 { // a suite without a size
		return nil
	}
	name := s.count
	if name == "" {
		name = "TELEMDB_SEEDS"
	}
	env := []string{name + "=" + strconv.Itoa(a.n)}
	if a.minutes > 0 {
		env = append(env, fmt.Sprintf("TELEMDB_MINUTES=%g", a.minutes))
	}
	return env
}

func (r *runner) amount(s *suite) amount {
	a := s.ci
	if r.release {
		a = s.full
	}
	if a.n > 1 {
		a.n = max(1, int(float64(a.n)*r.scale))
	}
	a.minutes *= r.scale
	return a
}

// tailLines is how much of a failed test's output is kept.
const tailLines = 60

// read takes the tallies and counts of passed tests from the output, and returns its last lines.
func (r *runner) read(in io.Reader, o *outcome) string {
	var last []string
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lines.Text()
		if r.verbose {
			fmt.Println(line)
		}
		if m := tallyLine.FindStringSubmatch(line); m != nil {
			n, _ := strconv.ParseInt(m[2], 10, 64)
			o.tallies[m[1]] += n
		}
		if strings.HasPrefix(strings.TrimSpace(line), "--- PASS") {
			o.tallies["tests passed"]++
		}
		if strings.HasPrefix(strings.TrimSpace(line), "--- SKIP") {
			o.tallies["tests skipped"]++
		}
		if last = append(last, line); len(last) > tailLines {
			last = last[1:]
		}
	}
	return strings.Join(last, "\n")
}

// output runs a command and returns what it prints, which is in the error too.
func (r *runner) output(name string, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(r.ctx, name, args...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return out, nil
}

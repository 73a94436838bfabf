package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// table is one part of the report: rows of (subject, what, number).
type table struct {
	part    string
	command string
	rows    [][3]string
	body    string // the section as it is, for a part that has more to say than rows
}

func (t *table) add(subject, what, number string) {
	t.rows = append(t.rows, [3]string{subject, what, number})
	fmt.Fprintf(os.Stderr, "  %-12s %-60s %s\n", subject, what, number)
}

func (t *table) markdown() string {
	if t.body != "" {
		return t.body
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Command: `%s`, %s, %s, %d cores (%s), commit %s.\n\n", t.command, time.Now().UTC().Format(time.DateOnly),
		runtime.Version(), runtime.NumCPU(), cpuModel(), commit())
	b.WriteString("| subject | what | measured |\n|---|---|---|\n")
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r[0], r[1], r[2])
	}
	return b.String()
}

// writeInto replaces the part's generated section of a file, which stands between two comments.
func (t *table) writeInto(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	begin, end := "<!-- telembench "+t.part+": generated, do not edit below -->\n", "<!-- telembench "+t.part+": end -->\n"
	before, rest, ok1 := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no generated section (%s … %s)", name, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return os.WriteFile(name, []byte(before+begin+"\n"+t.markdown()+"\n"+end+after), 0o644)
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}

func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// quantile returns the q-quantile of durations, which it sorts.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

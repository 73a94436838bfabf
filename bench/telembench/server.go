package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is the real binary, running.
type server struct {
	cmd      *exec.Cmd
	http, pg string
	ready    time.Duration
	dir      string
}

func start(bin, dir string) (*server, error) {
	s := &server{cmd: exec.Command(bin, "serve", "--data", dir, "--http", "127.0.0.1:0", "--pg", "127.0.0.1:0"), dir: dir}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for range 4 {
		if !lines.Scan() {
			return nil, fmt.Errorf("the server ended before it was ready: %w", s.cmd.Wait())
		}
		switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
		case "submit":
			s.http = strings.TrimSuffix(strings.TrimSpace(rest), "/submit/")
		case "sql":
			s.pg = strings.Trim(strings.TrimPrefix(strings.TrimSpace(rest), "psql "), "'")
		}
	}
	s.ready = time.Since(began)
	return s, nil
}

func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

func (s *server) connect(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, s.pg+"?sslmode=disable")
}

// cpu is the CPU time the server has used, user and system.
func (s *server) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	ticks := 0
	for _, i := range []int{11, 12} {
		n, err := strconv.Atoi(f[i])
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// rss is the server's resident memory in bytes.
func (s *server) rss() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}

// ownCPU is the CPU time of this process: the load generator's.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func measureStart(t *table, bin, dir string) error {
	info, err := os.Stat(bin)
	if err != nil {
		return err
	}
	t.add("binary", "size, not stripped", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6))
	var ready []time.Duration
	var idle int64
	for i := range 7 {
		s, err := start(bin, fmt.Sprintf("%s/start%d", dir, i))
		if err != nil {
			return err
		}
		ready = append(ready, s.ready)
		if i == 6 {
			time.Sleep(3 * time.Second) // let start-up garbage be collected: this is what idle means
			idle = s.rss()
		}
		if err := s.stop(); err != nil {
			return err
		}
	}
	t.add("start", "ready on an empty directory, median of 7 (least, most)", fmt.Sprintf("%s (%s, %s)", ms(quantile(ready, .5)),
		ms(quantile(ready, 0)), ms(quantile(ready, 1))))
	t.add("start", "resident memory, idle", fmt.Sprintf("%.0f MB", float64(idle)/1e6))
	return nil
}

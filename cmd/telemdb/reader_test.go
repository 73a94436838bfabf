package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// reader is a running `telemdb sql DIR`.
type reader struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startReader(t *testing.T, dir string) *reader {
	t.Helper()
	cmd := exec.Command(telemdbBinary(t), "sql", dir, "--csv")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &reader{cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(r.kill)
	return r
}

// ask runs a statement whose answer has one row, or an error, and returns that line.
func (r *reader) ask(t *testing.T, query string) string {
	t.Helper()
	if _, err := fmt.Fprintln(r.in, query+";"); err != nil {
		t.Fatal(err)
	}
	line, err := r.out.ReadString('\n')
	if err != nil || strings.HasPrefix(line, "ERROR") {
		return fmt.Sprint(strings.TrimSpace(line), err)
	}
	line, err = r.out.ReadString('\n') // behind the column's name
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func (r *reader) kill() {
	_ = r.cmd.Process.Kill() // it may have ended
	_ = r.cmd.Wait()         // and been waited for
}

// leases counts the catalogs that are lent.
func leases(dir string) int {
	entries, err := os.ReadDir(filepath.Join(dir, "leases"))
	if err != nil {
		return 0
	}
	return len(entries)
}

const readerCount = "SELECT count(*) || ' ' || count(DISTINCT document_id) || ' ' || (SELECT sum(accepted) FROM telemdb.balance) FROM main"

// TestReadersBesideAServerUnderLoad runs a server and readers as processes: each reader's answer is the same to its end,
// while pings come and are sealed and merged, a table is dropped, and another reader is killed.
func TestReadersBesideAServerUnderLoad(t *testing.T) {
	needPsql(t)
	dir := t.TempDir()
	p := serve(t, dir, "--seal-bytes", "1MiB", "--seal-max-age", "1s")
	s := newSubmitter(5)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for sink := newHTTPSink(p.http); ; s.one(sink) {
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	acked := func() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.acked) }
	eventually(t, 30*time.Second, "some load", func() bool { return acked() > 200 })
	p.psql(t, "CREATE TABLE copied AS SELECT document_id FROM main")

	first, doomed := startReader(t, dir), startReader(t, dir)
	moment := first.ask(t, readerCount)
	copied := first.ask(t, "SELECT count(*) FROM copied")
	if copied == "0" || strings.HasPrefix(moment, "0 ") || strings.Contains(moment, "ERROR") {
		t.Fatalf("the reader sees %s, and %s copied", moment, copied)
	}
	doomed.ask(t, readerCount)
	if n := leases(dir); n != 2 {
		t.Errorf("%d leases, want 2", n)
	}
	doomed.kill()
	eventually(t, 20*time.Second, "the killed reader's lease ends", func() bool { return leases(dir) == 1 })

	p.psql(t, "DROP TABLE copied")
	then := acked()
	eventually(t, 60*time.Second, "the server goes on", func() bool { return acked() > then+200 })
	p.psql(t, "SELECT telemdb.flush()")
	second := startReader(t, dir)
	later := second.ask(t, readerCount)
	if later == moment || strings.Contains(later, "ERROR") {
		t.Errorf("a later reader sees %s, the first %s", later, moment)
	}
	for range 5 {
		if again := first.ask(t, readerCount); again != moment {
			t.Fatalf("the reader saw %s and now sees %s", moment, again)
		}
	}
	if again := first.ask(t, "SELECT count(*) FROM copied"); again != copied {
		t.Errorf("of a dropped table the reader saw %s rows and now sees %s", copied, again)
	}
	// One write, because the hint behind the error is another line.
	if got := first.ask(t, "DELETE FROM main"); !strings.Contains(got, "25006") {
		t.Errorf("a reader's write: %s", got)
	}

	// A backup is one more reader.
	backups := filepath.Join(t.TempDir(), "backups")
	out, status := runBinary(t, nil, "backup", backups, "--data", dir)
	if status != 0 {
		t.Fatalf("backup: %d %s", status, out)
	}
	close(stop)
	wg.Wait()
	p.kill()
	eventually(t, 20*time.Second, "the reader is told", func() bool {
		return strings.Contains(second.ask(t, "SELECT 1"), "ended the lease")
	})
	restored := filepath.Join(t.TempDir(), "restored")
	for _, args := range [][]string{{"backup", "verify", backups}, {"restore", backups, restored}, {"check", restored}, {"check", dir}} {
		if out, status := runBinary(t, nil, args...); status != 0 {
			t.Errorf("%v: %d %s", args, status, out)
		}
	}
	p = serve(t, dir)
	if n := leases(dir); n != 0 {
		t.Errorf("%d leases are left by the killed server", n)
	}
	checkAcked(t, p, s.acked, "after it all")
	p.stop(t)
}

func TestAServerIsToldWhichReadersHaveTheDirectory(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir).stop(t)
	r := startReader(t, dir)
	if got := r.ask(t, "SELECT 7"); got != "7" {
		t.Fatal(got)
	}
	out, status := runBinary(t, nil, "serve", "--data", dir, "--http", "127.0.0.1:0", "--pg", "127.0.0.1:0")
	if want := fmt.Sprintf("readers: pid %d", r.cmd.Process.Pid); status != 1 || !strings.Contains(out, want) {
		t.Errorf("status %d: %s, want %s in it", status, out, want)
	}
	r.kill()
	serve(t, dir).stop(t)
}

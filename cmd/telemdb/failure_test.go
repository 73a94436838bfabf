package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// The kernel reports a failed sync of the log (strace injects it). Whoever waits for it gets 500, the server ends with
// status 74, and the next start has everything that was acknowledged.
func TestAFailedSyncEndsTheServer(t *testing.T) {
	needPsql(t)
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	dir := t.TempDir()
	p := serve(t, dir)
	s := newSubmitter(11)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			sink := newHTTPSink(p.http)
			for s.one(sink) == http.StatusOK {
			}
		})
	}
	eventually(t, 20*time.Second, "some load", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.acked) > 50 })
	trace := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO",
		"-p", fmt.Sprint(p.cmd.Process.Pid))
	var said strings.Builder
	trace.Stderr = &said
	if err := trace.Start(); err != nil {
		t.Fatal(err)
	}
	traced := make(chan error, 1)
	go func() { traced <- trace.Wait() }()
	select {
	case <-p.exited:
		<-traced
	case err := <-traced:
		select {
		case <-p.exited:
		case <-time.After(time.Second):
			p.kill()
			wg.Wait()
			t.Skipf("strace cannot attach here: %v %s", err, said.String())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the server goes on although its log cannot be synced")
	}
	wg.Wait()
	if code := p.cmd.ProcessState.ExitCode(); code != int(exitSyncFailed) {
		t.Fatalf("exit status %d\n%s", code, p.stderr.String())
	}
	if log := p.stderr.String(); !strings.Contains(log, "fdatasync") || !strings.Contains(log, "input/output error") {
		t.Errorf("the log does not say what failed: %s", log)
	}
	s.only(t, 0, http.StatusOK, http.StatusInternalServerError, http.StatusServiceUnavailable)
	p = serve(t, dir)
	s.readBack(t, p, "after the restart")
	p.stop(t)
}

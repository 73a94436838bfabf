package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// runBinary runs the binary to its end and returns what it printed and its status.
func runBinary(t testing.TB, env []string, args ...string) (out string, status int) {
	t.Helper()
	cmd := exec.Command(telemdbBinary(t), args...)
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func TestAnEmptyDirectoryIsReadyAtOnce(t *testing.T) {
	best := time.Hour
	for range 3 { // other processes share the machine: the best of three
		p := serve(t, filepath.Join(t.TempDir(), "not", "there", "yet"))
		best = min(best, p.ready)
		p.stop(t)
	}
	t.Logf("ready in %v", best)
	if best > 300*time.Millisecond {
		t.Fatalf("ready in %v", best)
	}
}

func TestASecondServerIsToldWhoHasTheDirectory(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	for _, args := range [][]string{
		{"serve", "--data", dir, "--http", "127.0.0.1:0", "--pg", "127.0.0.1:0"}, {"sql", "--write", dir, "-c", "SELECT 1"},
		{"load", "--data", dir, os.DevNull},
	} {
		var out string
		var status int
		best := time.Hour
		for range 3 { // other processes share the machine: the best of three
			started := time.Now()
			out, status = runBinary(t, nil, args...)
			if best = min(best, time.Since(started)); best <= time.Second {
				break
			}
		}
		if best > time.Second {
			t.Errorf("%v was refused after %v", args, best)
		}
		if status != 1 || !strings.Contains(out, fmt.Sprintf("pid %d, started 20", p.cmd.Process.Pid)) || strings.Count(out, "\n") != 1 {
			t.Errorf("%v: status %d, %s", args, status, out)
		}
	}
	p.stop(t)
}

func TestWhatIsWrongAtStartIsSaid(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config := func(text string) string {
		f, err := os.CreateTemp(dir, "*.toml")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return f.Name()
	}
	ok := []string{"serve", "--data", filepath.Join(dir, "d"), "--http", "127.0.0.1:0", "--pg", "127.0.0.1:0"}
	empty := t.TempDir()
	for _, c := range []struct {
		env  []string
		args []string
		want []string
	}{
		{nil, append(ok, "--http", taken.Addr().String()), []string{"--http", taken.Addr().String(), "in use by another process", "another port"}},
		{nil, append(ok, "--pg", taken.Addr().String()), []string{"--pg", taken.Addr().String(), "in use by another process"}},
		{nil, append(ok, "--http", "0.0.0.0:0"), []string{"--http", "neither TLS nor passwords", "127.0.0.1"}},
		{nil, append(ok, "--pg", ":5433"), []string{"--pg", "neither TLS nor passwords"}},
		{nil, append(ok, "--http", "8080"), []string{"--http", "not host:port"}},
		{nil, append(ok, "--http", "127.0.0.1:99999"), []string{"--http", "65535"}},
		{nil, append(ok, "--data", ""), []string{"--data is empty"}},
		{nil, append(ok, "--data", "/dev/null/x"), []string{"/dev/null", "not a directory"}},
		{nil, append(ok, "--log-file", "many"), []string{"log-file", `"many" is not a size`}},
		{[]string{"TELEMDB_HTTP=nonsense"}, ok[:3], []string{"--http", `"nonsense" is not host:port`}},
		{[]string{"TELEMDB_CACHE=lots"}, ok, []string{"TELEMDB_CACHE", `"lots" is not a size`}},
		{nil, append(ok, "--config", config("cashe = \"1GiB\"\n")), []string{".toml", `no option is called "cashe"`}},
		{nil, append(ok, "--config", config("cache = \n")), []string{".toml", "line 1"}},
		{nil, append(ok, "--config", config("cache = \"x\"\n")), []string{"config file key cache", `"x" is not a size`}},
		{nil, append(ok, "--config", filepath.Join(dir, "none.toml")), []string{"none.toml", "no such file"}},
		{nil, []string{"check", empty}, []string{empty, "holds no database"}},
		{nil, []string{"sql", empty, "-c", "SELECT 1"}, []string{empty, "holds no database"}},
		{nil, []string{"sql", "postgres://" + closedPort(t) + "/telemdb", "-c", "SELECT 1"}, []string{"connection refused"}},
		{nil, []string{"serve", "extra"}, []string{`"extra"`}},
		{nil, []string{"serv"}, []string{`unknown command "serv"`}},
	} {
		out, status := runBinary(t, c.env, c.args...)
		if status != 1 {
			t.Errorf("%v: status %d: %s", c.args, status, out)
		}
		for _, w := range c.want {
			if !strings.Contains(out, w) {
				t.Errorf("%v: no %q in %s", c.args, w, out)
			}
		}
	}
	if names, err := os.ReadDir(empty); err != nil || len(names) > 0 {
		t.Errorf("an empty directory was written to: %v %v", names, err)
	}
}

// closedPort is an address on which nobody listens.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestADirectoryThatCannotBeWrittenIsSaid(t *testing.T) {
	if os.Getuid() == 0 {
		// Root may write anywhere but on a file system that is mounted read-only.
		dir := smallDisk(t, 1)
		if out, err := exec.Command("mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
			t.Skipf("remount: %v %s", err, out)
		}
		out, status := runBinary(t, nil, "serve", "--data", dir, "--http", "127.0.0.1:0", "--pg", "127.0.0.1:0")
		if status != 1 || !strings.Contains(out, dir) || !strings.Contains(out, "read-only file system") {
			t.Fatalf("status %d: %s", status, out)
		}
		return
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	out, status := runBinary(t, nil, "serve", "--data", dir, "--http", "127.0.0.1:0", "--pg", "127.0.0.1:0")
	if status != 1 || !strings.Contains(out, dir) || !strings.Contains(out, "permission denied") {
		t.Fatalf("status %d: %s", status, out)
	}
}

func TestFlagsGoBeforeTheEnvironmentAndThatBeforeTheFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.toml")
	if err := os.WriteFile(file, []byte("max-body = 100\nmax-lag = \"30s\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env, flag string
		pass      int // the largest body that passes
	}{{"", "", 100}, {"TELEMDB_MAX_BODY=200", "", 200}, {"TELEMDB_MAX_BODY=200", "--max-body=300", 300}} {
		args := []string{"serve", "--config", file, "--data", filepath.Join(dir, "d"), "--http", "127.0.0.1:0", "--pg", "127.0.0.1:0"}
		if c.flag != "" {
			args = append(args, c.flag)
		}
		if c.env != "" {
			name, value, _ := strings.Cut(c.env, "=")
			t.Setenv(name, value)
		}
		p, err := startProcess(telemdbBinary(t), args...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.kill)
		for _, n := range []int{c.pass, c.pass + 1} {
			want := map[bool]int{true: http.StatusOK, false: http.StatusRequestEntityTooLarge}[n <= c.pass]
			if got := post(t, p, newURI(), bytes.Repeat([]byte("x"), n)); got != want {
				t.Errorf("%+v: a body of %d bytes gets %d", c, n, got)
			}
		}
		p.stop(t)
	}
}

// A stop under load answers what has begun, ends quickly, and what was acknowledged is there at the next start.
func TestAStopUnderLoadLosesNothing(t *testing.T) {
	needPsql(t)
	dir := t.TempDir()
	p := serve(t, dir)
	s := newSubmitter(3)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for s.one(newHTTPSink(p.http)) != 0 {
			}
		})
	}
	eventually(t, 20*time.Second, "some load", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.acked) > 200 })
	started := time.Now()
	p.stop(t)
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
	wg.Wait()
	s.only(t, 0, http.StatusOK, http.StatusServiceUnavailable)
	if p.stderr.Len() > 0 {
		t.Errorf("printed to stderr: %s", p.stderr.String())
	}
	p = serve(t, dir)
	checkAcked(t, p, s.acked, "after the restart")
	p.stop(t)
}

// A request whose body is on its way keeps a stop waiting; a second signal does not wait.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	p := serve(t, t.TempDir())
	c := dial(t, p)
	if _, err := io.WriteString(c, "POST "+newURI()+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line := readSome(t, c); !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q", line)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "the listener is closed", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.http, "http://"))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	select {
	case <-p.exited:
		t.Fatal("it did not wait for the request in flight")
	default:
	}
	started := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	if took := time.Since(started); took > time.Second || p.cmd.ProcessState.Success() {
		t.Fatalf("after %v: %v", took, p.exitError)
	}
}

// Every file of a clean directory is damaged, one byte at a time, at its start, middle and end. What is read back is
// under a checksum, so check says which file it was.
func TestCheckFindsEveryDamagedByte(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "pings.ndjson")
	today := time.Now().UTC().Format(time.DateOnly) // retention would drop old duplicates, and what is damaged of them, as check opens the directory
	if out, status := runBinary(t, nil, "gen", "--small", "--pings", "60", "--start", today, "--days", "1", "-o", file); status != 0 {
		t.Fatal(out)
	}
	for range 2 { // the second load makes duplicates, and the catalog write a table file
		if out, status := runBinary(t, nil, "load", "--data", dir, file); status != 0 {
			t.Fatal(out)
		}
	}
	if out, status := runBinary(t, nil, "check", dir); status != 0 || !strings.Contains(out, "no problems in "+dir) {
		t.Fatalf("status %d: %s", status, out)
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		checkDamage(t, dir, rel, info.Size())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkDamage(t *testing.T, dir, rel string, size int64) {
	t.Helper()
	switch kind := filepath.Ext(rel); {
	case kind == ".seg", kind == ".sst", kind == ".wal":
	default: // small texts, and logs of the catalog that a clean stop left without content
		return
	}
	offsets := []int64{0, size / 2, size - 1}
	if filepath.Ext(rel) == ".wal" {
		offsets = offsets[:2] // the last bytes are a mark that helps a start and is not needed
	}
	for _, at := range offsets {
		copied := t.TempDir()
		if err := os.CopyFS(filepath.Join(copied, "d"), os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(copied, "d", rel)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		data[at] ^= 0x5a
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		out, status := runBinary(t, nil, "check", filepath.Join(copied, "d"))
		base := strings.TrimSuffix(filepath.Base(rel), filepath.Ext(rel))
		if status != int(exitProblems) || !strings.Contains(out, base) {
			t.Errorf("byte %d of %s: status %d: %s", at, rel, status, out)
		}
	}
}

// An interrupted load goes on where it was: nothing is left out and nothing is sent twice.
func TestAnInterruptedLoadGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	tmp := t.TempDir()
	file, resume := filepath.Join(tmp, "pings.ndjson"), filepath.Join(tmp, "resume")
	const pings = 3000
	if out, status := runBinary(t, nil, "gen", "--pings", fmt.Sprint(pings), "--small", "-o", file); status != 0 {
		t.Fatal(out)
	}
	cmd := exec.Command(telemdbBinary(t), "load", "--data", dir, "--resume", resume, "--connections", "2", file)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the load has begun", func() bool {
		names, err := filepath.Glob(filepath.Join(dir, "wal", "*.wal"))
		return err == nil && len(names) > 0
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if err == nil {
		t.Skip("the load was done before the interrupt")
	}
	if !strings.Contains(out.String(), "interrupted behind line") {
		t.Fatalf("%v: %s", err, out.String())
	}
	if out, status := runBinary(t, nil, "load", "--data", dir, "--resume", resume, file); status != 0 {
		t.Fatal(out)
	}
	got, status := runBinary(t, nil, "sql", dir, "--csv", "-c", "SELECT sum(accepted) FROM telemdb.balance")
	if want := fmt.Sprintf("sum\n%d\n", pings); status != 0 || got != want {
		t.Fatalf("status %d: %q, want %q", status, got, want)
	}
}

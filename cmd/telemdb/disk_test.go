package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/telemdb/telemdb/ingest/gen"
	"github.com/telemdb/telemdb/storage/prove"
)

// smallDisk mounts a file system of its own, of the given size in MiB.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", mib), "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a tmpfs: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	return dir
}

// fill leaves free about the given number of KiB of the disk that holds dir, and returns what to remove.
func fill(t *testing.T, dir string, freeKiB int) string {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	size, err := f.Seek(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(max(0, size-int64(freeKiB)<<10)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// submitter posts generated pings and remembers the ids of those that got a 200.
type submitter struct {
	mu     sync.Mutex
	pings  *gen.Generator
	acked  map[string]bool // type/document id
	status map[int]int
}

func newSubmitter(seed uint64) *submitter {
	return &submitter{
		pings: gen.New(gen.Options{Seed: seed, Pings: -1, Clients: 5000, Start: time.Now().UTC().Truncate(24 * time.Hour), Days: 1, Small: true}),
		acked: map[string]bool{}, status: map[int]int{},
	}
}

// one posts one ping. A connection that breaks counts as status 0.
func (s *submitter) one(sink *httpSink) int {
	s.mu.Lock()
	var ping gen.Ping
	s.pings.Next(&ping)
	body := gzipped(append([]byte(nil), ping.Body...))
	uri, key, broken := ping.URI, ping.DocType+"/"+strings.ToLower(ping.DocID), ping.Broken
	s.mu.Unlock()
	status, err := sink.post(context.Background(), uri, body)
	if err != nil {
		status = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status[status]++
	if status == http.StatusOK && !broken {
		s.acked[key] = true
	}
	return status
}

// until posts from several connections until stop says so of a status.
func (s *submitter) until(t *testing.T, sink *httpSink, stop func(status int) bool) {
	t.Helper()
	var done atomic.Bool
	var wg sync.WaitGroup
	deadline := time.Now().Add(time.Minute)
	for range 4 {
		wg.Go(func() {
			for !done.Load() {
				if stop(s.one(sink)) || time.Now().After(deadline) {
					done.Store(true)
				}
			}
		})
	}
	wg.Wait()
	if time.Now().After(deadline) {
		t.Fatalf("not within a minute; statuses %v", s.status)
	}
}

// only fails the test if a status other than the given ones was answered.
func (s *submitter) only(t *testing.T, allowed ...int) {
	t.Helper()
	for code, n := range s.status {
		ok := false
		for _, a := range allowed {
			ok = ok || a == code
		}
		if !ok {
			t.Fatalf("%d answers %d; all: %v", n, code, s.status)
		}
	}
}

// A disk fills, by us and then by others to its last byte. Submissions are refused with 507, reads go on, a restart works,
// and when space returns so do writes, without one.
func TestAFullDiskRefusesAndRecoversAlone(t *testing.T) {
	needPsql(t)
	disk := smallDisk(t, 160)
	dir := filepath.Join(disk, "data")
	args := []string{"--disk-reserve", "40MiB", "--disk-ballast", "16MiB", "--log-file", "4MiB", "--seal-bytes", "4MiB"}
	p := serve(t, dir, args...)
	s := newSubmitter(7)
	cycles := envInt("TELEMDB_DISK_CYCLES", 1)
	defer func() { prove.Tally(t, "disk-full cycles", int64(cycles)) }()
	for cycle := range cycles {
		sink := newHTTPSink(p.http)
		// Full by ourselves: the reserve holds.
		filler := fill(t, disk, 44<<10)
		s.until(t, sink, func(status int) bool { return status == http.StatusInsufficientStorage })
		s.only(t, http.StatusOK, http.StatusInsufficientStorage)
		if code := get(t, p.http+"/__heartbeat__"); code != http.StatusInternalServerError {
			t.Fatalf("cycle %d: heartbeat on a full disk: %d", cycle, code)
		}
		if code := get(t, p.http+"/__lbheartbeat__"); code != http.StatusOK {
			t.Fatalf("cycle %d: lbheartbeat on a full disk: %d", cycle, code)
		}
		s.readBack(t, p, fmt.Sprintf("cycle %d: reserve reached", cycle))
		// Full by others, to the last byte: seals may fail, nothing else does.
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		s.writesResume(t, p)
		filler = fill(t, disk, 0)
		for range 200 {
			s.one(sink)
		}
		s.only(t, http.StatusOK, http.StatusInsufficientStorage)
		out, err := p.tryPsql("SELECT telemdb.flush()")
		t.Logf("cycle %d: flush on a full disk: %q %v", cycle, out, err)
		s.readBack(t, p, fmt.Sprintf("cycle %d: no byte left", cycle))
		// A crash and a start on the full disk.
		p.kill()
		p = serve(t, dir, args...)
		s.readBack(t, p, fmt.Sprintf("cycle %d: restart on a full disk", cycle))
		if status := s.one(newHTTPSink(p.http)); status != http.StatusInsufficientStorage {
			t.Fatalf("cycle %d: a submission after the restart got %d", cycle, status)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		s.writesResume(t, p)
		p.psql(t, "SELECT telemdb.flush()")
		s.readBack(t, p, fmt.Sprintf("cycle %d: space again", cycle))
		s.only(t, http.StatusOK, http.StatusInsufficientStorage)
		t.Logf("cycle %d: statuses %v", cycle, s.status)
	}
	p.stop(t)
}

// writesResume waits until a submission is accepted again.
func (s *submitter) writesResume(t *testing.T, p *process) {
	t.Helper()
	sink := newHTTPSink(p.http)
	eventually(t, 10*time.Second, "writes resume", func() bool { return s.one(sink) == http.StatusOK })
}

// readBack asks whether every acknowledged document is there exactly once.
func (s *submitter) readBack(t *testing.T, p *process, when string) {
	t.Helper()
	checkAcked(t, p, s.acked, when)
}

func get(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// On a disk without a free byte what takes rows away works, and so do reads; what adds rows says 53100, until space returns.
func TestAFullDiskStillReadsDeletesExpiresAndDrops(t *testing.T) {
	needPsql(t)
	disk := smallDisk(t, 128)
	p := serve(t, filepath.Join(disk, "data"), "--disk-reserve", "20MiB", "--disk-ballast", "16MiB", "--log-file", "4MiB")
	for _, sql := range []string{
		"CREATE TABLE public.days (day date, n bigint) WITH (partition_by = 'day')",
		"INSERT INTO public.days SELECT '2020-01-01'::date, n FROM generate_series(1, 1000) AS g(n)",
		"INSERT INTO public.days SELECT current_date, n FROM generate_series(1, 1000) AS g(n)",
		"CREATE TABLE public.numbers AS SELECT generate_series(1, 1000) AS n",
		"CREATE TABLE public.gone AS SELECT generate_series(1, 1000) AS n",
		"SELECT telemdb.flush()",
	} {
		p.psql(t, sql)
	}
	count := func(table, want string) {
		t.Helper()
		if got := p.psql(t, "SELECT count(*) FROM "+table); got != want {
			t.Errorf("%s has %s rows, want %s", table, got, want)
		}
	}
	insert := func() string {
		out, err := exec.Command("psql", "-X", "-v", "VERBOSITY=verbose", p.pg, "-c", "INSERT INTO public.numbers VALUES (0)").CombinedOutput()
		if err == nil {
			return ""
		}
		return string(out)
	}
	filler := fill(t, disk, 0)
	count("public.days", "2000")
	added := 0 // until the server looks at the disk again; the log has reserved room for it
	eventually(t, 10*time.Second, "INSERT is refused", func() bool {
		out := insert()
		if out == "" {
			added++
		} else if !strings.Contains(out, "53100") {
			t.Errorf("INSERT on a full disk: %q, want 53100", out)
		}
		return out != ""
	})
	count("public.numbers", fmt.Sprint(1000+added))
	p.psql(t, "DELETE FROM public.numbers WHERE n BETWEEN 1 AND 10")
	count("public.numbers", fmt.Sprint(990+added))
	p.psql(t, "ALTER TABLE public.days SET (retention = '30 days')")
	eventually(t, 20*time.Second, "the old partition is dropped", func() bool { return p.psql(t, "SELECT count(*) FROM public.days") == "1000" })
	p.psql(t, "DROP TABLE public.gone")
	if out, err := p.tryPsql("SELECT count(*) FROM public.gone"); err == nil {
		t.Errorf("the dropped table answers %q", out)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "INSERT works again", func() bool { return insert() == "" })
	count("public.numbers", fmt.Sprint(991+added))
	p.stop(t)
}

// Command postgres is the peer of bench/telembench that runs PostgreSQL: it makes a cluster of its own in its directory,
// starts the server for as long as it runs, and talks to it through a socket.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/telemdb/telemdb/bench/peer"
)

func main() { peer.Serve(&engine{}) }

type engine struct {
	server  *exec.Cmd
	sockets string // directory of the socket; paths of sockets are short, so it is not below the data
	conn    *pgx.Conn
}

var background = context.Background()

// Formats are the rows of the protocol, in text.
func (e *engine) Formats() []string { return []string{"text"} }

func (e *engine) Open(q *peer.Request) (version string, err error) {
	bin, err := binaries()
	if err != nil {
		return "", err
	}
	who, err := serverUser()
	if err != nil {
		return "", err
	}
	data := filepath.Join(q.Dir, "cluster")
	if e.sockets, err = os.MkdirTemp("/tmp", "telembench-pg-"); err != nil {
		return "", err
	}
	if err := errors.Join(os.MkdirAll(q.Dir, 0o755), os.MkdirAll(data, 0o700), own(who, data), own(who, e.sockets)); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err != nil {
		out, err := as(who, exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "bench", "-A", "trust", "--locale=C", "-E", "UTF8")).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("initdb: %w\n%s", err, out)
		}
	}
	// The configuration: two processes a query, a quarter of the memory for buffers, no work in the background.
	mb := q.Memory >> 20
	e.server = as(who, exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", e.sockets, "-c", "listen_addresses=",
		"-c", fmt.Sprintf("shared_buffers=%dMB", mb/4), "-c", fmt.Sprintf("effective_cache_size=%dMB", mb),
		"-c", fmt.Sprintf("work_mem=%dMB", max(mb/8, 64)), "-c", "maintenance_work_mem=512MB",
		"-c", fmt.Sprintf("max_parallel_workers_per_gather=%d", q.Threads-1), "-c", "max_wal_size=8GB",
		"-c", "autovacuum=off", "-c", "TimeZone=UTC", "-c", "checkpoint_timeout=1h", "-c", "log_min_messages=fatal"))
	e.server.Stderr = os.Stderr
	if err := e.server.Start(); err != nil {
		return "", err
	}
	return e.connect()
}

// connect waits for the server at most half a minute.
func (e *engine) connect() (version string, err error) {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if e.conn, err = pgx.Connect(background, "host="+e.sockets+" user=bench dbname=postgres"); err == nil {
			return e.conn.PgConn().ParameterStatus("server_version"), nil
		}
	}
	return "", err
}

// binaries finds the newest server Debian has installed at version 15, or one on the path.
func binaries() (string, error) {
	const debian = "/usr/lib/postgresql/15/bin"
	if _, err := os.Stat(filepath.Join(debian, "postgres")); err == nil {
		return debian, nil
	}
	name, err := exec.LookPath("postgres")
	if err != nil {
		return "", fmt.Errorf("PostgreSQL's server is not installed: %w", err)
	}
	return filepath.Dir(name), nil
}

// serverUser is who the server runs as: it refuses to run as root, and is the user postgres then.
func serverUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user for it: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

func own(who *syscall.Credential, dir string) error {
	if who == nil {
		return nil
	}
	return os.Chown(dir, int(who.Uid), int(who.Gid))
}

func as(who *syscall.Credential, cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = serverAttr()
	cmd.SysProcAttr.Credential = who
	cmd.Dir = "/"
	return cmd
}

func (e *engine) Exec(sql string) error {
	_, err := e.conn.PgConn().Exec(background, sql).ReadAll()
	return err
}

func (e *engine) Load(table string, _ []peer.Column, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = e.conn.PgConn().CopyFrom(background, f, "COPY "+table+" FROM STDIN (FORMAT csv)")
	return err
}

func (e *engine) Seal() error   { return e.Exec("CHECKPOINT") }
func (e *engine) Settle() error { return e.Exec("VACUUM ANALYZE") }

func (e *engine) Query(sql, _ string) (n int64, err error) {
	rows := e.conn.PgConn().Exec(background, sql)
	for rows.NextResult() {
		for r := rows.ResultReader(); r.NextRow(); {
			n++
		}
	}
	return n, rows.Close()
}

func (e *engine) Verify(sql string) (cols []peer.Column, data [][]*string, err error) {
	results, err := e.conn.PgConn().Exec(background, sql).ReadAll()
	if err != nil {
		return nil, nil, err
	}
	for _, f := range results[0].FieldDescriptions {
		c := peer.Column{Name: f.Name, Kind: peer.Text}
		if t, ok := e.conn.TypeMap().TypeForOID(f.DataTypeOID); ok {
			c.Type, c.Kind = t.Name, kindOf(t.Name)
		}
		cols = append(cols, c)
	}
	for _, fields := range results[0].Rows {
		row := make([]*string, len(fields))
		for i, f := range fields {
			if f != nil {
				s := canonical(string(f), &cols[i])
				row[i] = &s
			}
		}
		data = append(data, row)
	}
	return cols, data, nil
}

func kindOf(t string) peer.Kind {
	switch t {
	case "int2", "int4", "int8", "bool", "oid":
		return peer.Int
	case "float4", "float8", "numeric":
		return peer.Float
	case "date", "timestamp", "timestamptz":
		return peer.Time
	}
	return peer.Text
}

func canonical(s string, c *peer.Column) string {
	switch {
	case c.Type == "bool":
		return map[string]string{"t": "1", "f": "0"}[s]
	case c.Kind == peer.Time:
		return strings.TrimSuffix(strings.TrimSuffix(s, "+00"), " 00:00:00")
	case c.Kind == peer.Float:
		t, err := peer.Canonical(s, peer.Float)
		if err == nil {
			return *t
		}
	}
	return s
}

func (e *engine) Trim() {}

func (e *engine) Size(tables []string) (total int64, err error) {
	for _, t := range tables {
		_, rows, err := e.Verify("SELECT pg_total_relation_size('" + t + "')")
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(*rows[0][0], 10, 64)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// CPU returns the CPU time of the server's processes: those that live, and those that have ended (workers of parallel
// queries), whose time the system counts in ticks.
func (e *engine) CPU() time.Duration {
	if e.server == nil {
		return 0
	}
	const tick = 10 * time.Millisecond
	main := e.server.Process.Pid
	total := time.Duration(0)
	if f := statOf(main); f != nil {
		total += time.Duration(f[2]+f[3]) * tick
	}
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if f := statOf(pid); pid == main || f != nil && int(f[4]) == main {
			total += onCPU(pid)
		}
	}
	return total
}

// statOf returns utime, stime, cutime, cstime and the parent of a process; nil if it is gone.
func statOf(pid int) []int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(f) < 15 {
		return nil
	}
	out := make([]int64, 0, 5)
	for _, i := range []int{11, 12, 13, 14, 1} {
		n, _ := strconv.ParseInt(f[i], 10, 64)
		out = append(out, n)
	}
	return out
}

// onCPU is the time a process, which has one thread, was on a processor, to the nanosecond.
func onCPU(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseInt(first, 10, 64)
	return time.Duration(n)
}

// stopMax is how long a server may take to write its checkpoint and end.
const stopMax = 2 * time.Minute

func (e *engine) Close() error {
	var err error
	if e.conn != nil {
		err = e.conn.Close(background)
	}
	if e.server != nil {
		timer := time.AfterFunc(stopMax, func() { _ = e.server.Process.Kill() })
		err = errors.Join(err, e.server.Process.Signal(os.Interrupt), e.server.Wait())
		timer.Stop()
		e.server = nil
	}
	if e.sockets != "" {
		err = errors.Join(err, os.RemoveAll(e.sockets))
	}
	return err
}

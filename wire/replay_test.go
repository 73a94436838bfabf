package wire_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/telemdb/telemdb/sql/pgcatalog"
	"github.com/telemdb/telemdb/sql/pgcatalog/catalogtest"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/wire"
)

var rewriteReplay = flag.Bool("rewrite-replay", false, "write testdata/replay-pass.txt anew")

// serve starts a server over a database in memory and real sessions.
func serve(t testing.TB) (addr string) {
	t.Helper()
	db, catalog := catalogtest.New(), pgcatalog.New()
	s := wire.NewServer(wire.Options{Database: db.Name(), Open: func(_ context.Context, o session.Options) (session.Conn, error) {
		return session.New(session.Config{DB: db, Catalog: catalog, Workers: 2}, o)
	}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		<-done
	})
	return l.Addr().String()
}

func connect(t testing.TB, addr string) *pgconn.PgConn {
	t.Helper()
	c, err := pgconn.Connect(context.Background(), "postgres://analyst@"+addr+"/telemdb?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// sharedData finds the folder of reference data beside the repository.
func sharedData(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("no go.mod above the working directory")
		}
		dir = up
	}
	data := filepath.Join(filepath.Dir(dir), "shared", "data", "client-queries")
	if _, err := os.Stat(data); err != nil {
		t.Skip("no captured queries beside the repository")
	}
	return data
}

// capture is one file of captured queries.
type capture struct {
	// shapes are the results PostgreSQL described, in order, without repetition: columns as name:type,typmod, and
	// whether they come from a table as they are.
	shapes     []string
	extended   bool
	oids       [][3]string // number, kind, name
	statements []captured
}

type captured struct {
	text     string
	binds    []bound
	declared []uint32
	fails    string // SQLSTATE it must fail with
	may      string // SQLSTATE it may fail with
	needs    string
}

type bound struct {
	args    []*string
	formats []int16
}

var endOfStatement = regexp.MustCompile(`;\n(\n|$)`)

func readCapture(path string) (*capture, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := &capture{}
	trace := filepath.Join(filepath.Dir(filepath.Dir(path)), "traces", filepath.Base(filepath.Dir(path)), strings.TrimSuffix(filepath.Base(path), ".sql")+".trace")
	if err := c.readShapes(trace); err != nil {
		return nil, err
	}
	rest := string(b)
	for strings.TrimSpace(rest) != "" {
		var s captured
		for {
			line, after, _ := strings.Cut(rest, "\n")
			if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "-- ") {
				break
			}
			if strings.TrimSpace(line) != "" && !c.directive(&s, strings.TrimPrefix(line, "-- ")) {
				break
			}
			if rest = after; rest == "" {
				return c, nil
			}
		}
		at := endOfStatement.FindStringIndex(rest)
		if at == nil {
			s.text, rest = rest, ""
		} else {
			s.text, rest = rest[:at[0]+1], rest[at[1]:]
		}
		c.statements = append(c.statements, s)
	}
	return c, nil
}

var (
	rowDescription = regexp.MustCompile(`^c\d+ B RowDescription ?(.*)$`)
	tracedField    = regexp.MustCompile(`(?:^| )(.*?):tab=(\d+),col=\d+,type=(\d+),len=-?\d+,mod=(-?\d+),fmt=\d`)
)

func (c *capture) readShapes(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		m := rowDescription.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue
		}
		var fields []string
		for _, f := range tracedField.FindAllStringSubmatch(m[1], -1) {
			fields = append(fields, shapeOf(f[1], f[2] != "0", f[3], f[4]))
		}
		c.shapes = addShape(c.shapes, strings.Join(fields, " "))
	}
	return nil
}

func shapeOf(name string, stored bool, oid, mod string) string {
	s := name + ":" + oid + "," + mod
	if stored {
		s += ",stored"
	}
	return s
}

func addShape(shapes []string, s string) []string {
	if len(shapes) > 0 && shapes[len(shapes)-1] == s {
		return shapes
	}
	return append(shapes, s)
}

func describeFields(fs []pgconn.FieldDescription) string {
	var fields []string
	for _, f := range fs {
		fields = append(fields, shapeOf(f.Name, f.TableOID != 0, fmt.Sprint(f.DataTypeOID), fmt.Sprint(f.TypeModifier)))
	}
	return strings.Join(fields, " ")
}

// directive reads a comment line; false if it belongs to the statement.
func (c *capture) directive(s *captured, line string) bool {
	key, value, ok := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch {
	case !ok:
		return false
	case key == "client" || key == "case" || key == "inferred-param-oids" || key == "bind-raw":
	case key == "declared-param-oids":
		for _, n := range regexp.MustCompile(`\d+`).FindAllString(value, -1) {
			oid, err := strconv.ParseUint(n, 10, 32)
			if err != nil {
				return false
			}
			s.declared = append(s.declared, uint32(oid))
		}
	case key == "protocol":
		c.extended = strings.HasPrefix(value, "extended")
	case key == "oid":
		f := strings.SplitN(value, " ", 3)
		c.oids = append(c.oids, [3]string{f[0], f[1], f[2]})
	case key == "bind":
		s.binds = append(s.binds, readBind(value))
	case key == "expect-error":
		s.fails = value
	case key == "batch-error":
		s.may = value
	case key == "needs":
		s.needs = value
	default:
		return false
	}
	return true
}

var bindString = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|null`)

func readBind(v string) bound {
	args, formats, _ := strings.Cut(v, "]  result-formats=")
	var b bound
	for _, a := range bindString.FindAllString(args, -1) {
		if a == "null" {
			b.args = append(b.args, nil)
			continue
		}
		var s string
		if _, err := fmt.Sscanf(a, "%q", &s); err != nil {
			s = strings.Trim(a, `"`)
		}
		b.args = append(b.args, &s)
	}
	for _, f := range regexp.MustCompile(`\d`).FindAllString(formats, -1) {
		b.formats = append(b.formats, int16(f[0]-'0'))
	}
	return b
}

// replaySchema is what the captured queries ask about, as far as there are such things here.
const replaySchema = `
create schema derived;
create table pings (document_id uuid, client_id text not null, submission_date date not null, submitted_at timestamptz not null,
  channel text not null, os varchar(32), version text, country char(2), sample_id smallint, profile_age int, active_ticks bigint,
  uptime double precision, crash_rate real, price numeric(12,3), is_default boolean, payload jsonb, addons text[], buckets bigint[],
  raw bytea, session_length interval, local_time time);
create table histograms (id bigint, document_id uuid, probe text not null, bucket int[], cnt bigint);
create table part_pings (d date, n int);
create view derived.daily_users as select submission_date, channel, count(distinct client_id) as dau from pings group by 1, 2;
insert into pings (document_id, client_id, submission_date, submitted_at, channel, os, version, sample_id, active_ticks, price, payload, addons)
  values ('00000000-0000-0000-0000-000000000001', 'c1', '2016-05-01', '2016-05-01 12:00:00+00', 'nightly', 'Linux', '45.0', 1, 100, 1.500, '{"k": 1}', '{a,b}'),
         ('00000000-0000-0000-0000-000000000002', 'c2', '2016-05-02', '2016-05-02 12:00:00+00', 'beta', null, '46.0', 2, 200, 2.250, '{"k": 2}', null)`

func execute(c *pgconn.PgConn, q string) error {
	_, err := c.Exec(context.Background(), q).ReadAll()
	return err
}

func TestReplayOfCapturedClients(t *testing.T) {
	data := sharedData(t)
	files, err := filepath.Glob(filepath.Join(data, "*", "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("testdata/replay-pass.txt")
	if err != nil && !*rewriteReplay {
		t.Fatal(err)
	}
	must := strings.Fields(string(list))
	var passed []string
	for _, f := range files {
		name, err := filepath.Rel(data, f)
		if err != nil {
			t.Fatal(err)
		}
		err = replay(t, f)
		switch {
		case err == nil:
			passed = append(passed, name)
		case slices.Contains(must, name) && !*rewriteReplay:
			t.Errorf("%s: %v", name, err)
		default:
			t.Logf("%s: %v", name, err)
		}
	}
	for _, name := range must {
		if !slices.Contains(passed, name) && !slices.Contains(files, filepath.Join(data, name)) {
			t.Errorf("%s is listed and does not exist", name)
		}
	}
	t.Logf("%d of %d files", len(passed), len(files))
	if *rewriteReplay {
		if err := os.WriteFile("testdata/replay-pass.txt", []byte(strings.Join(passed, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if len(passed) > len(must) {
		t.Logf("more pass than are listed: run with -rewrite-replay")
	}
}

// replay runs a file's statements on a fresh server.
func replay(t *testing.T, path string) error {
	capture, err := readCapture(path)
	if err != nil {
		return err
	}
	c := connect(t, serve(t))
	for s := range strings.SplitSeq(replaySchema, ";\n") {
		if err := execute(c, s); err != nil {
			return fmt.Errorf("schema: %w", err)
		}
	}
	var names []string
	for _, o := range capture.oids {
		r, err := c.Exec(context.Background(), fmt.Sprintf("select '%s'::%s::oid", o[2], o[1])).ReadAll()
		if err != nil {
			return fmt.Errorf("%s %s: %w", o[1], o[2], err)
		}
		names = append(names, o[0], string(r[0].Rows[0][0]))
	}
	oids := strings.NewReplacer(names...)
	var shapes []string
	for _, s := range capture.statements {
		s.text = oids.Replace(s.text)
		if s.needs != "" {
			return fmt.Errorf("needs %s", s.needs)
		}
		for _, b := range s.binds {
			for i, a := range b.args {
				if a != nil {
					v := oids.Replace(*a)
					b.args[i] = &v
				}
			}
		}
		described, err := s.run(c, capture.extended)
		if err != nil {
			return fmt.Errorf("%w in: %s", err, strings.Join(strings.Fields(s.text), " "))
		}
		for _, d := range described {
			shapes = addShape(shapes, d)
		}
	}
	return compareShapes(shapes, capture.shapes)
}

func compareShapes(got, want []string) error {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Errorf("result %d is described as\n%s\nPostgreSQL describes it as\n%s", i+1, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d results described, PostgreSQL described %d", len(got), len(want))
	}
	return nil
}

// run executes a statement, checks its SQLSTATE and returns how its results were described.
func (s *captured) run(c *pgconn.PgConn, extended bool) ([]string, error) {
	var shapes []string
	err := s.execute(c, extended, &shapes)
	var pe *pgconn.PgError
	code := ""
	if errors.As(err, &pe) {
		code = pe.Code
	} else if err != nil {
		return nil, err
	}
	switch {
	case code == s.fails, code != "" && code == s.may:
		return shapes, nil
	case code == "" && s.fails == "42501": // the captures' user had fewer rights than users have here
		return shapes, nil
	case code == "" && s.fails == "42809" && strings.Contains(s.text, "part_pings"): // which was a partitioned table
		return shapes, nil
	case err == nil:
		return nil, fmt.Errorf("no error %s", s.fails)
	}
	return nil, err
}

var (
	copyFrom = regexp.MustCompile(`(?i)^\s*copy\b.*\bfrom\s+stdin`)
	copyTo   = regexp.MustCompile(`(?i)^\s*copy\b.*\bto\s+stdout`)
	several  = regexp.MustCompile(`;\s*\S`)
)

func (s *captured) execute(c *pgconn.PgConn, extended bool, shapes *[]string) error {
	ctx := context.Background()
	text := s.text
	switch {
	case copyFrom.MatchString(text):
		var in bytes.Buffer
		if strings.Contains(strings.ToLower(text), "binary") {
			in.WriteString("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff")
		}
		if s.fails != "" {
			in.WriteString("no such value\t1\n")
		}
		_, err := c.CopyFrom(ctx, &in, text)
		return err
	case copyTo.MatchString(text):
		_, err := c.CopyTo(ctx, &bytes.Buffer{}, text)
		return err
	case s.fails == "57014" && !strings.Contains(text, "timeout"):
		return s.cancelled(c, shapes)
	case !extended, several.MatchString(text):
		return simple(c, text, shapes)
	}
	return s.extended(c, shapes)
}

// simple sends a simple query.
func simple(c *pgconn.PgConn, text string, shapes *[]string) error {
	m := c.Exec(context.Background(), text)
	for m.NextResult() {
		r := m.ResultReader()
		if fs := r.FieldDescriptions(); fs != nil {
			*shapes = append(*shapes, describeFields(fs))
		}
		r.Close()
	}
	return m.Close()
}

// cancelled sends a simple query, and cancel requests until it ends.
func (s *captured) cancelled(c *pgconn.PgConn, shapes *[]string) error {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			default:
				c.CancelRequest(context.Background())
			}
		}
	}()
	err := simple(c, s.text, shapes)
	close(done)
	<-stopped
	return err
}

func (s *captured) extended(c *pgconn.PgConn, shapes *[]string) error {
	ctx := context.Background()
	d, err := c.Prepare(ctx, "", strings.TrimSuffix(s.text, ";"), s.declared)
	if err != nil {
		return err
	}
	if len(s.binds) == 0 && len(d.ParamOIDs) == 0 {
		s.binds = []bound{{}}
	}
	if zero := "0"; len(s.binds) == 0 && s.fails == "22012" { // arguments of statements that failed were not captured
		s.binds = []bound{{args: slices.Repeat([]*string{&zero}, len(d.ParamOIDs))}}
	}
	for _, b := range s.binds {
		if len(b.args) != len(d.ParamOIDs) {
			return fmt.Errorf("%d parameters, captured with %d", len(d.ParamOIDs), len(b.args))
		}
		values := make([][]byte, len(b.args))
		for i, a := range b.args {
			if a != nil {
				values[i] = []byte(*a)
			}
		}
		if len(b.formats) > 1 && len(b.formats) != len(d.Fields) {
			b.formats = nil
		}
		if r := c.ExecPrepared(ctx, "", values, nil, b.formats).Read(); r.Err != nil {
			return r.Err
		}
	}
	if d.Fields != nil {
		*shapes = append(*shapes, describeFields(d.Fields))
	}
	return nil
}

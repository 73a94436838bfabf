package wire

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5/pgproto3"
)

// The scripts of testdata are conversations. Directives:
//
//	connect [as=NAME] [settings] [key=value …]   start-up; the answer up to ReadyForQuery, or the refusal; without
//	                                  the ParameterStatus messages unless settings are asked for
//	send [as=NAME]                    messages, one a line
//	receive [as=NAME] until=TYPE [n=COUNT]
//	exchange [as=NAME]                send, then receive until ReadyForQuery (or the end)
//	eof [as=NAME]                     the server has closed
//	close [as=NAME]                   the client goes without a word
//	cancel [as=NAME] [wrong]          a cancel request for NAME's statement
//	asleep                            wait until a statement sleeps
//	startup                           raw start-up packets, hexadecimal, lengths added; answers as text
//
// Messages: Query "q", Parse "name" "q" [oid…], Bind "portal" "stmt" [p=v,v…] [pf=f,f…] [rf=f,f…] (values: text, NULL, or
// x:hex), Describe S|P "name", Execute "portal" rows, Close S|P "name", Sync, Flush, Terminate, CopyData "d", CopyDone,
// CopyFail "m", Raw hex.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.pgtest")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".pgtest"), func(t *testing.T) {
			db := newFakeDB()
			srv := startServer(t, Options{Open: db.Open, Database: "telemdb", MaxPortals: 4, MaxConnections: 4, ReservedConnections: 1})
			s := &script{t: t, db: db, addr: srv, conns: map[string]*scriptConn{}}
			defer s.close()
			datadriven.RunTest(t, f, s.run)
		})
	}
}

// startServer serves on a port of its own until the test ends.
func startServer(t testing.TB, o Options) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(o)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error("shutdown:", err)
		}
		if err := <-done; !errors.Is(err, ErrServerClosed) {
			t.Error("Serve returned", err)
		}
	})
	return l.Addr().String()
}

type script struct {
	t     *testing.T
	db    *fakeDB
	addr  string
	conns map[string]*scriptConn
}

type scriptConn struct {
	net.Conn
	fe  *pgproto3.Frontend
	pid uint32
	key []byte
}

func (s *script) close() {
	for _, c := range s.conns {
		c.Close()
	}
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	name := "main"
	for _, a := range d.CmdArgs {
		if a.Key == "as" {
			name = a.Vals[0]
		}
	}
	c := s.conns[name]
	if c == nil && d.Cmd != "connect" && d.Cmd != "startup" && d.Cmd != "asleep" {
		d.Fatalf(t, "no connection %q", name)
	}
	switch d.Cmd {
	case "connect":
		return s.connect(d, name)
	case "send":
		s.send(d, c)
		return ""
	case "receive":
		until, n := "ReadyForQuery", 1
		d.MaybeScanArgs(t, "until", &until)
		d.MaybeScanArgs(t, "n", &n)
		return s.receive(c, until, n)
	case "exchange":
		s.send(d, c)
		return s.receive(c, "ReadyForQuery", 1)
	case "eof":
		return s.receive(c, "", 1)
	case "close":
		c.Close()
		return ""
	case "cancel":
		return s.cancel(c, d.HasArg("wrong"))
	case "asleep":
		select {
		case <-s.db.asleep:
		case <-time.After(5 * time.Second):
			d.Fatalf(t, "nothing sleeps")
		}
		return ""
	case "startup":
		return s.startup(d)
	}
	d.Fatalf(t, "unknown directive %s", d.Cmd)
	return ""
}

func (s *script) dial() net.Conn {
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	return nc
}

func (s *script) connect(d *datadriven.TestData, name string) string {
	nc := s.dial()
	params := map[string]string{"user": "analyst", "database": "telemdb"}
	version := uint32(pgproto3.ProtocolVersion30)
	for _, a := range d.CmdArgs {
		v := strings.Join(a.Vals, ",")
		switch a.Key {
		case "as", "settings":
		case "version":
			n, err := strconv.ParseUint(v, 0, 32)
			if err != nil {
				s.t.Fatal(err)
			}
			version = uint32(n)
		default:
			if v == "" {
				delete(params, a.Key)
			} else {
				params[a.Key] = strings.ReplaceAll(v, "~", " ")
			}
		}
	}
	c := &scriptConn{Conn: nc, fe: pgproto3.NewFrontend(nc, nc)}
	s.conns[name] = c
	m := &pgproto3.StartupMessage{ProtocolVersion: version, Parameters: params}
	c.fe.Send(m)
	c.fe.Flush()
	out := s.receive(c, "ReadyForQuery", 1)
	if d.HasArg("settings") {
		return out
	}
	var kept []string
	for _, line := range strings.SplitAfter(out, "\n") {
		if !strings.HasPrefix(line, "ParameterStatus") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func (s *script) cancel(c *scriptConn, wrong bool) string {
	nc := s.dial()
	defer nc.Close()
	key := append([]byte(nil), c.key...)
	if wrong {
		key[0] ^= 1
	}
	p := []byte{0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, byte(c.pid >> 24), byte(c.pid >> 16), byte(c.pid >> 8), byte(c.pid)}
	nc.Write(append(p, key...))
	rest, _ := io.ReadAll(nc)
	return fmt.Sprintf("%d bytes, then closed", len(rest))
}

func (s *script) startup(d *datadriven.TestData) string {
	nc := s.dial()
	defer nc.Close()
	for _, line := range strings.Split(d.Input, "\n") {
		raw, isRaw := strings.CutPrefix(line, "raw ")
		p, err := hex.DecodeString(strings.ReplaceAll(raw, " ", ""))
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		if !isRaw {
			n := len(p) + 4
			p = append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, p...)
		}
		nc.Write(p)
	}
	nc.(*net.TCPConn).CloseWrite()
	rest, _ := io.ReadAll(nc)
	return strconv.Quote(string(rest))
}

func (s *script) send(d *datadriven.TestData, c *scriptConn) {
	for _, line := range strings.Split(d.Input, "\n") {
		if m := s.message(line); m != nil {
			c.fe.Send(m)
		} else if raw, ok := strings.CutPrefix(line, "Raw "); ok {
			c.fe.Flush()
			p, err := hex.DecodeString(strings.ReplaceAll(raw, " ", ""))
			if err != nil {
				d.Fatalf(s.t, "%v", err)
			}
			c.Write(p)
		}
	}
	c.fe.Flush()
}

// words splits a line at blanks; a word may be a Go string.
func words(line string) []string {
	var out []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		w, rest, _ := strings.Cut(line, " ")
		if line[0] == '"' {
			q, err := strconv.QuotedPrefix(line)
			if err != nil {
				panic(err)
			}
			rest = line[len(q):]
			w, _ = strconv.Unquote(q)
		}
		out, line = append(out, w), rest
	}
	return out
}

func (s *script) message(line string) pgproto3.FrontendMessage {
	w := append(words(line), "", "", "")
	switch w[0] {
	case "Query":
		return &pgproto3.Query{String: w[1]}
	case "Parse":
		m := &pgproto3.Parse{Name: w[1], Query: w[2]}
		for _, o := range w[3 : len(w)-3] {
			n, _ := strconv.Atoi(o)
			m.ParameterOIDs = append(m.ParameterOIDs, uint32(n))
		}
		return m
	case "Bind":
		m := &pgproto3.Bind{DestinationPortal: w[1], PreparedStatement: w[2]}
		for _, o := range w[3 : len(w)-3] {
			switch k, v, _ := strings.Cut(o, "="); k {
			case "p":
				for _, p := range strings.Split(v, ",") {
					m.Parameters = append(m.Parameters, parameter(p))
				}
			case "pf":
				m.ParameterFormatCodes = codes(v)
			case "rf":
				m.ResultFormatCodes = codes(v)
			}
		}
		return m
	case "Describe":
		return &pgproto3.Describe{ObjectType: w[1][0], Name: w[2]}
	case "Execute":
		n, _ := strconv.Atoi(w[2])
		return &pgproto3.Execute{Portal: w[1], MaxRows: uint32(n)}
	case "Close":
		return &pgproto3.Close{ObjectType: w[1][0], Name: w[2]}
	case "Sync":
		return &pgproto3.Sync{}
	case "Flush":
		return &pgproto3.Flush{}
	case "Terminate":
		return &pgproto3.Terminate{}
	case "CopyData":
		return &pgproto3.CopyData{Data: []byte(w[1])}
	case "CopyDone":
		return &pgproto3.CopyDone{}
	case "CopyFail":
		return &pgproto3.CopyFail{Message: w[1]}
	case "FunctionCall":
		return &pgproto3.FunctionCall{Function: 1}
	case "Raw", "":
		return nil
	}
	s.t.Fatalf("unknown message %q", line)
	return nil
}

func parameter(p string) []byte {
	if p == "NULL" {
		return nil
	}
	if h, ok := strings.CutPrefix(p, "x:"); ok {
		b, err := hex.DecodeString(h)
		if err != nil {
			panic(err)
		}
		return b
	}
	return []byte(p)
}

func codes(v string) []int16 {
	var out []int16
	for _, c := range strings.Split(v, ",") {
		n, _ := strconv.Atoi(c)
		out = append(out, int16(n))
	}
	return out
}

// receive prints messages until the n-th of a type, or the end of the connection.
func (s *script) receive(c *scriptConn, until string, n int) string {
	var out strings.Builder
	for {
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		m, err := c.fe.Receive()
		if err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				fmt.Fprintf(&out, "(no answer)\n")
				return out.String()
			}
			fmt.Fprintf(&out, "(closed)\n")
			return out.String()
		}
		if k, ok := m.(*pgproto3.BackendKeyData); ok {
			c.pid, c.key = k.ProcessID, append([]byte(nil), k.SecretKey...)
		}
		kind := strings.TrimPrefix(fmt.Sprintf("%T", m), "*pgproto3.")
		fmt.Fprintln(&out, strings.TrimSpace(kind+" "+describe(m)))
		if kind == until {
			if n--; n == 0 {
				return out.String()
			}
		}
	}
}

func describe(m pgproto3.BackendMessage) string {
	switch m := m.(type) {
	case *pgproto3.ParameterStatus:
		return m.Name + "=" + m.Value
	case *pgproto3.BackendKeyData:
		return fmt.Sprintf("key of %d bytes", len(m.SecretKey))
	case *pgproto3.ReadyForQuery:
		return string(m.TxStatus)
	case *pgproto3.RowDescription:
		var f []string
		for _, d := range m.Fields {
			f = append(f, fmt.Sprintf("%s:%d/%d/%d", d.Name, d.DataTypeOID, d.DataTypeSize, d.Format))
			if d.TableOID != 0 {
				f[len(f)-1] += fmt.Sprintf("(%d.%d)", d.TableOID, d.TableAttributeNumber)
			}
			if d.TypeModifier != -1 {
				f[len(f)-1] += fmt.Sprintf("mod%d", d.TypeModifier)
			}
		}
		return strings.Join(f, " ")
	case *pgproto3.DataRow:
		var f []string
		for _, v := range m.Values {
			switch {
			case v == nil:
				f = append(f, "NULL")
			default:
				f = append(f, strconv.Quote(string(v)))
			}
		}
		return strings.Join(f, " ")
	case *pgproto3.CommandComplete:
		return string(m.CommandTag)
	case *pgproto3.ParameterDescription:
		return fmt.Sprint(m.ParameterOIDs)
	case *pgproto3.ErrorResponse:
		return errorText(m)
	case *pgproto3.NoticeResponse:
		return errorText((*pgproto3.ErrorResponse)(m))
	case *pgproto3.CopyInResponse:
		return fmt.Sprint(m.OverallFormat, m.ColumnFormatCodes)
	case *pgproto3.CopyOutResponse:
		return fmt.Sprint(m.OverallFormat, m.ColumnFormatCodes)
	case *pgproto3.CopyData:
		return strconv.Quote(string(m.Data))
	case *pgproto3.NegotiateProtocolVersion:
		return fmt.Sprint(m.NewestMinorProtocol, m.UnrecognizedOptions)
	}
	return ""
}

func errorText(m *pgproto3.ErrorResponse) string {
	s := fmt.Sprintf("%s %s %s", m.Severity, m.Code, m.Message)
	if m.Code == "XX000" {
		s = m.Severity + " XX000"
	}
	for _, f := range []struct{ k, v string }{{"D", m.Detail}, {"H", m.Hint}, {"W", m.Where}} {
		if f.v != "" {
			s += " " + f.k + ":" + f.v
		}
	}
	if m.Position != 0 {
		s += fmt.Sprintf(" P:%d", m.Position)
	}
	return s
}

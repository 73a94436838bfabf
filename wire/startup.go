package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgproto3/v2"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
)

// The first number of a start-up packet: a protocol version, or one of three requests.
const (
	codeCancel   = 1234<<16 | 5678
	codeSSL      = 1234<<16 | 5679
	codeGSS      = 1234<<16 | 5680
	protocol30   = 3 << 16
	majorVersion = 3
)

// errDone ends a connection without a word: a cancel request was served, or what came was not this protocol.
var errDone = errors.New("wire: nothing more to say")

// login reads from the first byte to the start-up parameters. Its error is errDone, or what to tell the client. It
// reads packet by packet, so that nothing sent behind an SSLRequest is ever taken for something else.
func (c *conn) login() (session.Options, error) {
	deadline := time.Now().Add(c.srv.o.AuthTimeout)
	if err := c.nc.SetDeadline(deadline); err != nil {
		return session.Options{}, errDone
	}
	stop := context.AfterFunc(c.srv.ctx, func() { c.nc.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	asked := map[uint32]bool{}
	for {
		packet, err := c.startupPacket()
		if err != nil {
			c.srv.o.Logger.Debug("a connection ended before its start-up packet", "remote", c.nc.RemoteAddr(), "error", err)
			return session.Options{}, errDone
		}
		code := binary.BigEndian.Uint32(packet)
		switch {
		case code == codeSSL || code == codeGSS:
			if asked[code] {
				return session.Options{}, errDone
			}
			asked[code] = true
			if _, err := c.nc.Write([]byte{'N'}); err != nil {
				return session.Options{}, errDone
			}
		case code == codeCancel:
			if len(packet) == 12 {
				c.srv.cancel(int32(binary.BigEndian.Uint32(packet[4:])), binary.BigEndian.Uint32(packet[8:]))
			}
			return session.Options{}, errDone
		case code>>16 != majorVersion:
			return session.Options{}, sqlstate.New(sqlstate.FeatureNotSupported,
				"unsupported frontend protocol %d.%d: server supports 3.0 to 3.0", code>>16, code&0xffff)
		default:
			return c.parameters(code, packet[4:])
		}
	}
}

// startupPacket reads one packet without a type byte. What it allocates is bounded by PreLoginBytes.
func (c *conn) startupPacket() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.nc, head[:]); err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[:])) - 4
	if n < 4 || n > int64(c.srv.o.PreLoginBytes) {
		return nil, fmt.Errorf("a start-up packet of %d bytes", n)
	}
	body := make([]byte, n)
	_, err := io.ReadFull(c.nc, body)
	return body, err
}

// parameters reads the names and values of a start-up packet and answers a newer minor version.
func (c *conn) parameters(version uint32, p []byte) (session.Options, error) {
	o := session.Options{Settings: map[string]string{}}
	var options []string
	for len(p) > 0 && p[0] != 0 {
		name, rest, ok := cutString(p)
		value, rest2, ok2 := cutString(rest)
		if !ok || !ok2 {
			return o, errStartup()
		}
		p = rest2
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return o, sqlstate.New(invalidEncoding, "the start-up packet is not valid UTF-8")
		}
		switch {
		case name == "user":
			o.User = value
		case name == "database":
			o.Database = value
		case name == "replication":
			if !isFalse(value) {
				return o, sqlstate.New(sqlstate.FeatureNotSupported, "telemdb has no replication connections")
			}
		case name == "options":
			words, err := optionWords(value)
			if err != nil {
				return o, err
			}
			for n, v := range words {
				o.Settings[n] = v
			}
		case strings.HasPrefix(name, "_pq_."):
			options = append(options, name)
		default:
			o.Settings[name] = value
		}
	}
	if len(p) != 1 {
		return o, errStartup()
	}
	if o.User == "" {
		return o, sqlstate.New("28000", "no PostgreSQL user name specified in startup packet")
	}
	if o.Database == "" {
		o.Database = o.User
	}
	if version > protocol30 || len(options) > 0 {
		c.negotiate(options)
	}
	return o, nil
}

// negotiate tells a client that asked for more that this is protocol 3.0, and which of its options nobody knows.
func (c *conn) negotiate(options []string) {
	body := binary.BigEndian.AppendUint32(nil, protocol30)
	body = binary.BigEndian.AppendUint32(body, uint32(len(options)))
	for _, o := range options {
		body = append(append(body, o...), 0)
	}
	c.out.raw('v', body)
}

func errStartup() error {
	return sqlstate.New(sqlstate.ProtocolViolation, "invalid startup packet layout: expected terminator as last byte")
}

// cutString cuts a zero-terminated string off p.
func cutString(p []byte) (s string, rest []byte, ok bool) {
	i := bytes.IndexByte(p, 0)
	if i < 0 {
		return "", nil, false
	}
	return string(p[:i]), p[i+1:], true
}

func isFalse(v string) bool {
	switch strings.ToLower(v) {
	case "false", "off", "no", "0":
		return true
	}
	return false
}

// optionWords reads the start-up parameter options: -c name=value and --name=value, blanks escaped by a backslash.
func optionWords(s string) (map[string]string, error) {
	out := map[string]string{}
	words := splitWords(s)
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "-c"):
			w = w[2:]
		case strings.HasPrefix(w, "--"):
			w = w[2:]
		default:
			return nil, sqlstate.New(sqlstate.Syntax, "invalid command-line argument for server process: %s", w).
				WithHint("The start-up parameter options takes -c name=value and --name=value.")
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, sqlstate.New(sqlstate.Syntax, "-c %s requires a value", w)
		}
		out[strings.ReplaceAll(name, "-", "_")] = value
	}
	return out, nil
}

func splitWords(s string) []string {
	var words []string
	var w []byte
	in := false
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == ' ' || b == '\t' || b == '\n' || b == '\r' || b == '\v' || b == '\f':
			if in {
				words, w, in = append(words, string(w)), w[:0], false
			}
			continue
		case b == '\\' && i+1 < len(s):
			i++
		}
		w, in = append(w, s[i]), true
	}
	if in {
		words = append(words, string(w))
	}
	return words
}

// admitted decides whether a client may have a session: trust for this machine.
func (c *conn) admitted(o session.Options) error {
	if remote := c.nc.RemoteAddr(); !c.srv.o.AllowRemote && !local(remote) {
		return sqlstate.New("28000", "connections from %s are not accepted: passwords and TLS are not supported yet", hostOf(remote)).
			WithHint("Connect from the same machine, or through a tunnel to it.")
	}
	if db := c.srv.o.Database; db != "" && o.Database != db {
		return sqlstate.New(sqlstate.InvalidCatalog, "database \"%s\" does not exist", o.Database).
			WithHint("This server has one database, \"%s\".", db)
	}
	return nil
}

// welcome sends what follows a successful login.
func (c *conn) welcome() {
	c.out.send(&pgproto3.AuthenticationOk{})
	c.parameterStatus()
	c.out.send(&pgproto3.BackendKeyData{ProcessID: uint32(c.pid), SecretKey: c.key})
	c.ready()
}

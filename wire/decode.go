package wire

import (
	"bytes"
	"encoding/binary"

	"github.com/jackc/pgproto3/v2"

	"github.com/telemdb/telemdb/engine/sqlstate"
)

// decode reads a message's body. Whatever is wrong with it is 08P01: the frame was whole, so the connection goes on.
func decode(m pgproto3.FrontendMessage, body []byte) error {
	err := m.Decode(body)
	if err != nil {
		return sqlstate.New(sqlstate.ProtocolViolation, "invalid message format: %v", err)
	}
	return nil
}

// decodeBind decodes a Bind. The lengths are checked before: pgproto3 panics on negative ones.
func decodeBind(m *pgproto3.Bind, body []byte) error {
	if !bindIsWhole(body) {
		return sqlstate.New(sqlstate.ProtocolViolation, "invalid message format: insufficient data left in Bind message")
	}
	return decode(m, body)
}

func bindIsWhole(p []byte) bool {
	for range 2 { // portal, statement
		i := bytes.IndexByte(p, 0)
		if i < 0 {
			return false
		}
		p = p[i+1:]
	}
	p, ok := skipCodes(p)
	if !ok || len(p) < 2 {
		return false
	}
	n := int(binary.BigEndian.Uint16(p))
	p = p[2:]
	for range n {
		if len(p) < 4 {
			return false
		}
		size := int32(binary.BigEndian.Uint32(p))
		p = p[4:]
		if size == -1 {
			continue
		}
		if size < 0 || int(size) > len(p) {
			return false
		}
		p = p[size:]
	}
	p, ok = skipCodes(p)
	return ok && len(p) == 0
}

// skipCodes skips a counted list of format codes.
func skipCodes(p []byte) (rest []byte, ok bool) {
	if len(p) < 2 {
		return nil, false
	}
	n := 2 + 2*int(binary.BigEndian.Uint16(p))
	if len(p) < n {
		return nil, false
	}
	return p[n:], true
}

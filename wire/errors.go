package wire

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgproto3/v2"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
)

// Texts that programs match.
const (
	textCancel   = "canceling statement due to user request"
	textShutdown = "terminating connection due to administrator command"
	textGone     = "connection to client lost"
)

// invalidEncoding is PostgreSQL's code for bytes that are not text in the client's encoding.
const invalidEncoding = "22021"

// asError gives any error a SQLSTATE; one without is a bug of ours.
func asError(err error) *sqlstate.Error {
	var e *sqlstate.Error
	if errors.As(err, &e) {
		return e
	}
	return sqlstate.Wrap(sqlstate.Internal, err)
}

func errorResponse(severity string, e *sqlstate.Error) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{
		Severity: severity, SeverityUnlocalized: severity, Code: e.Code,
		Message: printable(e.Message), Detail: printable(e.Detail), Hint: printable(e.Hint), Where: printable(e.Where),
		Position: int32(min(e.Position, 1<<31-1)), File: "telemdb", Line: 1, Routine: routineOf(e.Code),
	}
}

// routineOf fills the field that psql's \errverbose prints: the SQLSTATE's class, as there is no C function to name.
func routineOf(code string) string {
	switch code[:2] {
	case "08":
		return "protocol"
	case "22":
		return "value"
	case "42":
		return "bind"
	case "53", "54", "57":
		return "limit"
	}
	return "execute"
}

func noticeResponse(n session.Notice) *pgproto3.NoticeResponse {
	return &pgproto3.NoticeResponse{
		Severity: n.Severity, SeverityUnlocalized: n.Severity, Code: n.Code,
		Message: printable(n.Message), Hint: printable(n.Hint),
	}
}

// printable makes a text that may quote a client's bytes fit to be a field of a message: valid UTF-8, no NUL.
func printable(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

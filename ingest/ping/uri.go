package ping

import (
	"fmt"
	"strings"
)

// URI is a parsed submission URI. All strings are as the client sent them.
type URI struct {
	Namespace  string
	DocType    string
	DocVersion string // generic shape only; telemetry documents carry their version inside
	DocID      string

	// Telemetry reports the legacy shape, which alone has the following four.
	Telemetry        bool
	AppName          string
	AppVersion       string
	AppUpdateChannel string
	AppBuildID       string
}

// The classes of URIError, as the error stream names them.
const (
	ClassInvalidURI   = "InvalidUriException"
	ClassPathElements = "UnexpectedPathElementsException"
	ClassUnwanted     = "UnwantedDataException"
)

// URIError says why a URI belongs to no table.
type URIError struct {
	Class string // one of the Class constants
	Msg   string
}

func (e *URIError) Error() string { return e.Msg }

const (
	telemetryPrefix   = "/submit/telemetry/"
	genericPrefix     = "/submit/"
	telemetryElements = 6
	genericElements   = 4
)

// ParseURI parses the path of a submission (no query string). The prefix test is literal and tried in the order of
// the constants above; splitting drops trailing empty elements and keeps inner ones, and the number of elements must
// match exactly. The error is a *URIError.
func ParseURI(path string) (URI, error) {
	rest, telemetry := strings.CutPrefix(path, telemetryPrefix)
	if !telemetry {
		var ok bool
		if rest, ok = strings.CutPrefix(path, genericPrefix); !ok {
			return URI{}, &URIError{ClassInvalidURI, "Unknown URI prefix"}
		}
		if strings.TrimRight(rest, "/") == "sslreports" {
			return URI{}, &URIError{ClassUnwanted, "sslreports are not collected"}
		}
	}
	want := genericElements
	if telemetry {
		want = telemetryElements
	}
	var e [telemetryElements]string
	if n := splitPath(rest, e[:want]); n != want {
		return URI{}, &URIError{ClassPathElements,
			fmt.Sprintf("Found %d more path elements in the URI than expected for this endpoint", n-want)}
	}
	u := URI{Namespace: e[0], DocType: e[1], DocVersion: e[2], DocID: e[3]}
	if telemetry {
		u = URI{Namespace: "telemetry", DocID: e[0], DocType: e[1], Telemetry: true,
			AppName: e[2], AppVersion: e[3], AppUpdateChannel: e[4], AppBuildID: e[5]}
	}
	if !IsUUID(u.DocID) {
		return URI{}, &URIError{ClassInvalidURI, "Invalid UUID string: " + u.DocID}
	}
	return u, nil
}

// splitPath cuts s at slashes into dst, ignoring trailing empty elements, and returns the number of elements there are,
// which may be more than dst holds. The empty string is one empty element, as in the reference.
func splitPath(s string, dst []string) int {
	s = strings.TrimRight(s, "/")
	n := 0
	for {
		e, rest, more := strings.Cut(s, "/")
		if n < len(dst) {
			dst[n] = e
		}
		n++
		if !more {
			return n
		}
		s = rest
	}
}

// IsUUID reports whether s has the shape of a UUID as the reference decoder sees it: five groups of hex digits. Their
// lengths are not enforced, but the whole has at most 36 bytes.
func IsUUID[S string | []byte](s S) bool {
	if len(s) > 36 {
		return false
	}
	groups, digits := 1, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '-':
			if digits == 0 {
				return false
			}
			groups++
			digits = 0
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			digits++
		default:
			return false
		}
	}
	return groups == 5 && digits > 0
}

// ClientID returns the stored form of a client id (braces removed, lower case), and whether s is one at all.
func ClientID(s string) (id string, ok bool) {
	if strings.ContainsAny(s, "{}") {
		s = strings.NewReplacer("{", "", "}", "").Replace(s)
	}
	if !IsUUID(s) {
		return "", false
	}
	return strings.ToLower(s), true
}

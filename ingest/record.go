package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/telemdb/telemdb/ingest/ping"
)

// ErrAttributeTooLong means that the path, the query or a kept header of a submission is longer than
// ping.AttributeMax bytes.
var ErrAttributeTooLong = errors.New("path, query or header of the submission is longer than 1024 bytes")

// NewRecord returns the envelope of a submission that did not come over HTTP: uri is path and query, header (which may be
// nil) holds what is kept of headers, as UTF-8. The body is left to the caller, who writes ping.EncodeHead and then the
// body. The error wraps ErrAttributeTooLong. A URI that parses to no table is no error here: it becomes an error row.
func NewRecord(uri string, header http.Header, remoteAddr string, received time.Time) (*ping.Record, error) {
	path, query, _ := strings.Cut(uri, "?")
	r := &ping.Record{Time: received.UnixMicro(), Method: ping.MethodPost, Path: []byte(path), Query: []byte(query),
		Protocol: []byte("HTTP/1.1"), RemoteAddr: []byte(remoteAddr)}
	for i := range ping.HeaderCount {
		if v := header.Values(headerKey(i)); len(v) > 0 {
			r.Headers[i] = []byte(strings.Join(v, ", "))
		}
	}
	if tooLong(r, ping.AttributeMax) {
		return nil, fmt.Errorf("%.60s: %w", uri, ErrAttributeTooLong)
	}
	return r, nil
}

// headerKey returns the key under which http.Header has a captured header.
func headerKey(h ping.Header) string {
	return http.CanonicalHeaderKey(strings.ReplaceAll(ping.HeaderNames[h], "_", "-"))
}

// tooLong reports whether an attribute of r is longer than limit.
func tooLong(r *ping.Record, limit int) bool {
	long := len(r.Path) > limit || len(r.Query) > limit
	for _, v := range r.Headers {
		long = long || len(v) > limit
	}
	return long
}

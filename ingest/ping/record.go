package ping

import (
	"encoding/binary"
	"errors"
)

// Header is the index of a captured request header in HeaderNames. Values are stored: never renumber, append only.
type Header uint8

// The captured headers (ingestion.md 3).
const (
	HeaderHost Header = iota
	HeaderContentLength
	HeaderDate
	HeaderDNT
	HeaderUserAgent
	HeaderXForwardedFor
	HeaderXPingsenderVersion
	HeaderXPipelineProxy
	HeaderXDebugID
	HeaderXTelemetryAgent
	HeaderXSourceTags
	HeaderXFoxsecIPReputation
	HeaderXLBTags
	HeaderCount
)

// HeaderNames are the attribute names of the captured headers: lower case, "-" written "_".
var HeaderNames = [HeaderCount]string{
	"host", "content_length", "date", "dnt", "user_agent", "x_forwarded_for", "x_pingsender_version",
	"x_pipeline_proxy", "x_debug_id", "x_telemetry_agent", "x_source_tags", "x_foxsec_ip_reputation", "x_lb_tags",
}

// Method is the request method of a submission. Values are stored.
type Method uint8

// The methods of a submission.
const (
	MethodPost Method = 1
	MethodPut  Method = 2
)

func (m Method) String() string {
	if m == MethodPut {
		return "PUT"
	}
	return "POST"
}

// Record is what the log keeps of one accepted submission.
type Record struct {
	Time       int64 // receive time, microseconds since 1970-01-01 UTC
	Method     Method
	Path       []byte // URI path as sent
	Query      []byte // query string without "?"; empty if there was none
	Protocol   []byte // "HTTP/1.1"
	RemoteAddr []byte // peer address without port
	// Headers holds the captured headers; nil is absent, which is not the same as empty.
	Headers [HeaderCount][]byte
	Body    []byte // exactly as sent
}

// recordV1 opens every record payload (FORMAT.md).
const recordV1 = 1

// ErrRecord means that a payload is no submission record: a damaged one, or one of a later version.
var ErrRecord = errors.New("log payload is not a submission record of a known version")

// EncodeHead appends everything of r but the body. head followed by the body is the log payload.
func EncodeHead(dst []byte, r *Record) []byte {
	dst = append(dst, recordV1, byte(r.Method))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Time))
	dst = appendBytes(dst, r.Path)
	dst = appendBytes(dst, r.Query)
	dst = appendBytes(dst, r.Protocol)
	dst = appendBytes(dst, r.RemoteAddr)
	n := 0
	for _, v := range r.Headers {
		if v != nil {
			n++
		}
	}
	dst = append(dst, byte(n))
	for h, v := range r.Headers {
		if v != nil {
			dst = append(dst, byte(h))
			dst = appendBytes(dst, v)
		}
	}
	return dst
}

// AppendRecord appends the whole log payload of r.
func AppendRecord(dst []byte, r *Record) []byte { return append(EncodeHead(dst, r), r.Body...) }

func appendBytes(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// DecodeRecord reads a log payload. r's slices alias payload. Headers that this version does not know are skipped.
func DecodeRecord(payload []byte, r *Record) error {
	*r = Record{}
	if len(payload) < 10 || payload[0] != recordV1 || payload[1] < byte(MethodPost) || payload[1] > byte(MethodPut) {
		return ErrRecord
	}
	r.Method = Method(payload[1])
	r.Time = int64(binary.LittleEndian.Uint64(payload[2:]))
	d := reader{b: payload[10:]}
	r.Path, r.Query, r.Protocol, r.RemoteAddr = d.bytes(), d.bytes(), d.bytes(), d.bytes()
	last := -1
	for n := d.byte(); n > 0 && !d.bad; n-- {
		h := int(d.byte())
		v := d.bytes()
		if h <= last {
			return ErrRecord
		}
		last = h
		if h < int(HeaderCount) {
			r.Headers[h] = v
		}
	}
	if d.bad {
		return ErrRecord
	}
	r.Body = d.b
	return nil
}

// recordPath returns the path of a payload without reading the rest; nil if there is none.
func recordPath(payload []byte) []byte {
	if len(payload) < 10 || payload[0] != recordV1 {
		return nil
	}
	d := reader{b: payload[10:]}
	return d.bytes()
}

type reader struct {
	b   []byte
	bad bool
}

func (d *reader) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

// bytes returns the next length-prefixed field, never nil unless the payload is bad.
func (d *reader) bytes() []byte {
	n, w := binary.Uvarint(d.b)
	if w <= 0 || n > uint64(len(d.b)-w) {
		d.bad = true
		return nil
	}
	v := d.b[w : w+int(n) : w+int(n)]
	d.b = d.b[w+int(n):]
	return v
}

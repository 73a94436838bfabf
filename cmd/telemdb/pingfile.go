package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fastjson"
)

// A ping file is NDJSON, plain or compressed (.gz, .zst). A line is one of
//
//	{"uri": "/submit/…", "received": "2026-11-20T10:00:00Z", "body": {…}}      what `telemdb gen` writes
//	{"uri": "/submit/…", "payload": "base64"}                                  a body that is not JSON
//	{"attributeMap": {"uri": …, "submission_timestamp": …}, "payload": "base64"}  an edge server's raw message
//	{"type": "main", "id": "…", "application": {…}, …}                          a bare telemetry document

// maxLine bounds a line: a body of 8 MiB in base64, and its envelope.
const maxLine = 16 << 20

// filePing is one line.
type filePing struct {
	URI      string
	Received time.Time // zero: now
	Body     []byte
}

// pingReader reads ping files line by line. Bytes counts what was read of the file as it lies on disk.
type pingReader struct {
	Bytes  *countingReader
	lines  *bufio.Reader
	closer []func()
	parser fastjson.Parser
	line   int
	name   string
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// openPings opens a ping file; "-" is standard input. Compression is told by content, not by name.
func openPings(name string) (*pingReader, error) {
	f := os.Stdin
	if name != "-" {
		var err error
		if f, err = os.Open(name); err != nil {
			return nil, err
		}
	}
	r := &pingReader{Bytes: &countingReader{r: f}, name: name}
	r.closer = append(r.closer, func() { f.Close() })
	in := bufio.NewReaderSize(r.Bytes, 1<<20)
	magic, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case strings.HasPrefix(string(magic), "\x1f\x8b"):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r.lines = bufio.NewReaderSize(z, 1<<20)
	case strings.HasPrefix(string(magic), "\x28\xb5\x2f\xfd"):
		z, err := zstd.NewReader(in, zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r.closer = append(r.closer, z.Close)
		r.lines = bufio.NewReaderSize(z, 1<<20)
	default:
		r.lines = in
	}
	return r, nil
}

func (r *pingReader) Close() {
	for i := len(r.closer) - 1; i >= 0; i-- {
		r.closer[i]()
	}
}

// Skip passes over n lines, for resuming.
func (r *pingReader) Skip(n int) error {
	for range n {
		if _, err := r.readLine(); err != nil {
			return err
		}
	}
	return nil
}

// Next returns the next ping; io.EOF at the end. Empty lines are passed over.
func (r *pingReader) Next() (filePing, error) {
	for {
		line, err := r.readLine()
		if err != nil {
			return filePing{}, err
		}
		if len(line) == 0 {
			continue
		}
		p, err := r.parse(line)
		if err != nil {
			return filePing{}, fmt.Errorf("%s, line %d: %w", r.name, r.line, err)
		}
		return p, nil
	}
}

// readLine returns a line without its end; the memory is its own.
func (r *pingReader) readLine() ([]byte, error) {
	var line []byte
	for {
		part, err := r.lines.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, fmt.Errorf("%s, line %d: longer than %d bytes", r.name, r.line+1, maxLine)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
			return nil, err
		}
		r.line++
		return bytes.TrimRight(line, "\r\n"), nil
	}
}

// generatedLine splits a line that appendPingLine wrote with a JSON body, without parsing the body: it is the bulk of a
// load, and its bytes stay as they are.
func generatedLine(line []byte) (p filePing, ok bool) {
	rest, ok1 := bytes.CutPrefix(line, []byte(`{"uri":"`))
	uri, rest, ok2 := bytes.Cut(rest, []byte(`","received":"`))
	at, rest, ok3 := bytes.Cut(rest, []byte(`","body":`))
	if !ok1 || !ok2 || !ok3 || len(rest) == 0 || rest[len(rest)-1] != '}' || bytes.ContainsAny(uri, `\"`) {
		return p, false
	}
	received, err := time.Parse(time.RFC3339Nano, string(at))
	return filePing{URI: string(uri), Received: received, Body: rest[:len(rest)-1]}, err == nil
}

func (r *pingReader) parse(line []byte) (filePing, error) {
	if p, ok := generatedLine(line); ok {
		return p, nil
	}
	doc, err := r.parser.ParseBytes(line)
	if err != nil {
		return filePing{}, fmt.Errorf("not JSON: %w", err)
	}
	uri, at := string(doc.GetStringBytes("uri")), string(doc.GetStringBytes("received"))
	if attrs := doc.Get("attributeMap"); attrs != nil {
		uri, at = string(attrs.GetStringBytes("uri")), string(attrs.GetStringBytes("submission_timestamp"))
	}
	p := filePing{URI: uri}
	if at != "" {
		if p.Received, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return p, fmt.Errorf("receive time: %w", err)
		}
	}
	switch {
	case uri == "":
		p.Body = line
		p.URI, err = documentURI(doc)
		return p, err
	case doc.Exists("payload"):
		p.Body, err = base64.StdEncoding.DecodeString(string(doc.GetStringBytes("payload")))
		return p, err
	case doc.Exists("body"):
		p.Body = doc.Get("body").MarshalTo(nil)
		return p, nil
	}
	return p, errors.New(`neither "body" nor "payload" is there`)
}

// documentURI makes the URI under which a client would have sent a bare telemetry document.
func documentURI(doc *fastjson.Value) (string, error) {
	id, typ := string(doc.GetStringBytes("id")), string(doc.GetStringBytes("type"))
	if id == "" || typ == "" {
		return "", errors.New(`a line needs "uri" and "body", or is a telemetry document with "id" and "type"`)
	}
	app := func(key string) string {
		if v := doc.GetStringBytes("application", key); len(v) > 0 {
			return string(v)
		}
		return "unknown"
	}
	return fmt.Sprintf("/submit/telemetry/%s/%s/%s/%s/%s/%s?v=4", id, typ, app("name"), app("version"), app("channel"), app("buildId")), nil
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/telemdb/telemdb"
)

// sendAll sends every ping of next over a number of workers; the first error ends it. When ctx ends, nothing more is taken
// from next, and what was taken is still sent: if the error is ctx's, all of it is durable. done, if not nil, is called
// from several goroutines with the size of each ping that became durable.
func sendAll(ctx context.Context, next func() (filePing, error), sink pingSink, workers int, done func(bytes int)) error {
	sending, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	pings := make(chan filePing)
	var wg sync.WaitGroup
	for range max(workers, 1) {
		wg.Go(func() {
			for p := range pings {
				if err := sink.Send(sending, p); err != nil {
					cancel(err)
					continue
				}
				if done != nil {
					done(len(p.Body))
				}
			}
		})
	}
	err := feed(ctx, sending, next, pings)
	close(pings)
	wg.Wait()
	if cause := context.Cause(sending); cause != nil {
		return cause
	}
	return err
}

// feed hands over pings until there are no more, ctx ends, or sending has failed.
func feed(ctx, sending context.Context, next func() (filePing, error), pings chan<- filePing) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case pings <- p:
		case <-sending.Done():
			return context.Cause(sending)
		}
	}
}

// gzipped compresses a body as clients do.
func gzipped(body []byte) []byte {
	if len(body) > 2 && body[0] == 0x1f && body[1] == 0x8b {
		return body
	}
	var out bytes.Buffer
	z := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(z)
	z.Reset(&out)
	// A bytes.Buffer does not fail, so neither does writing to it.
	z.Write(body)
	z.Close()
	return out.Bytes()
}

var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

// httpSink posts to a server and tries again, as clients do, when it answers 5xx.
type httpSink struct {
	base   string
	client *http.Client
}

// Retries of a refused submission: from retryFirst, doubling, for at most retryFor.
const (
	retryFirst = 100 * time.Millisecond
	retryFor   = time.Minute
)

func newHTTPSink(url string) *httpSink {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 256
	return &httpSink{base: strings.TrimRight(url, "/"), client: &http.Client{Transport: t, Timeout: 90 * time.Second}}
}

func (s *httpSink) Send(ctx context.Context, p filePing) error {
	body := gzipped(p.Body)
	wait := retryFirst
	for deadline := time.Now().Add(retryFor); ; wait *= 2 {
		status, err := s.post(ctx, p.URI, body)
		if err == nil && status == http.StatusOK {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%s: the server answered %d %s", p.URI, status, http.StatusText(status))
		}
		if (status != 0 && status < 500) || time.Now().Add(wait).After(deadline) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *httpSink) post(ctx context.Context, uri string, body []byte) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+uri, bytes.NewReader(body))
	if err != nil {
		return http.StatusBadRequest, err
	}
	req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// dbSink writes into a database opened in this process, keeping the receive times of the file.
type dbSink struct{ db *telemdb.DB }

func (s dbSink) Send(ctx context.Context, p filePing) error {
	_, err := s.db.Ingest(ctx, telemdb.Submission{URI: p.URI, Body: gzipped(p.Body), Received: p.Received})
	return err
}

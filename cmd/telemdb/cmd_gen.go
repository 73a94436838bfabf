package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"
	"github.com/valyala/fastjson"

	"github.com/telemdb/telemdb/ingest/gen"
)

func genCommand() *cobra.Command {
	var o gen.Options
	var out, url, start string
	var workers int
	cmd := &cobra.Command{
		Use:   "gen",
		Short: "Generate realistic pings, the same for the same seed",
		Long: "Generate Firefox-like main, crash and event pings as NDJSON (compressed if the file ends in .gz or .zst), or send\n" +
			"them to a server as clients do. Prints how many distinct dimension tuples 10,000 pings have.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Start, err = time.Parse(time.DateOnly, start); err != nil {
				return fmt.Errorf("--start: %w", err)
			}
			g := gen.New(o)
			sum := &genSummary{started: time.Now()}
			if url != "" {
				err = sendAll(cmd.Context(), generated(g, sum), newHTTPSink(url), workers, nil)
			} else {
				err = writeAll(g, out, sum)
			}
			sum.print(cmd.ErrOrStderr(), g)
			return err
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Pings, "pings", 1000, "number of pings")
	f.Uint64Var(&o.Seed, "seed", 1, "seed; the same seed gives the same pings")
	f.IntVar(&o.Clients, "clients", 0, "number of clients (0: one for about five pings)")
	f.IntVar(&o.Days, "days", 7, "days over which the pings are received")
	f.StringVar(&start, "start", "2026-11-01", "first day, UTC")
	f.BoolVar(&o.Small, "small", false, "pings of about a tenth of the real size")
	f.StringVarP(&out, "output", "o", "-", "file to write, - for standard output")
	f.StringVar(&url, "url", "", "send to the server at this URL instead, as clients do")
	f.IntVar(&workers, "connections", 16, "connections to the server")
	return cmd
}

// genSummary counts what was generated.
type genSummary struct {
	started      time.Time
	pings, bytes int64
}

func (s *genSummary) print(w io.Writer, g *gen.Generator) {
	tuples := len(g.Tuples())
	seconds := time.Since(s.started).Seconds()
	fmt.Fprintf(w, "%d pings, %.1f MB of JSON in %.1f s (%.0f MB/s); %d distinct dimension tuples", s.pings, float64(s.bytes)/1e6,
		seconds, float64(s.bytes)/1e6/seconds, tuples)
	if s.pings > 0 {
		fmt.Fprintf(w, " (%.0f per 10,000 pings)", float64(tuples)*1e4/float64(s.pings))
	}
	fmt.Fprintln(w)
}

// generated turns a generator into a source of pings.
func generated(g *gen.Generator, sum *genSummary) func() (filePing, error) {
	return func() (filePing, error) {
		var p gen.Ping
		if !g.Next(&p) {
			return filePing{}, io.EOF
		}
		sum.pings++
		sum.bytes += int64(len(p.Body))
		return filePing{URI: p.URI, Received: p.Received, Body: p.Body}, nil
	}
}

func writeAll(g *gen.Generator, name string, sum *genSummary) (err error) {
	w, closeAll, err := createOutput(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	var line []byte
	for next := generated(g, sum); ; {
		p, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line = appendPingLine(line[:0], p)
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
}

// appendPingLine writes a ping as a line of a ping file. A body that is not one JSON value on one line goes as base64.
func appendPingLine(dst []byte, p filePing) []byte {
	dst = append(dst, `{"uri":"`...)
	dst = append(dst, p.URI...)
	dst = append(dst, `","received":"`...)
	dst = p.Received.UTC().AppendFormat(dst, time.RFC3339Nano)
	if fastjson.ValidateBytes(p.Body) == nil && !strings.ContainsAny(string(p.Body), "\r\n") {
		dst = append(append(dst, `","body":`...), p.Body...)
		return append(dst, "}\n"...)
	}
	dst = append(dst, `","payload":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, p.Body)
	return append(dst, "\"}\n"...)
}

// createOutput opens a file for writing, compressing by its name's end.
func createOutput(name string) (io.Writer, func() error, error) {
	f := os.Stdout
	if name != "-" {
		var err error
		if f, err = os.Create(name); err != nil {
			return nil, nil, err
		}
	}
	buf := bufio.NewWriterSize(f, 1<<20)
	closeFile := func() error { return errors.Join(buf.Flush(), f.Close()) }
	switch {
	case strings.HasSuffix(name, ".gz"):
		z := gzip.NewWriter(buf)
		return z, func() error { return errors.Join(z.Close(), closeFile()) }, nil
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewWriter(buf)
		if err != nil {
			return nil, nil, err
		}
		return z, func() error { return errors.Join(z.Close(), closeFile()) }, nil
	}
	return buf, closeFile, nil
}

// pingSink takes pings; Send returns when the ping is durable.
type pingSink interface {
	Send(ctx context.Context, p filePing) error
}

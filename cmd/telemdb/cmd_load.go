package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/telemdb/telemdb"
)

func loadCommand() *cobra.Command {
	var data, url, resume string
	var workers int
	cmd := &cobra.Command{
		Use:   "load [flags] FILE…",
		Short: "Load pings from NDJSON files into a directory or a server",
		Long: "Load pings from NDJSON files (plain, .gz, .zst, - for standard input). A directory is opened in this process and\n" +
			"keeps the receive times of the file; a server stamps its own. With --resume an interrupted load goes on where it was;\n" +
			"without, pings that are there already become duplicates, never second rows.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) (err error) {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends the program at once
			var sink pingSink = newHTTPSink(url)
			if url == "" {
				db, err := telemdb.Open(data, telemdb.Options{})
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, db.Flush(context.Background()), db.Close()) }()
				sink = dbSink{db}
			}
			return loadFiles(ctx, cmd.ErrOrStderr(), files, sink, workers, resume)
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "telemdb-data", "data directory to load into")
	f.StringVar(&url, "url", "", "load into the server at this URL instead")
	f.IntVar(&workers, "connections", 32, "pings in flight")
	f.StringVar(&resume, "resume", "", "file that remembers how far the load came")
	return cmd
}

// loadFiles loads the files in order, in parts: what --resume remembers is whole parts.
func loadFiles(ctx context.Context, errOut io.Writer, files []string, sink pingSink, workers int, resume string) error {
	done, err := readResume(resume)
	if err != nil {
		return err
	}
	p := newProgress(errOut, files)
	defer p.finish(errOut)
	for _, name := range files {
		if err := loadFile(ctx, name, sink, workers, done, resume, p); err != nil {
			return err
		}
	}
	return nil
}

// partLines is how many pings are sent between two looks at the resume file.
const partLines = 4096

func loadFile(ctx context.Context, name string, sink pingSink, workers int, done map[string]int, resume string, p *progress) error {
	r, err := openPings(name)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Skip(done[name]); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for {
		n := 0
		next := func() (filePing, error) {
			if n == partLines {
				return filePing{}, io.EOF
			}
			ping, err := r.Next()
			if err == nil {
				n++
			}
			p.read(r.Bytes.n)
			return ping, err
		}
		err := sendAll(ctx, next, sink, workers, p.sent)
		interrupted := err != nil && ctx.Err() != nil && errors.Is(err, context.Cause(ctx))
		if err != nil && !interrupted {
			return err
		}
		done[name] = r.line
		if err := writeResume(resume, done); err != nil {
			return fmt.Errorf("remember how far the load came: %w", err)
		}
		if interrupted {
			return fmt.Errorf("interrupted behind line %d of %s; all pings up to there are stored", r.line, name)
		}
		if n < partLines {
			p.endFile(r.Bytes.n)
			return nil
		}
	}
}

func readResume(name string) (map[string]int, error) {
	done := map[string]int{}
	if name == "" {
		return done, nil
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return done, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &done); err != nil {
		return nil, fmt.Errorf("%s is not a resume file: %w", name, err)
	}
	return done, nil
}

func writeResume(name string, done map[string]int) error {
	if name == "" {
		return nil
	}
	text, err := json.Marshal(done)
	if err != nil {
		return err
	}
	tmp := name + ".tmp"
	if err := os.WriteFile(tmp, text, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}

// progress shows a bar with rate and time left on a terminal, and one line at the end anywhere.
type progress struct {
	bar          *progressbar.ProgressBar
	started      time.Time
	before       int64 // bytes of finished files
	pings, bytes atomic.Int64
}

func newProgress(w io.Writer, files []string) *progress {
	p := &progress{started: time.Now()}
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	total := int64(0)
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			total = -1 // standard input, or missing: no end to aim at
			break
		}
		total += info.Size()
	}
	p.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetDescription("loading"), progressbar.OptionClearOnFinish())
	return p
}

func (p *progress) read(bytes int64) {
	if p.bar != nil {
		// A bar that cannot be drawn is no reason to stop loading.
		_ = p.bar.Set64(p.before + bytes)
	}
}

func (p *progress) endFile(bytes int64) { p.before += bytes }

func (p *progress) sent(bytes int) {
	p.pings.Add(1)
	p.bytes.Add(int64(bytes))
}

func (p *progress) finish(w io.Writer) {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
	s := time.Since(p.started).Seconds()
	fmt.Fprintf(w, "%d pings, %.1f MB in %.1f s: %.0f pings/s, %.0f MB/s\n", p.pings.Load(), float64(p.bytes.Load())/1e6, s,
		float64(p.pings.Load())/s, float64(p.bytes.Load())/1e6/s)
}

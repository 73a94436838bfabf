package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/telemdb/telemdb/ingest/gen"
)

// The demo first loads demoHistory pings received over demoDays days, then goes on with one every demoEvery.
const (
	demoHistory = 2000
	demoDays    = 7
	demoEvery   = 200 * time.Millisecond
)

func demoCommand() *cobra.Command {
	o := serveOptions{}
	var seed uint64
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a server on a fresh directory and feed it realistic pings",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.data == "" {
				if o.data, err = os.MkdirTemp("", "telemdb-demo-"); err != nil {
					return err
				}
				defer func() {
					fmt.Fprintf(cmd.OutOrStdout(), "removing %s\n", o.data)
					err = errors.Join(err, os.RemoveAll(o.data))
				}()
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			s, err := startServer(ctx, o, cmd.OutOrStdout())
			if err != nil || s == nil {
				return err
			}
			feeding, endFeed := context.WithCancel(ctx)
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := feedDemo(feeding, cmd.OutOrStdout(), s, seed); err != nil && feeding.Err() == nil {
					s.failed <- err
				}
			})
			defer func() { endFeed(); wg.Wait() }()
			return s.run(feeding, func() { stop(); endFeed(); wg.Wait() })
		},
	}
	o.flags(cmd)
	cmd.Flags().Lookup("data").Usage = "data directory (default: a fresh temporary one, removed at the end)"
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the generated pings")
	return cmd
}

// feedDemo loads a week of history and then keeps pings coming.
func feedDemo(ctx context.Context, out io.Writer, s *server, seed uint64) error {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	sum := &genSummary{started: time.Now()}
	fmt.Fprintf(out, "loading %d generated pings of the last %d days …\n", demoHistory, demoDays)
	history := gen.New(gen.Options{Seed: seed, Pings: demoHistory, Start: today.AddDate(0, 0, -demoDays), Days: demoDays})
	if err := sendAll(ctx, generated(history, sum), dbSink{s.db}, 16, nil); err != nil {
		return err
	}
	if err := s.db.Flush(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d pings (%.0f MB of JSON) of the last %d days are in; one more arrives every %v. Try:\n%s", sum.pings,
		float64(sum.bytes)/1e6, demoDays, demoEvery, demoQueries)
	live := gen.New(gen.Options{Seed: seed + 1, Pings: -1, Clients: 5000, Start: today, Days: 1})
	next := generated(live, sum)
	for tick := time.NewTicker(demoEvery); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
		}
		p, err := next()
		if err != nil {
			return err
		}
		p.Received = time.Time{} // now
		if err := (dbSink{s.db}).Send(ctx, p); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

const demoQueries = `
  SELECT submission_date, normalized_channel, count(*) FROM main GROUP BY 1, 2 ORDER BY 1, 2;
  SELECT normalized_os, avg((payload->'simpleMeasurements'->>'uptime')::bigint) FROM main GROUP BY 1;
  SELECT version, hist_quantile(hist_merge(histogram), 0.95) AS p95, sum(count) FROM rollups.histograms
   WHERE metric = 'EVENTQ_CURSOR_ENCODE_DURATION_MS' AND process = 'parent' GROUP BY 1 ORDER BY 1;

`

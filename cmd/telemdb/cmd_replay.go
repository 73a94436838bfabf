package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/telemdb/telemdb/cmd/telemdb/shell"
	"github.com/telemdb/telemdb/sql/session"
)

func replayCommand() *cobra.Command {
	var r session.Replay
	cmd := &cobra.Command{
		Use:   "replay [DIR | postgres://…]",
		Short: "Decode the landfill's records again with today's decoder",
		Long: "Decode records that the log still holds again, on a data directory (no server needed) or on a server, by default the\n" +
			"one on this machine. A row that today's decoder makes the same is left alone; one that it makes otherwise is swapped, in\n" +
			"the roll-ups too: errors that decode by now become rows, rows that are refused by now become errors. Deleted rows do\n" +
			"not come back, duplicates stay duplicates. It can be interrupted at any time; the same command goes on where it was.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return replayAt(ctx, args, r, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.From, "from", "", "receive time from which on records are decoded again, such as 2026-03-01 or '2026-03-01 12:00Z' (default: the oldest)")
	f.StringVar(&r.To, "to", "", "receive time before which records are decoded again (default: the newest)")
	f.StringVar(&r.Where, "where", "", "SQL condition over namespace, document_type, document_id, submission_timestamp, error_type, error_message")
	f.BoolVar(&r.DryRun, "dry-run", false, "only count what would change")
	return cmd
}

// replayEvery is how often the command says how far the replay is.
const replayEvery = 2 * time.Second

// replayAt runs a replay and prints its progress, which it asks for on a second session.
func replayAt(ctx context.Context, args []string, r session.Replay, out, progress io.Writer) (err error) {
	run, watch, err := openTwice(ctx, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watch.Close(), run.Close()) }()
	watching, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		watchReplay(watching, watch, progress)
	}()
	said, err := firstValue(ctx, run, fmt.Sprintf("SELECT telemdb.replay(%s, %s, %s, %t)",
		sqlText(r.From), sqlText(r.To), sqlText(r.Where), r.DryRun))
	end()
	<-done
	if err != nil {
		return err
	}
	fmt.Fprintln(out, said)
	return nil
}

// openTwice opens two sessions on a directory or a server.
func openTwice(ctx context.Context, args []string) (first, second shell.Target, err error) {
	if first, err = openTarget(ctx, args, true); err != nil {
		return nil, nil, err
	}
	if local, ok := first.(*localTarget); ok {
		second, err = newLocalTarget(ctx, local.db)
	} else {
		second, err = openTarget(ctx, args, true)
	}
	if err != nil {
		return nil, nil, errors.Join(err, first.Close())
	}
	return first, second, nil
}

// watchReplay prints the replay's progress until ctx ends. What it cannot ask it does not print: the replay itself tells
// what is wrong.
func watchReplay(ctx context.Context, t shell.Target, out io.Writer) {
	tick := time.NewTicker(replayEvery)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := firstValue(ctx, t, "SELECT progress FROM telemdb.jobs WHERE name = 'replay'")
		if err == nil && now != "" && now != last {
			fmt.Fprintln(out, now)
			last = now
		}
	}
}

// firstValue returns the first value of a statement's first row, empty if it has none.
func firstValue(ctx context.Context, t shell.Target, sql string) (value string, err error) {
	err = t.Run(ctx, sql, func(r shell.Result) error {
		for first := true; ; first = false {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if first && len(row) > 0 {
				value = string(row[0])
			}
		}
	})
	return value, err
}

// sqlText writes a text as an SQL literal.
func sqlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/telemdb/telemdb"
	"github.com/telemdb/telemdb/cmd/telemdb/shell"
)

// defaultURL is where `telemdb serve` and `telemdb demo` listen.
const defaultURL = "postgres://telemdb@127.0.0.1:5433/telemdb?sslmode=disable"

func sqlCommand() *cobra.Command {
	var statements []string
	var file string
	var csv, timing, write bool
	cmd := &cobra.Command{
		Use:   "sql [DIR | postgres://…]",
		Short: "SQL shell on a directory without a server, or on a server",
		Long: "Open a SQL shell on a data directory (no server needed) or on a server, by default the one on this machine.\n" +
			"A directory, or a backup, is opened for reading only and stays as it is; a server may have it open, and then the shell\n" +
			"shows the moment at which it was started until the server stops. With --write the shell may change the directory,\n" +
			"and no server or other reader may have it open.\n" +
			"With -c or -f it runs the statements and ends; its exit status is 1 if one failed.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			target, err := openTarget(cmd.Context(), args, write)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, target.Close()) }()
			s := &shell.Shell{Target: target, Out: cmd.OutOrStdout(), Err: cmd.ErrOrStderr(), CSV: csv, Timing: timing, Prompt: "telemdb",
				History: historyFile()}
			return runShell(s, statements, file)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&statements, "command", "c", nil, "run this statement and end; may be given again")
	f.StringVarP(&file, "file", "f", "", "run the statements of this file and end")
	f.BoolVar(&write, "write", false, "open a directory for writing; no server may have it open")
	f.BoolVar(&csv, "csv", false, "print CSV")
	f.BoolVar(&timing, "timing", false, "print how long statements take")
	return cmd
}

func openTarget(ctx context.Context, args []string, write bool) (shell.Target, error) {
	where := defaultURL
	if len(args) == 1 {
		where = args[0]
	}
	if strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://") {
		return connect(ctx, where)
	}
	db, err := telemdb.Open(where, telemdb.Options{MustExist: true, ReadOnly: !write})
	if err != nil {
		return nil, err
	}
	t, err := newLocalTarget(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return t, nil
}

// runShell ends with status 1, without another message, when a statement has failed: the shell has shown its error.
func runShell(s *shell.Shell, statements []string, file string) error {
	for _, text := range statements {
		run := s.Exec
		if strings.HasPrefix(text, `\`) {
			run = s.Command
		}
		if err := run(text); err != nil {
			return exitCode(1)
		}
	}
	switch {
	case file != "":
		if err := s.File(file); err != nil {
			return exitCode(1)
		}
	case len(statements) == 0:
		if err := s.Interactive(os.Stdin); err != nil {
			return exitCode(1)
		}
	}
	return nil
}

func historyFile() string {
	dir, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, ".telemdb_history")
}

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/telemdb/telemdb"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/vfs"
)

// exitProblems is the status of a check that has found something.
const exitProblems = exitCode(3)

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check DIR",
		Short: "Verify every checksum and invariant of a data directory",
		Long: "Verify every checksum and invariant of a data directory and report all violations. The exit status is 0 if there are\n" +
			"none, 3 if there are, and 1 if nothing could be checked. The directory is only read; if a\n" +
			"server has it open, what is checked is the moment that the server lends.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return checkDirectory(cmd.OutOrStdout(), args[0]) },
	}
}

func checkDirectory(out io.Writer, dir string) error {
	if ok, err := storage.Exists(vfs.OS(), dir); err != nil || !ok {
		return errors.Join(fmt.Errorf("%s holds no database", dir), err)
	}
	problems := 0
	report := func(p any) {
		problems++
		fmt.Fprintln(out, p)
	}
	db, err := telemdb.Open(dir, telemdb.Options{MustExist: true, ReadOnly: true})
	var locked *storage.LockedError
	switch {
	case errors.As(err, &locked):
		return err
	case err != nil:
		report(fmt.Errorf("%s cannot be opened: %w", dir, err))
	default:
		err := db.Check(func(p telemdb.Problem) { report(p) })
		if err := errors.Join(err, db.Close()); err != nil {
			report(err)
		}
	}
	if problems > 0 {
		fmt.Fprintf(out, "%d problem(s) in %s\n", problems, dir)
		return exitProblems
	}
	fmt.Fprintf(out, "no problems in %s\n", dir)
	return nil
}

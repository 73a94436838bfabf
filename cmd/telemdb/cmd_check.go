package main

import (
	"context"
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
	repair := false
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Verify every checksum and invariant of a data directory",
		Long: "Verify every checksum and invariant of a data directory and report all violations. The exit status is 0 if there are\n" +
			"none, 3 if there are, and 1 if nothing could be checked. The directory is only read; if a\n" +
			"server has it open, what is checked is the moment that the server lends.\n\n" +
			"With --repair what is damaged is made again where that is possible: rows of pings from the log's landfill, roll-ups\n" +
			"and document keys from rows. Then everything is checked again. No server may have the directory open; on a server,\n" +
			"SELECT telemdb.repair() does the same for what telemdb.damage lists.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if repair {
				return repairDirectory(cmd.Context(), cmd.OutOrStdout(), args[0])
			}
			return checkDirectory(cmd.OutOrStdout(), args[0])
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "make again what is damaged, from what is whole")
	return cmd
}

func checkDirectory(out io.Writer, dir string) error {
	if err := holdsDatabase(dir); err != nil {
		return err
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
	return verdict(out, dir, problems)
}

func holdsDatabase(dir string) error {
	if ok, err := storage.Exists(vfs.OS(), dir); err != nil || !ok {
		return errors.Join(fmt.Errorf("%s holds no database", dir), err)
	}
	return nil
}

func verdict(out io.Writer, dir string, problems int) error {
	if problems > 0 {
		fmt.Fprintf(out, "%d problem(s) in %s\n", problems, dir)
		return exitProblems
	}
	fmt.Fprintf(out, "no problems in %s\n", dir)
	return nil
}

// repairDirectory checks, repairs, and checks again.
func repairDirectory(ctx context.Context, out io.Writer, dir string) (err error) {
	if err := holdsDatabase(dir); err != nil {
		return err
	}
	db, err := telemdb.Open(dir, telemdb.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	check := func() (problems int, err error) {
		err = db.Check(func(p telemdb.Problem) {
			problems++
			fmt.Fprintln(out, p)
		})
		return problems, err
	}
	problems, err := check()
	if err != nil || problems == 0 {
		return errors.Join(err, verdict(out, dir, problems))
	}
	fmt.Fprintf(out, "%d problem(s) in %s; repairing\n", problems, dir)
	if err := db.Repair(ctx, func(r telemdb.Repaired) { fmt.Fprintln(out, r) }); err != nil {
		return err
	}
	if problems, err = check(); err != nil {
		return err
	}
	return verdict(out, dir, problems)
}

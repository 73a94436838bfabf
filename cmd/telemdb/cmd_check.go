package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/telemdb/telemdb"
)

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check DIR",
		Short: "Verify every checksum and invariant of a data directory",
		Long: "Verify every checksum and invariant of a data directory and report all violations. The exit status is 0 if there are\n" +
			"none and 3 if there are. The directory must not be in use by a server.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			db, err := telemdb.Open(args[0], telemdb.Options{MustExist: true})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			problems := 0
			err = db.Check(func(p telemdb.Problem) {
				problems++
				fmt.Fprintln(cmd.OutOrStdout(), p)
			})
			switch {
			case err != nil:
				return err
			case problems > 0:
				fmt.Fprintf(cmd.OutOrStdout(), "%d problems\n", problems)
				return exitCode(3)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "no problems")
			return nil
		},
	}
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/telemdb/telemdb"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			v := telemdb.ReadVersion()
			fmt.Fprintf(cmd.OutOrStdout(), "telemdb %s, commit %s, %s\n", v.Version, v.Commit, v.Go)
		},
	}
}

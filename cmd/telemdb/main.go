// Command telemdb is the database server and its tools, one verb a file.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	root := newRoot()
	err := root.Execute()
	var exit exitCode
	switch {
	case errors.As(err, &exit):
		os.Exit(int(exit))
	case err != nil:
		fmt.Fprintln(os.Stderr, "telemdb:", err)
		os.Exit(1)
	}
}

// exitCode ends the program with a status after its message has been printed.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "telemdb",
		Short:         "A database for telemetry: pings in by HTTP, SQL out by the PostgreSQL protocol",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(serveCommand(), demoCommand(), sqlCommand(), loadCommand(), genCommand(), checkCommand(), statusCommand(),
		backupCommand(), restoreCommand(),
		inspectCommand(), replayCommand(), versionCommand())
	for _, c := range root.Commands() {
		c.Flags().String(configFlag, "", "TOML file with options (TELEMDB_CONFIG)")
		c.PreRunE = func(cmd *cobra.Command, _ []string) error { return applyConfig(cmd) }
	}
	learnOptions(root)
	return root
}

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/telemdb/telemdb/storage"
)

func restoreCommand() *cobra.Command {
	var o storage.RestoreOptions
	cmd := &cobra.Command{
		Use:   "restore BACKUP DIR",
		Short: "Make a data directory from a backup",
		Long: "Make DIR, which must be empty or missing, a data directory from a backup; from the newest one if BACKUP is a directory\n" +
			"of backups. Every file is held against its checksum on the way; one that differs is named and ends the restore. When\n" +
			"it says \"done\" everything is on disk. A restore that was cut is refused by every other command: run it again.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			var done func()
			o.Progress, done = showProgress(cmd.ErrOrStderr())
			started := time.Now()
			id, err := storage.Restore(ctx, slashed(args[0]), slashed(args[1]), o)
			done()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "done: %s is the backup %s, in %v\n", args[1], id, time.Since(started).Round(time.Millisecond))
			return err
		},
	}
	cmd.Flags().BoolVar(&o.Link, "link", false, "link segments instead of copying them: the new store then shares their bytes with the backup")
	return cmd
}

package main

import (
	"bufio"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/storage/inspect"
	"github.com/telemdb/telemdb/storage/vfs"
)

func inspectCommand() *cobra.Command {
	var o inspect.Options
	c := &cobra.Command{
		Use:   "inspect FILE | DIR",
		Short: "Print what a file of the database consists of",
		Long: "Print what a file of the database consists of, with the meaning of its parts: a segment (.seg), a file of the log (.wal),\n" +
			"the catalog (DIR/meta), or the summary of a data directory. Nothing is changed. The catalog and with it a data\n" +
			"directory cannot be inspected while a server has the directory open; its log files and segments can.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Head < 0 {
				return fmt.Errorf("--head %d: a number of lines cannot be negative", o.Head)
			}
			name, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			o.Submission = describeSubmission
			out := bufio.NewWriter(cmd.OutOrStdout())
			err = inspect.Path(out, vfs.OS(), filepath.ToSlash(name), o)
			return errors.Join(err, out.Flush())
		},
	}
	c.Flags().IntVar(&o.Head, "head", 0, "print only the first so many records, columns or partitions of each part; 0: all")
	c.Flags().StringVar(&o.Column, "column", "", "of a segment, only the column of this `path` (payload.info.reason) and those below it, with the zone maps of their blocks")
	return c
}

// describeSubmission says in one line what the log has kept of a request.
func describeSubmission(payload []byte) string {
	var r ping.Record
	if err := ping.DecodeRecord(payload, &r); err != nil {
		return fmt.Sprintf("%d bytes: %v", len(payload), err)
	}
	form := "plain"
	if len(r.Body) > 1 && r.Body[0] == 0x1f && r.Body[1] == 0x8b {
		form = "gzip"
	}
	return fmt.Sprintf("%v %q, %d bytes of %s body", r.Method, r.Path, len(r.Body), form)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/telemdb/telemdb"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/vfs"
)

func backupCommand() *cobra.Command {
	data := "telemdb-data"
	var o storage.BackupOptions
	cmd := &cobra.Command{
		Use:   "backup BACKUPS",
		Short: "Back up a data directory, with or without a server on it",
		Long: "Add a backup of a data directory to the directory BACKUPS, which is made if it is missing. It holds what was\n" +
			"acknowledged when it began; a server that has the data directory open goes on meanwhile. Segments that an earlier\n" +
			"backup in BACKUPS holds are verified and not brought again. Files that never change are linked where that is\n" +
			"possible, which costs no space but protects only from what happens to the data directory, not to the disk.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Keep < 0 {
				return fmt.Errorf("--keep %d: a number of backups cannot be negative", o.Keep)
			}
			return runBackup(cmd, data, args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", data, "data directory")
	f.BoolVar(&o.Copy, "copy", false, "copy everything: the backup shares no file with the data directory")
	f.IntVar(&o.Keep, "keep", 0, "then remove the oldest backups until so many are left; 0: none")
	cmd.AddCommand(verifyCommand())
	return cmd
}

func runBackup(cmd *cobra.Command, data, to string, o storage.BackupOptions) error {
	ctx, stop := interruptible(cmd)
	defer stop()
	var done func()
	o.To = slashed(to)
	o.Progress, done = showProgress(cmd.ErrOrStderr())
	started := time.Now()
	info, err := storage.Backup(ctx, slashed(data), o)
	done()
	if info == nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "backup   %s\n", info.Dir)
	fmt.Fprintf(out, "holds    records up to %d: %d files, %s\n", info.LSN, info.Files, sizeText(info.Bytes))
	fmt.Fprintf(out, "brought  %d linked, %d copied (%s), %d were there, in %v\n",
		info.Linked, info.Copied, sizeText(info.CopiedBytes), info.Reused, time.Since(started).Round(time.Millisecond))
	for _, id := range info.Removed {
		fmt.Fprintf(out, "removed  %s\n", id)
	}
	return err
}

func sizeText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}

// interruptible ends by the signals that end a program, so that what is under way says in what state it leaves things.
func interruptible(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
}

func slashed(dir string) string { return filepath.ToSlash(dir) }

// showProgress returns what draws a bar where somebody can see it, and what ends it.
func showProgress(w io.Writer) (show func(storage.BackupProgress), done func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, func() {}
	}
	var bar *progressbar.ProgressBar
	show = func(p storage.BackupProgress) {
		if bar == nil {
			bar = progressbar.NewOptions64(p.BytesTotal, progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true),
				progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
		}
		_ = bar.Set64(p.Bytes) // only a drawing
	}
	return show, func() {
		if bar != nil {
			_ = bar.Clear() // only a drawing
		}
	}
}

func verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify BACKUP | BACKUPS",
		Short: "Verify every file of a backup, or of all, and check the database in it",
		Long: "Hold every file of a backup, or of all backups in a directory of them, against its size and checksum, then open the\n" +
			"database of each for reading and check all its invariants, as telemdb check does. The exit status is 0 if all is\n" +
			"well, 3 if something is not, and 1 if nothing could be verified.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			return verifyBackups(ctx, cmd.OutOrStdout(), slashed(args[0]))
		},
	}
}

func verifyBackups(ctx context.Context, out io.Writer, from string) error {
	problems := 0
	report := func(p any) {
		problems++
		fmt.Fprintln(out, p)
	}
	dirs, err := storage.VerifyBackup(ctx, vfs.OS(), from, func(p storage.Problem) { report(p) })
	if err != nil {
		return err
	}
	for _, d := range dirs {
		db, err := telemdb.Open(d, telemdb.Options{ReadOnly: true})
		if err != nil {
			report(fmt.Errorf("%s cannot be opened: %w", d, err))
			continue
		}
		err = db.Check(func(p telemdb.Problem) { report(p) })
		if err := errors.Join(err, db.Close()); err != nil {
			report(err)
		}
	}
	if problems > 0 {
		fmt.Fprintf(out, "%d problem(s) in %d backup(s)\n", problems, len(dirs))
		return exitProblems
	}
	fmt.Fprintf(out, "no problems in %d backup(s)\n", len(dirs))
	return nil
}

// Package shell is the interactive side of `telemdb sql`: it reads statements and backslash commands, runs them on a
// Target (a directory opened in this process, or a server), and prints results aligned or as CSV.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

// Target runs statements. Text forms are PostgreSQL's.
type Target interface {
	// Run executes the statements of one query string and calls sink for each result. It stops at the first error.
	Run(ctx context.Context, query string, sink func(Result) error) error
	Close() error
}

// Result is one statement's outcome: rows to pull, then the command tag.
type Result struct {
	Columns []Column // nil for a statement without rows
	// Next returns the next row's text values (nil is NULL), valid until the next call; io.EOF at the end.
	Next func() ([][]byte, error)
	Tag  func() string
}

// Column is a result column; Right says that its values are set to the right (numbers).
type Column struct {
	Name  string
	Right bool
}

// Failure is a statement's error with what a shell shows of it.
type Failure struct {
	Severity, Code, Message, Detail, Hint string
	Position                              int // in characters of the query string, from 1; 0 for none
}

func (f *Failure) Error() string { return f.Message }

// Shell holds the settings of one session.
type Shell struct {
	Target  Target
	Out     io.Writer
	Err     io.Writer
	CSV     bool
	Timing  bool
	Prompt  string // "telemdb"
	History string // file; "" for none
}

// Exec runs one query string and prints its results, or its error to Err. The error is returned too.
func (s *Shell) Exec(query string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	start := time.Now()
	err := s.Target.Run(ctx, query, func(r Result) error {
		if s.CSV {
			return printCSV(s.Out, r)
		}
		return printAligned(s.Out, r)
	})
	if err != nil {
		s.printError(query, err)
	}
	if s.Timing {
		fmt.Fprintf(s.Out, "Time: %.3f ms\n", float64(time.Since(start).Microseconds())/1000)
	}
	return err
}

func (s *Shell) printError(query string, err error) {
	var f *Failure
	if !errors.As(err, &f) {
		fmt.Fprintf(s.Err, "ERROR:  %v\n", err)
		return
	}
	severity := f.Severity
	if severity == "" {
		severity = "ERROR"
	}
	fmt.Fprintf(s.Err, "%s:  %s: %s\n", severity, f.Code, f.Message)
	if f.Position > 0 {
		fmt.Fprint(s.Err, caret(query, f.Position))
	}
	if f.Detail != "" {
		fmt.Fprintf(s.Err, "DETAIL:  %s\n", f.Detail)
	}
	if f.Hint != "" {
		fmt.Fprintf(s.Err, "HINT:  %s\n", f.Hint)
	}
}

// caret shows the line of the query that holds character pos, and a mark below it.
func caret(query string, pos int) string {
	line, col, at := 1, 0, 0
	lines := strings.Split(query, "\n")
	for i, l := range lines {
		n := len([]rune(l)) + 1
		if pos <= at+n {
			line, col = i+1, pos-at
			break
		}
		at += n
	}
	if line > len(lines) || col < 1 {
		return ""
	}
	prefix := fmt.Sprintf("LINE %d: ", line)
	return prefix + lines[line-1] + "\n" + strings.Repeat(" ", len(prefix)+col-1) + "^\n"
}

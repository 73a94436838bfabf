package shell

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/peterh/liner"
	"golang.org/x/term"
)

// lineReader gives one line at a time; io.EOF at the end, liner.ErrPromptAborted when a line was given up by ctrl-C.
type lineReader interface {
	Prompt(prompt string) (string, error)
	AppendHistory(line string)
	Close() error
}

// Interactive reads statements from in until its end or \q. With a terminal there are line editing and history, and an
// error does not stop it; otherwise the first error does, and is returned.
func (s *Shell) Interactive(in *os.File) error {
	tty := term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
	var lines lineReader
	if tty {
		lines = s.newTerminal()
		fmt.Fprintf(s.Out, "telemdb shell. Statements end with a semicolon; \\? lists commands, \\q quits.\n\n")
	} else {
		lines = &plainLines{bufio.NewReader(in)}
	}
	defer lines.Close()
	err := s.loop(lines, tty)
	if errors.Is(err, errQuit) {
		return nil
	}
	return err
}

var errQuit = errors.New("quit")

func (s *Shell) loop(lines lineReader, tty bool) error {
	var pending strings.Builder
	for {
		line, err := lines.Prompt(s.prompt(pending.Len() > 0))
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			pending.Reset()
			continue
		case errors.Is(err, io.EOF):
			if tty {
				fmt.Fprintln(s.Out)
			}
			if blank(pending.String()) {
				return nil
			}
			return s.Exec(pending.String())
		case err != nil:
			return err
		}
		if pending.Len() == 0 && strings.HasPrefix(strings.TrimSpace(line), `\`) {
			lines.AppendHistory(line)
			if err := s.Command(strings.TrimSpace(line)); err != nil && (!tty || errors.Is(err, errQuit)) {
				return err
			}
			continue
		}
		if pending.Len() > 0 {
			pending.WriteByte('\n')
		}
		pending.WriteString(line)
		if !complete(pending.String()) {
			if blank(pending.String()) {
				pending.Reset()
			}
			continue
		}
		query := pending.String()
		pending.Reset()
		lines.AppendHistory(strings.ReplaceAll(query, "\n", " "))
		if err := s.Exec(query); err != nil && !tty {
			return err
		}
	}
}

func (s *Shell) prompt(more bool) string {
	if more {
		return s.Prompt + "-> "
	}
	return s.Prompt + "=> "
}

// terminal is liner with a history file.
type terminal struct {
	*liner.State
	file   string
	err    io.Writer
	failed bool // it could not be saved, which has been told
}

func (s *Shell) newTerminal() lineReader {
	st := liner.NewLiner()
	st.SetCtrlCAborts(true)
	st.SetMultiLineMode(true)
	if f, err := os.Open(s.History); err == nil {
		// A damaged history file costs the history, not the session.
		if _, err := st.ReadHistory(f); err != nil {
			fmt.Fprintf(s.Err, "history %s: %v\n", s.History, err)
		}
		f.Close()
	}
	return &terminal{State: st, file: s.History, err: s.Err}
}

// AppendHistory saves the history with each statement: a terminal that is closed ends the process without a word.
func (t *terminal) AppendHistory(line string) {
	t.State.AppendHistory(line)
	if t.file == "" || t.failed {
		return
	}
	if err := t.save(); err != nil {
		t.failed = true
		fmt.Fprintf(t.err, "history is not saved: %v\n", err)
	}
}

func (t *terminal) save() error {
	f, err := os.OpenFile(t.file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = t.WriteHistory(f)
	return errors.Join(err, f.Close())
}

// plainLines reads a pipe or a file.
type plainLines struct{ r *bufio.Reader }

func (p *plainLines) Prompt(string) (string, error) {
	line, err := p.r.ReadString('\n')
	if err != nil && line == "" {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (p *plainLines) AppendHistory(string) {}
func (p *plainLines) Close() error         { return nil }

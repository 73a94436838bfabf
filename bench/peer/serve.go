package peer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// Engine is an engine behind Serve. Its methods are called from one goroutine.
type Engine interface {
	// Open opens or makes a database and returns the engine's version.
	Open(o *Request) (version string, err error)
	Exec(sql string) error
	Load(table string, columns []Column, file string) error
	Seal() error
	Settle() error
	// Query runs sql and fetches its rows in a format of Formats. rows is their number.
	Query(sql, format string) (rows int64, err error)
	// Verify runs sql and returns its rows as text (see Kind).
	Verify(sql string) ([]Column, [][]*string, error)
	Trim()
	Size(tables []string) (int64, error)
	Close() error
	Formats() []string
}

// accountant is an Engine that tells how many bytes it accounted to the last query at most.
type accountant interface{ QueryMemory() int64 }

// elsewhere is an Engine that runs in other processes.
type elsewhere interface{ CPU() time.Duration }

// Serve answers the requests of standard input until it ends or asks to stop. It is all of a peer's main.
func Serve(e Engine) {
	out := os.Stdout
	os.Stdout = os.Stderr // what a library prints is not an answer
	if err := serve(e, os.Stdin, out); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func serve(e Engine, in io.Reader, out io.Writer) error {
	requests := json.NewDecoder(bufio.NewReader(in))
	answers := bufio.NewWriter(out)
	opened := false
	for {
		var q Request
		if err := requests.Decode(&q); err == io.EOF {
			return e.Close()
		} else if err != nil {
			return fmt.Errorf("a request cannot be read: %w", err)
		}
		var r Response
		if !opened && q.Op != Open && q.Op != Stop {
			r.Error = "no database is open"
		} else if err := answer(e, &q, &r); err != nil {
			r = Response{Error: err.Error()}
		} else if q.Op == Open {
			opened = true
		}
		if err := json.NewEncoder(answers).Encode(&r); err != nil {
			return err
		}
		if err := answers.Flush(); err != nil {
			return err
		}
		if q.Op == Stop {
			return nil
		}
	}
}

func answer(e Engine, q *Request, r *Response) (err error) {
	switch q.Op {
	case Open:
		r.Formats = e.Formats()
		return timed(e, r, func() (err error) { r.Version, err = e.Open(q); return })
	case Exec:
		return timed(e, r, func() error { return e.Exec(q.SQL) })
	case Load:
		return timed(e, r, func() error { return e.Load(q.Table, q.Columns, q.File) })
	case Seal:
		return timed(e, r, e.Seal)
	case Settle:
		return timed(e, r, e.Settle)
	case Query:
		return query(e, q, r)
	case Trim:
		e.Trim()
		r.RSS, _ = resident()
		return nil
	case Size:
		r.Bytes, err = e.Size(q.Tables)
		return err
	case Stop:
		return e.Close()
	}
	return fmt.Errorf("unknown request %q", q.Op)
}

func query(e Engine, q *Request, r *Response) (err error) {
	if q.Verify {
		return timed(e, r, func() (err error) {
			r.Columns, r.Data, err = e.Verify(q.SQL)
			r.Rows = int64(len(r.Data))
			return err
		})
	}
	for range max(q.Repeat, 1) {
		if err := timed(e, r, func() (err error) { r.Rows, err = e.Query(q.SQL, q.Format); return }); err != nil {
			return err
		}
	}
	return nil
}

// timed adds a run of f to the answer.
func timed(e Engine, r *Response, f func() error) error {
	cpu := func() time.Duration {
		total := ownCPU()
		if e, ok := e.(elsewhere); ok {
			total += e.CPU()
		}
		return total
	}
	if len(r.Nanos) == 0 {
		resetPeak()
		r.RSS, _ = resident()
	}
	began, before := time.Now(), cpu()
	err := f()
	took := time.Since(began)
	r.CPU += int64(cpu() - before)
	r.Wall += int64(took)
	r.Nanos = append(r.Nanos, int64(took))
	_, r.Peak = resident()
	if a, ok := e.(accountant); ok {
		r.Memory = max(r.Memory, a.QueryMemory())
	}
	return err
}

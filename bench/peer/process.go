package peer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Process is a peer that runs. It is stopped (SIGSTOP) whenever it has no request to answer, so that what an engine does
// in the background cannot disturb the measurement of another. It is used from one goroutine.
type Process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	ended bool
}

// Start runs a peer in a process group of its own, which is killed when this process ends in whatever way.
func Start(name string, args ...string) (*Process, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = processGroup()
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 1<<20)}
	if err := startOnLastingThread(cmd); err != nil {
		return nil, err
	}
	p.pause()
	return p, nil
}

// ErrEnded is the error of a peer that is no more: it crashed, or was killed after a timeout.
var ErrEnded = errors.New("the peer's process has ended")

// Call sends a request and waits for the answer at most so long. An error the engine answers with is returned as
// *EngineError and the peer goes on; after any other the process is killed.
func (p *Process) Call(q *Request, within time.Duration) (*Response, error) {
	if p.ended {
		return nil, ErrEnded
	}
	line, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	p.signal(syscall.SIGCONT)
	timer := time.AfterFunc(within, func() { p.signal(syscall.SIGKILL) })
	r, err := p.exchange(append(line, '\n'))
	late := !timer.Stop()
	if err != nil {
		p.Kill()
		if late {
			return nil, fmt.Errorf("%s: no answer within %v: %w", q.Op, within, ErrEnded)
		}
		return nil, fmt.Errorf("%s: %w", q.Op, errors.Join(err, ErrEnded))
	}
	if q.Op != Stop {
		p.pause()
	}
	if r.Error != "" {
		return r, &EngineError{Op: q.Op, Text: r.Error}
	}
	return r, nil
}

func (p *Process) exchange(line []byte) (*Response, error) {
	if _, err := p.in.Write(line); err != nil {
		return nil, err
	}
	text, err := p.out.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	r := &Response{}
	return r, json.Unmarshal(text, r)
}

// EngineError is what an engine says of a statement that fails.
type EngineError struct {
	Op   Op
	Text string
}

func (e *EngineError) Error() string { return e.Text }

// Stop asks the engine to close its database, and waits for the end of the process.
func (p *Process) Stop(within time.Duration) error {
	if p.ended {
		return nil
	}
	_, err := p.Call(&Request{Op: Stop}, within)
	if p.ended {
		return err
	}
	err = errors.Join(err, p.in.Close())
	timer := time.AfterFunc(within, func() { p.signal(syscall.SIGKILL) })
	defer timer.Stop()
	p.ended = true
	return errors.Join(err, p.cmd.Wait())
}

// Kill ends the process at once. It may be called twice.
func (p *Process) Kill() {
	if p.ended {
		return
	}
	p.ended = true
	p.signal(syscall.SIGKILL)
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

func (p *Process) pause() { p.signal(syscall.SIGSTOP) }

// signal reaches the whole group; an engine may have processes of its own.
func (p *Process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

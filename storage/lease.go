package storage

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/telemdb/telemdb/storage/vfs"
)

// A lease lets another process read a directory while a store has it open. The reader connects to a socket in the
// directory and gets a moment (moment.go): a list of files, all of which stay as they are until the connection ends,
// whoever ends it. FORMAT.md describes the exchange.

const (
	leaseSocket  = "lease.sock"
	leaseVersion = 1
	leasesMax    = 64               // at a time
	leaseWrite   = 30 * time.Second // a reader that does not take its list is dropped
	leaseReplyMB = 256              // the longest list a reader takes
)

// ErrLeaseEnded: the server that lent this moment has stopped. The directory can be opened again.
var ErrLeaseEnded = errors.New("the server has ended the lease of this read-only view, because it stopped: open the directory again")

type leaseRequest struct {
	Version int `json:"version"`
	Pid     int `json:"pid"`
}

type leaseReply struct {
	Error string      `json:"error,omitempty"`
	LSN   uint64      `json:"lsn"`
	Files []leaseFile `json:"files"`
}

// leaseFile is a file of the lent moment.
type leaseFile struct {
	Name  string `json:"name"`            // its place in a data directory
	At    string `json:"at,omitempty"`    // where it is, from the data directory; empty: at Name
	Size  int64  `json:"size"`            // how much of it belongs to the moment; negative: all
	Fixed bool   `json:"fixed,omitempty"` // nobody ever writes into it
}

// lender answers readers in other processes.
type lender struct {
	s        *Store
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

// startLending begins to answer. A file system without sockets costs readers, not the store.
func (s *Store) startLending() {
	l, err := vfs.ListenSocket(path.Join(s.dir, leaseSocket))
	if err != nil {
		s.o.Logger.Warn("other processes cannot read this directory while it is open", "err", err)
		return
	}
	s.lender = &lender{s: s, listener: l, conns: map[net.Conn]bool{}}
	s.lender.wg.Go(s.lender.accept)
}

func (l *lender) accept() {
	for {
		c, err := l.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				l.s.o.Logger.Warn("no more readers in other processes are accepted", "err", err)
			}
			return
		}
		if !l.add(c) {
			_ = c.Close() // its reader sees the end
			continue
		}
		l.wg.Go(func() {
			defer l.remove(c)
			if err := l.serve(c); err != nil {
				l.s.o.Logger.Warn("a lease ended badly", "err", err)
			}
		})
	}
}

func (l *lender) add(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.conns) >= leasesMax {
		return false
	}
	l.conns[c] = true
	return true
}

func (l *lender) remove(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	_ = c.Close() // nothing is waiting in it
}

// count returns the number of leases.
func (l *lender) count() int {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// close ends all leases and waits until their files are let go.
func (l *lender) close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	l.closed = true
	err := l.listener.Close()
	for c := range l.conns {
		_ = c.Close() // its handler sees that
	}
	l.mu.Unlock()
	l.wg.Wait()
	return errors.Join(err, ignoreMissing(l.s.fs.Remove(path.Join(l.s.dir, leaseSocket))))
}

// serve holds one lease from its request to the end of the connection.
func (l *lender) serve(c net.Conn) (err error) {
	in := bufio.NewReader(c)
	if err := c.SetDeadline(time.Now().Add(leaseWrite)); err != nil {
		return err
	}
	var req leaseRequest
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil // gone before it asked
	}
	if err := json.Unmarshal(line, &req); err != nil || req.Version != leaseVersion {
		return answer(c, leaseReply{Error: fmt.Sprintf("the server lends by version %d of the protocol: use the same telemdb", leaseVersion)})
	}
	m, err := l.s.lend()
	if err != nil {
		return answer(c, leaseReply{Error: err.Error()})
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := answer(c, l.s.replyOf(m)); err != nil {
		return nil // the reader is gone
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return err
	}
	l.s.o.Logger.Info("a moment is lent to a reader", "pid", req.Pid, "lsn", m.lsn, "files", len(m.files))
	_, _ = io.Copy(io.Discard, in) // any end is the end of the lease
	return nil
}

func (s *Store) replyOf(m *moment) leaseReply {
	r := leaseReply{LSN: m.lsn}
	for _, f := range m.files {
		lf := leaseFile{Name: f.name, Size: f.at.Size, Fixed: f.fixed}
		if at := strings.TrimPrefix(f.at.Name, s.dir+"/"); at != f.name {
			lf.At = at
		}
		r.Files = append(r.Files, lf)
	}
	return r
}

func answer(c net.Conn, r leaseReply) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = c.Write(append(raw, '\n'))
	return err
}

// Where a lease is asked for again: the server may just be starting.
const (
	leaseTries = 50
	leasePause = 100 * time.Millisecond
)

// leasedMoment asks the process that has dir open for a moment.
func leasedMoment(fsys vfs.FS, dir string, holder *LockedError) (*moment, error) {
	var c net.Conn
	var err error
	for try := 0; ; try++ {
		if c, err = vfs.DialSocket(path.Join(dir, leaseSocket)); err == nil {
			break
		}
		if try == leaseTries {
			return nil, fmt.Errorf("%w; it does not answer readers (yet): %w", holder, err)
		}
		time.Sleep(leasePause)
	}
	m, err := readLease(fsys, dir, c)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ask %s for a lease of %s: %w", holder.Holder, dir, err), c.Close())
	}
	return m, nil
}

func readLease(fsys vfs.FS, dir string, c net.Conn) (*moment, error) {
	req, err := json.Marshal(leaseRequest{Version: leaseVersion, Pid: os.Getpid()})
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(append(req, '\n')); err != nil {
		return nil, err
	}
	r, err := parseLease(io.LimitReader(c, leaseReplyMB<<20))
	if err != nil {
		return nil, err
	}
	lost, ended := make(chan struct{}), make(chan struct{})
	m := &moment{fs: fsys, lsn: r.LSN, lost: lost}
	for _, f := range r.Files {
		at := f.At
		if at == "" {
			at = f.Name
		}
		m.add(f.Name, path.Join(dir, at), f.Size, f.Fixed)
	}
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, c) // the server says no more: any end is the end of the lease
		close(lost)
	}()
	m.done = append(m.done, func() error {
		err := c.Close()
		<-ended
		return err
	})
	return m, nil
}

// parseLease reads the list of a lease. Names that lead out of the directory are refused.
func parseLease(in io.Reader) (r leaseReply, err error) {
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return r, fmt.Errorf("the server's answer: %w", err)
	}
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	for _, f := range r.Files {
		for _, n := range []string{f.Name, f.At} {
			if !localName(n) {
				return r, fmt.Errorf("the server's answer names file %q", n)
			}
		}
	}
	return r, nil
}

// localName tells whether a name stays within the directory it is taken from.
func localName(n string) bool {
	return n == "" || !path.IsAbs(n) && path.Clean(n) == n && n != ".." && !strings.HasPrefix(n, "../")
}

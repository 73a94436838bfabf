package session

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/telemdb/telemdb/engine/op"
)

// Activity knows the sessions of a process and what they are doing. Its zero value is ready.
type Activity struct {
	mu       sync.Mutex
	sessions map[*conn]*doing
	last     int32 // PID of a session of the process itself; they count down from -1
}

// doing is what one session does; under Activity's lock, but for progress.
type doing struct {
	Backend
	progress *op.Progress
	end      func()
}

// Backend is one session at the moment it was listed.
type Backend struct {
	PID         int32 // negative: a session of the process itself
	User        string
	Database    string
	Application string
	Remote      string // empty: the process itself
	Connected   time.Time
	State       string // "active", "idle", "idle in transaction", "idle in transaction (aborted)"
	Changed     time.Time
	Query       string    // the running statement, or the last one
	Began       time.Time // the running statement, or the last one; zero if there was none

	// Of the running statement:
	GroupsDone, Groups int64 // row groups of its scans that are done, and of all that have begun
	Memory, MemoryPeak int64 // bytes
	Spilled            int64 // bytes ever written to disk
	Waited             time.Duration
}

// enter lists a session, and gives it a number if it has none.
func (a *Activity) enter(c *conn) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.opts.PID == 0 {
		a.last--
		c.opts.PID = a.last
	}
	if a.sessions == nil {
		a.sessions = map[*conn]*doing{}
	}
	now := time.Now()
	a.sessions[c] = &doing{end: c.opts.End, Backend: Backend{PID: c.opts.PID, User: c.opts.User, Database: c.opts.Database, Remote: c.opts.Remote,
		Application: c.set.value("application_name"), Connected: now, Changed: now, State: "idle"}}
}

func (a *Activity) leave(c *conn) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sessions, c)
}

// begins tells that a session runs a statement. Called on the session's goroutine.
func (a *Activity) begins(c *conn, s *statementCtx, text string) {
	if a == nil {
		return
	}
	app := c.set.value("application_name")
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.sessions[c]; d != nil {
		now := time.Now()
		d.State, d.Query, d.Began, d.Changed, d.Application, d.progress = "active", text, now, now, app, &s.progress
	}
}

// ends tells that a statement has ended. One that began later may be running already.
func (a *Activity) ends(c *conn, s *statementCtx) {
	if a == nil {
		return
	}
	state := "idle"
	switch c.TxStatus() {
	case 'T':
		state = "idle in transaction"
	case 'E':
		state = "idle in transaction (aborted)"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.sessions[c]; d != nil && d.progress == &s.progress {
		d.State, d.Changed, d.progress = state, time.Now(), nil
	}
}

// Backends lists the sessions by PID.
func (a *Activity) Backends() []Backend {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []Backend
	for _, d := range a.sessions {
		b := d.Backend
		if p := d.progress; p != nil {
			b.GroupsDone, b.Groups = p.Morsels()
			b.Memory, b.MemoryPeak = p.Memory()
			b.Waited, b.Spilled = p.Waited(), p.Spilled()
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b Backend) int { return cmp.Compare(a.PID, b.PID) })
	return out
}

// Cancel stops the statement that the session with this PID runs; false if there is no such session.
func (a *Activity) Cancel(pid int32) bool {
	c, _ := a.find(pid)
	if c == nil {
		return false
	}
	c.Cancel("canceling statement due to user request")
	return true
}

// Terminate ends the session with this PID; false if there is none, or none that can be ended from outside.
func (a *Activity) Terminate(pid int32) bool {
	c, end := a.find(pid)
	if c == nil || end == nil {
		return false
	}
	end()
	return true
}

func (a *Activity) find(pid int32) (*conn, func()) {
	if a == nil {
		return nil, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for c, d := range a.sessions {
		if d.PID == pid {
			return c, d.end
		}
	}
	return nil, nil
}

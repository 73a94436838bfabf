package session

import (
	"context"
	"fmt"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// cursor is an open DECLARE … CURSOR: a query that is read on, row by row, by FETCH. One WITH HOLD outlives its
// transaction; it keeps the snapshot it reads.
type cursor struct {
	name string
	cols []Column
	res  Result
	own  *statementCtx // of the query
	hold bool
	rest *vec.Batch // rows read and not yet handed out, from row at on
	at   int
	end  bool
}

func (u *cursor) close() {
	// A cursor's result has no error left to give.
	_ = u.res.Close()
}

func (c *conn) cursor(name string) (*cursor, error) {
	u, ok := c.cursors[name]
	if !ok {
		return nil, sqlstate.New(sqlstate.InvalidCursorName, "cursor \"%s\" does not exist", name)
	}
	return u, nil
}

// declare opens a cursor. Its query runs under no statement's clock: each FETCH has its own.
func (c *conn) declare(s *statementCtx, st *ast.Declare, params []types.Type, args []*vec.Vector) (string, error) {
	if !c.tx.explicit && !st.Hold {
		return "", sqlstate.New(sqlstate.NoActiveTransaction, "DECLARE CURSOR can only be used in transaction blocks")
	}
	if st.Binary {
		return "", sqlstate.New(sqlstate.FeatureNotSupported, "DECLARE BINARY CURSOR is not supported")
	}
	if st.Scroll {
		return "", sqlstate.New(sqlstate.FeatureNotSupported, "DECLARE SCROLL CURSOR is not supported: cursors move forward only")
	}
	if _, taken := c.cursors[st.Name]; taken {
		return "", sqlstate.New(sqlstate.DuplicateCursor, "cursor \"%s\" already exists", st.Name)
	}
	p := &prepared{c: c, stmt: st.Query, declared: params}
	if err := p.bindQuery(st.Query); err != nil {
		return "", err
	}
	own := c.detached()
	res, err := c.run(own, p.plan, p.cols, args)
	if err != nil {
		return "", own.explain(err)
	}
	c.cursors[st.Name] = &cursor{name: st.Name, cols: p.cols, res: res, own: own, hold: st.Hold}
	return "DECLARE CURSOR", nil
}

// fetch reads on in a cursor; MOVE only counts.
func (c *conn) fetch(s *statementCtx, st *ast.Fetch) (Result, error) {
	u, err := c.cursor(st.Name)
	if err != nil {
		return nil, err
	}
	if st.Backward {
		return nil, sqlstate.New(sqlstate.ObjectNotInState, "cursor can only scan forward").
			WithHint("Declare it with SCROLL option to enable backward scan.")
	}
	// What stops the FETCH stops the cursor's query.
	stop := context.AfterFunc(s, func() { u.own.cancel(context.Cause(s)) })
	defer stop()
	want := st.Count
	if st.All {
		want = 1<<62 - 1
	}
	out := &vec.Batch{}
	for _, col := range u.cols {
		v := &vec.Vector{}
		v.Reset(col.Type)
		out.Cols = append(out.Cols, v)
	}
	for int64(out.N) < want {
		more, err := u.more()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		n := min(int(want)-out.N, u.rest.N-u.at)
		for i, v := range out.Cols {
			for r := u.at; r < u.at+n; r++ {
				v.AppendFrom(u.rest.Cols[i], r)
			}
		}
		u.at += n
		out.N += n
	}
	stop() // before the FETCH ends, which is no reason to stop the query
	s.end()
	if st.Move {
		return &staticResult{tag: fmt.Sprintf("MOVE %d", out.N)}, nil
	}
	r := &staticResult{cols: u.cols, tag: fmt.Sprintf("FETCH %d", out.N)}
	if out.N > 0 {
		r.batch = out
	}
	return r, nil
}

// more reports whether there are rows at hand, reading the next batch if needed.
func (u *cursor) more() (bool, error) {
	for u.rest == nil || u.at == u.rest.N {
		if u.end {
			return false, nil
		}
		b, err := u.res.Next()
		if err != nil {
			return false, err
		}
		u.rest, u.at, u.end = b, 0, b == nil
	}
	return true, nil
}

func (c *conn) closeCursor(st *ast.Close) (string, error) {
	if st.Name == "" {
		for name, u := range c.cursors {
			u.close()
			delete(c.cursors, name)
		}
		return "CLOSE CURSOR ALL", nil
	}
	u, err := c.cursor(st.Name)
	if err != nil {
		return "", err
	}
	u.close()
	delete(c.cursors, st.Name)
	return "CLOSE CURSOR", nil
}

// endCursors closes the cursors of a transaction that ends.
func (c *conn) endCursors() {
	for name, u := range c.cursors {
		if !u.hold {
			u.close()
			delete(c.cursors, name)
		}
	}
}

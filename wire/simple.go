package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgproto3/v2"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/wire/encode"
)

// query answers a simple query: its statements, one after the other, are one implicit transaction.
func (c *conn) query(body []byte) error {
	var m pgproto3.Query
	err := decode(&m, body)
	c.dropUnnamed()
	if err == nil {
		err = c.statements(m.String)
	}
	if err != nil {
		if err := c.failed(err); err != nil {
			return err
		}
	}
	c.ready()
	return c.out.err
}

// dropUnnamed forgets the unnamed statement and portal, as every simple query does.
func (c *conn) dropUnnamed() {
	c.unnamed = nil
	c.closePortal("")
}

func (c *conn) statements(query string) error {
	all, err := c.split(query)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		c.out.send(&pgproto3.EmptyQueryResponse{})
		return c.endBatch()
	}
	for i, s := range all {
		if err := c.statement(s, i == len(all)-1); err != nil {
			return err
		}
	}
	return nil
}

// split parses a query string and drops its empty statements.
func (c *conn) split(query string) ([]session.Statement, error) {
	if err := validText([]byte(query)); err != nil {
		return nil, err
	}
	all, err := c.sess.Split(query)
	if err != nil {
		return nil, err
	}
	some := all[:0]
	for _, s := range all {
		if !s.Empty() {
			some = append(some, s)
		}
	}
	return some, nil
}

// validText refuses what PostgreSQL calls an invalid byte sequence.
func validText(p []byte) error {
	if utf8.Valid(p) {
		if i := strings.IndexByte(string(p), 0); i < 0 {
			return nil
		}
		return sqlstate.New(invalidEncoding, "invalid byte sequence for encoding \"UTF8\": 0x00")
	}
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			break
		}
		p = p[n:]
	}
	return sqlstate.New(invalidEncoding, "invalid byte sequence for encoding \"UTF8\": 0x%02x", p[0])
}

// statement runs one statement of a simple query. The last one's tag is only sent when the transaction is committed.
func (c *conn) statement(s session.Statement, last bool) error {
	before := c.sess.TxStatus()
	p, err := c.sess.Prepare(c.ctx, s, nil)
	if err != nil {
		return err
	}
	if len(p.Params()) > 0 {
		return sqlstate.New(sqlstate.UndefinedParameter, "there is no parameter $1")
	}
	res, err := c.run(p, nil)
	if err != nil {
		return err
	}
	tag, err := c.drain(res)
	if cerr := res.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	c.notices()
	c.transactionEnded(before)
	if last {
		if err := c.endBatch(); err != nil {
			return err
		}
	}
	c.out.send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
	return c.out.err
}

// run starts a statement. An interruption meant for an earlier one is forgotten.
func (c *conn) run(p session.Prepared, args args) (session.Result, error) {
	select {
	case <-c.interrupted:
	default:
	}
	return p.Execute(c.ctx, args)
}

// drain sends all of a result, in text, and returns its tag.
func (c *conn) drain(res session.Result) (string, error) {
	if cin := res.CopyIn(); cin != nil {
		if err := c.copyIn(cin); err != nil {
			return "", err
		}
		return res.Tag(), nil
	}
	if cout := res.CopyOut(); cout != nil {
		if err := c.copyOut(cout); err != nil {
			return "", err
		}
		return res.Tag(), nil
	}
	cols := res.Columns()
	if cols == nil {
		if _, err := res.Next(); err != nil {
			return "", err
		}
		return res.Tag(), nil
	}
	c.out.send(rowDescription(cols, nil))
	rows := encode.NewRows(columnTypes(cols), nil, c.sess.Format())
	for {
		b, err := res.Next()
		if err != nil {
			return "", err
		}
		if b == nil {
			return res.Tag(), nil
		}
		for at := 0; at < b.N; {
			if at, err = c.appendRows(rows, b, at, b.N); err != nil {
				return "", err
			}
		}
	}
}

// appendRows sends rows [from, to) of b, as many as fill the buffer, and returns the next one.
func (c *conn) appendRows(rows *encode.Rows, b *vec.Batch, from, to int) (next int, err error) {
	c.out.buf, next, err = rows.Append(c.out.buf, b, from, to, outFlushBytes)
	if c.out.spill(); c.out.err != nil {
		return next, errDone
	}
	return next, err
}

// endBatch commits the implicit transaction.
func (c *conn) endBatch() error {
	if c.sess.TxStatus() == 'I' {
		c.closePortals()
	}
	return c.sess.EndBatch(c.ctx, false)
}

// transactionEnded drops the portals of a transaction that a statement ended: status was before it.
func (c *conn) transactionEnded(before byte) {
	if before != 'I' && c.sess.TxStatus() == 'I' {
		c.closePortals()
	}
}

// countedTag is the tag of a result read in parts: the statement's, with the number of rows of this part.
func countedTag(tag string, rows int64) string {
	if i := strings.LastIndexByte(tag, ' '); i >= 0 {
		tag = tag[:i]
	}
	return tag + " " + strconv.FormatInt(rows, 10)
}

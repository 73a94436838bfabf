package wire

import (
	"strconv"

	"github.com/jackc/pgproto3/v2"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/wire/encode"
)

// portal is a bound statement: not yet running, running with rows to come, or done.
type portal struct {
	name    string
	stmt    session.Prepared
	args    args
	formats []int16 // of the result, one per column

	res   session.Result
	rows  *encode.Rows
	batch *vec.Batch // what Next gave last; rows from at on were not sent
	at    int
	parts bool // some Execute stopped at its limit
	done  bool
}

func (c *conn) portal(name string) (*portal, error) {
	p := c.portals[name]
	if p == nil {
		return nil, sqlstate.New(sqlstate.InvalidCursorName, "portal \"%s\" does not exist", name)
	}
	return p, nil
}

// closePortal forgets a portal if there is one, and ends its statement.
func (c *conn) closePortal(name string) {
	p := c.portals[name]
	if p == nil {
		return
	}
	delete(c.portals, name)
	if p.res != nil {
		if err := p.res.Close(); err != nil {
			c.srv.o.Logger.Warn("closing a portal", "pid", c.pid, "error", err)
		}
	}
}

func (c *conn) closePortals() {
	for name := range c.portals {
		c.closePortal(name)
	}
}

func (c *conn) execute(body []byte) error {
	var m pgproto3.Execute
	if err := decode(&m, body); err != nil {
		return err
	}
	p, err := c.portal(m.Portal)
	if err != nil {
		return err
	}
	if _, empty := p.stmt.(emptyStatement); empty {
		c.out.send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	if p.done {
		return c.executeAgain(p)
	}
	before := c.sess.TxStatus()
	if err := c.startPortal(p); err != nil {
		return err
	}
	tag, suspended, err := c.continuePortal(p, int64(m.MaxRows))
	if err != nil {
		return err
	}
	c.notices()
	if suspended {
		c.out.send(&pgproto3.PortalSuspended{})
		return nil
	}
	p.done = true
	err = p.res.Close()
	p.res, p.batch = nil, nil
	if err != nil {
		return err
	}
	c.transactionEnded(before)
	c.out.send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
	return nil
}

// executeAgain answers the execution of a portal that has come to its end.
func (c *conn) executeAgain(p *portal) error {
	if p.stmt.Columns() == nil {
		return sqlstate.New(sqlstate.ObjectNotInState, "portal \"%s\" cannot be run", p.name)
	}
	c.out.send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 0")})
	return nil
}

func (c *conn) startPortal(p *portal) error {
	if p.res != nil {
		if c.sess.TxStatus() == 'E' {
			return sqlstate.New(sqlstate.FailedTransaction,
				"current transaction is aborted, commands ignored until end of transaction block")
		}
		return nil
	}
	res, err := c.run(p.stmt, p.args)
	if err != nil {
		return err
	}
	p.res = res
	if cols := res.Columns(); cols != nil {
		formats := p.formats
		if len(formats) != len(cols) {
			formats = nil
		}
		p.rows = encode.NewRows(columnTypes(cols), formats, c.sess.Format())
	}
	return nil
}

// continuePortal sends up to limit rows (0: all) of a running portal.
func (c *conn) continuePortal(p *portal, limit int64) (tag string, suspended bool, err error) {
	if cin := p.res.CopyIn(); cin != nil {
		if err = c.copyIn(cin); err == nil {
			tag = p.res.Tag()
		}
		return tag, false, err
	}
	if cout := p.res.CopyOut(); cout != nil {
		if err = c.copyOut(cout); err == nil {
			tag = p.res.Tag()
		}
		return tag, false, err
	}
	if p.rows == nil {
		if _, err = p.res.Next(); err == nil {
			tag = p.res.Tag()
		}
		return tag, false, err
	}
	sent, more, err := c.sendRows(p, limit)
	if err != nil {
		return "", false, err
	}
	if more {
		p.parts = true
		return "", true, nil
	}
	tag = p.res.Tag()
	if p.parts {
		tag = countedTag(tag, sent)
	}
	return tag, false, nil
}

// sendRows sends rows until the end or the limit. A result that ends exactly at the limit has more as far as anybody
// knows: the next row is not asked for.
func (c *conn) sendRows(p *portal, limit int64) (sent int64, more bool, err error) {
	for {
		if p.batch == nil || p.at == p.batch.N {
			if p.batch, err = p.res.Next(); err != nil || p.batch == nil {
				return sent, false, err
			}
			p.at = 0
		}
		to := p.batch.N
		if limit > 0 {
			to = int(min(int64(to), int64(p.at)+limit-sent))
		}
		for p.at < to {
			from := p.at
			p.at, err = c.appendRows(p.rows, p.batch, from, to)
			sent += int64(p.at - from)
			if err != nil {
				return sent, false, err
			}
		}
		if limit > 0 && sent == limit {
			return sent, true, nil
		}
	}
}

func parameterContext(portal string, i int) string {
	n := strconv.Itoa(i + 1)
	if portal == "" {
		return "unnamed portal parameter $" + n
	}
	return "portal \"" + portal + "\" parameter $" + n
}

package wire

import (
	"github.com/jackc/pgproto3/v2"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
)

// copyIn feeds a COPY FROM STDIN with the client's data until its end. Flush and Sync mean nothing meanwhile. After an
// error the rest of the data is dropped by handle, as it comes.
func (c *conn) copyIn(to session.CopyIn) error {
	overall, formats := copyFormats(to.Format())
	c.out.send(&pgproto3.CopyInResponse{OverallFormat: overall, ColumnFormatCodes: formats})
	if err := c.out.flush(); err != nil {
		return errDone
	}
	for {
		m, err := c.next(waitCopyData)
		if err != nil {
			// The statement ends here, whatever it says to that.
			to.Fail(err.Error())
			return err
		}
		done, err := c.copyMessage(to, m)
		c.in.release(m)
		if done || err != nil {
			return err
		}
	}
}

func (c *conn) copyMessage(to session.CopyIn, m message) (done bool, err error) {
	switch m.typ {
	case 'd':
		return false, to.Write(m.body)
	case 'c':
		return true, to.Done()
	case 'f':
		var f pgproto3.CopyFail
		if err := decode(&f, m.body); err != nil {
			return true, err
		}
		return true, to.Fail(printable(f.Message))
	case 'H', 'S':
		return false, nil
	case 'X':
		to.Fail(textGone)
		return true, errDone
	}
	to.Fail("unexpected message")
	return true, sqlstate.New(sqlstate.ProtocolViolation, "unexpected message type 0x%02X during COPY from stdin", m.typ)
}

// copyOut sends a COPY TO STDOUT, a message for each row.
func (c *conn) copyOut(from session.CopyOut) error {
	overall, formats := copyFormats(from.Format())
	c.out.send(&pgproto3.CopyOutResponse{OverallFormat: overall, ColumnFormatCodes: formats})
	for {
		row, err := from.Next()
		if err != nil {
			return err
		}
		if row == nil {
			c.out.send(&pgproto3.CopyDone{})
			return nil
		}
		if c.out.raw('d', row); c.out.err != nil {
			return errDone
		}
	}
}

func copyFormats(f session.CopyFormat) (overall byte, columns []uint16) {
	columns = make([]uint16, f.Columns)
	if f.Binary {
		overall = 1
		for i := range columns {
			columns[i] = 1
		}
	}
	return overall, columns
}

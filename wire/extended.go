package wire

import (
	"github.com/jackc/pgproto3/v2"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// args are the values of a statement's parameters: vectors of one row.
type args = []*vec.Vector

func (c *conn) parse(body []byte) error {
	var m pgproto3.Parse
	if err := decode(&m, body); err != nil {
		return err
	}
	all, err := c.split(m.Query)
	if err != nil {
		return err
	}
	var p session.Prepared = emptyStatement{}
	switch len(all) {
	case 0:
	case 1:
		p, err = c.sess.Prepare(c.ctx, all[0], m.ParameterOIDs)
	default:
		err = sqlstate.New(sqlstate.Syntax, "cannot insert multiple commands into a prepared statement")
	}
	if err != nil {
		return err
	}
	if err := c.store(m.Name, p); err != nil {
		return err
	}
	c.out.send(&pgproto3.ParseComplete{})
	return nil
}

// store names a prepared statement. Sessions know nothing of empty ones, so the names of those are kept here.
func (c *conn) store(name string, p session.Prepared) error {
	_, empty := p.(emptyStatement)
	switch {
	case name == "":
		c.unnamed = p
		return nil
	case c.empty[name]:
	case !empty:
		return c.sess.Store(name, p)
	default:
		if _, err := c.sess.Lookup(name); err != nil {
			c.empty[name] = true
			return nil
		}
	}
	return sqlstate.New(sqlstate.DuplicatePrepared, "prepared statement \"%s\" already exists", name)
}

// lookup finds a prepared statement.
func (c *conn) lookup(name string) (session.Prepared, error) {
	if c.empty[name] {
		return emptyStatement{}, nil
	}
	if name != "" {
		return c.sess.Lookup(name)
	}
	if c.unnamed == nil {
		return nil, sqlstate.New(sqlstate.InvalidStatementName, "unnamed prepared statement does not exist")
	}
	return c.unnamed, nil
}

func (c *conn) bind(body []byte) error {
	var m pgproto3.Bind
	if err := decodeBind(&m, body); err != nil {
		return err
	}
	p, err := c.lookup(m.PreparedStatement)
	if err != nil {
		return err
	}
	if c.portals[m.DestinationPortal] != nil {
		if m.DestinationPortal != "" {
			return sqlstate.New(sqlstate.DuplicateCursor, "portal \"%s\" already exists", m.DestinationPortal)
		}
		c.closePortal("")
	}
	if len(c.portals) >= c.srv.o.MaxPortals {
		return sqlstate.New(sqlstate.ProgramLimit, "the session has %d portals, the setting max_portals allows no more", len(c.portals)).
			WithHint("Close portals that are done with.")
	}
	params := p.Params()
	if n := len(m.ParameterFormatCodes); n > 1 && n != len(m.Parameters) {
		return sqlstate.New(sqlstate.ProtocolViolation,
			"bind message has %d parameter formats but %d parameters", n, len(m.Parameters))
	}
	if len(m.Parameters) != len(params) {
		return sqlstate.New(sqlstate.ProtocolViolation,
			"bind message supplies %d parameters, but prepared statement \"%s\" requires %d", len(m.Parameters), m.PreparedStatement, len(params))
	}
	values, err := c.parameterValues(&m, params)
	if err != nil {
		return err
	}
	formats, err := resultFormats(m.ResultFormatCodes, p.Columns())
	if err != nil {
		return err
	}
	c.portals[m.DestinationPortal] = &portal{name: m.DestinationPortal, stmt: p, args: values, formats: formats}
	c.out.send(&pgproto3.BindComplete{})
	return nil
}

// parameterValues reads the values of a Bind.
func (c *conn) parameterValues(m *pgproto3.Bind, params []types.Type) (args, error) {
	if len(params) == 0 {
		return nil, nil
	}
	f := c.sess.Format()
	values := make([]vec.Vector, len(params))
	out := make(args, len(params))
	for i, t := range params {
		v := &values[i]
		v.Reset(t)
		out[i] = v
		if err := readParameter(v, m.Parameters[i], formatAt(m.ParameterFormatCodes, i), f); err != nil {
			e := asError(err)
			if e.Where == "" {
				e.Where = parameterContext(m.DestinationPortal, i)
			}
			return nil, e
		}
	}
	return out, nil
}

// readParameter appends one value to v, an empty vector of the parameter's type.
func readParameter(v *vec.Vector, p []byte, format int16, f *datum.Format) error {
	switch {
	case p == nil:
		v.AppendNull()
		return nil
	case format == 0:
		if err := validText(p); err != nil {
			return err
		}
		return datum.ParseText(v.Type, p, f, v)
	case format == 1:
		switch v.Type.Kind {
		case types.Text, types.Varchar, types.BPChar, types.Name, types.Unknown, types.JSON:
			if err := validText(p); err != nil {
				return err
			}
		}
		return datum.ParseBinary(v.Type, p, v)
	}
	return sqlstate.New(sqlstate.InvalidParameter, "unsupported format code: %d", format)
}

// formatAt returns the format of item i: none given means text, one stands for all.
func formatAt(codes []int16, i int) int16 {
	switch {
	case len(codes) == 0:
		return 0
	case len(codes) == 1:
		return codes[0]
	}
	return codes[i]
}

// resultFormats spreads the result formats of a Bind over the columns.
func resultFormats(codes []int16, cols []session.Column) ([]int16, error) {
	if cols == nil {
		return nil, nil
	}
	if n := len(codes); n > 1 && n != len(cols) {
		return nil, sqlstate.New(sqlstate.ProtocolViolation,
			"bind message has %d result formats but query has %d columns", n, len(cols))
	}
	out := make([]int16, len(cols))
	for i := range cols {
		if out[i] = formatAt(codes, i); out[i] != 0 && out[i] != 1 {
			return nil, sqlstate.New(sqlstate.InvalidParameter, "unsupported format code: %d", out[i])
		}
	}
	return out, nil
}

func (c *conn) describe(body []byte) error {
	var m pgproto3.Describe
	if err := decode(&m, body); err != nil {
		return err
	}
	switch m.ObjectType {
	case 'S':
		p, err := c.lookup(m.Name)
		if err != nil {
			return err
		}
		c.out.send(parameterDescription(p.Params()))
		c.describeColumns(p.Columns(), nil)
	case 'P':
		p, err := c.portal(m.Name)
		if err != nil {
			return err
		}
		c.describeColumns(p.stmt.Columns(), p.formats)
	default:
		return sqlstate.New(sqlstate.ProtocolViolation, "invalid DESCRIBE message subtype %d", m.ObjectType)
	}
	return nil
}

func (c *conn) describeColumns(cols []session.Column, formats []int16) {
	if cols == nil {
		c.out.send(&pgproto3.NoData{})
		return
	}
	c.out.send(rowDescription(cols, formats))
}

func (c *conn) close(body []byte) error {
	var m pgproto3.Close
	if err := decode(&m, body); err != nil {
		return err
	}
	switch {
	case m.ObjectType == 'P':
		c.closePortal(m.Name)
	case m.ObjectType == 'S' && m.Name == "":
		c.unnamed = nil
	case m.ObjectType == 'S' && c.empty[m.Name]:
		delete(c.empty, m.Name)
	case m.ObjectType == 'S':
		c.sess.Drop(m.Name)
	default:
		return sqlstate.New(sqlstate.ProtocolViolation, "invalid CLOSE message subtype %d", m.ObjectType)
	}
	c.out.send(&pgproto3.CloseComplete{})
	return nil
}

// sync ends the implicit transaction of the messages since the last one, and the skipping after an error.
func (c *conn) sync() error {
	if c.skip {
		c.skip = false
	} else if err := c.endBatch(); err != nil {
		if err := c.failed(err); err != nil {
			return err
		}
	}
	c.ready()
	return c.out.err
}

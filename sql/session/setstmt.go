package session

import (
	"strings"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/storage/types"
)

func (c *conn) setVar(st *ast.SetVar) (string, error) {
	tag := "SET"
	if st.Reset {
		tag = "RESET"
	}
	switch {
	case st.FromCurr:
		return "", sqlstate.New(sqlstate.FeatureNotSupported, "SET … FROM CURRENT is not supported")
	case st.All:
		c.set.restore(c.base)
		return "RESET", nil
	case st.Multi:
		return "SET", c.setTransaction(st)
	}
	if st.Local && !c.tx.explicit {
		c.notice("WARNING", sqlstate.NoActiveTransaction, "SET LOCAL can only be used in transaction blocks")
		return "SET", nil
	}
	name := strings.ToLower(st.Name)
	if st.Default {
		if name == "session_authorization" || name == "role" {
			return tag, nil
		}
		return tag, c.set.reset(name, c.base)
	}
	value := strings.Join(st.Args, ", ")
	switch name {
	case "role":
		if value == "none" || value == c.opts.User {
			return "SET", nil
		}
		return "", sqlstate.New(sqlstate.InvalidParameter, "role \"%s\" does not exist", value)
	case "session_authorization":
		if value == c.opts.User {
			return "SET", nil
		}
		return "", sqlstate.New(sqlstate.InvalidParameter, "role \"%s\" does not exist", value)
	case "search_path":
		value = quotedList(st.Args)
	case "client_min_messages":
		value = strings.ToLower(value)
	}
	_, err := c.set.set(name, value, st.Local)
	return "SET", err
}

// quotedList joins identifiers, quoting those that need it, as SHOW search_path prints them.
func quotedList(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = plainOrQuoted(a)
	}
	return strings.Join(out, ", ")
}

// setTransaction is SET TRANSACTION and SET SESSION CHARACTERISTICS.
func (c *conn) setTransaction(st *ast.SetVar) error {
	if strings.EqualFold(st.Name, "SESSION CHARACTERISTICS") {
		for _, o := range st.Options {
			name := "default_" + o.Name
			value := o.Value
			if o.Name != "transaction_isolation" {
				value = map[bool]string{true: "on", false: "off"}[value == "1" || value == "true"]
			}
			if _, err := c.set.set(name, value, false); err != nil {
				return err
			}
		}
		return nil
	}
	if !strings.EqualFold(st.Name, "TRANSACTION") {
		return sqlstate.New(sqlstate.FeatureNotSupported, "SET %s is not supported", st.Name)
	}
	if !c.tx.explicit {
		c.notice("WARNING", sqlstate.NoActiveTransaction, "SET TRANSACTION can only be used in transaction blocks")
		return nil
	}
	return c.txOptions(st.Options)
}

func showColumns(st *ast.Show) []Column {
	text := types.Of(types.Text)
	if strings.EqualFold(st.Name, "all") {
		return []Column{{Name: "name", Type: text}, {Name: "setting", Type: text}, {Name: "description", Type: text}}
	}
	name := strings.ToLower(st.Name)
	if d, ok := settingByName[name]; ok {
		name = d.name
	}
	return []Column{{Name: name, Type: text}}
}

func (c *conn) show(s *statementCtx, st *ast.Show) (Result, error) {
	cols := showColumns(st)
	if strings.EqualFold(st.Name, "all") {
		var rows [][]string
		for _, n := range c.set.names() {
			desc := ""
			if d, ok := settingByName[strings.ToLower(n)]; ok {
				desc = d.desc
			}
			rows = append(rows, []string{n, c.set.value(n), desc})
		}
		return textRows(s, cols, "SHOW", rows), nil
	}
	v, ok := c.set.get(st.Name)
	if !ok {
		return nil, errUnknownSetting(st.Name)
	}
	return textRows(s, cols, "SHOW", [][]string{{v}}), nil
}

func (c *conn) discard(st *ast.Discard) (string, error) {
	if st.What == "ALL" {
		if c.tx.explicit {
			return "", sqlstate.New(sqlstate.ActiveTransaction, "DISCARD ALL cannot run inside a transaction block")
		}
		c.set.restore(c.base)
		clear(c.prepared)
		for name, cur := range c.cursors {
			cur.close()
			delete(c.cursors, name)
		}
	}
	return "DISCARD " + st.What, nil
}

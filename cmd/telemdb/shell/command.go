package shell

import (
	"fmt"
	"strings"
)

// listQueries answer the listing commands, for which telemdb and any PostgreSQL give the same shape.
const (
	listTables = `SELECT n.nspname AS "Schema", c.relname AS "Name",
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE c.relkind::text END AS "Type"
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1, 2`
	listSchemas   = `SELECT nspname AS "Name" FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1`
	listDatabases = `SELECT datname AS "Name" FROM pg_catalog.pg_database ORDER BY 1`
	listFunctions = `SELECT DISTINCT proname AS "Name" FROM pg_catalog.pg_proc ORDER BY 1`
	describe      = `SELECT a.attname AS "Column", pg_catalog.format_type(a.atttypid, a.atttypmod) AS "Type",
  CASE WHEN a.attnotnull THEN 'not null' ELSE '' END AS "Nullable"
FROM pg_catalog.pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`
)

const help = `  \d            list tables and views      \d NAME    describe a table or view
  \dn           list schemas               \l         list databases
  \dt           list tables                \df        list functions
  \timing       show how long statements take (on/off)
  \csv          switch between aligned and CSV output
  \i FILE       run the statements of a file
  \q            quit
Statements end with a semicolon and may span lines.
`

// Command runs a backslash command. errQuit ends the session.
func (s *Shell) Command(line string) error {
	fields := strings.Fields(strings.TrimRight(line, "; "))
	arg := strings.Join(fields[1:], " ")
	switch fields[0] {
	case `\q`:
		return errQuit
	case `\?`, `\h`, `\help`:
		fmt.Fprint(s.Out, help)
	case `\timing`:
		s.Timing = !s.Timing
		fmt.Fprintf(s.Out, "Timing is %s.\n", onOff(s.Timing))
	case `\csv`:
		s.CSV = !s.CSV
		fmt.Fprintf(s.Out, "CSV output is %s.\n", onOff(s.CSV))
	case `\l`:
		return s.Exec(listDatabases)
	case `\dn`:
		return s.Exec(listSchemas)
	case `\df`:
		return s.Exec(listFunctions)
	case `\dt`, `\d+`, `\dv`:
		return s.Exec(listTables)
	case `\d`:
		if arg == "" {
			return s.Exec(listTables)
		}
		return s.Exec(fmt.Sprintf(describe, quoteLiteral(arg)))
	case `\i`:
		return s.File(arg)
	default:
		err := fmt.Errorf(`unknown command %s; \? lists the commands`, fields[0])
		fmt.Fprintln(s.Err, err)
		return err
	}
	return nil
}

func onOff(v bool) string {
	if v {
		return "on"
	}
	return "off"
}

func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

package pgcatalog

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
)

//go:embed relations.txt
var relationText string

// relation is a table or view of a system schema.
type relation struct {
	name    types.TableName
	oid     uint32
	kind    byte // r, v
	cols    []plan.Col
	notNull []bool
	fill    filler
}

// filler makes a relation's rows. fresh ones look at the session or at data, so their rows are not kept.
type filler struct {
	rows  func(e *env, w *writer) error
	fresh bool
}

// parseRelations reads relations.txt. It is part of the program, so a mistake in it is a bug that every start shows.
func parseRelations(text string) []*relation {
	var out []*relation
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		schema, name, _ := strings.Cut(f[0], ".")
		oid, err := strconv.ParseUint(f[1], 10, 32)
		if err != nil {
			panic(fmt.Sprintf("BUG: pgcatalog: relations.txt: %q: %v", f[0], err))
		}
		r := &relation{name: types.TableName{Schema: schema, Name: name}, oid: uint32(oid), kind: f[2][0]}
		for _, c := range f[3:] {
			col, typ, _ := strings.Cut(c, ":")
			typ, notNull := strings.CutSuffix(typ, "!")
			t, ok := datum.TypeByName(typ)
			if !ok {
				panic(fmt.Sprintf("BUG: pgcatalog: relations.txt: %s.%s has the unknown type %s", f[0], col, typ))
			}
			r.cols = append(r.cols, plan.Col{Name: col, Type: t})
			r.notNull = append(r.notNull, notNull)
		}
		r.fill = fillers[f[0]]
		out = append(out, r)
	}
	return out
}

// table is the relation as sessions see it.
func (r *relation) table(c *Catalog) session.SystemTable {
	return session.SystemTable{Name: r.name, OID: r.oid, Cols: r.cols, Rows: c.rowsOf(r)}
}

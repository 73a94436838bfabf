package session

import (
	"strings"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/storage/types"
)

// sortKeyOption reads WITH (sort_key = 'a, b'): the columns, by their names, that a segment's rows are sorted by. A name
// that SQL would quote is written without its quotes.
func sortKeyOption(t *types.Table, o ast.Option) error {
	t.SortKey = nil
	for name := range strings.SplitSeq(o.Value, ",") {
		name = strings.TrimSpace(name)
		i := t.Col(name)
		if i < 0 {
			return sqlstate.New(sqlstate.UndefinedColumn, "column \"%s\" named in sort key does not exist", name).At(o.Pos())
		}
		if c := t.Columns[i]; !sortable(c.Type.Kind) {
			return sqlstate.New(sqlstate.InvalidTableDefinition, "column \"%s\" cannot be in a sort key: it is of type %s", name, c.Type).At(o.Pos())
		}
		for _, before := range t.SortKey {
			if before == name {
				return sqlstate.New(sqlstate.DuplicateColumn, "column \"%s\" appears twice in sort key", name).At(o.Pos())
			}
		}
		t.SortKey = append(t.SortKey, name)
	}
	return nil
}

// sortable tells whether the stored form of a type's values is in the order of the type.
func sortable(k types.Kind) bool {
	switch k {
	case types.Bool, types.Int16, types.Int32, types.Int64, types.Float32, types.Float64, types.Text, types.Varchar, types.UUID,
		types.Bytea, types.Date, types.Time, types.Timestamp, types.Timestamptz:
		return true
	}
	return false
}

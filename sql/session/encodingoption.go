package session

import (
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/storage/types"
)

// encodingOption reads WITH (encoding = 'plain' or 'auto').
func encodingOption(t *types.Table, o ast.Option) error {
	switch o.Value {
	case "auto":
		t.Encoding = ""
	case types.EncodingPlain:
		t.Encoding = types.EncodingPlain
	default:
		return sqlstate.New(sqlstate.InvalidParameter, "invalid value for parameter \"encoding\": \"%s\"", o.Value).At(o.Pos()).
			WithHint("'plain' stores numbers at their full width, for measurements; 'auto' picks what is smallest and fast.")
	}
	return nil
}

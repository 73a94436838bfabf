package keys

import "github.com/telemdb/telemdb/storage/types"

// Canonical reports whether values of t can be equal in SQL without being equal bytes (1.0 and 1.00, 1 month and 30
// days): they are compared by datum.AppendKey.
func Canonical(t types.Type) bool {
	switch t.Kind {
	case types.Numeric, types.Interval, types.BPChar, types.JSONB, types.Array, types.Int2Vector, types.OIDVector:
		return true
	}
	return false
}

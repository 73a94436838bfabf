package wire

import (
	"github.com/jackc/pgproto3/v2"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
)

const oidText = 25

// wireOID is a type's oid as clients know it. What has none is sent as text.
func wireOID(t types.Type) uint32 {
	if t.Kind == types.Unknown {
		return oidText
	}
	if oid := datum.OID(t); oid != 0 {
		return oid
	}
	return oidText
}

func columnTypes(cols []session.Column) []types.Type {
	out := make([]types.Type, len(cols))
	for i := range cols {
		out[i] = cols[i].Type
	}
	return out
}

// rowDescription describes a result; nil formats are all text.
func rowDescription(cols []session.Column, formats []int16) *pgproto3.RowDescription {
	m := &pgproto3.RowDescription{Fields: make([]pgproto3.FieldDescription, len(cols))}
	for i, col := range cols {
		m.Fields[i] = pgproto3.FieldDescription{
			Name: []byte(printable(col.Name)), TableOID: col.TableOID, TableAttributeNumber: uint16(col.Attr),
			DataTypeOID: wireOID(col.Type), DataTypeSize: datum.Len(col.Type), TypeModifier: col.Type.Mod - 1,
			Format: formatAt(formats, i),
		}
	}
	return m
}

func parameterDescription(params []types.Type) *pgproto3.ParameterDescription {
	m := &pgproto3.ParameterDescription{ParameterOIDs: make([]uint32, len(params))}
	for i, t := range params {
		m.ParameterOIDs[i] = wireOID(t)
	}
	return m
}

// emptyStatement is what Parse makes of a text without a statement. Execute never reaches it.
type emptyStatement struct{ session.Prepared }

func (emptyStatement) Params() []types.Type      { return nil }
func (emptyStatement) Columns() []session.Column { return nil }

package wire

import (
	"context"

	"github.com/jackc/pgproto3/v2"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
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

// emptyStatement is what Parse makes of a text without a statement.
type emptyStatement struct{}

func (emptyStatement) Params() []types.Type      { return nil }
func (emptyStatement) Columns() []session.Column { return nil }

// Execute is reached by SQL EXECUTE of a name that Parse gave to an empty text.
func (emptyStatement) Execute(context.Context, []*vec.Vector) (session.Result, error) {
	return emptyResult{}, nil
}

type emptyResult struct{}

func (emptyResult) Columns() []session.Column { return nil }
func (emptyResult) Next() (*vec.Batch, error) { return nil, nil }
func (emptyResult) Tag() string               { return "SELECT 0" }
func (emptyResult) CopyIn() session.CopyIn    { return nil }
func (emptyResult) CopyOut() session.CopyOut  { return nil }
func (emptyResult) Close() error              { return nil }

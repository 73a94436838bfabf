// Package arrowio hands batches to the Arrow world: as a record reader for Go programs and as an IPC stream for others.
// It is the only place that knows Arrow; the engine computes on storage/vec.
//
// Booleans, integers, floats, dates, times and timestamps become the Arrow type of their width, bytea binary, uuid
// fixed-size binary, one-dimensional arrays lists. Everything whose exact form is text (numeric, jsonb, interval,
// histogram …) becomes utf8 in PostgreSQL's output form. The field's metadata key "sql_type" has the SQL type.
package arrowio

import (
	"github.com/apache/arrow/go/v15/arrow"

	"github.com/telemdb/telemdb/storage/types"
)

// Schema returns the Arrow schema of columns with the given names and SQL types.
func Schema(names []string, ts []types.Type) *arrow.Schema {
	fields := make([]arrow.Field, len(ts))
	for i, t := range ts {
		fields[i] = arrow.Field{Name: names[i], Type: DataType(t), Nullable: true,
			Metadata: arrow.NewMetadata([]string{"sql_type"}, []string{t.String()})}
	}
	return arrow.NewSchema(fields, nil)
}

// DataType returns the Arrow type that values of t become.
func DataType(t types.Type) arrow.DataType {
	switch t.Kind {
	case types.Bool:
		return arrow.FixedWidthTypes.Boolean
	case types.Int16:
		return arrow.PrimitiveTypes.Int16
	case types.Int32:
		return arrow.PrimitiveTypes.Int32
	case types.Int64:
		return arrow.PrimitiveTypes.Int64
	case types.OID, types.Regclass, types.Regtype, types.Regproc, types.Regnamespace, types.Xid:
		return arrow.PrimitiveTypes.Uint32
	case types.Float32:
		return arrow.PrimitiveTypes.Float32
	case types.Float64:
		return arrow.PrimitiveTypes.Float64
	case types.Date:
		return arrow.FixedWidthTypes.Date32
	case types.Time:
		return arrow.FixedWidthTypes.Time64us
	case types.Timestamp:
		return &arrow.TimestampType{Unit: arrow.Microsecond}
	case types.Timestamptz:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case types.Bytea:
		return arrow.BinaryTypes.Binary
	case types.UUID:
		return &arrow.FixedSizeBinaryType{ByteWidth: 16}
	case types.Array:
		return arrow.ListOf(DataType(types.Of(t.Elem)))
	}
	return arrow.BinaryTypes.String
}

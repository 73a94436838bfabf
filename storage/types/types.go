// Package types holds the vocabulary every other package shares: logical SQL types, the physical class a value of each
// type has in memory, the leaf kinds a column has on disk, paths of nested members, and table schemas.
package types

import "fmt"

// Kind is a logical SQL type without its modifiers.
type Kind uint8

// The logical types. The comment behind each says how one value is held in a vec.Vector.
const (
	Invalid      Kind = iota
	Bool              // Bits
	Int16             // I64
	Int32             // I64
	Int64             // I64
	Float32           // F64, already rounded to float32
	Float64           // F64
	Numeric           // bytes: PostgreSQL's text form with its scale, "1.50", "-3", "NaN", "Infinity"
	Text              // bytes: UTF-8, never NUL
	Varchar           // bytes: as Text
	BPChar            // bytes: as Text, blank padded to its length
	Name              // bytes: as Text
	Char              // bytes: the one-byte catalog type "char"; empty for NUL
	Unknown           // bytes: an untyped literal; never leaves the binder
	Bytea             // bytes: raw
	Date              // I64: days since 1970-01-01; math.MinInt64/MaxInt64 are -infinity/infinity
	Time              // I64: microseconds since midnight
	Timestamp         // I64: microseconds since 1970-01-01 00:00; infinities as Date
	Timestamptz       // I64: as Timestamp, in UTC
	Interval          // bytes: 16, little endian: microseconds int64, days int32, months int32
	UUID              // bytes: 16
	JSON              // bytes: text as written
	JSONB             // bytes: PostgreSQL's output form of jsonb (keys by length then bytes, ", " and ": ", numbers exact)
	OID               // I64: unsigned 32 bit
	Regclass          // I64: as OID
	Regtype           // I64: as OID
	Regproc           // I64: as OID
	Regnamespace      // I64: as OID
	Xid               // I64: as OID
	Array             // bytes: see EncodeArray in engine/datum; Type.Elem is the element kind
	Record            // bytes: text form
	Void              // bytes: empty
	Histogram         // bytes: storage/sketch encoding
	HLL               // bytes: storage/sketch encoding
	PgNodeTree        // bytes: text
	AclItem           // bytes: text
	Int2Vector        // bytes: as Array of Int16, lower bound 0
	OIDVector         // bytes: as Array of OID, lower bound 0
	AnyElement        // signatures of polymorphic functions only
	AnyArray          // signatures only
	Any               // signatures only
	kindCount
)

// Phys is the physical class of a type: which buffer of a vec.Vector holds its values.
type Phys uint8

// The physical classes.
const (
	PhysNone    Phys = iota
	PhysBool         // vec.Vector.Bits
	PhysInt64        // vec.Vector.I64
	PhysFloat64      // vec.Vector.F64
	PhysBytes        // vec.Vector.Off and .Data
)

// Type is a logical type with its modifier.
type Type struct {
	Kind Kind
	Elem Kind  // of Array; Invalid otherwise
	Mod  int32 // PostgreSQL's typmod plus 1, so that the zero value means "none" (-1 on the wire)
}

// Of returns the plain type of a kind.
func Of(k Kind) Type { return Type{Kind: k} }

// ArrayOf returns the one-dimensional array type over elem.
func ArrayOf(elem Kind) Type { return Type{Kind: Array, Elem: elem} }

// Phys returns the physical class of values of t.
func (t Type) Phys() Phys { return t.Kind.Phys() }

// Phys returns the physical class of values of kind k.
func (k Kind) Phys() Phys {
	switch k {
	case Bool:
		return PhysBool
	case Int16, Int32, Int64, Date, Time, Timestamp, Timestamptz, OID, Regclass, Regtype, Regproc, Regnamespace, Xid:
		return PhysInt64
	case Float32, Float64:
		return PhysFloat64
	case Invalid, AnyElement, AnyArray, Any:
		return PhysNone
	}
	return PhysBytes
}

var kindNames = [kindCount]string{
	Invalid: "invalid", Bool: "boolean", Int16: "smallint", Int32: "integer", Int64: "bigint", Float32: "real",
	Float64: "double precision", Numeric: "numeric", Text: "text", Varchar: "character varying", BPChar: "character",
	Name: "name", Char: `"char"`, Unknown: "unknown", Bytea: "bytea", Date: "date", Time: "time without time zone",
	Timestamp: "timestamp without time zone", Timestamptz: "timestamp with time zone", Interval: "interval", UUID: "uuid",
	JSON: "json", JSONB: "jsonb", OID: "oid", Regclass: "regclass", Regtype: "regtype", Regproc: "regproc",
	Regnamespace: "regnamespace", Xid: "xid", Array: "array", Record: "record", Void: "void", Histogram: "histogram",
	HLL: "hll", PgNodeTree: "pg_node_tree", AclItem: "aclitem", Int2Vector: "int2vector", OIDVector: "oidvector",
	AnyElement: "anyelement", AnyArray: "anyarray", Any: `"any"`,
}

// String returns the SQL name of the kind as PostgreSQL prints it.
func (k Kind) String() string {
	if k < kindCount {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// String returns the SQL name of the type as format_type does, without its modifier.
func (t Type) String() string {
	if t.Kind == Array {
		return t.Elem.String() + "[]"
	}
	return t.Kind.String()
}

package datum

import "github.com/telemdb/telemdb/storage/types"

// TypeInfo is what pg_type tells of one kind. Arrays are rows of their own there; ArrayInfo gives them.
type TypeInfo struct {
	Kind      types.Kind
	Name      string // typname: "int4"
	OID       uint32
	ArrayOID  uint32 // 0: there are no arrays of it
	Len       int16  // typlen: bytes, -1 for variable, -2 for a C string
	Category  byte   // typcategory
	Preferred bool   // typispreferred: wins its category in overload resolution
	ByVal     bool
	Align     byte // typalign: c s i d
	Pseudo    bool // typtype p
	Elem      types.Kind
}

// Oids of telemdb's own types: above PostgreSQL's hand-assigned range (which ends at 9999), below the first user oid 16384.
const (
	OIDHistogram      = 16000
	OIDHistogramArray = 16001
	OIDHLL            = 16002
	OIDHLLArray       = 16003
)

// Types lists every kind that has a row in pg_type, by ascending oid.
var Types = []TypeInfo{
	{types.Bool, "bool", 16, 1000, 1, 'B', true, true, 'c', false, 0},
	{types.Bytea, "bytea", 17, 1001, -1, 'U', false, false, 'i', false, 0},
	{types.Char, "char", 18, 1002, 1, 'Z', false, true, 'c', false, 0},
	{types.Name, "name", 19, 1003, 64, 'S', false, false, 'c', false, types.Char},
	{types.Int64, "int8", 20, 1016, 8, 'N', false, true, 'd', false, 0},
	{types.Int16, "int2", 21, 1005, 2, 'N', false, true, 's', false, 0},
	{types.Int2Vector, "int2vector", 22, 1006, -1, 'A', false, false, 'i', false, types.Int16},
	{types.Int32, "int4", 23, 1007, 4, 'N', false, true, 'i', false, 0},
	{types.Regproc, "regproc", 24, 1008, 4, 'N', false, true, 'i', false, 0},
	{types.Text, "text", 25, 1009, -1, 'S', true, false, 'i', false, 0},
	{types.OID, "oid", 26, 1028, 4, 'N', true, true, 'i', false, 0},
	{types.Xid, "xid", 28, 1011, 4, 'U', false, true, 'i', false, 0},
	{types.OIDVector, "oidvector", 30, 1013, -1, 'A', false, false, 'i', false, types.OID},
	{types.JSON, "json", 114, 199, -1, 'U', false, false, 'i', false, 0},
	{types.PgNodeTree, "pg_node_tree", 194, 0, -1, 'Z', false, false, 'i', false, 0},
	{types.Float32, "float4", 700, 1021, 4, 'N', false, true, 'i', false, 0},
	{types.Float64, "float8", 701, 1022, 8, 'N', true, true, 'd', false, 0},
	{types.Unknown, "unknown", 705, 0, -2, 'X', false, false, 'c', true, 0},
	{types.AclItem, "aclitem", 1033, 1034, 12, 'U', false, false, 'i', false, 0},
	{types.BPChar, "bpchar", 1042, 1014, -1, 'S', false, false, 'i', false, 0},
	{types.Varchar, "varchar", 1043, 1015, -1, 'S', false, false, 'i', false, 0},
	{types.Date, "date", 1082, 1182, 4, 'D', false, true, 'i', false, 0},
	{types.Time, "time", 1083, 1183, 8, 'D', false, true, 'd', false, 0},
	{types.Timestamp, "timestamp", 1114, 1115, 8, 'D', false, true, 'd', false, 0},
	{types.Timestamptz, "timestamptz", 1184, 1185, 8, 'D', true, true, 'd', false, 0},
	{types.Interval, "interval", 1186, 1187, 16, 'T', true, false, 'd', false, 0},
	{types.Numeric, "numeric", 1700, 1231, -1, 'N', false, false, 'i', false, 0},
	{types.Regclass, "regclass", 2205, 2210, 4, 'N', false, true, 'i', false, 0},
	{types.Regtype, "regtype", 2206, 2211, 4, 'N', false, true, 'i', false, 0},
	{types.Record, "record", 2249, 2287, -1, 'P', false, false, 'd', true, 0},
	{types.Any, "any", 2276, 0, 4, 'P', false, true, 'i', true, 0},
	{types.AnyArray, "anyarray", 2277, 0, -1, 'P', false, false, 'd', true, 0},
	{types.Void, "void", 2278, 0, 4, 'P', false, true, 'i', true, 0},
	{types.AnyElement, "anyelement", 2283, 0, 4, 'P', false, true, 'i', true, 0},
	{types.UUID, "uuid", 2950, 2951, 16, 'U', false, false, 'c', false, 0},
	{types.JSONB, "jsonb", 3802, 3807, -1, 'U', false, false, 'i', false, 0},
	{types.Regnamespace, "regnamespace", 4089, 4090, 4, 'N', false, true, 'i', false, 0},
	{types.Histogram, "histogram", OIDHistogram, OIDHistogramArray, -1, 'U', false, false, 'i', false, 0},
	{types.HLL, "hll", OIDHLL, OIDHLLArray, -1, 'U', false, false, 'i', false, 0},
}

var (
	byKind  [256]*TypeInfo
	byOID   = map[uint32]types.Type{}
	byName  = map[string]types.Type{}
	aliases = map[string]types.Kind{
		"boolean": types.Bool, "smallint": types.Int16, "integer": types.Int32, "int": types.Int32, "bigint": types.Int64,
		"real": types.Float32, "float": types.Float64, "double precision": types.Float64, "decimal": types.Numeric,
		"dec": types.Numeric, "character varying": types.Varchar, "character": types.BPChar, `"char"`: types.Char,
		"timestamp with time zone": types.Timestamptz, "timestamp without time zone": types.Timestamp,
		"time without time zone": types.Time,
	}
)

func init() {
	for i := range Types {
		t := &Types[i]
		byKind[t.Kind] = t
		byOID[t.OID] = types.Of(t.Kind)
		byName[t.Name] = types.Of(t.Kind)
		if t.ArrayOID != 0 {
			byOID[t.ArrayOID] = types.ArrayOf(t.Kind)
			byName["_"+t.Name] = types.ArrayOf(t.Kind)
		}
	}
	for name, k := range aliases {
		byName[name] = types.Of(k)
	}
}

// InfoOf returns the pg_type facts of a kind, nil for Array (see ArrayOID) and Invalid.
func InfoOf(k types.Kind) *TypeInfo { return byKind[k] }

// OID returns the type's oid; 0 for a type that has none.
func OID(t types.Type) uint32 {
	if t.Kind == types.Array {
		return ArrayOID(t.Elem)
	}
	if i := byKind[t.Kind]; i != nil {
		return i.OID
	}
	return 0
}

// ArrayOID returns the oid of the array type over elem, 0 if there is none.
func ArrayOID(elem types.Kind) uint32 {
	if i := byKind[elem]; i != nil {
		return i.ArrayOID
	}
	return 0
}

// TypeOfOID is the inverse of OID, without a modifier.
func TypeOfOID(oid uint32) (types.Type, bool) {
	t, ok := byOID[oid]
	return t, ok
}

// TypeByName finds a type by its catalog name ("int4", "_text") or SQL name ("double precision", "int"), in lower case,
// without modifier or brackets.
func TypeByName(name string) (types.Type, bool) {
	t, ok := byName[name]
	return t, ok
}

// TypeName returns the catalog name: "int4", "_int4".
func TypeName(t types.Type) string {
	if t.Kind == types.Array {
		if i := byKind[t.Elem]; i != nil {
			return "_" + i.Name
		}
		return "_" + t.Elem.String()
	}
	if i := byKind[t.Kind]; i != nil {
		return i.Name
	}
	return t.Kind.String()
}

// Len returns pg_type.typlen: the size RowDescription tells.
func Len(t types.Type) int16 {
	if i := byKind[t.Kind]; i != nil {
		return i.Len
	}
	return -1
}

// Category returns pg_type.typcategory.
func Category(t types.Type) byte {
	if t.Kind == types.Array {
		return 'A'
	}
	if i := byKind[t.Kind]; i != nil {
		return i.Category
	}
	return 'X'
}

// Preferred reports pg_type.typispreferred.
func Preferred(t types.Type) bool {
	i := byKind[t.Kind]
	return i != nil && i.Preferred
}

// ElemOf returns the element kind of anything that is subscripted and unnested as an array: arrays and the two
// catalog vectors. ok is false for other types.
func ElemOf(t types.Type) (elem types.Kind, ok bool) {
	switch t.Kind {
	case types.Array:
		return t.Elem, true
	case types.Int2Vector:
		return types.Int16, true
	case types.OIDVector:
		return types.OID, true
	}
	return types.Invalid, false
}

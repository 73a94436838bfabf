package types

// Leaf is the kind of value one stored column holds. A path may have several columns, one for each kind that occurs
// there; for one row and path at most one of them has a value, with one exception: a number whose text does not print
// back from its typed value (1.10, 1e2) has its value in LeafFloat or LeafInt and its exact text in LeafJSON. A reader
// that wants a number takes the typed one, a reader that wants text or jsonb takes the LeafJSON one.
type Leaf uint8

// The leaf kinds. Numeric values are part of the segment format: never renumber.
const (
	LeafBool      Leaf = 1
	LeafInt       Leaf = 2 // int64; also dates, timestamps and oids of ordinary tables
	LeafFloat     Leaf = 3 // float64
	LeafText      Leaf = 4 // bytes; also numeric, uuid, bytea, interval and arrays of ordinary tables, in vec.Vector form
	LeafHistogram Leaf = 5 // storage/sketch encoding
	LeafJSON      Leaf = 6 // jsonb text: arrays, maps with user-made keys, {}, null, numbers no type holds
)

// Phys returns the vector class a column of this leaf kind decodes to.
func (l Leaf) Phys() Phys {
	switch l {
	case LeafBool:
		return PhysBool
	case LeafInt:
		return PhysInt64
	case LeafFloat:
		return PhysFloat64
	}
	return PhysBytes
}

// Type returns the logical type that a vector read straight from such a column carries.
func (l Leaf) Type() Type {
	switch l {
	case LeafBool:
		return Of(Bool)
	case LeafInt:
		return Of(Int64)
	case LeafFloat:
		return Of(Float64)
	case LeafHistogram:
		return Of(Histogram)
	case LeafJSON:
		return Of(JSONB)
	}
	return Of(Text)
}

func (l Leaf) String() string {
	switch l {
	case LeafBool:
		return "bool"
	case LeafInt:
		return "int"
	case LeafFloat:
		return "float"
	case LeafText:
		return "text"
	case LeafHistogram:
		return "histogram"
	case LeafJSON:
		return "json"
	}
	return "leaf?"
}

// LeafOf returns the leaf kind in which an ordinary column of SQL type t is stored. JSONB has none: it is shredded.
func LeafOf(t Type) Leaf {
	switch t.Phys() {
	case PhysBool:
		return LeafBool
	case PhysInt64:
		return LeafInt
	case PhysFloat64:
		return LeafFloat
	}
	if t.Kind == Histogram {
		return LeafHistogram
	}
	return LeafText
}

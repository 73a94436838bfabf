package codec

import (
	"bytes"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// How the values of a dictionary of the bytes class are stored.
const (
	dictRaw  = 0
	dictZstd = 1
	dictUUID = 2
)

// parseDict reads: number of values uvarint, the values, the codes.
func parseDict(c *cursor, leaf types.Leaf, n int) (*vec.Vector, codes, error) {
	size := c.count(min(n, MaxRows))
	if c.bad || size == 0 {
		return nil, codes{}, corrupt("dictionary size")
	}
	v := &vec.Vector{}
	v.Reset(leaf.Type())
	var err error
	switch leaf.Phys() {
	case types.PhysInt64:
		err = parseIntDict(c, size, v)
	case types.PhysFloat64:
		err = parseFloatDict(c, size, v)
	default:
		err = parseBytesDict(c, size, v)
	}
	if err != nil {
		return nil, codes{}, err
	}
	v.N = size
	code, err := parseCodes(c, n, size)
	return v, code, err
}

func parseIntDict(c *cursor, n int, v *vec.Vector) error {
	s, err := parseInts(c, n)
	if err != nil {
		return err
	}
	v.I64 = make([]int64, n)
	for at := 0; at < n; at += blockValues {
		end := min(n, at+blockValues)
		if err := s.read(c.data, at, end, v.I64[at:end]); err != nil {
			return err
		}
	}
	for i := 1; i < n; i++ {
		if v.I64[i] <= v.I64[i-1] {
			return corrupt("dictionary is not sorted")
		}
	}
	return nil
}

func parseFloatDict(c *cursor, n int, v *vec.Vector) error {
	at := c.skip(8 * n)
	if c.bad {
		return corrupt("dictionary cut short")
	}
	v.F64 = make([]float64, n)
	loadFloats(v.F64, c.data[at:])
	for i := 1; i < n; i++ {
		if column.CompareFloat(v.F64[i-1], v.F64[i]) > 0 {
			return corrupt("dictionary is not sorted")
		}
	}
	return nil
}

func parseBytesDict(c *cursor, n int, v *vec.Vector) error {
	kind := c.u8()
	v.Off = make([]uint32, n+1)
	if kind == dictUUID {
		v.Data = readUUIDs(nil, c.bytes(n*uuidBytes))
		for i := range v.Off {
			v.Off[i] = uint32(i * uuidText)
		}
		if c.bad {
			return corrupt("dictionary cut short")
		}
		return checkSorted(v, n)
	}
	lens, err := parseInts(c, n)
	if err != nil {
		return err
	}
	total, err := readLengths(c.data, lens, 0, n, v.Off)
	if err != nil {
		return err
	}
	switch kind {
	case dictRaw:
		v.Data = bytes.Clone(c.bytes(total))
	case dictZstd:
		page := c.bytes(c.count(c.left()))
		v.Data, err = inflate(nil, page, total)
	default:
		err = corrupt("dictionary of kind %d", kind)
	}
	if err != nil {
		return err
	}
	if c.bad {
		return corrupt("dictionary cut short")
	}
	return checkSorted(v, n)
}

func checkSorted(v *vec.Vector, n int) error {
	for i := 1; i < n; i++ {
		if bytes.Compare(v.Bytes(i-1), v.Bytes(i)) >= 0 {
			return corrupt("dictionary is not sorted")
		}
	}
	return nil
}

// loadFloats reads len(dst) floats of 8 bytes each.
func loadFloats(dst []float64, src []byte) { simd.LoadF64(dst, src) }

package segment

import (
	"errors"
	"math"

	"github.com/telemdb/telemdb/storage/codec"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Decimals implements column.Decimals.
func (c *chunkColumn) Decimals() (d column.Decimal, ok bool) {
	if c.Leaf() != types.LeafFloat {
		return d, false
	}
	s := c.segmentColumn.Stats()
	if !s.Bounded || s.HasNaN {
		return d, false
	}
	o, _, err := c.pinned()
	if err != nil {
		return d, false // the error is Read's to report
	}
	defer o.unpin()
	ints, div := o.chunk.Decimals()
	if ints == nil {
		return d, false
	}
	return column.Decimal{Div: div, Least: codec.DecimalOf(s.MinF, div), Most: codec.DecimalOf(s.MaxF, div)}, true
}

// ReadDecimals implements column.Decimals.
func (c *chunkColumn) ReadDecimals(from, to int, dst *vec.Vector) error {
	o, data, err := c.pinnedFor(from, to)
	if err != nil {
		return err
	}
	defer o.unpin()
	ints, _ := o.chunk.Decimals()
	if ints == nil {
		return errors.New("segment: a column of floats that are no decimals was read as decimals")
	}
	return c.located(ints.Read(data, from, to, dst))
}

// SumDecimals implements column.Decimals.
func (c *chunkColumn) SumDecimals() (s column.IntSum, ok bool, err error) {
	o, data, err := c.pinned()
	if err != nil {
		return s, false, err
	}
	defer o.unpin()
	ints, _ := o.chunk.Decimals()
	if ints == nil {
		return s, false, nil
	}
	s, ok, err = ints.SumRange(data, math.MinInt64, math.MaxInt64)
	return s, ok, c.located(err)
}

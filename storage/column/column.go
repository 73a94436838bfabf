// Package column is the meeting point between whoever holds rows (the head's generations, a segment's row groups, the
// states a roll-up has just built) and whoever reads them (the scan, the seal, a merge, a roll-up): a row group as a set
// of columns found by path, each decoded into vectors block by block, and filtered while still encoded.
package column

import (
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Group is an immutable set of rows, numbered from 0. Its methods may be called from several goroutines at once.
type Group interface {
	// Rows is at most 65,536, so that a row number fits 16 bits.
	Rows() int
	// Find returns the column of exactly this path and leaf kind; ok is false when no row has such a value.
	// It costs O(log columns) and reads nothing else of the group's directory.
	Find(p types.Path, leaf types.Leaf) (c Column, ok bool)
	// Under returns every column at p or below it, ordered by path, then leaf kind. Under("") returns all.
	Under(p types.Path) []Column
}

// Column is the values of one path and leaf kind over the rows of its group. Methods may be called from several
// goroutines at once; errors are corruption or disk errors and carry file and offset.
type Column interface {
	Path() types.Path
	Leaf() types.Leaf
	// Stats describes the whole column. It is read from the directory, never from the values.
	Stats() Stats
	// BlockStats describes rows [b*vec.BlockRows, (b+1)*vec.BlockRows): a subset of what Stats knows.
	BlockStats(b int) Stats
	// Read makes dst the rows [from, to) of the column, a row without a value being NULL. It may leave dst in any
	// vec.Form, with a Dict shared with the column and valid as long as the group. The range lies in one block, or begins
	// with one and has vec.BatchRows rows at most.
	Read(from, to int, dst *vec.Vector) error
	// Filter clears the bits of sel (one per row of [from, to)) whose row has no value or a value for
	// which p does not hold. It works on the encoded form where the encoding allows it.
	Filter(from, to int, p *Pred, sel vec.Bitmap) error
}

// RangeFilter is what a Column has besides if it filters many blocks faster at once than one by one.
type RangeFilter interface {
	// FilterRange is Column.Filter for a range that starts at a block's first row and may span blocks: up to the whole
	// group. The bits of sel from row to on are not touched.
	FilterRange(from, to int, p *Pred, sel vec.Bitmap) error
}

// PairFilter is what a Column has besides if it may filter by a predicate and another column by another in one pass.
type PairFilter interface {
	// FilterBoth makes sel the rows [from, to), which start and end as FilterRange's, for which p holds of the column and q of
	// other, one of the same group, and returns their number. What sel was before does not matter, unless ok is false: then
	// nothing has been done.
	FilterBoth(from, to int, p *Pred, other Column, q *Pred, sel vec.Bitmap) (alive int, ok bool, err error)
}

// Decider is what a Column has besides if it knows more about a predicate than its Stats tell, or knows it faster.
type Decider interface {
	// Decide tells what is known of p over all rows: by presence and bounds, and where these do not decide, by the distinct
	// values, for which the column may be read. What it prepares serves the filters that follow. For OpMatch it calls Match.
	// An error of reading is Some: the one who reads the values is told of it.
	Decide(p *Pred) Verdict
}

// Coded is what a Column has besides if its chunk may be a dictionary with codes of one or two bytes each.
type Coded interface {
	// Codes lends the codes of rows [from, to), which start and end as FilterRange's: exactly one of c8 and c16 is not nil,
	// ok is false if the column is stored otherwise or some row of the range has no value. Nobody changes them; they may alias
	// the cache and are valid until release is called, from the goroutine that asked. Code c is row c of dict.
	Codes(from, to int) (c8 []uint8, c16 []uint16, dict *vec.Vector, release func(), ok bool, err error)
}

// Runs are the codes of consecutive rows where the same one often follows itself. Run i is rows [Ends[i-1], Ends[i]) of those
// that were asked for, Ends[-1] being 0; no run is empty, the last one ends with the range. Neighbours may have the same code.
// Code c is row c of Dict; the rows of a run without a value have NoCode.
type Runs struct {
	Ends  []uint32
	Codes []uint16
	Dict  *vec.Vector
}

// NoCode is the code of a run of rows that have no value. No dictionary has so many values.
const NoCode = 1<<16 - 1

// RunLender is what a Column has besides if its chunk may be a dictionary whose codes are stored as runs.
type RunLender interface {
	// Runs lends the runs of rows [from, to), which start and end as FilterRange's. ok is false if the column is stored
	// otherwise, so that Coded is what to ask; a constant is one run. Nobody changes them; they are valid until release is
	// called, from the goroutine that asked.
	Runs(from, to int) (r Runs, release func(), ok bool, err error)
}

// Described is what a Column has besides that is stored encoded.
type Described interface {
	// Encoding says how the values are encoded, in a word or two, and how many bytes they take as they are stored. For
	// that the column may be read.
	Encoding() (name string, bytes int64)
}

// IntSum is an exact sum of N integers: Hi<<32 + Lo, as kernel.SumInt has it.
type IntSum struct {
	Hi int64
	Lo uint64
	N  int
}

// Summer is what a Column of integers has besides if it may filter and add up its values in one go.
type Summer interface {
	// SumRange adds up the values, of all rows, that lie in [lo, hi]. ok is false if decoding them is as fast.
	SumRange(lo, hi int64) (s IntSum, ok bool, err error)
}

// Decimals is what a Column of floats has besides if its values may be integers over one power of ten.
type Decimals interface {
	// Decimals tells what they are; ok is false if some value is no such decimal. For that the column may be read.
	Decimals() (d Decimal, ok bool)
	// ReadDecimals is Column.Read with the integers instead of the floats. It is for columns of which Decimals is ok.
	ReadDecimals(from, to int, dst *vec.Vector) error
	// SumDecimals adds up the integers of all rows; ok is false if decoding them is as fast.
	SumDecimals() (s IntSum, ok bool, err error)
}

// Decimal describes a column of decimals: each value is, to the bit, the quotient of its integer and Div as floats.
type Decimal struct {
	Div         float64
	Least, Most int64 // bounds of the integers
}

// Lender is what a Column of integers has besides if its values may lie in memory as they are.
type Lender interface {
	// Ints lends the values of rows [from, to), any range; ok is false if they are stored otherwise or a row has none. The
	// rules are those of Coded.
	Ints(from, to int) (vals []int64, release func(), ok bool, err error)
}

// Prefetcher is what a Column has besides if its values may have to be waited for.
type Prefetcher interface {
	// Prefetch begins to fetch what Read and Filter of rows [from, to) will need, and does not wait for it. The range may
	// span blocks. It is a hint: it may do nothing, and what is wrong is the reader's to tell. It reports whether there was
	// something to fetch.
	Prefetch(from, to int) bool
}

// Bounder is what a Morsel has besides if its Stats without the distinct values cost less.
type Bounder interface {
	// Bounds is Stats, but for Dict.
	Bounds(column string) (s Stats, ok bool)
}

// FilterPrefetcher is what a Morsel has besides if MayHold may have to wait.
type FilterPrefetcher interface {
	// PrefetchFilter begins to fetch what MayHold of equalities of the top-level column will need. It is a hint too.
	PrefetchFilter(column string, leaf types.Leaf)
}

// Stats is what is known about a column without reading it. Min and Max are bounds, not necessarily attained for text
// (which is cut to 32 bytes: MinB is a prefix, MaxB a prefix rounded up).
type Stats struct {
	Rows    int // rows covered
	Present int // rows with a value
	Bounded bool
	MinI    int64 // LeafInt; LeafBool as 0 and 1
	MaxI    int64
	MinF    float64 // LeafFloat; NaNs are left out and set HasNaN
	MaxF    float64
	HasNaN  bool
	MinB    []byte // LeafText
	MaxB    []byte
	Dict    *vec.Vector // the distinct values, if the column is dictionary encoded or constant; else nil
}

// Op is the comparison of a Pred.
type Op uint8

// The operations of a Pred.
const (
	OpEq Op = iota
	OpNe
	OpLt
	OpLe
	OpGt
	OpGe
	OpIn      // equal to any of List
	OpMatch   // Match decides
	OpPresent // every value passes: only whether a row has one is looked at
)

// Pred is a comparison of a column with constants, in the column's own physical class. A row without a value fails it.
// Floats compare as PostgreSQL does: NaN equals NaN and is above everything. Text compares by bytes.
type Pred struct {
	Op   Op
	Leaf types.Leaf
	I    int64 // LeafInt; LeafBool as 0 and 1
	F    float64
	B    []byte
	List *vec.Vector // OpIn: flat, no NULLs, sorted ascending
	// Match decides for a vector of distinct values (no NULLs) and sets pass's bit for each that holds. It is called
	// once per dictionary, or per block of plain values; it may not keep vals.
	Match func(vals *vec.Vector, pass vec.Bitmap) error
}

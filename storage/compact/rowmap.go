package compact

import "math"

// NoRow is the place of a row that is not in the output.
const NoRow = math.MaxUint32

// RowMap tells where the rows of a merge went: for each input, by the number of the row in it, the number of the row in
// the output, or NoRow. Rows are numbered through all row groups of a segment, from 0.
//
// A seal needs none: row i of the refs given to Write is row i of its file.
type RowMap [][]uint32

// Left counts the rows that are not in the output.
func (m RowMap) Left() (n int64) {
	for _, places := range m {
		for _, p := range places {
			if p == NoRow {
				n++
			}
		}
	}
	return n
}

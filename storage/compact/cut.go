package compact

import (
	"bytes"
	"slices"
	"sort"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vec"
)

// A merge of many rows is cut by ranges of the sort key, so that several cores do it, each its own range: the keys at which
// row groups begin tell where, and in each input the cut is the first row whose key is not below it.

// Fence is where the keys of a row group begin.
type Fence struct {
	Key  []byte // of its first row
	Rows int
}

// Place is a row of an input: row Row of row group Group. One behind the last group is the end.
type Place struct{ Group, Row int }

// FirstKey and LastKey return the encoded sort key of a group's first and last row. The group has rows.
func FirstKey(g column.Group, key []KeyCol) ([]byte, error) { return keyAt(g, key, 0) }

// LastKey is told with FirstKey.
func LastKey(g column.Group, key []KeyCol) ([]byte, error) { return keyAt(g, key, g.Rows()-1) }

func keyAt(g column.Group, key []KeyCol, row int) ([]byte, error) {
	k, err := readKeys(g, key, row, row+1)
	if err != nil {
		return nil, err
	}
	return k.At(0), nil
}

// Cuts returns the keys at which to cut a merge into so many parts of about as many rows, or fewer where keys repeat:
// ascending, one less than there are parts. fences are those of all inputs, in any order; they are sorted.
func Cuts(fences []Fence, parts int) [][]byte {
	slices.SortFunc(fences, func(a, b Fence) int { return bytes.Compare(a.Key, b.Key) })
	total := 0
	for _, f := range fences {
		total += f.Rows
	}
	var cuts [][]byte
	rows := 0
	for _, f := range fences {
		if len(cuts) == parts-1 {
			break
		}
		if rows*parts >= total*(len(cuts)+1) && bytes.Compare(f.Key, fences[0].Key) > 0 &&
			(len(cuts) == 0 || bytes.Compare(f.Key, cuts[len(cuts)-1]) > 0) {
			cuts = append(cuts, f.Key)
		}
		rows += f.Rows
	}
	return cuts
}

// Find returns the first row of an input whose key is not below cut; fences are those of its groups.
func Find(in Input, key []KeyCol, fences []Fence, cut []byte) (Place, error) {
	at := sort.Search(len(fences), func(i int) bool { return bytes.Compare(fences[i].Key, cut) >= 0 })
	if at == 0 {
		return Place{}, nil
	}
	g, err := in.Open(at - 1)
	if err != nil {
		return Place{}, err
	}
	keys, err := ReadKeys(g, key)
	if err != nil {
		return Place{}, err
	}
	row := sort.Search(keys.Len(), func(i int) bool { return bytes.Compare(keys.At(i), cut) >= 0 })
	if row == keys.Len() {
		return Place{Group: at}, nil
	}
	return Place{at - 1, row}, nil
}

// Between returns the rows of an input from one place up to another. The input is not cut yet.
func (in Input) Between(from, to Place) Input {
	out := in
	if out.Groups = to.Group - from.Group; to.Row > 0 {
		out.Groups++
	}
	out.first, out.last = from.Row, to.Row
	out.Open = func(i int) (column.Group, error) { return in.Open(from.Group + i) }
	if in.Dead != nil {
		out.Dead = func(i int) vec.Bitmap { return in.Dead(from.Group + i) }
	}
	return out
}

package op

import (
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// A join makes many copies of a row's texts: 4,096 pairs of one whole document are gigabytes, which nobody has accounted for, whose
// offsets do not fit, and which nobody who cancels the statement waits for. So where texts are long, pairs are put out
// as soon as their texts are pairBytes, or what a test asks for.

const pairBytes = 8 << 20

// pairBytes is the most bytes of texts that pairs of a join, or rows put together, wait with.
func (x *exec) pairBytes() int {
	if n := x.env.PairBytes; n > 0 {
		return n
	}
	return pairBytes
}

// pairLengths is what a probe knows of the texts of its pairs.
type pairLengths struct {
	limit int  // exec.pairBytes
	count bool // some pairs of the batch may be long: they are counted
	bytes int  // of the pairs that wait
	dicts []dictLongest
}

// dictLongest is the longest text of a dictionary, which many batches share.
type dictLongest struct {
	dict  *vec.Vector
	bytes int
}

// look decides whether the pairs of a batch are counted.
func (l *pairLengths) look(p *probe, b *vec.Batch) {
	longest := p.s.longest
	for i, v := range b.Cols {
		if v.Type.Phys() != types.PhysBytes || v.N == 0 {
			continue
		}
		if v.Form != vec.Dict {
			longest += longestText(v)
			continue
		}
		if l.dicts == nil {
			l.dicts = make([]dictLongest, len(b.Cols))
		}
		if d := &l.dicts[i]; d.dict != v.Dict {
			d.dict, d.bytes = v.Dict, longestText(v.Dict)
		}
		longest += l.dicts[i].bytes
	}
	l.count = longest*vec.BatchRows > l.limit
}

// fit counts the texts of the pairs of row i with the gathered rows, up to those that are enough to be put out, and returns how
// many these are.
func (l *pairLengths) fit(p *probe, b *vec.Batch, i int, rows []uint32) int {
	own := rowBytes(b.Cols, i)
	for n, r := range rows {
		l.bytes += own
		for c := range p.s.build.cols {
			l.bytes += textLength(&p.s.build.cols[c], int(r))
		}
		if l.full() {
			return n + 1
		}
	}
	return len(rows)
}

// full reports whether the pairs that wait have texts enough to be put out.
func (l *pairLengths) full() bool { return l.bytes >= l.limit }

func rowBytes(cols []*vec.Vector, i int) (n int) {
	for _, v := range cols {
		n += textLength(v, i)
	}
	return n
}

func textLength(v *vec.Vector, i int) int {
	if v.Type.Phys() != types.PhysBytes || v.Null(i) {
		return 0
	}
	return len(v.Bytes(i))
}

// longestText returns the length of the longest text of a vector that is no dictionary's codes.
func longestText(v *vec.Vector) (most int) {
	if v.Form == vec.Const {
		return textLength(v, 0)
	}
	for i := 1; i < len(v.Off); i++ {
		most = max(most, int(v.Off[i]-v.Off[i-1]))
	}
	return most
}

// longestRow returns how many bytes of text a row has at most.
func longestRow(cols []vec.Vector) (n int) {
	for i := range cols {
		if v := &cols[i]; v.Type.Phys() == types.PhysBytes && v.N > 0 {
			n += longestText(v)
		}
	}
	return n
}

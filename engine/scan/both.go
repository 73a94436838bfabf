package scan

import (
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/vec"
)

// The first two conjuncts of a row group are decided in one pass where both columns' encoded forms allow it: see
// column.PairFilter. That reads all of the second column, so it is for filters whose first conjunct leaves rows in most blocks.
// Every pairSample-th row group goes through the conjuncts one by one, which tells whether it still does, and in which order
// they are best.

// pairSample is how many row groups one is filtered conjunct by conjunct of.
const pairSample = 16

// pair is what a worker knows of the first two conjuncts.
type pair struct {
	on     bool   // the first one leaves rows in most blocks
	groups uint   // that were filtered
	both   [2]int // the conjuncts that filterBoth decided last
}

// filterBoth makes sel the rows [from, to) that pass the first two conjuncts, and returns their number; ok is false, and nothing
// done, if they are to be decided one by one.
func (w *Worker) filterBoth(from, to int, sel vec.Bitmap) (alive int, ok bool, err error) {
	if w.pair.groups++; !w.pair.on || w.pair.groups%pairSample == 0 || w.detail != nil || w.s.top != nil || w.s.without.Both || w.s.without.Groups {
		return 0, false, nil
	}
	n, found := 0, [2]int{}
	for _, k := range w.order {
		p := &w.preds[k]
		if p.verdict == all || p.decoded() {
			continue
		}
		if p.form != compare || p.any != nil {
			return 0, false, nil
		}
		found[n] = k
		if n++; n == 2 {
			break
		}
	}
	if n < 2 {
		return 0, false, nil
	}
	p, q := &w.preds[found[0]], &w.preds[found[1]]
	c, can := p.col.(column.PairFilter)
	if !can {
		return 0, false, nil
	}
	if alive, ok, err = c.FilterBoth(from, to, &p.push, q.col, &q.push, sel); !ok || err != nil {
		return 0, false, err
	}
	if w.pair.both = found; w.dead != nil {
		w.undelete(from, sel)
		alive = sel.Count()
	}
	return alive, true, nil
}

// left notes what the first conjunct has left of a group's rows.
func (p *pair) left(sel vec.Bitmap) {
	const words = vec.BlockRows / 64
	p.on = 2*simd.FilledBlocks(sel) > (len(sel)+words-1)/words
}

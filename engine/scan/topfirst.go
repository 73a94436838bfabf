package scan

import "github.com/telemdb/telemdb/storage/vec"

// Rows that lie behind the first ones are left out before the conjuncts that cost more than that: a search in texts then looks
// at the few rows that may be among the first. A dictionary is then not judged whole either, but for the values that these
// rows have.

// near is what is known of the rows of the current group that do not lie behind.
type near struct {
	told *topState // what they fulfil; nil: nothing is known
	rows vec.Bitmap
	n    int
}

// topGuessed is what leaving out rows that lie behind costs, in nanoseconds a row: a comparison of integers as they are packed.
const topGuessed = 0.1

// nearRows finds the rows of the group that do not lie behind, for conjuncts that judge distinct values: false if there is none.
// Where no conjunct does, the rows are found when they are filtered.
func (w *Worker) nearRows() (some bool, err error) {
	w.near.told = nil
	st := w.s.topState()
	if st == nil || w.s.without.TopFirst || w.s.without.Groups || !w.judgesValues() {
		return true, nil
	}
	n := w.group.Rows()
	w.near.rows = w.near.rows.Resize(n)
	w.near.rows.Fill(n)
	w.undelete(0, w.near.rows)
	if err := w.filterTop(st, 0, n, w.near.rows); err != nil {
		return false, err
	}
	w.near.told, w.near.n = st, w.near.rows.Count()
	return w.near.n > 0, nil
}

// judgesValues reports whether some conjunct is decided by testing distinct values.
func (w *Worker) judgesValues() bool {
	for k := range w.preds {
		if w.preds[k].form == match {
			return true
		}
	}
	return false
}

// undelete clears the bits of sel, whose first row is from, for rows that have been deleted.
func (w *Worker) undelete(from int, sel vec.Bitmap) {
	if w.dead == nil {
		return
	}
	dead := w.dead[min(from/64, len(w.dead)):]
	for i := range min(len(sel), len(dead)) {
		sel[i] &^= dead[i]
	}
}

// leaveBehind clears the bits of sel for rows of [from, to) that lie behind what the scan has been told by now. told is what has
// been looked at before; it returns what has been looked at.
func (w *Worker) leaveBehind(told *topState, from, to int, sel vec.Bitmap) (*topState, error) {
	if w.near.told != nil && told == nil {
		told = w.near.told
		sel.And(w.near.rows[from/64 : (to+63)/64])
	}
	st := w.s.topState()
	if st == told {
		return told, nil
	}
	return st, w.filterTop(st, from, to, sel)
}

// fewValues decides a match by the distinct values of a few rows.
type fewValues struct {
	on     bool
	dict   *vec.Vector // what the bitmaps are of
	known  vec.Bitmap  // values that have been tested
	holds  vec.Bitmap  // of those, the ones that pass
	codes  []uint32    // to be tested
	vals   vec.Vector
	pass   vec.Bitmap
	read   vec.Vector
	failed bool
}

// fewOf reports whether the rows that do not lie behind are fewer than the values of a dictionary.
func (p *predState) fewOf(w *Worker, dict *vec.Vector) bool {
	p.few.on = w.near.told != nil && dict != nil && w.near.n < dict.N
	return p.few.on
}

// matchFew is matchRange where few rows are left: only the values that these have are tested.
func (p *predState) matchFew(w *Worker, from, to int, sel vec.Bitmap) error {
	p.few.failed = false
	err := w.eachBlock(from, to, sel, func() error {
		if err := p.col.Read(w.from, w.to, &p.few.read); err != nil {
			return err
		}
		if v := &p.few.read; v.Form != vec.Dict {
			return p.matchRange(w, w.from, w.to, w.sel)
		}
		return p.matchCodes(w)
	})
	if p.few.failed {
		return w.eachBatch(from, to, func() error { return p.evaluate(w) })
	}
	return err
}

// matchCodes filters the current block, which has been read.
func (p *predState) matchCodes(w *Worker) error {
	f := &p.few
	v := &f.read
	if f.dict != v.Dict {
		f.dict, f.known, f.holds = v.Dict, f.known.Resize(v.Dict.N), f.holds.Resize(v.Dict.N)
	}
	if v.Valid != nil {
		w.sel.And(v.Valid)
	}
	f.codes = f.codes[:0]
	w.sel.All(func(i int) {
		if c := v.Codes[i]; !f.known.Get(int(c)) {
			f.known.Set(int(c))
			f.codes = append(f.codes, c)
		}
	})
	if len(f.codes) > 0 {
		f.vals.Reset(v.Dict.Type)
		vec.AppendIndexed(&f.vals, v.Dict, f.codes)
		f.pass = f.pass.Resize(f.vals.N)
		if p.test(w, &f.vals, f.pass) != nil {
			f.failed, f.dict = true, nil
			return errRetry
		}
		f.pass.All(func(k int) { f.holds.Set(int(f.codes[k])) })
	}
	w.sel.All(func(i int) {
		if !f.holds.Get(int(v.Codes[i])) {
			w.sel.Clear(i)
		}
	})
	return nil
}

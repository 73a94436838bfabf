package scan

// Deleted rows are still in their group. A block begins without them, so that no predicate, count, limit or output ever
// sees one. Statistics may count them: that prunes less, never more.

// bury takes the deleted rows out of the current rows' selection. A block begins at a multiple of 64 rows, so the words
// of the two bitmaps meet.
func (w *Worker) bury() {
	dead := w.dead[min(w.from/64, len(w.dead)):]
	for i := range min(len(w.sel), len(dead)) {
		w.sel[i] &^= dead[i]
	}
}

// liveInBlock counts the rows of the current block that have not been deleted.
func (w *Worker) liveInBlock() int {
	n := w.to - w.from
	w.sel = w.sel.Resize(n)
	w.sel.Fill(n)
	if w.dead != nil {
		w.bury()
	}
	return w.sel.Count()
}

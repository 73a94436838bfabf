package scan

// Without leaves out what makes scans fast and changes no answer, each by itself: tests compare.
type Without struct {
	Ahead   bool // nothing is asked for before it is read
	Both    bool // conjuncts are decided one by one
	Groups  bool // rows are filtered block by block, and Select is not offered
	Lookup  bool // searches for few rows go through one row group after the other
	Pruning bool // every row group is opened, whatever its manifest entry and filters say
	// The first rows of an order: rows behind them are left out after the conditions are decided, for which every distinct
	// value is judged; the scan is told late how far rows may lie behind.
	TopFirst bool
}

// Without is called before the first worker.
func (s *Scan) Without(w Without) {
	s.without = w
	if w.Lookup {
		s.lookup = nil
	}
}

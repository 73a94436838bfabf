package agg

import "slices"

// Asking makes a State or a Sliding ask, now and then in work that takes long, whether it is still wanted: what ask returns then ends it.
// The states that gather rows do; others have nothing that takes longer than a batch.
func Asking(s any, ask func() error) {
	if s, ok := s.(interface{ asks(func() error) }); ok {
		s.asks(ask)
	}
}

// asker ends long work. Its zero value never does.
type asker struct {
	ask  func() error
	done int // rows since it was last asked
}

// askRows is the number of rows, or comparisons, after which it is asked.
const askRows = 1 << 14

func (a *asker) asks(ask func() error) { a.ask = ask }

// after is called when so many rows are done.
func (a *asker) after(rows int) error {
	if a.done += rows; a.ask == nil || a.done < askRows {
		return nil
	}
	a.done = 0
	return a.ask()
}

// pieces gives rows to f, some at a time.
func (a *asker) pieces(rows []uint32, f func(part []uint32) error) error {
	for len(rows) > 0 {
		part := rows[:min(len(rows), askRows)]
		rows = rows[len(part):]
		if err := f(part); err != nil {
			return err
		}
		if err := a.after(len(part)); err != nil {
			return err
		}
	}
	return nil
}

// sortBy sorts s. When it is no longer wanted all elements count as equal, and the sort runs out in linear time.
func sortBy[T any](a *asker, s []T, compare func(x, y T) int) error {
	if a.ask == nil || len(s) < askRows {
		slices.SortFunc(s, compare)
		return a.after(len(s))
	}
	var err error
	n := 0
	slices.SortFunc(s, func(x, y T) int {
		if n++; n == askRows {
			n = 0
			if err == nil {
				err = a.ask()
			}
		}
		if err != nil {
			return 0
		}
		return compare(x, y)
	})
	return err
}

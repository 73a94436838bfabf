package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/bench/peer"
	"github.com/telemdb/telemdb/bench/workload"
)

// answer is the rows of one engine, as text.
type answer struct {
	cols []peer.Column
	rows [][]*string
}

// kindsOf says how each column of two answers is compared: as numbers of any precision if both are whole numbers, with the
// tolerance if one is not, as a moment if both are, and as text otherwise.
func kindsOf(a, b *answer) ([]peer.Kind, error) {
	if len(a.cols) != len(b.cols) && len(a.rows) > 0 && len(b.rows) > 0 {
		return nil, fmt.Errorf("%d columns, not %d", len(a.cols), len(b.cols))
	}
	kinds := make([]peer.Kind, min(len(a.cols), len(b.cols)))
	for i := range kinds {
		x, y := a.cols[i].Kind, b.cols[i].Kind
		switch {
		case x == y:
			kinds[i] = x
		case x == peer.Int && y == peer.Float || x == peer.Float && y == peer.Int:
			kinds[i] = peer.Float
		default:
			kinds[i] = peer.Text
		}
	}
	return kinds, nil
}

// comparer compares the answers of two engines to one query.
type comparer struct {
	q         *workload.Query
	kinds     []peer.Kind
	whole     []bool // the column is of whole numbers in one of the two, so whole numbers in both are equal exactly
	tolerance float64
}

// sameAnswer returns nil if b is the answer a to the query by its own rule, or where they differ.
func sameAnswer(q *workload.Query, a, b *answer) error {
	if len(a.rows) != len(b.rows) {
		return fmt.Errorf("%d rows, not %d", len(b.rows), len(a.rows))
	}
	kinds, err := kindsOf(a, b)
	if err != nil {
		return err
	}
	c := &comparer{q: q, kinds: kinds, tolerance: cmp.Or(q.Tolerance, workload.DefaultTolerance), whole: make([]bool, len(kinds))}
	for i := range kinds {
		c.whole[i] = a.cols[i].Kind == peer.Int || b.cols[i].Kind == peer.Int
	}
	rows := len(a.rows)
	if q.Ordered && q.Check == nil {
		if err := c.sameOrder(a.rows, b.rows); err != nil {
			return err
		}
		if q.Limited {
			rows = c.beforeLastTie(a.rows)
		}
	}
	return c.sameSet(a.rows[:rows], b.rows[:rows], nil)
}

// sameOrder compares the columns the answer is ordered by, row by row.
func (c *comparer) sameOrder(a, b [][]*string) error {
	for r := range a {
		for _, k := range c.q.OrderBy {
			if k >= len(c.kinds) {
				return fmt.Errorf("the query's rule names column %d, the answer has %d", k, len(c.kinds))
			}
			if !c.equal(k, a[r][k], b[r][k]) {
				return fmt.Errorf("row %d, ordered column %d: %s, not %s", r+1, k+1, show(b[r][k]), show(a[r][k]))
			}
		}
	}
	return nil
}

// beforeLastTie is how many rows come before those that are equal to the last one in the columns of the order: behind the
// limit there may be more of them, so which of them are shown is open.
func (c *comparer) beforeLastTie(rows [][]*string) int {
	n := len(rows)
	for n > 0 && !slices.ContainsFunc(c.q.OrderBy, func(k int) bool { return !c.equal(k, rows[n-1][k], rows[len(rows)-1][k]) }) {
		n--
	}
	return n
}

// sameSet compares rows as multisets: both sides are sorted, by columns without a tolerance first. skip tells which columns
// are not compared here.
func (c *comparer) sameSet(a, b [][]*string, skip []int) error {
	order := c.columnsToSort(skip)
	a, b = c.sorted(a, order), c.sorted(b, order)
	for r := range a {
		for _, k := range order {
			if !c.equal(k, a[r][k], b[r][k]) {
				return fmt.Errorf("row %d of %d in sorted order, column %d: %s, not %s", r+1, len(a), k+1, show(b[r][k]), show(a[r][k]))
			}
		}
	}
	return nil
}

func (c *comparer) columnsToSort(skip []int) (order []int) {
	for _, floats := range []bool{false, true} {
		for k, kind := range c.kinds {
			if (kind == peer.Float) == floats && !slices.Contains(skip, k) {
				order = append(order, k)
			}
		}
	}
	return order
}

func (c *comparer) sorted(rows [][]*string, order []int) [][]*string {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(x, y []*string) int {
		for _, k := range order {
			if d := c.compare(k, x[k], y[k]); d != 0 {
				return d
			}
		}
		return 0
	})
	return rows
}

func (c *comparer) compare(k int, x, y *string) int {
	switch {
	case x == nil || y == nil:
		return btoi(x == nil) - btoi(y == nil)
	case c.kinds[k] == peer.Float:
		f, _ := strconv.ParseFloat(*x, 64)
		g, _ := strconv.ParseFloat(*y, 64)
		return cmp.Compare(f, g)
	}
	return strings.Compare(*x, *y)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// equal compares two values of a column.
func (c *comparer) equal(k int, x, y *string) bool {
	switch {
	case x == nil || y == nil:
		return x == y
	case *x == *y:
		return true
	case c.kinds[k] != peer.Float:
		return false
	case c.whole[k] && isWhole(*x) && isWhole(*y):
		return false
	}
	return withinRelative(*x, *y, c.tolerance)
}

func isWhole(s string) bool { return !strings.ContainsAny(s, ".eEnN") }

// withinRelative tells whether two numbers differ by no more than a share of the larger one.
func withinRelative(x, y string, share float64) bool {
	f, err1 := strconv.ParseFloat(x, 64)
	g, err2 := strconv.ParseFloat(y, 64)
	if err1 != nil || err2 != nil {
		return false
	}
	return f == g || math.IsNaN(f) && math.IsNaN(g) || math.Abs(f-g) <= share*max(math.Abs(f), math.Abs(g))
}

// goodEstimate holds estimates against the exact answer: the other columns are equal, each estimate is near enough.
func goodEstimate(q *workload.Query, exact, got *answer) error {
	if len(exact.rows) != len(got.rows) {
		return fmt.Errorf("%d rows, not %d", len(got.rows), len(exact.rows))
	}
	kinds, err := kindsOf(exact, got)
	if err != nil {
		return err
	}
	c := &comparer{q: q, kinds: kinds, tolerance: cmp.Or(q.Tolerance, workload.DefaultTolerance), whole: make([]bool, len(kinds))}
	if err := c.sameSet(exact.rows, got.rows, q.Approx.Columns); err != nil {
		return err
	}
	order := c.columnsToSort(q.Approx.Columns)
	a, b := c.sorted(exact.rows, order), c.sorted(got.rows, order)
	for r := range a {
		for _, k := range q.Approx.Columns {
			x, y := a[r][k], b[r][k]
			if x == nil || y == nil {
				if x != y {
					return fmt.Errorf("row %d, estimate in column %d: %s where it is %s", r+1, k+1, show(y), show(x))
				}
				continue
			}
			if !withinRelative(*x, *y, q.Approx.Within) && !withinOne(*x, *y) {
				return fmt.Errorf("row %d, estimate in column %d: %s where it is %s, more than %g %% off", r+1, k+1, *y, *x, 100*q.Approx.Within)
			}
		}
	}
	return nil
}

// withinOne lets an estimate of a small count miss by one.
func withinOne(x, y string) bool {
	f, err1 := strconv.ParseFloat(x, 64)
	g, err2 := strconv.ParseFloat(y, 64)
	return err1 == nil && err2 == nil && math.Abs(f-g) <= 1
}

func show(s *string) string {
	if s == nil {
		return "NULL"
	}
	if len(*s) > 60 {
		return strconv.Quote((*s)[:57] + "…")
	}
	return strconv.Quote(*s)
}

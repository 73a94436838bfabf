package op

import (
	"math/bits"

	"github.com/telemdb/telemdb/engine/agg"
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
)

// The sum of an expression that is linear in columns of integers is made of their sums: sum(a - 5*b) = sum(a) - 5*sum(b), and
// sum(x + 1), sum(x + 2) … are all made of one sum and one count. That holds for rows in which no column is NULL (if there is
// only one, for those in which it is not), and as long as nothing overflows, which the row group's bounds must tell: where a
// row may fail, or columns have NULLs, the expression is computed. A CASE that gives zero where a condition does not hold is
// the sum of what it gives where it does, over the number of all rows.

// linear is an expression as a sum of multiples of columns and a constant.
type linear struct {
	e      expr.Expr // whose parts must not overflow
	terms  []term
	add    int64
	orZero bool // rows that the measures' filter does not keep count as zero
}

// term is a multiple of the sum of a measure, which is of a column.
type term struct {
	by      int64
	col     int
	measure int
}

// linearOf takes e apart; false if it is not linear in columns of integers, or a column itself.
func linearOf(e expr.Expr) (l linear, ok bool) {
	if isColumn(e) || !l.collect(e, 1) || len(l.terms) == 0 {
		return l, false
	}
	l.e = e
	return l, true
}

func (l *linear) collect(e expr.Expr, by int64) bool {
	if !isInt(e.Type()) {
		return false
	}
	if c, ok := intConst(e); ok {
		hi, lo := mul64(c, by)
		l.add += lo
		return hi
	}
	switch e := e.(type) {
	case *expr.Col:
		for i := range l.terms {
			if l.terms[i].col == e.Idx {
				l.terms[i].by += by
				return true
			}
		}
		l.terms = append(l.terms, term{by: by, col: e.Idx})
		return true
	case *expr.Call:
		return l.call(e, by)
	}
	return false
}

func (l *linear) call(e *expr.Call, by int64) bool {
	switch {
	case len(e.Args) == 1 && e.Fn.Name == "-":
		return l.collect(e.Args[0], -by)
	case len(e.Args) == 1 && isIntCast(e):
		return l.collect(e.Args[0], by)
	case len(e.Args) != 2:
		return false
	}
	a, b := e.Args[0], e.Args[1]
	switch e.Fn.Name {
	case "+":
		return l.collect(a, by) && l.collect(b, by)
	case "-":
		return l.collect(a, by) && l.collect(b, -by)
	case "*":
		if _, ok := intConst(a); ok {
			a, b = b, a
		}
		c, ok := intConst(b)
		if !ok {
			return false
		}
		fits, by := mul64(c, by)
		return fits && l.collect(a, by)
	}
	return false
}

func isInt(t types.Type) bool {
	switch t.Kind {
	case types.Int16, types.Int32, types.Int64:
		return true
	}
	return false
}

// isIntCast reports whether the call turns an integer into one of another width.
func isIntCast(e *expr.Call) bool {
	return isInt(e.T) && isInt(e.Args[0].Type()) && (e.Fn.Name == "int2" || e.Fn.Name == "int4" || e.Fn.Name == "int8" ||
		e.Fn.Name == "smallint" || e.Fn.Name == "integer" || e.Fn.Name == "bigint")
}

func intConst(e expr.Expr) (int64, bool) {
	c, ok := e.(*expr.Const)
	if !ok || !isInt(c.V.Type) || c.V.Null(0) {
		return 0, false
	}
	return c.V.Int(0), true
}

// largestFactor bounds multiples and constants, so that products with bounds of safe values fit.
const largestFactor = 1 << 16

// mul64 returns a product, and whether both factors are small.
func mul64(a, b int64) (ok bool, product int64) {
	small := func(x int64) bool { return x > -largestFactor && x < largestFactor }
	return small(a) && small(b), a * b
}

// orZeroOf recognises CASE WHEN cond THEN x ELSE 0 END, x being linear in columns or one of them.
func orZeroOf(e expr.Expr) (cond expr.Expr, l linear, ok bool) {
	c, ok := e.(*expr.Case)
	if !ok || len(c.Whens) != 1 || hasSubplan(c) || !pure(c) {
		return nil, l, false
	}
	if zero, ok := intConst(c.Else); !ok || zero != 0 || !isInt(c.T) {
		return nil, l, false
	}
	then := c.Whens[0].Then
	if !l.collect(then, 1) || len(l.terms) == 0 {
		return nil, l, false
	}
	l.e, l.orZero = then, true
	return c.Whens[0].Cond, l, true
}

// derive finds the sums that a measure's is made of, adding those that are not there.
func (f *fused) derive(at int) {
	m := &f.measures[at]
	if m.e == nil || m.col >= 0 || m.needs != agg.NeedSum {
		return
	}
	l, ok := linearOf(m.e)
	filter := m.filter
	if !ok && filter < 0 {
		var cond expr.Expr
		if cond, l, ok = orZeroOf(m.e); ok {
			filter = f.filterOf(cond)
		}
	}
	if !ok {
		return
	}
	for i := range l.terms {
		t := &l.terms[i]
		t.measure = f.columnMeasure(t.col, filter)
	}
	f.measures[at].linear = &l
}

// columnMeasure finds or adds the measure that sums a column under a filter.
func (f *fused) columnMeasure(col, filter int) int {
	for i := range f.measures {
		if m := &f.measures[i]; m.col == col && m.filter == filter {
			m.needs |= agg.NeedSum
			return i
		}
	}
	m := measure{col: col, e: &expr.Col{Idx: col, T: f.read[col].Type}, filter: filter, needs: agg.NeedSum, cols: []int{col}}
	if filter >= 0 {
		m.cols = columnsRead(m.e, f.filters[filter])
	}
	f.measures = append(f.measures, m)
	return len(f.measures) - 1
}

// planSums decides which measures of the row group are made of others, and which of the others are needed at all.
func (x *fusedWorker) planSums() {
	for i := range x.sums {
		m := &x.sums[i]
		m.idle = len(m.calls) == 0
		m.derived = false
	}
	for i := range x.sums {
		m := &x.sums[i]
		if m.linear == nil || !x.holds(m.linear) {
			continue
		}
		m.derived = true
		for _, t := range m.linear.terms {
			x.sums[t.measure].idle = false
		}
	}
}

// holds reports whether the rule holds for all rows of the row group.
func (x *fusedWorker) holds(l *linear) bool {
	for _, t := range l.terms {
		col, _ := x.scan.Column(t.col)
		if col == nil || col.Leaf() != types.LeafInt {
			return false
		}
		s := col.Stats()
		limit := x.sums[t.measure].limit() // beyond it rows are not all in its sum
		if !s.Bounded || s.MinI <= -limit || s.MaxI >= limit || s.Present < s.Rows && (len(l.terms) > 1 || l.orZero) {
			return false
		}
	}
	lo, hi, ok := x.bounds(l.e)
	return ok && lo > -safeValue && hi < safeValue
}

// bounds returns what the value of an expression that is linear lies in, in the current row group; ok is false if some part of
// it may be beyond its type.
func (x *fusedWorker) bounds(e expr.Expr) (lo, hi int64, ok bool) {
	if c, is := intConst(e); is {
		return c, c, true
	}
	switch e := e.(type) {
	case *expr.Col:
		col, _ := x.scan.Column(e.Idx)
		s := col.Stats()
		return s.MinI, s.MaxI, true
	case *expr.Call:
		lo, hi, ok = x.bounds(e.Args[0])
		if !ok {
			return 0, 0, false
		}
		switch {
		case len(e.Args) == 1 && e.Fn.Name == "-":
			lo, hi = -hi, -lo
		case len(e.Args) == 2:
			a, b, also := x.bounds(e.Args[1])
			if !also {
				return 0, 0, false
			}
			switch e.Fn.Name {
			case "+":
				lo, hi = lo+a, hi+b
			case "-":
				lo, hi = lo-b, hi-a
			case "*":
				if !fitsProduct(lo, a) || !fitsProduct(lo, b) || !fitsProduct(hi, a) || !fitsProduct(hi, b) {
					return 0, 0, false
				}
				lo, hi = min(lo*a, lo*b, hi*a, hi*b), max(lo*a, lo*b, hi*a, hi*b)
			}
		}
		return lo, hi, fitsKind(e.T.Kind, lo) && fitsKind(e.T.Kind, hi)
	}
	return 0, 0, false
}

func fitsProduct(a, b int64) bool {
	size := func(x int64) int { return bits.Len64(uint64(max(x, -x))) }
	return size(a)+size(b) < 62
}

// fitsKind reports whether x is a value of the kind, and far from the bounds of an int64.
func fitsKind(k types.Kind, x int64) bool {
	switch k {
	case types.Int16:
		return x == int64(int16(x))
	case types.Int32:
		return x == int64(int32(x))
	}
	return x > -1<<61 && x < 1<<61
}

// combine makes the partial of a derived measure from those it is made of.
func (m *measureState) combine(x *fusedWorker) {
	p := &m.part
	p.Exact = p.Exact[:0]
	first := &x.sums[m.linear.terms[0].measure].part
	n := len(x.named.occ)
	p.Sum = sized(p.Sum, n)
	for i := range n {
		p.Sum[i] = m.linear.add * first.N[i]
	}
	for _, t := range m.linear.terms {
		o := &x.sums[t.measure].part
		for i := range n {
			if len(o.Exact) > 0 {
				p.Sum[i] += t.by * (o.Exact[i].Hi<<32 + int64(o.Exact[i].Lo))
			} else {
				p.Sum[i] += t.by * o.Sum[i]
			}
		}
	}
	if m.linear.orZero {
		p.N = pick(p.N, x.counts, x.named.occ)
	} else {
		p.N = append(p.N[:0], first.N...)
	}
}

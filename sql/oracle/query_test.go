package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// query is a SELECT in pieces that can be dropped.
type query struct {
	with     []string // common table expressions
	distinct bool
	items    []*node
	from     string
	joins    []join
	where    []*node
	grouped  bool
	keys     int    // the first items are the keys
	sets     string // ROLLUP, CUBE, GROUPING SETS or ""
	listed   []uint // by GROUPING SETS: bit i is key i
	ranks    string // a condition on window functions, around
	having   []*node
	setOp    string
	second   *query
	order    []string // by position; the rest of the columns are added, so that the order is total
	limit    string
	sums     bool // of floats whose sum depends on the order
}

type join struct {
	kind, table string
	on          []*node
}

func (q *query) String() string {
	var b strings.Builder
	q.before(&b)
	q.core(&b)
	q.behind(&b)
	return b.String()
}

// sortedOutside is the query with its grouping sets in a subquery that is sorted and cut around it: the same question, but
// PostgreSQL before 18 answers it rightly. Its planner does not know that grouping sets make a key NULL: it takes a key
// that is a constant, or that WHERE holds equal to one, for the same in all rows, and leaves it out of ORDER BY.
func (q *query) sortedOutside() string {
	if q.sets == "" {
		return q.String()
	}
	var b strings.Builder
	q.before(&b)
	b.WriteString("SELECT * FROM (")
	q.core(&b)
	b.WriteString(") g")
	q.behind(&b)
	return b.String()
}

func (q *query) before(b *strings.Builder) {
	if len(q.with) > 0 {
		b.WriteString("WITH " + strings.Join(q.with, ", ") + " ")
	}
}

// behind writes all that follows the first core.
func (q *query) behind(b *strings.Builder) {
	if q.setOp != "" {
		b.WriteString(" " + q.setOp + " ")
		q.second.core(b)
	}
	if q.limit != "" || len(q.order) > 0 {
		b.WriteString(" ORDER BY " + strings.Join(q.wholeOrder(), ", "))
	}
	b.WriteString(q.limit)
}

// wholeOrder is the order by all columns.
func (q *query) wholeOrder() []string {
	order := slices.Clone(q.order)
	for i := range q.items {
		if p := fmt.Sprint(i + 1); !slices.ContainsFunc(order, func(o string) bool { return strings.Fields(o)[0] == p }) {
			order = append(order, p)
		}
	}
	return order
}

// sortedBefore tells whether the rows are sorted by such a column while the columns before it leave their order open. Keys
// of groups, and the id that windows come with, leave nothing open once all of them are there.
func (q *query) sortedBefore(such func(item string) bool) bool {
	keys := q.keys
	switch {
	case windowed(q):
		keys = 1
	case q.sets != "":
		keys = len(q.items) // those that group are NULL in several sets
	}
	left := keys
	for _, o := range q.wholeOrder() {
		at, err := strconv.Atoi(strings.Fields(o)[0])
		if err != nil || such(q.items[at-1].String()) {
			return true
		}
		if at <= keys {
			if left--; left == 0 {
				return false
			}
		}
	}
	return false
}

func (q *query) core(b *strings.Builder) {
	if q.ranks != "" {
		b.WriteString("SELECT * FROM (")
		defer func() { b.WriteString(") r WHERE " + q.ranks) }()
	}
	b.WriteString("SELECT ")
	if q.distinct {
		b.WriteString("DISTINCT ")
	}
	for i, n := range q.items {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "%s AS c%d", n, i+1)
	}
	b.WriteString(" FROM " + q.from)
	for _, j := range q.joins {
		fmt.Fprintf(b, " %s %s ON %s", j.kind, j.table, conjunction(j.on))
	}
	if len(q.where) > 0 {
		b.WriteString(" WHERE " + conjunction(q.where))
	}
	if q.keys > 0 {
		keys := make([]string, q.keys)
		for i := range keys {
			keys[i] = fmt.Sprint(i + 1)
			if q.sets != "" {
				keys[i] = q.items[i].String()
			}
		}
		list := strings.Join(keys, ", ")
		if q.sets == "GROUPING SETS" {
			list = listedSets(keys, q.listed)
		}
		if q.sets != "" {
			list = q.sets + " (" + list + ")"
		}
		b.WriteString(" GROUP BY " + list)
	}
	if len(q.having) > 0 {
		b.WriteString(" HAVING " + conjunction(q.having))
	}
}

// listedSets writes all keys as the first set, as each has to be in one.
func listedSets(keys []string, listed []uint) string {
	list := "(" + strings.Join(keys, ", ") + ")"
	for _, set := range listed {
		var some []string
		for i, k := range keys {
			if set>>i&1 != 0 {
				some = append(some, k)
			}
		}
		list += ", (" + strings.Join(some, ", ") + ")"
	}
	return list
}

func conjunction(of []*node) string {
	if len(of) == 0 {
		return "true"
	}
	out := make([]string, len(of))
	for i, n := range of {
		out[i] = n.String()
	}
	return strings.Join(out, " AND ")
}

// newQuery draws a query of a world.
func newQuery(r *rand.Rand, w *world) *query {
	q := &query{}
	s := q.draw(r, w)
	kind := r.IntN(10)
	switch {
	case kind < 5:
		q.group(s)
	case kind == 5 && len(q.joins) == 0:
		q.windows(s)
	default:
		q.plain(s)
	}
	for range []int{0, 0, 1, 1, 2}[r.IntN(5)] { // few, as a third of the answers would have no rows
		q.where = append(q.where, s.condition(2))
	}
	if r.IntN(10) == 0 {
		if n := s.subquery(); n != nil {
			q.where = append(q.where, n)
		}
	}
	if q.sets == "" && r.IntN(12) == 0 && kind > 5 {
		q.combine(r, w)
	}
	q.sort(r)
	return q
}

// draw chooses what to read from.
func (q *query) draw(r *rand.Rand, w *world) *scope {
	s := &scope{r: r, w: w}
	base := w.tables[0]
	if r.IntN(6) == 0 {
		base = w.tables[1]
	}
	q.from, s.cols = base.name+" a", base.as("a")
	switch r.IntN(12) {
	case 0: // a subquery in its place
		q.from = fmt.Sprintf("(SELECT * FROM %s a WHERE %s) a", base.name, s.condition(1))
	case 1:
		q.with = []string{fmt.Sprintf("w AS %s(SELECT * FROM %s a WHERE %s)", s.one("", "MATERIALIZED ", "NOT MATERIALIZED "), base.name, s.condition(1))}
		q.from = "w a"
	}
	if r.IntN(4) > 0 {
		return s
	}
	for i, t := range []*table{w.tables[1], w.tables[2]}[r.IntN(2):] {
		alias := string(rune('p' + i))
		inner := &scope{r: r, w: w, cols: t.as(alias), nested: 1}
		j := join{kind: s.one("JOIN", "JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN"), table: t.name + " " + alias}
		on := op(boolean, "(%s = %s)", leaf(integer, "a.%s", s.one("id", "j", "i2", "i4")), leaf(integer, "%s.id", alias))
		if r.IntN(4) == 0 {
			on = op(boolean, "(%s = %s)", leaf(integer, "a.id"), leaf(integer, "%s.%s", alias, s.one("j", "i4", "i8")))
		}
		j.on = []*node{on}
		if r.IntN(3) == 0 { // by text, and by both
			on = op(boolean, "(%s = %s)", leaf(text, "a.v"), leaf(text, "%s.v", alias))
			if j.on = append(j.on, on); r.IntN(2) == 0 {
				j.on = j.on[1:]
			}
		}
		if r.IntN(3) == 0 && j.kind != "FULL JOIN" {
			j.on = append(j.on, inner.condition(1))
		}
		q.joins = append(q.joins, j)
		s.cols = append(s.cols, inner.cols...)
	}
	return s
}

func (q *query) plain(s *scope) {
	for range 1 + s.r.IntN(4) {
		q.items = append(q.items, s.value(kind(s.r.IntN(int(kinds))), 2))
	}
	q.distinct = s.chance(4)
	if len(q.joins) > 0 && !q.distinct {
		q.limit = " LIMIT 200"
	}
}

func (q *query) group(s *scope) {
	q.grouped, q.keys = true, s.r.IntN(4)
	written := *s // keys of grouping sets are written twice, and telemdb takes no two subqueries for one
	written.nested = 1
	for range q.keys {
		k := []kind{integer, text, text, boolean, date, stamp, numeric, float, stampTZ}[s.r.IntN(9)]
		c := s.column(k)
		if s.chance(4) {
			c = op(k, "coalesce(%s, %s)", c, written.value(k, 2))
		}
		if q.near(s, &k, &c); (k == date || k == stamp || k == stampTZ) && s.chance(3) {
			c = op(numeric, s.one("extract(dow FROM %s)", "extract(month FROM %s)", "extract(year FROM %s)"), c)
		}
		q.items = append(q.items, c)
	}
	if q.keys > 0 && s.chance(4) {
		q.items = append(q.items, follower(s, q.items[s.r.IntN(q.keys)]))
		q.keys++
	}
	if q.keys > 0 && s.chance(6) {
		q.sets = s.one("ROLLUP", "CUBE", "GROUPING SETS")
		for range s.r.IntN(4) {
			q.listed = append(q.listed, uint(s.r.IntN(1<<q.keys)))
		}
	}
	for range 1 + s.r.IntN(4) {
		q.items = append(q.items, q.aggregate(s))
	}
	if s.chance(4) {
		q.alike(s)
	}
	if q.sets != "" && s.chance(3) {
		q.items = append(q.items, leaf(integer, "grouping(%s)", q.items[s.r.IntN(q.keys)]))
	}
	if s.chance(5) {
		q.having = append(q.having, op(boolean, "(%s "+s.one(">", "<=", "<>")+" %s)", leaf(integer, "count(*)"), s.constant(integer)))
	}
}

// near makes a key one that rows with equal values often lie together by.
func (q *query) near(s *scope, k *kind, c **node) {
	switch s.r.IntN(9) {
	case 0, 1:
		*k, *c = text, leaf(text, "a.s")
	case 2:
		*k, *c = integer, leaf(integer, "a.k")
	case 3:
		*k, *c = text, leaf(text, "a.v")
	case 4:
		*k, *c = integer, leaf(integer, "a.id")
	}
}

// alike adds aggregates that can be made of the same sums and counts.
func (q *query) alike(s *scope) {
	x := s.one("a.k", "a.m", "a.i2", "a.j", "a.id")
	filter := s.condition(1)
	for range 2 + s.r.IntN(4) {
		n := leaf(integer, "%s", s.one("sum("+x+")", "sum("+x+" + 1)", "sum("+x+" - 2 * a.k)", "sum(3 * a.m + "+x+")", "count("+x+")", "avg("+x+")",
			"min("+x+")", "max(a.m)", "sum(DISTINCT a.k)", "count(DISTINCT "+x+")"))
		switch s.r.IntN(6) {
		case 0, 1:
			n = op(n.kind, "%s FILTER (WHERE %s)", n, filter)
		case 2:
			n = op(n.kind, "sum(CASE WHEN %s THEN "+x+" ELSE 0 END)", filter)
		}
		q.items = append(q.items, n)
	}
}

// follower returns what follows from a key: it is computed from it, or is a constant.
func follower(s *scope, key *node) *node {
	if s.chance(5) {
		return leaf(text, "'constant'::text")
	}
	switch key.kind {
	case integer:
		return op(integer, s.one("(%s - 1)", "(%s * 2)", "%s", "(2147483640 + %s)"), key)
	case numeric, float:
		return op(key.kind, s.one("(%s + 1)", "abs(%s)", "%s"), key)
	case text:
		return op(text, s.one("upper(%s)", "(%s || 'x')", "%s", "coalesce(%s, 'none')"), key)
	case boolean:
		return op(boolean, "(NOT %s)", key)
	}
	return leaf(integer, "17::int")
}

// aggregate returns a call of an aggregate function.
func (q *query) aggregate(s *scope) *node {
	k := []kind{integer, integer, float, numeric, text, date, stamp}[s.r.IntN(7)]
	var n *node
	switch s.r.IntN(13) {
	case 10:
		n = leaf(integer, "sum(%s)", s.one("a.k", "a.m", "a.id"))
	case 11:
		n = leaf(numeric, "%s", s.one("sum(DISTINCT a.k)", "avg(DISTINCT a.m)", "sum(DISTINCT a.n)", "count(DISTINCT a.s)", "count(DISTINCT a.v)"))
	case 12:
		n = leaf(float, "%s", s.one("percentile_cont(0.5) WITHIN GROUP (ORDER BY a.k)", "percentile_disc(0.25) WITHIN GROUP (ORDER BY a.m)",
			"string_agg(a.v, ',' ORDER BY a.id)", "bit_or(a.m)", "bit_and(a.k)"))
	case 0, 1:
		n = leaf(integer, "count(*)")
	case 2:
		n = op(integer, "count(%s)", s.value(k, 1))
	case 3:
		n = op(integer, "count(DISTINCT %s)", s.value(k, 1))
	case 4, 5:
		k = []kind{integer, float, numeric}[s.r.IntN(3)]
		q.sums = q.sums || k == float
		n = op(k, s.one("sum", "sum", "avg")+"(%s)", s.value(k, 1))
	case 6, 7:
		n = op(k, s.one("min", "max")+"(%s)", s.value(k, 1))
	case 8:
		n = op(boolean, s.one("bool_and", "bool_or")+"(%s)", s.condition(1))
	default:
		k = []kind{integer, float, numeric}[s.r.IntN(3)]
		q.sums = q.sums || k == float
		n = op(k, s.one("stddev", "variance", "stddev_pop", "var_pop")+"(%s)", s.value(k, 0))
	}
	if s.chance(5) {
		n = op(n.kind, "%s FILTER (WHERE %s)", n, s.condition(1))
	}
	return n
}

// windows adds window functions over total orders.
func (q *query) windows(s *scope) {
	q.items = []*node{leaf(integer, "a.id")}
	for range 1 + s.r.IntN(2) {
		by := ""
		if s.r.IntN(3) > 0 {
			by = "PARTITION BY a." + s.one("a", "b", "j", "i2", "s", "s", "k", "v", "s, a.k") + " "
		}
		order := "ORDER BY a." + s.one("a", "d", "i4", "n", "ts", "ts", "s", "k") + s.one("", " DESC", " NULLS FIRST", " DESC NULLS LAST") + ", a.id"
		if s.chance(3) {
			order = "ORDER BY a.id" + s.one("", " DESC")
		}
		x := s.one("a.i2", "a.j", "a.n", "a.f", "a.k", "a.m")
		q.items = append(q.items, leaf(kinds, "%s OVER (%s%s)", s.one(
			"row_number()", "rank()", "dense_rank()", "ntile(5)", "percent_rank()", "sum("+x+")", "min("+x+")", "count(*)", "avg(a.j)",
			"lag(a.u)", "lead("+x+", 2)", "first_value(a.u)", "max("+x+")"), by, order+s.one("", "", " ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING")))
	}
	if s.chance(4) {
		q.ranks = fmt.Sprintf("c2 %s %d", s.one("<=", "=", "<", ">"), s.r.IntN(4))
		q.items[1] = leaf(kinds, "%s OVER (%sORDER BY a.%s, a.id)", s.one("row_number()", "rank()", "dense_rank()", "count(*)"),
			s.one("", "PARTITION BY a.s ", "PARTITION BY a.k ", "PARTITION BY a.j "), s.one("ts", "id", "n", "a DESC"))
	}
}

// combine adds a set operation with a query of the same types.
func (q *query) combine(r *rand.Rand, w *world) {
	q.items = nil
	second := &query{}
	s, s2 := &scope{r: r, w: w, cols: w.tables[0].as("a")}, second.draw(r, w)
	second.with = nil
	if strings.HasPrefix(second.from, "w ") {
		second.from = w.tables[0].name + " a"
	}
	second.joins, s2.cols = nil, w.tables[0].as("a")
	for range 1 + r.IntN(3) {
		k := kind(r.IntN(int(kinds)))
		a, b := s.column(k), s2.column(k)
		q.items, second.items = append(q.items, a), append(second.items, b)
	}
	for range r.IntN(3) {
		second.where = append(second.where, s2.condition(1))
	}
	q.distinct = false
	q.setOp, q.second = s.one("UNION", "UNION ALL", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL"), second
}

func (q *query) sort(r *rand.Rand) {
	if q.limit == "" && r.IntN(3) > 0 {
		return
	}
	for range r.IntN(3) {
		o := fmt.Sprint(1 + r.IntN(len(q.items)))
		if !slices.ContainsFunc(q.order, func(x string) bool { return strings.Fields(x)[0] == o }) {
			q.order = append(q.order, o+[]string{"", " DESC", " NULLS FIRST", " DESC NULLS LAST"}[r.IntN(4)])
		}
	}
	if len(q.order) == 0 {
		q.order = []string{"1"}
	}
	if r.IntN(2) == 0 {
		q.limit = fmt.Sprintf(" LIMIT %d", r.IntN(30))
		if r.IntN(4) == 0 {
			q.limit += fmt.Sprintf(" OFFSET %d", r.IntN(20))
		}
	}
}

// simpler drops pieces of the query while failing still says that what is left fails.
func (q *query) simpler(failing func() bool) {
	for budget := 60; budget > 0; budget-- {
		if !q.step(failing) {
			return
		}
	}
}

// step makes one change that keeps the query failing.
func (q *query) step(failing func() bool) bool {
	old := *q
	for _, change := range []func(){
		func() { q.setOp, q.second = "", nil }, func() { q.limit = "" }, func() { q.limit, q.order = "", nil },
		func() { q.having = nil }, func() { q.distinct = false }, func() { q.sets = "" }, func() { q.ranks = "" }, func() { q.listed = nil },
		func() { q.joins = nil }, func() { q.joins = q.joins[:max(0, len(q.joins)-1)] },
		func() { q.with, q.from = nil, "t0 a" },
	} {
		before := q.String()
		if change(); q.String() != before && failing() {
			return true
		}
		*q = old
	}
	for i := range q.where {
		if q.where = without(old.where, i); failing() {
			return true
		}
		q.where = old.where
	}
	for i := range q.items {
		if len(q.items) == 1 || q.setOp != "" {
			break
		}
		q.items = without(old.items, i)
		q.order = nil
		if i < q.keys {
			q.keys--
		}
		if failing() {
			return true
		}
		*q = old
	}
	for _, n := range slices.Concat(q.where, q.items) {
		if n.simpler(failing) {
			return true
		}
	}
	return false
}

func without(of []*node, i int) []*node { return slices.Concat(of[:i], of[i+1:]) }

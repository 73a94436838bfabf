package op

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func (b *builder) setOp(n *plan.SetOp) (plan.Rows, error) {
	l, err := b.build(n.L)
	if err != nil {
		return nil, err
	}
	r, err := b.build(n.R)
	if err != nil {
		l.Close()
		return nil, err
	}
	if n.Op == plan.Union {
		both := &unionRows{l: l, r: r, cols: n.Out}
		if n.All {
			return both, nil
		}
		return b.newDistinct(both, "union", n, n.Out), nil
	}
	m := b.newMatch(n, l, r)
	if n.Op == plan.Except && !n.All {
		return b.newDistinct(m, "set operation", n, n.Out), nil
	}
	return m, nil
}

// unionRows gives one input after the other, under the types of the result.
type unionRows struct {
	l, r   plan.Rows
	second bool
	cols   []plan.Col
	out    vec.Batch
	views  []vec.Vector
}

func (u *unionRows) Next() (*vec.Batch, error) {
	for {
		in := u.l
		if u.second {
			in = u.r
		}
		b, err := in.Next()
		if err != nil {
			return nil, err
		}
		if b != nil {
			return relabel(b, u.cols, &u.out, &u.views), nil
		}
		if u.second {
			return nil, nil
		}
		u.second = true
	}
}

func (u *unionRows) Close() { u.l.Close(); u.r.Close() }

// relabel gives b's columns the types of cols, which have the same classes (a NULL constant may have any).
func relabel(b *vec.Batch, cols []plan.Col, out *vec.Batch, views *[]vec.Vector) *vec.Batch {
	same := true
	for i, v := range b.Cols {
		same = same && v.Type == cols[i].Type
	}
	if same {
		return b
	}
	if *views == nil {
		*views = make([]vec.Vector, len(cols))
		for i := range cols {
			out.Cols = append(out.Cols, &(*views)[i])
		}
	}
	for i, v := range b.Cols {
		w := &(*views)[i]
		if v.Type.Phys() != cols[i].Type.Phys() {
			*w = vec.Vector{}
			w.SetConstNull(cols[i].Type, b.N)
			continue
		}
		*w = *v
		w.Type = cols[i].Type
	}
	out.N, out.Sel = b.N, b.Sel
	return out
}

// matchRows is INTERSECT and EXCEPT: the rows of R are counted by key, those of L looked up. EXCEPT without ALL gives
// duplicates, which whoever reads it removes. If the keys of R do not fit in memory, both sides go to disk by partition of
// their hash, and the partitions are matched one after the other.
type matchRows struct {
	n      *plan.SetOp
	b      *builder
	l, r   plan.Rows
	ts     []types.Type
	table  *keys.Table
	mapper *keys.Mapper // nil: R has not been read
	finder *keys.Finder
	count  []int64 // per key: rows of R not yet used up
	done   []bool  // INTERSECT without ALL: the key has been put out
	ids    []uint32
	out    vec.Batch
	sel    []uint16
	buf    vec.Bitmap
	mem    account
	views  [2][]vec.Vector
	view   [2]vec.Batch

	counted bool // R is a partition: its last column is a number of rows
	used    uint // hash bits that are the same in all keys
	depth   int
	parts   [2]*rowParts // of L and R; nil: all is in memory
	at      int
	part    *matchRows
}

func (b *builder) newMatch(n *plan.SetOp, l, r plan.Rows) *matchRows {
	return &matchRows{n: n, b: b, l: l, r: r, ts: colTypes(n.Out), mem: b.x.account("set operation", n)}
}

func (m *matchRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	if m.mapper == nil {
		m.table = newKeys(m.b.x, m.ts)
		m.mapper, m.finder = m.table.NewMapper(), m.table.NewFinder()
		m.mem.soft = m.b.x.spill != nil && m.depth < maxDepth
		if err := m.load(); err != nil {
			return nil, err
		}
		if m.parts[1] != nil {
			if err := m.scatterLeft(); err != nil {
				return nil, err
			}
		}
	}
	if m.parts[0] != nil {
		return m.fromDisk()
	}
	for {
		if err := expr.Canceled(m.b.ctx); err != nil {
			return nil, err
		}
		in, err := m.l.Next()
		if err != nil || in == nil {
			return nil, err
		}
		in = relabel(in, m.n.Out, &m.view[0], &m.views[0])
		sel := selection(in, &m.buf)
		m.room(in.N)
		if in.N > 0 && m.finder.Find(in.Cols, sel, in.N, m.ids) {
			m.spread()
		}
		m.sel = m.sel[:0]
		eachRow(sel, in.N, func(i int) {
			if m.keep(m.ids[i]) {
				m.sel = append(m.sel, uint16(i))
			}
		})
		if len(m.sel) > 0 {
			m.out = vec.Batch{N: in.N, Cols: in.Cols, Sel: m.sel}
			return &m.out, nil
		}
	}
}

func (m *matchRows) keep(id uint32) bool {
	has := int64(id) < int64(len(m.count)) && m.count[id] > 0 // keys.None is no place
	if m.n.All {
		if has {
			m.count[id]--
		}
		return has == (m.n.Op == plan.Intersect)
	}
	if m.n.Op == plan.Except {
		return !has
	}
	if !has || m.done[id] {
		return false
	}
	m.done[id] = true
	return true
}

// load counts the rows of R, or writes them to disk.
func (m *matchRows) load() error {
	for {
		if err := expr.Canceled(m.b.ctx); err != nil {
			return err
		}
		in, err := m.r.Next()
		if err != nil || in == nil {
			return err
		}
		var counts *vec.Vector
		if m.counted {
			last := len(in.Cols) - 1
			counts = in.Cols[last]
			in = &vec.Batch{N: in.N, Cols: in.Cols[:last], Sel: in.Sel}
		}
		in = relabel(in, m.n.Out, &m.view[1], &m.views[1])
		if m.parts[1] == nil && m.b.x.keysTight(len(m.count), m.mem.held, m.depth) {
			if err := m.toDisk(); err != nil {
				return err
			}
		}
		sel := selection(in, &m.buf)
		if m.parts[1] != nil {
			if counts == nil {
				counts = ones(in.N)
			}
			if err := m.parts[1].add(append(in.Cols[:len(in.Cols):len(in.Cols)], counts), in.Cols, sel, in.N); err != nil {
				return err
			}
			continue
		}
		if err := m.number(in, sel); err != nil {
			return err
		}
		eachRow(sel, in.N, func(i int) {
			if counts == nil {
				m.count[m.ids[i]]++
			} else {
				m.count[m.ids[i]] += counts.Int(i)
			}
		})
	}
}

// ones is a column of the number of rows that a row of R stands for.
func ones(n int) *vec.Vector {
	v := &vec.Vector{}
	v.SetFlat(types.Of(types.Int64), n)
	for i := range v.I64 {
		v.I64[i] = 1
	}
	return v
}

// toDisk writes what is known of R, and forgets it.
func (m *matchRows) toDisk() error {
	r := newRowParts(m.b.x, "set operation", m.n, m.ts, m.used)
	m.parts[1] = r
	for from := 0; from < len(m.count); from += vec.BatchRows {
		if err := expr.Canceled(m.b.ctx); err != nil {
			return err
		}
		to := min(from+vec.BatchRows, len(m.count))
		cols := make([]*vec.Vector, len(m.ts), len(m.ts)+1)
		for i, t := range m.ts {
			cols[i] = &vec.Vector{}
			cols[i].Reset(t)
		}
		m.table.Append(from, to, cols)
		counts := ones(to - from)
		copy(counts.I64, m.count[from:to])
		if err := r.add(append(cols, counts), cols, nil, to-from); err != nil {
			return err
		}
	}
	m.table = newKeys(m.b.x, m.ts)
	m.mapper, m.count, m.done = m.table.NewMapper(), nil, nil
	m.mem.free()
	return nil
}

// scatterLeft writes L beside R.
func (m *matchRows) scatterLeft() error {
	m.parts[0] = newRowParts(m.b.x, "set operation", m.n, m.ts, m.used)
	for {
		if err := expr.Canceled(m.b.ctx); err != nil {
			return err
		}
		in, err := m.l.Next()
		if err != nil || in == nil {
			return err
		}
		in = relabel(in, m.n.Out, &m.view[0], &m.views[0])
		if err := m.parts[0].add(in.Cols, in.Cols, selection(in, &m.buf), in.N); err != nil {
			return err
		}
	}
}

// fromDisk gives out the matches of one partition after the other.
func (m *matchRows) fromDisk() (*vec.Batch, error) {
	for ; m.at < len(m.parts[0].files) || m.part != nil; m.at++ {
		if m.part == nil {
			l, err := m.parts[0].take(m.at, m.b.ctx)
			if err != nil {
				return nil, err
			}
			if l == nil {
				continue // nothing of L: there is no match, and nothing that has none
			}
			m.part = &matchRows{n: m.n, b: m.b, l: l, r: noRows{}, ts: m.ts, mem: m.b.x.account("set operation", m.n),
				counted: true, used: m.used + rawBits, depth: m.depth + 1}
			r, err := m.parts[1].take(m.at, m.b.ctx)
			if err != nil {
				return nil, err
			}
			if r != nil {
				m.part.r = r
			}
		}
		b, err := m.part.Next()
		if b != nil || err != nil {
			return b, err
		}
		m.part.Close()
		m.part = nil
	}
	return nil, nil
}

func (m *matchRows) room(n int) {
	if cap(m.ids) < n {
		m.ids = make([]uint32, n)
	}
	m.ids = m.ids[:n]
}

// spread gives all rows the id of the first.
func (m *matchRows) spread() {
	for i := range m.ids {
		m.ids[i] = m.ids[0]
	}
}

// number sets ids for the rows of b, which is of R.
func (m *matchRows) number(b *vec.Batch, sel vec.Bitmap) error {
	m.room(b.N)
	if b.N == 0 {
		return nil
	}
	single, err := m.mapper.Map(b.Cols, sel, b.N, m.ids)
	if err != nil {
		return err
	}
	if single {
		m.spread()
	}
	for len(m.count) < m.table.Len() {
		m.count = append(m.count, 0)
		m.done = append(m.done, false)
	}
	return m.mem.to(m.table.Bytes() + int64(cap(m.count))*9)
}

func (m *matchRows) Close() {
	m.l.Close()
	m.r.Close()
	if m.part != nil {
		m.part.Close()
	}
	for _, p := range m.parts {
		if p != nil {
			p.close()
		}
	}
	m.mem.free()
}

package op

import (
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
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
		ts := colTypes(n.Out)
		return &distinctRows{in: both, ctx: b.ctx, vecs: make([]*vec.Vector, len(ts)), seen: newSeenKeys(b.x, "union", n, ts)}, nil
	}
	return &matchRows{n: n, l: l, r: r, table: newKeys(b.x, colTypes(n.Out)), mem: b.x.account("set operation", n)}, nil
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

// matchRows is INTERSECT and EXCEPT: the rows of R are counted by key, those of L looked up.
type matchRows struct {
	n      *plan.SetOp
	l, r   plan.Rows
	table  *keys.Table
	mapper *keys.Mapper
	count  []int64 // per key: rows of R not yet used up; DISTINCT: above 0 if R has it
	done   []bool  // DISTINCT: the key has been put out
	ids    []uint32
	out    vec.Batch
	sel    []uint16
	buf    vec.Bitmap
	mem    account
	views  [2][]vec.Vector
	view   [2]vec.Batch
}

func (m *matchRows) Next() (b *vec.Batch, err error) {
	defer guard(&err)
	if m.mapper == nil {
		m.mapper = m.table.NewMapper()
		if err := m.load(); err != nil {
			return nil, err
		}
	}
	for {
		in, err := m.l.Next()
		if err != nil || in == nil {
			return nil, err
		}
		in = relabel(in, m.n.Out, &m.view[0], &m.views[0])
		if err := m.number(in); err != nil {
			return nil, err
		}
		m.sel = m.sel[:0]
		eachRow(selection(in, &m.buf), in.N, func(i int) {
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
	has := m.count[id] > 0
	if m.n.All {
		if has {
			m.count[id]--
		}
		return has == (m.n.Op == plan.Intersect)
	}
	if m.done[id] || has != (m.n.Op == plan.Intersect) {
		return false
	}
	m.done[id] = true
	return true
}

func (m *matchRows) load() error {
	for {
		in, err := m.r.Next()
		if err != nil || in == nil {
			return err
		}
		in = relabel(in, m.n.Out, &m.view[1], &m.views[1])
		if err := m.number(in); err != nil {
			return err
		}
		eachRow(selection(in, &m.buf), in.N, func(i int) { m.count[m.ids[i]]++ })
	}
}

// number sets ids for the rows of b.
func (m *matchRows) number(b *vec.Batch) error {
	if cap(m.ids) < b.N {
		m.ids = make([]uint32, b.N)
	}
	m.ids = m.ids[:b.N]
	if b.N == 0 {
		return nil
	}
	single, err := m.mapper.Map(b.Cols, selection(b, &m.buf), b.N, m.ids)
	if err != nil {
		return err
	}
	if single {
		for i := range m.ids {
			m.ids[i] = m.ids[0]
		}
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
	m.mem.free()
}

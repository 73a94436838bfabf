package agg

import (
	"math"

	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// moments are those of pairs (y, x), by the method of Youngs and Cramer: count, sums, and sums of products of distances.
type moments struct{ n, sx, sxx, sy, syy, sxy float64 }

func (m *moments) add(y, x float64) {
	m.n++
	m.sx += x
	m.sy += y
	if m.n == 1 {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			m.sxx, m.sxy = math.NaN(), math.NaN()
		}
		if math.IsNaN(y) || math.IsInf(y, 0) {
			m.syy, m.sxy = math.NaN(), math.NaN()
		}
		return
	}
	dx, dy := x*m.n-m.sx, y*m.n-m.sy
	scale := 1 / (m.n * (m.n - 1))
	m.sxx += dx * dx * scale
	m.syy += dy * dy * scale
	m.sxy += dx * dy * scale
}

func (m *moments) merge(o *moments) {
	switch {
	case o.n == 0:
		return
	case m.n == 0:
		*m = *o
		return
	}
	n := m.n + o.n
	dx, dy := m.sx/m.n-o.sx/o.n, m.sy/m.n-o.sy/o.n
	w := m.n * o.n / n
	m.sxx += o.sxx + w*dx*dx
	m.syy += o.syy + w*dy*dy
	m.sxy += o.sxy + w*dx*dy
	m.n, m.sx, m.sy = n, m.sx+o.sx, m.sy+o.sy
}

// regressions compute the results from the moments; ok is false for NULL.
var regressions = map[string]func(m *moments) (x float64, ok bool){
	"covar_pop":      func(m *moments) (float64, bool) { return m.sxy / m.n, m.n >= 1 },
	"covar_samp":     func(m *moments) (float64, bool) { return m.sxy / (m.n - 1), m.n >= 2 },
	"corr":           func(m *moments) (float64, bool) { return m.sxy / math.Sqrt(m.sxx*m.syy), m.sxx != 0 && m.syy != 0 },
	"regr_avgx":      func(m *moments) (float64, bool) { return m.sx / m.n, m.n >= 1 },
	"regr_avgy":      func(m *moments) (float64, bool) { return m.sy / m.n, m.n >= 1 },
	"regr_sxx":       func(m *moments) (float64, bool) { return m.sxx, m.n >= 1 },
	"regr_syy":       func(m *moments) (float64, bool) { return m.syy, m.n >= 1 },
	"regr_sxy":       func(m *moments) (float64, bool) { return m.sxy, m.n >= 1 },
	"regr_slope":     func(m *moments) (float64, bool) { return m.sxy / m.sxx, m.sxx != 0 },
	"regr_intercept": func(m *moments) (float64, bool) { return (m.sy - m.sx*m.sxy/m.sxx) / m.n, m.sxx != 0 },
	"regr_r2": func(m *moments) (float64, bool) {
		if m.syy == 0 {
			return 1, m.sxx != 0
		}
		return m.sxy * m.sxy / (m.sxx * m.syy), m.sxx != 0
	},
}

// regrState is corr, covar_* and regr_*: rows with a NULL in either argument do not count.
type regrState struct {
	name   string
	m      []moments
	buf    vec.Bitmap
	second vec.Bitmap
}

func newRegression(call *plan.AggCall, ts []types.Type) State {
	if len(ts) != 2 || ts[0].Phys() != types.PhysFloat64 || ts[1].Phys() != types.PhysFloat64 {
		return nil
	}
	return &regrState{name: call.Fn.Name}
}

func (s *regrState) Grow(n int) { s.m = grown(s.m, n) }

func (s *regrState) Add(in *Input) error {
	y, x := in.Args[0], in.Args[1]
	both := Input{Sel: in.present(y, &s.buf), N: in.N}
	each(both.present(x, &s.second), in.N, func(i int) { s.m[in.group(i)].add(y.Float(i), x.Float(i)) })
	return nil
}

func (s *regrState) Merge(o State, from, to []uint32) error {
	p := o.(*regrState)
	for k, t := range to {
		g := source(from, k)
		s.m[t].merge(&p.m[g])
	}
	return nil
}

func (s *regrState) Result(from, to int, out *vec.Vector) error {
	for g := from; g < to; g++ {
		m := &s.m[g]
		if s.name == "regr_count" {
			out.AppendInt(int64(m.n))
			continue
		}
		if x, ok := regressions[s.name](m); ok && m.n > 0 {
			out.AppendFloat(x)
		} else {
			out.AppendNull()
		}
	}
	return nil
}

func (s *regrState) Bytes() int64 { return int64(cap(s.m)) * 48 }

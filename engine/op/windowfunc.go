package op

import (
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// windowFuncs are the window functions that are no aggregates.
var windowFuncs = map[string]func(*windowTask, *windowCall, *vec.Vector) error{
	"row_number":   (*windowTask).rowNumber,
	"rank":         (*windowTask).rank,
	"dense_rank":   (*windowTask).denseRank,
	"percent_rank": (*windowTask).percentRank,
	"cume_dist":    (*windowTask).cumeDist,
	"ntile":        (*windowTask).ntile,
	"lag":          func(t *windowTask, c *windowCall, out *vec.Vector) error { return t.shifted(c, out, -1) },
	"lead":         func(t *windowTask, c *windowCall, out *vec.Vector) error { return t.shifted(c, out, 1) },
	"first_value":  (*windowTask).firstValue,
	"last_value":   (*windowTask).lastValue,
	"nth_value":    (*windowTask).nthValue,
}

// perRow computes one word per row, told the partition [from, to) it is in.
func (t *windowTask) perRow(out *vec.Vector, f func(i, from, to int) int64) error {
	out.SetFlat(out.Type, t.n)
	for p := range len(t.starts) - 1 {
		from, to := int(t.starts[p]), int(t.starts[p+1])
		for i := from; i < to; i++ {
			out.I64[i] = f(i, from, to)
		}
	}
	return nil
}

func (t *windowTask) rowNumber(_ *windowCall, out *vec.Vector) error {
	out.SetFlat(out.Type, t.n)
	for p := range len(t.starts) - 1 {
		dst := out.I64[t.starts[p]:t.starts[p+1]]
		for i := range dst {
			dst[i] = int64(i + 1)
		}
	}
	return nil
}

func (t *windowTask) rank(_ *windowCall, out *vec.Vector) error {
	p := t.peerGroups()
	return t.perRow(out, func(i, from, _ int) int64 { return int64(p.start(i) - from + 1) })
}

func (t *windowTask) denseRank(_ *windowCall, out *vec.Vector) error {
	p := t.peerGroups()
	return t.perRow(out, func(i, from, _ int) int64 { return int64(p.group[i] - p.group[from] + 1) })
}

// perRowFloat is perRow for floats.
func (t *windowTask) perRowFloat(out *vec.Vector, f func(i, from, to int) float64) error {
	out.SetFlat(out.Type, t.n)
	for p := range len(t.starts) - 1 {
		from, to := int(t.starts[p]), int(t.starts[p+1])
		for i := from; i < to; i++ {
			out.F64[i] = f(i, from, to)
		}
	}
	return nil
}

func (t *windowTask) percentRank(_ *windowCall, out *vec.Vector) error {
	p := t.peerGroups()
	return t.perRowFloat(out, func(i, from, to int) float64 {
		if to-from <= 1 {
			return 0
		}
		return float64(p.start(i)-from) / float64(to-from-1)
	})
}

func (t *windowTask) cumeDist(_ *windowCall, out *vec.Vector) error {
	p := t.peerGroups()
	return t.perRowFloat(out, func(i, from, to int) float64 { return float64(p.end(i)-from) / float64(to-from) })
}

// ntile parts a partition into buckets whose sizes differ by one at most, the larger ones first. Their number is what the
// partition's first row says; as long as it is NULL there, so is the result.
func (t *windowTask) ntile(c *windowCall, out *vec.Vector) error {
	arg := &t.cols[c.args[0]]
	for p := range len(t.starts) - 1 {
		from, to := int(t.starts[p]), int(t.starts[p+1])
		total := int64(to - from)
		for ; from < to && arg.Null(from); from++ {
			out.AppendNull()
		}
		if from == to {
			continue
		}
		n := arg.Int(from)
		if n <= 0 {
			return sqlstate.New("22014", "argument of ntile must be greater than zero")
		}
		size, larger := total/n, total%n
		// The row after rows of NULL is the first of the first bucket, as PostgreSQL counts.
		for i := range int64(to - from) {
			b := int64(0)
			if i < larger*(size+1) {
				b = i / (size + 1)
			} else {
				b = larger + (i-larger*(size+1))/size
			}
			out.AppendInt(b + 1)
		}
	}
	return nil
}

// none marks, in a list of rows, one whose value is NULL.
const none = -1

// gather appends the values of v in the rows listed; negative ones are NULL.
func gather(out, v *vec.Vector, rows []int32) {
	ok := true
	for _, r := range rows {
		if r < 0 {
			ok = false
			break
		}
	}
	if ok {
		idx := make([]uint32, len(rows))
		for k, r := range rows {
			idx[k] = uint32(r)
		}
		vec.AppendIndexed(out, v, idx)
		return
	}
	if v.Type.Phys() == types.PhysInt64 && out.N == 0 {
		out.SetFlat(out.Type, len(rows))
		out.Valid = vec.MakeBitmap(len(rows))
		for k, r := range rows {
			if r >= 0 && !v.Null(int(r)) {
				out.Valid.Set(k)
				out.I64[k] = v.I64[r]
			}
		}
		return
	}
	for _, r := range rows {
		if r < 0 {
			out.AppendNull()
		} else {
			out.AppendFrom(v, int(r))
		}
	}
}

// shifted is lag and lead: the value some rows before or after.
func (t *windowTask) shifted(c *windowCall, out *vec.Vector, sign int64) error {
	v := &t.cols[c.args[0]]
	if len(c.args) == 1 && v.Valid == nil && v.Type.Phys() == types.PhysInt64 && t.n > 0 {
		t.shiftedByOne(v, out, sign)
		return nil
	}
	rows := make([]int32, t.n)
	defaults := false
	for p := range len(t.starts) - 1 {
		from, to := int64(t.starts[p]), int64(t.starts[p+1])
		for i := from; i < to; i++ {
			by := int64(1)
			if len(c.args) > 1 {
				o := &t.cols[c.args[1]]
				if o.Null(int(i)) {
					rows[i] = none
					continue
				}
				by = o.Int(int(i))
			}
			at := i + sign*by
			if at < from || at >= to {
				rows[i] = none - 1
				defaults = len(c.args) > 2
				continue
			}
			rows[i] = int32(at)
		}
	}
	if !defaults {
		gather(out, v, rows)
		return nil
	}
	d := &t.cols[c.args[2]]
	for i, r := range rows {
		switch {
		case r == none:
			out.AppendNull()
		case r < none:
			out.AppendFrom(d, i)
		default:
			out.AppendFrom(v, int(r))
		}
	}
	return nil
}

// shiftedByOne is shifted by one row, of integers without NULLs: all rows at once, and then those at the ends of partitions.
func (t *windowTask) shiftedByOne(v, out *vec.Vector, sign int64) {
	out.SetFlat(out.Type, t.n)
	out.Valid = vec.MakeBitmap(t.n)
	out.Valid.Fill(t.n)
	ends, by := t.starts[:len(t.starts)-1], int32(0)
	if sign < 0 {
		copy(out.I64[1:], v.I64[:t.n-1])
	} else {
		copy(out.I64, v.I64[1:t.n])
		ends, by = t.starts[1:], 1
	}
	for _, i := range ends {
		out.I64[i-by] = 0
		out.Valid.Clear(int(i - by))
	}
}

// pick gathers the value of the row that f chooses among the spans of each row's frame.
func (t *windowTask) pick(c *windowCall, out *vec.Vector, f func(i int, spans []span) (int32, error)) error {
	fr := t.frames(c)
	rows := make([]int32, t.n)
	var buf [3]span
	for i := range rows {
		if i%windowLook == 0 {
			if err := t.canceled(); err != nil {
				return err
			}
		}
		r, err := f(i, t.spans(c, fr, i, buf[:]))
		if err != nil {
			return err
		}
		rows[i] = r
	}
	gather(out, &t.cols[c.args[0]], rows)
	return nil
}

func (t *windowTask) firstValue(c *windowCall, out *vec.Vector) error {
	return t.pick(c, out, func(_ int, spans []span) (int32, error) {
		if len(spans) == 0 {
			return none, nil
		}
		return int32(spans[0].from), nil
	})
}

func (t *windowTask) lastValue(c *windowCall, out *vec.Vector) error {
	return t.pick(c, out, func(_ int, spans []span) (int32, error) {
		if len(spans) == 0 {
			return none, nil
		}
		return int32(spans[len(spans)-1].to - 1), nil
	})
}

func (t *windowTask) nthValue(c *windowCall, out *vec.Vector) error {
	nth := &t.cols[c.args[1]]
	return t.pick(c, out, func(i int, spans []span) (int32, error) {
		if nth.Null(i) {
			return none, nil
		}
		n := nth.Int(i)
		if n <= 0 {
			return none, sqlstate.New("22016", "argument of nth_value must be greater than zero")
		}
		for _, s := range spans {
			if n <= int64(s.to-s.from) {
				return int32(s.from) + int32(n-1), nil
			}
			n -= int64(s.to - s.from)
		}
		return none, nil
	})
}

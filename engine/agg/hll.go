package agg

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/simd"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// hllState is approx_count_distinct: HyperLogLog with 2^12 registers, a standard error of 1.6 %. A group starts as a list
// of hashes, which counts exactly, and gets registers when the list is full.
type hllState struct {
	t      types.Type
	groups []hllGroup
	held   int64
	buf    vec.Bitmap
	key    []byte
	dict   *vec.Vector
	hashes []uint64 // of dict's entries
	rows   []uint64
	dense  dense[uint64]
}

const (
	hllBits   = 12
	hllSize   = 1 << hllBits
	hllSparse = 256
)

type hllGroup struct {
	list []uint64 // distinct hashes, ascending
	reg  []byte   // registers, once the list is full
}

func newHLL(_ *plan.AggCall, ts []types.Type) State {
	if len(ts) != 1 {
		return nil
	}
	return &hllState{t: ts[0]}
}

func (s *hllState) Grow(n int) { s.groups = grown(s.groups, n) }

func (s *hllState) Add(in *Input) error {
	v := in.Args[0]
	if v.Form == vec.Dict && s.dict != v.Dict {
		s.dict, s.hashes = v.Dict, s.hashes[:0]
		entries := *v.Dict
		entries.Type = s.t
		for i := range entries.N {
			s.hashes = append(s.hashes, s.hash(&entries, i))
		}
	}
	sel := in.present(v, &s.buf)
	if v.Form == vec.Const && in.Groups == nil {
		if count(sel, in.N) > 0 {
			s.add(in.One, s.hash(v, 0))
		}
		return nil
	}
	hs, groups := s.dense.rows(s.hashAll(v, in.N, sel), in, sel)
	if groups == nil {
		s.addAll(in.One, hs)
	}
	for i, g := range groups {
		s.add(g, hs[i])
	}
	return nil
}

// addAll adds hashes to one group.
func (s *hllState) addAll(g uint32, hs []uint64) {
	p := &s.groups[g]
	for i, h := range hs {
		if p.reg != nil {
			for _, h := range hs[i:] {
				p.set(h)
			}
			return
		}
		s.add(g, h)
	}
}

// hashAll returns the hashes of the selected rows at their places.
func (s *hllState) hashAll(v *vec.Vector, n int, sel vec.Bitmap) []uint64 {
	if v.Form == vec.Dict && len(s.hashes) > 0 {
		s.rows = coded(s.rows, s.hashes, v.Codes[:n])
		return s.rows
	}
	s.rows = grown(s.rows[:0], n)
	if v.Form == vec.Flat && s.t.Phys() == types.PhysInt64 {
		for i, x := range v.I64[:n] {
			s.rows[i] = hashWord(uint64(x))
		}
		return s.rows
	}
	each(sel, n, func(i int) { s.rows[i] = s.hash(v, i) })
	return s.rows
}

// hashWord is xxh3.Hash of the 8 bytes of x, least significant first.
func hashWord(x uint64) uint64 {
	const secret, prime = 0xc73ab174c5ecd5a2, 0x9fb21c651e98df25
	x = bits.RotateLeft64(x, 32) ^ secret
	x ^= bits.RotateLeft64(x, 49) ^ bits.RotateLeft64(x, 24)
	x *= prime
	x ^= x>>35 + 8
	x *= prime
	return x ^ x>>28
}

// hash is the same for values that are equal in SQL.
func (s *hllState) hash(v *vec.Vector, i int) uint64 {
	switch s.t.Phys() {
	case types.PhysBytes:
		if keys.Canonical(s.t) {
			s.key = datum.AppendKey(s.key[:0], v, i)
			return xxh3.Hash(s.key)
		}
		return xxh3.Hash(v.Bytes(i))
	case types.PhysBool:
		s.key = append(s.key[:0], 0)
		if v.Bool(i) {
			s.key[0] = 1
		}
	case types.PhysInt64:
		s.key = binary.LittleEndian.AppendUint64(s.key[:0], uint64(v.Int(i)))
	default:
		s.key = binary.LittleEndian.AppendUint64(s.key[:0], datum.FloatKey(v.Float(i)))
	}
	return xxh3.Hash(s.key)
}

func (s *hllState) add(g uint32, h uint64) {
	p := &s.groups[g]
	if p.reg != nil {
		p.set(h)
		return
	}
	at, found := slices.BinarySearch(p.list, h)
	if found {
		return
	}
	before := cap(p.list)
	p.list = slices.Insert(p.list, at, h)
	s.held += int64(cap(p.list)-before) * 8
	if len(p.list) > hllSparse {
		s.spread(p)
	}
}

func (s *hllState) spread(p *hllGroup) {
	p.reg = make([]byte, hllSize)
	s.held += hllSize - int64(cap(p.list))*8
	for _, x := range p.list {
		p.set(x)
	}
	p.list = nil
}

func (p *hllGroup) set(h uint64) {
	i := h >> (64 - hllBits)
	rho := byte(bits.LeadingZeros64(h<<hllBits|1<<(hllBits-1)) + 1)
	p.reg[i] = max(p.reg[i], rho)
}

func (s *hllState) Merge(o State, from, to []uint32) error {
	q := o.(*hllState)
	for k, t := range to {
		g := source(from, k)
		src := &q.groups[g]
		for _, h := range src.list {
			s.add(t, h)
		}
		if src.reg == nil {
			continue
		}
		dst := &s.groups[t]
		if dst.reg == nil {
			s.spread(dst)
		}
		simd.MaxU8(dst.reg, src.reg)
	}
	return nil
}

func (s *hllState) Result(from, to int, out *vec.Vector) error {
	for g := from; g < to; g++ {
		out.AppendInt(s.groups[g].estimate())
	}
	return nil
}

func (p *hllGroup) estimate() int64 {
	if p.reg == nil {
		return int64(len(p.list))
	}
	sum, zeros := 0.0, 0
	for _, r := range p.reg {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			zeros++
		}
	}
	const m = float64(hllSize)
	e := 0.7213 / (1 + 1.079/m) * m * m / sum
	if e <= 2.5*m && zeros > 0 {
		e = m * math.Log(m/float64(zeros))
	}
	return int64(math.Round(e))
}

func (s *hllState) Bytes() int64 { return int64(cap(s.groups))*48 + s.held }

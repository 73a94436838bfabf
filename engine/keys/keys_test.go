package keys

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

var (
	tBool    = types.Of(types.Bool)
	tInt     = types.Of(types.Int64)
	tFloat   = types.Of(types.Float64)
	tText    = types.Of(types.Text)
	tNumeric = types.Of(types.Numeric)
)

// randomVector returns n values of t out of about card, in a random form. pool holds the dictionaries made so far, so
// that some come back.
func randomVector(rng *rand.Rand, t types.Type, n, card int) *vec.Vector {
	v := &vec.Vector{}
	v.Reset(t)
	value := func(v *vec.Vector) {
		x := rng.IntN(card)
		switch t.Kind {
		case types.Bool:
			v.AppendBool(x%2 == 0)
		case types.Int64:
			if x%3 == 0 {
				v.AppendInt(int64(x) * 1_000_000_007) // beyond the array
			} else {
				v.AppendInt(int64(x))
			}
		case types.Float64:
			v.AppendFloat([]float64{0, math.Copysign(0, -1), math.NaN(), float64(x)}[rng.IntN(4)])
		case types.Numeric:
			v.AppendString(fmt.Sprint(x) + []string{"", ".0", ".00"}[rng.IntN(3)])
		default:
			v.AppendString(fmt.Sprint("key-", x))
		}
	}
	switch rng.IntN(4) {
	case 0:
		if rng.IntN(3) == 0 {
			v.SetConstNull(t, n)
			return v
		}
		value(v)
		v.Form, v.N = vec.Const, n
	case 1:
		d := &vec.Vector{}
		d.Reset(t)
		for range 1 + rng.IntN(card) {
			value(d)
		}
		if t.Kind == types.Numeric {
			d.Type = tText // a stored column's dictionary has the leaf's type
		}
		v.Form, v.Dict, v.N = vec.Dict, d, n
		v.Valid = vec.MakeBitmap(n)
		for i := range n {
			if rng.IntN(5) == 0 {
				v.Codes = append(v.Codes, 0)
				continue
			}
			v.Valid.Set(i)
			v.Codes = append(v.Codes, uint32(rng.IntN(d.N)))
		}
	default:
		nulls := rng.IntN(2) == 0
		for range n {
			if nulls && rng.IntN(5) == 0 {
				v.AppendNull()
			} else {
				value(v)
			}
		}
	}
	return v
}

// rowKey is what tells keys apart, by datum's own rule.
func rowKey(cols []*vec.Vector, i int) string {
	var b []byte
	for _, v := range cols {
		if v.Null(i) {
			b = append(b, 0)
			continue
		}
		one := &vec.Vector{}
		one.Reset(v.Type)
		one.AppendFrom(v, i)
		b = datum.AppendKey(append(b, 1), one, 0)
	}
	return string(b)
}

// TestIDsAgreeWithAMap compares Map, Find, Append and Merge with a Go map over random keys.
func TestIDsAgreeWithAMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 4))
	for _, ts := range [][]types.Type{{}, {tText}, {tInt}, {tBool}, {tFloat}, {tNumeric}, {tText, tInt}, {tBool, tText, tInt},
		{tInt, tInt}, {tFloat, tText, tBool}, {tNumeric, tFloat, tText, tBool}} {
		for _, card := range []int{1, 3, 40, 3000} {
			checkTable(t, rng, ts, card, nil)
			checkTable(t, rng, ts, card, func(x *Table) { x.rowsFrom = rng.IntN(20) })
			checkTable(t, rng, ts, card, func(x *Table) { x.rowsFrom = 0; x.Reserve(rng.IntN(3000)) })
		}
		checkTable(t, rng, ts, 12, func(x *Table) { x.EqualHashes(); x.rowsFrom = rng.IntN(20) })
		checkTable(t, rng, ts, 12, func(x *Table) { x.EqualHashes(); x.rowsFrom = 0; x.Reserve(1) })
	}
}

func checkTable(t *testing.T, rng *rand.Rand, ts []types.Type, card int, prepare func(*Table)) {
	a, b := New(ts), New(ts)
	if prepare != nil {
		prepare(a)
		prepare(b)
	}
	ma, mb := a.NewMapper(), b.NewMapper()
	known := [2]map[string]uint32{{}, {}}
	var names []string // by id in a
	for range 30 {
		n := []int{1, 2, 3, 100, 1024}[rng.IntN(5)]
		cols := make([]*vec.Vector, len(ts))
		for i, typ := range ts {
			cols[i] = randomVector(rng, typ, n, card)
		}
		var sel vec.Bitmap
		if rng.IntN(2) == 0 {
			sel = vec.MakeBitmap(n)
			for i := range n {
				sel.SetTo(i, rng.IntN(2) == 0)
			}
		}
		which := rng.IntN(2)
		table, m, index := a, ma, known[0]
		if which == 1 {
			table, m, index = b, mb, known[1]
		}
		// Before the keys are added, Find knows the old ones only.
		ids := make([]uint32, n)
		single := table.NewFinder().Find(cols, sel, n, ids)
		each(sel, n, func(i int) {
			want, ok := index[rowKey(cols, i)]
			if !ok {
				want = None
			}
			if len(ts) == 0 {
				want = 0
			}
			if got := at(ids, i, single); got != want {
				t.Fatalf("%v: Find gives %d, want %d", ts, got, want)
			}
		})
		single, err := m.Map(cols, sel, n, ids)
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		each(sel, n, func(i int) {
			rows++
			k, got := rowKey(cols, i), at(ids, i, single)
			want, ok := index[k]
			if !ok {
				want = uint32(len(index))
				index[k] = want
				if which == 0 {
					names = append(names, k)
				}
			}
			if got != want {
				t.Fatalf("%v of %d: row %d has id %d, want %d", ts, card, i, got, want)
			}
		})
		if rows > 0 && len(ts) > 0 && table.Len() != len(index) && !single {
			t.Fatalf("%v: %d keys, want %d", ts, table.Len(), len(index))
		}
	}
	if len(ts) == 0 {
		return
	}
	to, err := ma.Merge(b)
	if err != nil {
		t.Fatal(err)
	}
	for k, id := range known[1] {
		want, ok := known[0][k]
		if ok && to[id] != want {
			t.Fatalf("%v: merged key has id %d, want %d", ts, to[id], want)
		}
		if !ok && int(to[id]) < len(known[0]) {
			t.Fatalf("%v: a new key has the id of an old one", ts)
		}
	}
	out := make([]*vec.Vector, len(ts))
	for i, typ := range ts {
		out[i] = &vec.Vector{}
		out[i].Reset(typ)
	}
	a.Append(0, a.Len(), out)
	for i, k := range names {
		if got := rowKey(out, i); got != k {
			t.Fatalf("%v: key %d comes back as %q, was %q", ts, i, got, k)
		}
	}
}

func at(ids []uint32, i int, single bool) uint32 {
	if single {
		return ids[0]
	}
	return ids[i]
}

func each(sel vec.Bitmap, n int, f func(i int)) { eachSelected(sel, n, f) }

func TestConstantKeysOfABatchAreLookedUpOnce(t *testing.T) {
	tab := New([]types.Type{tText, tInt})
	a, b := &vec.Vector{}, &vec.Vector{}
	a.Reset(tText)
	a.AppendString("release")
	a.Form, a.N = vec.Const, 1000
	b.Reset(tInt)
	b.AppendInt(5)
	b.Form, b.N = vec.Const, 1000
	ids := make([]uint32, 1000)
	single, err := tab.NewMapper().Map([]*vec.Vector{a, b}, nil, 1000, ids)
	if err != nil || !single || ids[0] != 0 || tab.Len() != 1 {
		t.Fatal(single, err, tab.Len())
	}
}

func BenchmarkMap(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 1024
	for _, card := range []int{16, 1000, 30000, 500000} {
		batches := make([]*vec.Vector, 1024)
		for k := range batches {
			v := &vec.Vector{}
			v.Reset(tInt)
			for range n {
				v.AppendInt(int64(rng.IntN(card)) * 1_000_003)
			}
			batches[k] = v
		}
		b.Run(fmt.Sprint("ints of ", card), func(b *testing.B) {
			m := New([]types.Type{tInt}).NewMapper()
			ids := make([]uint32, n)
			k := 0
			for b.Loop() {
				if _, err := m.Map([]*vec.Vector{batches[k&1023]}, nil, n, ids); err != nil {
					b.Fatal(err)
				}
				k++
			}
			b.ReportMetric(float64(k)*n/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

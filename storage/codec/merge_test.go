package codec

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// mergeCase is chunks, the rows that are wanted of them, and the column that these make.
type mergeCase struct {
	src  []Source
	want *vec.Vector // a slot per row
}

// randomMerge makes chunks of a shape and wants some rows of each, in random turns; some rows of the output have no
// source.
func randomMerge(t *testing.T, s *shape, r *rand.Rand) mergeCase {
	t.Helper()
	var c mergeCase
	var refs []*vec.Vector
	var e Encoder
	type ref struct{ source, row int } // source -1: none
	var turns []ref
	for i := range 1 + r.IntN(4) {
		rows := []int{1, 30, 1000, 1500, 3000}[r.IntN(5)]
		v := s.build(r, rows, []int{1000, 1000, 500, -300, 20}[r.IntN(5)])
		data, err := e.Encode(nil, v, Options{AlignCodes: true})
		if err != nil {
			t.Fatal(err)
		}
		chunk, err := Open(v.Leaf, v.Rows, v.Present(), data)
		if err != nil {
			t.Fatal(err)
		}
		c.src = append(c.src, Source{Chunk: chunk, Data: data})
		refs = append(refs, v.flat())
		first, last := 0, rows
		if r.IntN(2) == 0 {
			first = r.IntN(rows)
			last = first + 1 + r.IntN(rows-first)
		}
		for row := first; row < last; row++ {
			if r.IntN(10) > 0 {
				turns = append(turns, ref{i, row})
			}
		}
	}
	if r.IntN(3) == 0 {
		for range r.IntN(40) {
			turns = append(turns, ref{source: -1})
		}
	}
	order := make([]int, len(turns)) // the sources' turns, each source's rows in their order
	for i := range turns {
		order[i] = turns[i].source
	}
	r.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
	next := make([][]int, len(c.src))
	for _, x := range turns {
		if x.source >= 0 {
			next[x.source] = append(next[x.source], x.row)
		}
	}
	c.want = &vec.Vector{}
	c.want.Reset(s.leaf.Type())
	for to, i := range order {
		if i < 0 {
			c.want.AppendNull()
			continue
		}
		row := next[i][0]
		next[i] = next[i][1:]
		c.src[i].Want = append(c.src[i].Want, uint32(row)<<16|uint32(to))
		c.want.AppendFrom(refs[i], row)
	}
	return c
}

// valuesOf is the column as an Encoder takes it.
func (c mergeCase) valuesOf(leaf types.Leaf) *Values {
	v := &Values{Leaf: leaf, Rows: c.want.N}
	v.Vec.Reset(leaf.Type())
	for i := range c.want.N {
		if !c.want.Null(i) {
			v.Pos = append(v.Pos, uint16(i))
			v.Vec.AppendFrom(c.want, i)
		}
	}
	if len(v.Pos) == v.Rows {
		v.Pos = nil
	}
	return v
}

func TestAMergedChunkIsThatOfTheGatheredValues(t *testing.T) {
	always := func(int) bool { return true }
	rounds := prove.Rounds(24, 60)
	for si := range shapes {
		s := &shapes[si]
		t.Run(s.name, func(t *testing.T) {
			merged := 0
			var e Encoder // used again and again, as a Writer does
			for seed := range uint64(rounds) {
				r := newRand(seed*100 + uint64(si))
				c := randomMerge(t, s, r)
				if c.want.N == 0 {
					continue
				}
				o := Options{AlignCodes: r.IntN(2) == 0}
				zones, chunk, m, ok, err := e.Merge([]byte("zones"), []byte("chunk"), s.leaf, c.want.N, c.src, o, always)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if !ok {
					if len(chunk) != 5 {
						t.Fatalf("seed %d: %d bytes of a chunk that was not merged", seed, len(chunk)-5)
					}
					continue
				}
				merged++
				if err := checkMerged(c.valuesOf(s.leaf), c.want, zones[5:], chunk[5:], m); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			if slices.Contains([]string{"const", "dict", "dict+rare", "for", "delta", "runs", "hist", "uuid", "bitmap", "alp"}, s.want) && 6*merged < rounds && s.name != "float odd" && s.name != "float NaN constant" {
				t.Errorf("only %d of %d were merged", merged, rounds)
			}
		})
	}
}

func checkMerged(v *Values, want *vec.Vector, zones, chunk []byte, m Merged) error {
	if m.Present != v.Present() {
		return fmt.Errorf("%d values, want %d", m.Present, v.Present())
	}
	var e Encoder
	wantZones, constant := e.AppendZones(nil, v)
	z, _, err := OpenZones(v.Leaf, v.Rows, m.Present, zones)
	if err != nil {
		return err
	}
	// A column of a few rows may be constant by chance, which a merge need not notice.
	if value, ok := z.Constant(); ok && (wantZones[0]&zoneConst == 0 || !sameValue(&v.Vec, 0, value, 0)) {
		return fmt.Errorf("a constant in the zone map of a column that is none")
	} else if wantZones[0]&zoneConst == 0 && !slices.Equal(zones, wantZones) {
		return fmt.Errorf("zone map %x, want %x", zones, wantZones)
	}
	if m.Constant {
		if !constant {
			return fmt.Errorf("called constant")
		}
		return nil
	}
	c, err := Open(v.Leaf, v.Rows, m.Present, chunk)
	if err != nil {
		return err
	}
	if HasDict(chunk[0]) != (m.Distinct != nil) {
		return fmt.Errorf("%s: the dictionary returned is %v", c.Describe(chunk), m.Distinct)
	}
	if d := c.Dict(); d != nil {
		if d.N != m.Distinct.N {
			return fmt.Errorf("a dictionary of %d values, %d returned", d.N, m.Distinct.N)
		}
		used := make([]bool, d.N)
		for i := range v.Present() {
			for k := range d.N {
				used[k] = used[k] || sameValue(&v.Vec, i, d, k)
			}
		}
		if slices.Contains(used, false) {
			return fmt.Errorf("the dictionary has values that no row has")
		}
	}
	var got vec.Vector
	for from := 0; from < v.Rows; from += blockValues {
		to := min(from+blockValues, v.Rows)
		if err := c.Read(chunk, from, to, &got); err != nil {
			return fmt.Errorf("%s: %w", c.Describe(chunk), err)
		}
		for i := range to - from {
			if got.Null(i) != want.Null(from+i) || !want.Null(from+i) && !sameValue(want, from+i, &got, i) {
				return fmt.Errorf("%s: row %d differs", c.Describe(chunk), from+i)
			}
		}
	}
	return nil
}

func TestADamagedSourceIsAnErrorOrAnotherChunkNeverAPanic(t *testing.T) {
	var e Encoder
	for seed := range uint64(300) {
		r := newRand(seed + 7000)
		s := &shapes[r.IntN(len(shapes))]
		c := randomMerge(t, s, r)
		if c.want.N == 0 {
			continue
		}
		src := &c.src[r.IntN(len(c.src))]
		src.Data = slices.Clone(src.Data)
		for range 1 + r.IntN(4) {
			src.Data[r.IntN(len(src.Data))] ^= 1 << r.IntN(8)
		}
		chunk, err := Open(s.leaf, src.Chunk.pres.rows, src.Chunk.pres.present, src.Data)
		if err != nil {
			continue
		}
		src.Chunk = chunk
		_, out, m, ok, err := e.Merge(nil, nil, s.leaf, c.want.N, c.src, Options{}, func(int) bool { return true })
		if err != nil || !ok || m.Constant {
			continue
		}
		merged, err := Open(s.leaf, c.want.N, m.Present, out)
		if err != nil {
			t.Fatalf("seed %d, %s: what was merged cannot be opened: %v", seed, s.name, err)
		}
		var got vec.Vector
		for from := 0; from < c.want.N; from += blockValues {
			if err := merged.Read(out, from, min(from+blockValues, c.want.N), &got); err != nil && !isCorrupt(err) {
				t.Fatalf("seed %d, %s: %v", seed, s.name, err)
			}
		}
	}
}

package segment

import (
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// dictSegment has a column with a dictionary and a constant one with NULLs, over several blocks.
func dictSegment(t *testing.T, cache *Cache) *Reader {
	fs := vfs.NewMem()
	channel, constant := &vec.Vector{}, &vec.Vector{}
	channel.Reset(types.Of(types.Text))
	constant.Reset(types.Of(types.Text))
	for i := range 5000 {
		channel.AppendString([]string{"beta", "nightly", "release"}[i%3])
		if i%2 == 0 {
			constant.AppendString("Firefox")
		} else {
			constant.AppendNull()
		}
	}
	m := column.NewMem(5000)
	m.Add("channel", types.LeafText, channel)
	m.Add("app", types.LeafText, constant)
	write(t, fs, WriterOptions{Path: "/s", ID: 1}, adding([]column.Group{m}, allRows(5000)))
	return open(t, fs, "/s", 1, cache)
}

func TestDictionaryOfStatsIsTheOneOfEveryBlock(t *testing.T) {
	for _, budget := range []int64{0, 1 << 20} {
		cache := NewCache(budget)
		defer cache.Close()
		r := dictSegment(t, cache)
		for name, n := range map[types.Path]int{"channel": 3, "app": 1} {
			c, _ := r.Group(0).Find(name, types.LeafText)
			dict := c.Stats().Dict
			if dict == nil || dict.N != n {
				t.Fatalf("%s: dictionary %+v", name, dict)
			}
			var v vec.Vector
			for from := 0; from < 5000; from += vec.BlockRows {
				if err := c.Read(from, min(from+vec.BlockRows, 5000), &v); err != nil {
					t.Fatal(err)
				}
				if v.Form != vec.Dict || v.Dict != dict {
					t.Fatalf("%s: block at %d has form %d and a dictionary of its own", name, from, v.Form)
				}
			}
		}
	}
}

func TestMatchIsAskedOncePerDictionary(t *testing.T) {
	r := dictSegment(t, nil)
	c, _ := r.Group(0).Find("channel", types.LeafText)
	asked := 0
	match := &column.Pred{Op: column.OpMatch, Leaf: types.LeafText, Match: func(vals *vec.Vector, pass vec.Bitmap) error {
		asked += vals.N
		pass.Set(1)
		return nil
	}}
	other := &column.Pred{Op: column.OpNe, Leaf: types.LeafText, B: []byte("beta")}
	rows := 0
	for from := 0; from < 5000; from += vec.BlockRows {
		to := min(from+vec.BlockRows, 5000)
		sel := vec.MakeBitmap(to - from)
		sel.Fill(to - from)
		for _, p := range []*column.Pred{other, match} {
			if err := c.Filter(from, to, p, sel); err != nil {
				t.Fatal(err)
			}
		}
		rows += sel.Count()
	}
	if asked != 3 || rows != 1667 {
		t.Errorf("asked about %d values, %d rows pass", asked, rows)
	}
}

func TestPredicateChangedInPlaceIsPreparedAnew(t *testing.T) {
	r := dictSegment(t, nil)
	c, _ := r.Group(0).Find("channel", types.LeafText)
	p := &column.Pred{Op: column.OpEq, Leaf: types.LeafText}
	for value, want := range map[string]int{"beta": 342, "nightly": 341, "none": 0} {
		p.B = append(p.B[:0], value...)
		sel := vec.MakeBitmap(1024)
		sel.Fill(1024)
		if err := c.Filter(0, 1024, p, sel); err != nil || sel.Count() != want {
			t.Errorf("%s: %d rows, want %d (%v)", value, sel.Count(), want, err)
		}
	}
}

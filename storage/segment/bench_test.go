package segment

import (
	"fmt"
	"sync"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// wideGroup has the shape of real main pings: 2,000 rows, about 4,700 columns, 741 of them histograms with 8 listed pairs,
// a thousand of them rare.
var wideGroup = sync.OnceValue(func() *column.Mem {
	const rows = 2000
	r := newRand(1)
	m := column.NewMem(rows)
	add := func(name string, i int, leaf types.Leaf, share float64, value func(v *vec.Vector, row int)) {
		v := &vec.Vector{}
		v.Reset(leaf.Type())
		for row := range rows {
			if r.Float64() < share {
				value(v, row)
			} else {
				v.AppendNull()
			}
		}
		m.Add(types.MakePath("payload", name, fmt.Sprintf("SOME_MEASUREMENT_%04d", i)), leaf, v)
	}
	shares := []float64{1, 0.95, 0.6, 0.3, 0.1}
	for i := range 741 {
		h := sketch.Histogram{Layout: sketch.Layout{Type: 0, Buckets: 50, Low: 1, High: 10000 + int64(i%130)}}
		bounds := h.Layout.Bounds()
		add("histograms", i, types.LeafHistogram, shares[i%5], func(v *vec.Vector, row int) {
			h.Buckets, h.Sum = h.Buckets[:0], 0
			first := r.IntN(30)
			for k := range 2 + r.IntN(13) {
				n := int64(r.ExpFloat64() * r.ExpFloat64() * 10)
				h.Buckets = append(h.Buckets, sketch.Bucket{Bound: bounds[first+k], Count: n})
				h.Sum += n * bounds[first+k]
			}
			v.AppendBytes(h.AppendTo(nil))
		})
	}
	for i := range 2400 {
		scale := int64(1) << (i % 30)
		add("scalars", i, types.LeafInt, shares[i%5], func(v *vec.Vector, row int) { v.AppendInt(int64(r.ExpFloat64() * float64(scale))) })
	}
	for i := range 300 {
		add("environment", i, types.LeafText, shares[i%5], func(v *vec.Vector, row int) {
			v.AppendString(fmt.Sprintf("value-%d", int(r.ExpFloat64()*float64(1+i%40))))
		})
	}
	for i := range 200 {
		add("flags", i, types.LeafBool, shares[i%5], func(v *vec.Vector, row int) { v.AppendBool(r.IntN(10) < i%10) })
	}
	for i := range 1000 {
		add("rare", i, types.LeafInt, 0.005, func(v *vec.Vector, row int) { v.AppendInt(r.Int64N(100)) })
	}
	for i := range 40 {
		add("events", i, types.LeafJSON, 0.3, func(v *vec.Vector, row int) {
			v.AppendString(fmt.Sprintf(`[[%d, "navigation", "search", "urlbar", "enter", {"engine": "engine-%d"}]]`, r.IntN(1e6), r.IntN(5)))
		})
	}
	return m
})

func BenchmarkWriteWideGroup(b *testing.B) {
	m := wideGroup()
	src := []column.Group{m}
	var meta *Meta
	for b.Loop() {
		meta = write(b, vfs.NewMem(), WriterOptions{Path: "/s", ID: 1}, adding(src, allRows(m.Rows())))
	}
	perRow := float64(m.Rows())
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/perRow, "us/row")
	b.ReportMetric(float64(meta.Bytes)/perRow, "B/row")
	b.ReportMetric(float64(meta.ValueBytes)/perRow, "valueB/row")
}

func wideSegment(b *testing.B) vfs.FS {
	fs := vfs.NewMem()
	m := wideGroup()
	write(b, fs, WriterOptions{Path: "/s", ID: 1}, adding([]column.Group{m}, allRows(m.Rows())))
	return fs
}

func BenchmarkOpenWide(b *testing.B) {
	fs := wideSegment(b)
	b.ReportAllocs()
	for b.Loop() {
		r, err := Open(fs, "/s", 1, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.foot.dirStored), "dirB")
		b.ReportMetric(float64(r.foot.dirRaw), "rawDirB")
		r.Close()
	}
}

func BenchmarkReadAllColumns(b *testing.B) {
	fs := wideSegment(b)
	for _, budget := range []int64{0, 256 << 20} {
		b.Run(fmt.Sprintf("cache%dMiB", budget>>20), func(b *testing.B) {
			cache := NewCache(budget)
			defer cache.Close()
			r := open(b, fs, "/s", 1, cache)
			var v vec.Vector
			for b.Loop() {
				for _, c := range r.Group(0).Under("") {
					for from := 0; from < r.GroupRows(0); from += vec.BlockRows {
						if err := c.Read(from, min(from+vec.BlockRows, r.GroupRows(0)), &v); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(r.GroupRows(0)), "us/row")
		})
	}
}

func BenchmarkFindAndReadOneColumn(b *testing.B) {
	fs := wideSegment(b)
	cache := NewCache(256 << 20)
	defer cache.Close()
	r := open(b, fs, "/s", 1, cache)
	var v vec.Vector
	b.ReportAllocs()
	for b.Loop() {
		c, ok := r.Group(0).Find(types.MakePath("payload", "scalars", "SOME_MEASUREMENT_1200"), types.LeafInt)
		if !ok {
			b.Fatal("no such column")
		}
		if err := c.Read(0, vec.BlockRows, &v); err != nil {
			b.Fatal(err)
		}
	}
}

package codec

import (
	"fmt"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vec"
)

// The benchmarks report decoded bytes per second (MB/s) over a full chunk of 65,536 rows, and bytes stored per value.

func benchChunk(b *testing.B, s *shape, density int) (*Values, []byte, *Chunk) {
	b.Helper()
	v := s.build(newRand(1), MaxRows, density)
	var e Encoder
	data, err := e.Encode(nil, v, Options{})
	if err != nil {
		b.Fatal(err)
	}
	c, err := Open(v.Leaf, v.Rows, v.Present(), data)
	if err != nil {
		b.Fatal(err)
	}
	return v, data, c
}

func eachShape(b *testing.B, f func(b *testing.B, s *shape, density int)) {
	for i := range shapes {
		for _, density := range []int{1000, 500} {
			b.Run(fmt.Sprintf("%s/%d%%", shapes[i].name, density/10), func(b *testing.B) { f(b, &shapes[i], density) })
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	eachShape(b, func(b *testing.B, s *shape, density int) {
		v, data, c := benchChunk(b, s, density)
		var dst vec.Vector
		b.SetBytes(v.Bytes())
		for b.Loop() {
			for from := 0; from < v.Rows; from += blockValues {
				if err := c.Read(data, from, from+blockValues, &dst); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(len(data))/float64(v.Present()), "B/value")
	})
}

func BenchmarkEncode(b *testing.B) {
	eachShape(b, func(b *testing.B, s *shape, density int) {
		v := s.build(newRand(1), MaxRows, density)
		var e Encoder
		var dst []byte
		b.SetBytes(v.Bytes())
		for b.Loop() {
			var err error
			if dst, err = e.Encode(dst[:0], v, Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkFilter compares with a value that occurs.
func BenchmarkFilter(b *testing.B) {
	eachShape(b, func(b *testing.B, s *shape, density int) {
		v, data, c := benchChunk(b, s, density)
		f, err := c.NewFilter(predicate(v.Leaf, column.OpLe, &v.Vec, 77))
		if err != nil {
			b.Fatal(err)
		}
		sel := vec.MakeBitmap(blockValues)
		b.SetBytes(v.Bytes())
		for b.Loop() {
			for from := 0; from < v.Rows; from += blockValues {
				sel.Fill(blockValues)
				if err := f.Filter(data, from, from+blockValues, sel); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(v.Rows), "ns/row")
	})
}

func BenchmarkUnpack(b *testing.B) {
	for _, w := range []uint{1, 3, 8, 10, 17, 32, 40, 64} {
		src := make([]byte, packedLen(blockValues, w)+8)
		for i := range src {
			src[i] = byte(i * 7)
		}
		dst := make([]int64, blockValues)
		for _, first := range []int{0, 1} {
			b.Run(fmt.Sprintf("%dbit/from%d", w, first), func(b *testing.B) {
				b.SetBytes(8 * int64(blockValues-first))
				for b.Loop() {
					unpack(dst[first:], src, first, w, 5)
				}
			})
		}
	}
}

func TestUnpackersAgree(t *testing.T) {
	r := newRand(4)
	for w := uint(0); w <= 64; w++ {
		vals := make([]uint64, 300)
		for i := range vals {
			vals[i] = r.Uint64()
			if w < 64 {
				vals[i] &= 1<<w - 1
			}
		}
		signed := make([]int64, len(vals))
		for i, v := range vals {
			signed[i] = int64(v)
		}
		src := appendDistances(nil, signed, 0, w)
		if len(src) != packedLen(len(vals), w) {
			t.Fatalf("width %d: %d bytes, want %d", w, len(src), packedLen(len(vals), w))
		}
		for _, first := range []int{0, 1, 63, 64, 128, 299} {
			for _, n := range []int{1, 64, 100, 236} {
				if first+n > len(vals) {
					continue
				}
				got := make([]int64, n)
				unpack(got, src, first, w, -9)
				for i, g := range got {
					if want := int64(vals[first+i]) - 9; g != want {
						t.Fatalf("width %d, value %d of [%d, +%d): %d, want %d", w, i, first, n, g, want)
					}
				}
			}
		}
	}
}

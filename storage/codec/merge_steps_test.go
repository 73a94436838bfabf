package codec

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkMergeSteps measures the loops that every merged integer goes through, alone and with all they touch in the
// cache: what a merge of flat rows cannot be faster than. One operation is a column of 65,536 rows from 8 sources whose
// rows interleave; ns/value is what counts.
func BenchmarkMergeSteps(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	const sources = 8
	lists := make([][]uint32, sources)
	for to := range uint32(MaxRows) {
		i := r.IntN(sources)
		lists[i] = append(lists[i], uint32(len(lists[i]))<<16|to)
	}
	from := make([]int64, 2*MaxRows)
	for i := range from {
		from[i] = int64(r.ExpFloat64() * 40)
	}
	narrow := make([]uint16, len(from))
	for i, v := range from {
		narrow[i] = uint16(v)
	}
	rows, rows16 := new([MaxRows]int64), new([MaxRows]uint16)
	packed := appendDistances(nil, from[:MaxRows], 0, 9)
	var w intsWriter
	w.plan(from[:MaxRows], allowFOR)
	out := make([]byte, 0, 16*MaxRows)
	ids, idRows := make([]byte, 2*uuidBytes*MaxRows), make([]byte, uuidBytes*MaxRows)
	for _, step := range []struct {
		name string
		run  func()
	}{
		{"unpack", func() { unpack(rows[:], packed, 0, 9, 0) }},
		{"scatter-64", func() {
			for _, list := range lists {
				for _, w := range list {
					rows[w&0xffff] = from[w>>16]
				}
			}
		}},
		{"scatter-16", func() {
			for _, list := range lists {
				for _, w := range list {
					rows16[w&0xffff] = narrow[w>>16]
				}
			}
		}},
		{"scatter-uuid", func() {
			for _, list := range lists {
				scatterUUIDs(idRows, ids, list)
			}
		}},
		{"bounds", func() {
			for i := 0; i < MaxRows; i += blockValues {
				boundsOfInts(from[i : i+blockValues])
			}
		}},
		{"lengths", func() {
			var lens [65]uint32
			for i := 0; i < MaxRows; i += blockValues {
				countLengths(from[i:i+blockValues], 0, &lens)
			}
		}},
		{"pack", func() { out = appendDistances(out[:0], from[:MaxRows], 0, 9) }},
		{"pack-and-exceptions", func() { out = w.writeFOR(out[:0], from[:MaxRows], 0) }},
	} {
		b.Run(step.name, func(b *testing.B) {
			for b.Loop() {
				step.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxRows, "ns/value")
		})
	}
}

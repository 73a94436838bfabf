package codec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// The shapes of values that drive each encoding; a test runs over all of them.

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

type shape struct {
	name string
	leaf types.Leaf
	add  func(v *vec.Vector, r *rand.Rand, i, n int)
	want string // the encoding a large dense chunk of it gets; "" for any
}

var shapes = []shape{
	{"bool", types.LeafBool, func(v *vec.Vector, r *rand.Rand, i, n int) { v.AppendBool(r.IntN(3) == 0) }, "bitmap"},
	{"bool constant", types.LeafBool, func(v *vec.Vector, r *rand.Rand, i, n int) { v.AppendBool(true) }, "const"},
	{"int constant", types.LeafInt, func(v *vec.Vector, r *rand.Rand, i, n int) { v.AppendInt(-7) }, "const"},
	{"int small", types.LeafInt, func(v *vec.Vector, r *rand.Rand, i, n int) { v.AppendInt(r.Int64N(1000) - 500) }, "for"},
	{"int outliers", types.LeafInt, func(v *vec.Vector, r *rand.Rand, i, n int) {
		if r.IntN(100) == 0 {
			v.AppendInt(r.Int64())
		} else {
			v.AppendInt(r.Int64N(50))
		}
	}, "for"},
	{"int seldom another", types.LeafInt, func(v *vec.Vector, r *rand.Rand, i, n int) {
		if r.IntN(150) == 0 {
			v.AppendInt(r.Int64N(1 << (4 + r.IntN(56))))
		} else {
			v.AppendInt(0)
		}
	}, ""},
	{"int any", types.LeafInt, func(v *vec.Vector, r *rand.Rand, i, n int) { v.AppendInt(int64(r.Uint64())) }, ""},
	{"int extremes", types.LeafInt, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendInt([]int64{math.MinInt64, math.MaxInt64, 0, -1}[r.IntN(4)])
	}, "dict"},
	{"int ascending", types.LeafInt, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendInt(1_700_000_000_000_000 + int64(i)*1000003 + r.Int64N(50))
	}, "delta"},
	{"int runs", types.LeafInt, func(v *vec.Vector, r *rand.Rand, i, n int) { v.AppendInt(int64(i/37) * 99991 % 1009) }, "runs"},
	{"int few", types.LeafInt, func(v *vec.Vector, r *rand.Rand, i, n int) { v.AppendInt(farApart(r.IntN(20))) }, "dict"},
	{"int whole seconds", types.LeafInt, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendInt(1_700_000_000_123_456 + r.Int64N(2_000_000)*1_000_000)
	}, "steps"},
	{"int steps over everything", types.LeafInt, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendInt(math.MinInt64 + int64(r.Uint64N(1<<52)<<12))
	}, "steps"},
	{"int runs of clients", types.LeafInt, func(v *vec.Vector, r *rand.Rand, i, n int) {
		if i > 0 && r.IntN(10) > 0 {
			v.AppendInt(v.I64[i-1])
		} else {
			v.AppendInt(farApart(r.IntN(300)))
		}
	}, "dict"},
	{"float runs of clients", types.LeafFloat, func(v *vec.Vector, r *rand.Rand, i, n int) {
		if i > 0 && r.IntN(10) > 0 {
			v.AppendFloat(v.F64[i-1])
		} else {
			v.AppendFloat(float64(r.IntN(170)) / 3)
		}
	}, "dict"},
	{"text runs of clients", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		if i > 0 && r.IntN(10) > 0 {
			v.AppendBytes(slices.Clone(v.Bytes(i - 1)))
		} else {
			fmt.Fprintf(appender{v}, "country-%d", r.IntN(1+r.IntN(400)))
		}
	}, "dict"},
	{"text long runs", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		if i > 0 && r.IntN(3000) > 0 {
			v.AppendBytes(slices.Clone(v.Bytes(i - 1)))
		} else {
			fmt.Fprintf(appender{v}, "version-%d", r.IntN(9))
		}
	}, ""},
	{"float integral", types.LeafFloat, func(v *vec.Vector, r *rand.Rand, i, n int) { v.AppendFloat(float64(r.IntN(9999))) }, "for"},
	{"float any", types.LeafFloat, func(v *vec.Vector, r *rand.Rand, i, n int) { v.AppendFloat(r.NormFloat64()) }, "plain"},
	{"float odd", types.LeafFloat, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendFloat([]float64{math.NaN(), 0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), 1.5, -2}[r.IntN(7)])
	}, "dict"},
	{"float NaN constant", types.LeafFloat, func(v *vec.Vector, r *rand.Rand, i, n int) { v.AppendFloat(math.NaN()) }, "const"},
	{"float NaN some", types.LeafFloat, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendFloat(r.Float64())
		if r.IntN(9) == 0 {
			v.F64[i] = math.NaN()
		}
	}, "plain"},
	{"text few", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) { fmt.Fprintf(appender{v}, "channel-%d", r.IntN(5)) }, "dict"},
	{"text runs", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) { fmt.Fprintf(appender{v}, "client-%05d", i/50) }, "dict"},
	{"text many", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) { fmt.Fprintf(appender{v}, "v%d", r.IntN(1000)) }, ""},
	{"text unique", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) { fmt.Fprintf(appender{v}, "%x", r.Uint64()>>r.IntN(60)) }, "fsst"},
	{"text uuid", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) { appendUUID(v, r.Uint64(), r.Uint64()) }, "uuid"},
	{"text uuid few", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) { appendUUID(v, uint64(r.IntN(30)), 9) }, "dict"},
	{"text long", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendString(strings.Repeat(fmt.Sprintf("stack frame %d; ", r.IntN(1<<30)), 1+r.IntN(20)))
	}, "zstd"},
	{"text empty and 0xff", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendString([]string{"", strings.Repeat("\xff", 40), strings.Repeat("a", 40), "b"}[r.IntN(4)])
	}, "dict"},
	{"float decimals", types.LeafFloat, func(v *vec.Vector, r *rand.Rand, i, n int) { v.AppendFloat(float64(r.IntN(99999)) / 100) }, "alp"},
	{"float decimals and odd", types.LeafFloat, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendFloat(float64(r.IntN(1<<30)-1<<29) / 1000)
		if r.IntN(25) == 0 {
			v.F64[i] = oddFloats[r.IntN(len(oddFloats))]
		}
	}, "alp"},
	{"float means", types.LeafFloat, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendFloat(float64(r.IntN(80000)-10) / float64(1+r.IntN(30)))
		if r.IntN(70) == 0 {
			v.F64[i] = oddFloats[r.IntN(len(oddFloats))]
		}
	}, "ratio"},
	{"text urls", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		fmt.Fprintf(appender{v}, "https://www.%s.example/%s?q=%d&lang=%s", urlWords[r.IntN(8)], urlWords[r.IntN(8)], r.IntN(1<<30), urlWords[r.IntN(8)])
	}, "stems"},
	{"text pages of sites", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		site := r.IntN(1 + r.IntN(900))
		fmt.Fprintf(appender{v}, "https://www.%s-%d.example/%s/%x", urlWords[site%8], site*7919, urlWords[r.IntN(8)], r.Uint32()>>r.IntN(32))
		if r.IntN(100) == 0 {
			v.Data = v.Data[:int(v.Off[i])+r.IntN(len(v.Bytes(i)))] // the stem may be cut short
			v.Off[i+1] = uint32(len(v.Data))
		}
	}, "stems"},
	{"text any bytes", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		b := make([]byte, r.IntN(40))
		for k := range b {
			b[k] = []byte{0, 255, 'a', 'b', byte(r.Uint32())}[r.IntN(5)]
		}
		v.AppendBytes(b)
	}, ""},
	{"text some very long", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		fmt.Fprintf(appender{v}, "%d %s", r.Int32(), strings.Repeat(urlWords[r.IntN(8)], 1+r.IntN(1+r.IntN(1+r.IntN(150)))))
	}, ""},
	{"text digests", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		fmt.Fprintf(appender{v}, "%016x%016x", r.Uint64(), r.Uint64())
	}, "hex"},
	{"text upper-case digests", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) { fmt.Fprintf(appender{v}, "%08X", r.Uint32()) }, "hex"},
	{"text times", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendString(time.UnixMilli(1_770_000_000_000 + r.Int64N(86_400_000)).UTC().Format("2006-01-02T15:04:05.000Z"))
	}, "time"},
	{"text times in zones", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		zone := time.FixedZone("", (r.IntN(96)-48)*900)
		v.AppendString(time.Unix(r.Int64N(253402300799), 0).In(zone).Format("2006-01-02 15:04:05-07:00"))
	}, "time"},
	{"text times of nanoseconds", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendString(time.Unix(0, 1_770_000_000_000_000_000+r.Int64N(1e15)).UTC().Format("2006-01-02T15:04:05.000000000"))
	}, "time"},
	{"text few and rare", types.LeafText, func(v *vec.Vector, r *rand.Rand, i, n int) {
		if r.IntN(700) == 0 {
			fmt.Fprintf(appender{v}, "rare-%d", r.IntN(3))
		} else {
			fmt.Fprintf(appender{v}, "common-%d", r.IntN(6))
		}
	}, ""},
	{"json", types.LeafJSON, func(v *vec.Vector, r *rand.Rand, i, n int) {
		fmt.Fprintf(appender{v}, `[{"id": "addon-%d@mozilla.org", "version": "%d.0"}]`, r.IntN(400), r.IntN(1<<40))
	}, "zstd"},
	{"json constant", types.LeafJSON, func(v *vec.Vector, r *rand.Rand, i, n int) { v.AppendString("{}") }, "const"},
	{"histogram", types.LeafHistogram, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendBytes(randomHistogram(r, 0).AppendTo(nil))
	}, "hist+beyond"},
	{"histogram layouts", types.LeafHistogram, func(v *vec.Vector, r *rand.Rand, i, n int) {
		v.AppendBytes(randomHistogram(r, r.Int64N(3)).AppendTo(nil))
	}, "hist+beyond"},
	{"histogram odd", types.LeafHistogram, func(v *vec.Vector, r *rand.Rand, i, n int) {
		b := randomHistogram(r, 0).AppendTo(nil)
		if i == n-1 {
			b = append(b, 0) // no canonical form any more
		}
		v.AppendBytes(b)
	}, ""},
}

var (
	urlWords  = []string{"about", "search", "download", "firefox", "telemetry", "en-US", "support", "addons"}
	oddFloats = []float64{math.NaN(), math.Float64frombits(0x7ff0000000000001), math.Float64frombits(0xfff8dead00000000), math.Inf(1), math.Inf(-1),
		math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64, 1e300, math.Pi, 1 << 53, 1<<53 + 2}
)

// farApart are integers that are no multiples of a step.
func farApart(k int) int64 { return int64(k)*1e15 + int64(k*k) }

type appender struct{ v *vec.Vector }

func (a appender) Write(b []byte) (int, error) { a.v.AppendBytes(b); return len(b), nil }

func appendUUID(v *vec.Vector, a, b uint64) {
	fmt.Fprintf(appender{v}, "%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
}

func randomHistogram(r *rand.Rand, kind int64) *sketch.Histogram {
	h := &sketch.Histogram{Layout: sketch.Layout{Type: int32(kind), Buckets: 50, Low: 1, High: 10000 + kind}}
	bounds := h.Layout.Bounds()
	for at := r.IntN(30); at < len(bounds) && r.IntN(8) > 0; at += 1 + r.IntN(12)/10 {
		n := int64(r.ExpFloat64() * 20)
		h.Buckets = append(h.Buckets, sketch.Bucket{Bound: bounds[at], Count: n})
		h.Sum += n * bounds[at]
	}
	return h
}

// densities are shares of rows with a value, in 1/1000; see build.
var densities = []int{1000, 990, 500, 20, 1, -500, -30}

// build makes a column of the shape with about the given density: rows on their own, or, where it is negative, rows in
// runs of some dozens, as those of one client are.
func (s *shape) build(r *rand.Rand, rows, density int) *Values {
	v := &Values{Leaf: s.leaf, Rows: rows}
	v.Vec.Reset(s.leaf.Type())
	pos := []uint16{}
	until, in := 0, false
	for row := range rows {
		if row == until {
			until, in = row+1, r.IntN(1000) < max(density, -density)
			if density < 0 {
				until = row + 1 + r.IntN(100)
			}
		}
		if density == 1000 || in || (row == rows-1 && len(pos) == 0) {
			pos = append(pos, uint16(row))
		}
	}
	for i := range pos {
		s.add(&v.Vec, r, i, len(pos))
	}
	if len(pos) < rows {
		v.Pos = pos
	}
	return v
}

// flat returns the column with a slot per row: the reference.
func (v *Values) flat() *vec.Vector {
	out := &vec.Vector{}
	out.Reset(v.Leaf.Type())
	k := 0
	for row := range v.Rows {
		if v.Pos == nil || (k < len(v.Pos) && int(v.Pos[k]) == row) {
			out.AppendFrom(&v.Vec, k)
			k++
		} else {
			out.AppendNull()
		}
	}
	return out
}

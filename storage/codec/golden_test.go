package codec

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

var newGolden = flag.Bool("new-golden", false, "write golden chunks that do not exist yet; those that exist are never written again")

// goldenValues is how many values a golden chunk has: two blocks.
const goldenValues = 1100

// golden is a chunk kept in testdata/golden, in each form of presence. Its values follow from their index alone.
type golden struct {
	name  string // of the file
	leaf  types.Leaf
	want  string // the encoding, as Encoding and Describe say it
	align bool
	add   func(v *vec.Vector, i int)
}

// mixed is a fixed number that looks random.
func mixed(i int) uint64 {
	z := uint64(i+1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func goldenHistogram(i int) []byte {
	h := &sketch.Histogram{Layout: sketch.Layout{Type: int32(i % 2), Buckets: 10, Low: 1, High: 100}, Sum: int64(mixed(i) % 9999)}
	for b := int64(i % 3); b < 7; b++ {
		h.Buckets = append(h.Buckets, sketch.Bucket{Bound: b * b, Count: int64(mixed(i+int(b)) % 50)})
	}
	return h.AppendTo(nil)
}

var goldens = []golden{
	{"bool-const", types.LeafBool, "const", false, func(v *vec.Vector, i int) { v.AppendBool(true) }},
	{"bool-bitmap", types.LeafBool, "bitmap", false, func(v *vec.Vector, i int) { v.AppendBool(mixed(i)%3 == 0) }},
	{"int-const", types.LeafInt, "const", false, func(v *vec.Vector, i int) { v.AppendInt(-4711) }},
	{"int-plain", types.LeafInt, "plain", false, func(v *vec.Vector, i int) { v.AppendInt(int64(mixed(i))) }},
	{"int-for", types.LeafInt, "for", false, func(v *vec.Vector, i int) { v.AppendInt(int64(mixed(i)%1000) - 300) }},
	{"int-for-patched", types.LeafInt, "for", false, func(v *vec.Vector, i int) {
		if x := int64(mixed(i) >> 1); i%90 == 7 {
			v.AppendInt(x)
		} else {
			v.AppendInt(x & 4095)
		}
	}},
	{"int-delta", types.LeafInt, "delta", false, func(v *vec.Vector, i int) { v.AppendInt(1_700_000_000_000_000 + int64(i)*1000003 + int64(mixed(i)%60)) }},
	{"int-runs", types.LeafInt, "runs", false, func(v *vec.Vector, i int) { v.AppendInt(int64(mixed(i/40) % 70000)) }},
	{"int-dict", types.LeafInt, "dict", false, func(v *vec.Vector, i int) { v.AppendInt(int64(mixed(i)%13) * 1e15) }},
	{"int-dict-rare", types.LeafInt, "dict+rare", true, func(v *vec.Vector, i int) {
		if i == 700 || i == 701 {
			v.AppendInt(math.MinInt64)
		} else {
			v.AppendInt(int64(mixed(i)%13) * 1e15)
		}
	}},
	{"float-const", types.LeafFloat, "const", false, func(v *vec.Vector, i int) { v.AppendFloat(math.Float64frombits(0x7ff8000000000abc)) }},
	{"float-integral", types.LeafFloat, "for", false, func(v *vec.Vector, i int) { v.AppendFloat(float64(mixed(i) % 5000)) }},
	{"float-plain", types.LeafFloat, "plain", false, func(v *vec.Vector, i int) { v.AppendFloat(math.Float64frombits(mixed(i))) }},
	{"float-dict", types.LeafFloat, "dict", false, func(v *vec.Vector, i int) {
		v.AppendFloat([]float64{math.NaN(), 0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), 1.5, -1e-300}[mixed(i)%7])
	}},
	{"float-alp", types.LeafFloat, "alp", false, func(v *vec.Vector, i int) {
		if i%60 == 9 {
			v.AppendFloat(oddFloats[i/60%len(oddFloats)])
		} else {
			v.AppendFloat(float64(int64(mixed(i)%200_000)-100_000) / 100)
		}
	}},
	{"float-ratio", types.LeafFloat, "ratio", false, func(v *vec.Vector, i int) {
		if i%60 == 9 {
			v.AppendFloat(oddFloats[i/60%len(oddFloats)])
		} else {
			v.AppendFloat(float64(int64(mixed(i)%60_000)-9) / float64(1+mixed(i+7)%29))
		}
	}},
	{"float-dict-rare", types.LeafFloat, "dict+rare", true, func(v *vec.Vector, i int) {
		if i == 5 {
			v.AppendFloat(math.Inf(1))
		} else {
			v.AppendFloat(float64(mixed(i)%11) / 8)
		}
	}},
	{"text-const", types.LeafText, "const", false, func(v *vec.Vector, i int) { v.AppendString(strings.Repeat("constant ", 9)) }},
	{"text-plain", types.LeafText, "plain", false, func(v *vec.Vector, i int) {
		b := binary.LittleEndian.AppendUint64(nil, mixed(i))
		v.AppendBytes(b[:mixed(i)%9])
	}},
	{"text-dict", types.LeafText, "dict", false, func(v *vec.Vector, i int) { v.AppendString(fmt.Sprint("channel-", mixed(i)%9)) }},
	{"text-dict-runs", types.LeafText, "dict", true, func(v *vec.Vector, i int) { v.AppendString(fmt.Sprint("client-", mixed(i/70)%9)) }},
	{"text-dict-run-codes", types.LeafText, "dict", true, func(v *vec.Vector, i int) { v.AppendString(fmt.Sprint("country-", mixed(i/7)%90)) }},
	{"int-steps", types.LeafInt, "steps", false, func(v *vec.Vector, i int) { v.AppendInt(1_700_000_000_123_456 + int64(mixed(i)%9e6)*1e6) }},
	{"float-steps", types.LeafFloat, "steps", false, func(v *vec.Vector, i int) { v.AppendFloat(float64(mixed(i)%9e6) * 1000) }},
	{"int-dict-run-codes", types.LeafInt, "dict", true, func(v *vec.Vector, i int) { v.AppendInt(int64(mixed(i/7)%20) * 1e15) }},
	{"text-dict-zstd", types.LeafText, "dict", false, func(v *vec.Vector, i int) {
		v.AppendString(strings.Repeat(fmt.Sprintf("a longer text, number %03d; ", i*7%150), 3))
	}},
	{"text-dict-uuid", types.LeafText, "dict", false, func(v *vec.Vector, i int) { appendUUID(v, mixed(int(mixed(i)%20)), 5) }},
	{"text-dict-rare", types.LeafText, "dict+rare", true, func(v *vec.Vector, i int) {
		if i%500 == 499 {
			v.AppendString("rare")
		} else {
			v.AppendString(fmt.Sprint("channel-", mixed(i)%9))
		}
	}},
	{"text-zstd", types.LeafText, "zstd", false, func(v *vec.Vector, i int) {
		v.AppendString(strings.Repeat(fmt.Sprintf("frame %d of %d; ", i, mixed(i)%1000), 1+int(mixed(i)%12)))
	}},
	{"text-uuid", types.LeafText, "uuid", false, func(v *vec.Vector, i int) { appendUUID(v, mixed(i), mixed(-i)) }},
	{"text-fsst", types.LeafText, "fsst", false, func(v *vec.Vector, i int) {
		m := mixed(i)
		fmt.Fprintf(appender{v}, "https://%s.example/%s/%d?lang=\u00e9%s", urlWords[m%8], urlWords[m>>8%8], m>>40, urlWords[m>>16%8])
	}},
	{"text-stems", types.LeafText, "stems", false, func(v *vec.Vector, i int) {
		m := mixed(i)
		fmt.Fprintf(appender{v}, "https://a.longer.name.of.a.site.%s.example/%s-%d", urlWords[m%8], urlWords[m>>8%8], m>>44)
	}},
	{"text-hex", types.LeafText, "hex", false, func(v *vec.Vector, i int) { fmt.Fprintf(appender{v}, "%016x%04x", mixed(i), i) }},
	{"text-hex-upper", types.LeafText, "hex", false, func(v *vec.Vector, i int) { fmt.Fprintf(appender{v}, "%016X", mixed(i)) }},
	{"text-time", types.LeafText, "time", false, func(v *vec.Vector, i int) {
		v.AppendString(time.UnixMilli(1_770_000_000_000 + int64(mixed(i)%86_400_000)).UTC().Format("2006-01-02T15:04:05.000Z"))
	}},
	{"text-time-zones", types.LeafText, "time", false, func(v *vec.Vector, i int) {
		zone := time.FixedZone("", (int(mixed(i)%96)-48)*900)
		v.AppendString(time.Unix(int64(mixed(i)%253402300800)/3600*3600, 0).In(zone).Format("2006-01-02T15:04:05.0-07:00"))
	}},
	{"text-time-local", types.LeafText, "time", false, func(v *vec.Vector, i int) {
		v.AppendString(time.Unix(-int64(mixed(i)%60000000000), 0).UTC().Format("2006-01-02 15:04:05"))
	}},
	{"histogram-const", types.LeafHistogram, "const", false, func(v *vec.Vector, i int) { v.AppendBytes(goldenHistogram(3)) }},
	{"histogram-hist", types.LeafHistogram, "hist", false, func(v *vec.Vector, i int) { v.AppendBytes(goldenHistogram(i)) }},
	{"histogram-beyond", types.LeafHistogram, "hist+beyond", false, func(v *vec.Vector, i int) {
		h := &sketch.Histogram{Layout: sketch.Layout{Type: 0, Buckets: 20, Low: 1, High: 100_000}}
		for b := int64(i % 3); b < 9; b++ {
			n := int64(mixed(i+int(b)) % 50)
			h.Buckets = append(h.Buckets, sketch.Bucket{Bound: b * b * b * 100, Count: n})
			h.Sum += b*b*b*100*n + int64(mixed(i)%90)
		}
		if i == 500 {
			h.Sum = 3 // less than its buckets hold: clients do that
		}
		v.AppendBytes(h.AppendTo(nil))
	}},
	{"histogram-dict", types.LeafHistogram, "dict", false, func(v *vec.Vector, i int) {
		v.AppendBytes(append(goldenHistogram(int(mixed(i)%5)), 0)) // a byte too many: no canonical form
	}},
	{"histogram-dict-rare", types.LeafHistogram, "dict+rare", true, func(v *vec.Vector, i int) {
		k := int(mixed(i) % 5)
		if i == 1000 {
			k = 6
		}
		v.AppendBytes(append(goldenHistogram(k), 0))
	}},
	{"histogram-plain", types.LeafHistogram, "plain", false, func(v *vec.Vector, i int) {
		v.AppendBytes(append(binary.LittleEndian.AppendUint64([]byte{1}, mixed(i)), 0x80))
	}},
	{"histogram-zstd", types.LeafHistogram, "zstd", false, func(v *vec.Vector, i int) {
		v.AppendString(fmt.Sprint(i) + strings.Repeat("no histogram, but text in its place; ", 4))
	}},
	{"json-const", types.LeafJSON, "const", false, func(v *vec.Vector, i int) { v.AppendString(`{"a":[]}`) }},
	{"json-plain", types.LeafJSON, "plain", false, func(v *vec.Vector, i int) {
		if i < 500 {
			v.AppendString(fmt.Sprint(i))
		} else {
			v.AppendString(fmt.Sprint(mixed(i) % 1000))
		}
	}},
	{"json-dict", types.LeafJSON, "dict", false, func(v *vec.Vector, i int) { fmt.Fprintf(appender{v}, `{"a":%d}`, mixed(i)%12) }},
	{"json-dict-rare", types.LeafJSON, "dict+rare", true, func(v *vec.Vector, i int) {
		n := mixed(i) % 12
		if i == 9 {
			n = 99
		}
		fmt.Fprintf(appender{v}, `{"a":%d}`, n)
	}},
	{"json-zstd", types.LeafJSON, "zstd", false, func(v *vec.Vector, i int) {
		fmt.Fprintf(appender{v}, `[{"id":"addon-%d@example","version":"%d.0"}]`, mixed(i)%300, i)
	}},
}

// goldenPresence are the rows that have a value, by the kind of presence they get.
var goldenPresence = [4]func(i int) int{
	presentAll:    func(i int) int { return i },
	presentBitmap: func(i int) int { return 2*i + int(mixed(i)%2) },
	presentSparse: func(i int) int { return 59*i + int(mixed(i)%50) },
	presentRuns:   func(i int) int { return i + i/100*150 },
}

func (g *golden) values(presence int) *Values {
	v := &Values{Leaf: g.leaf}
	v.Vec.Reset(g.leaf.Type())
	for i := range goldenValues {
		g.add(&v.Vec, i)
		v.Pos = append(v.Pos, uint16(goldenPresence[presence](i)))
	}
	v.Rows = int(v.Pos[goldenValues-1]) + 1
	if presence == presentAll {
		v.Pos = nil
	} else {
		v.Rows += 20
	}
	return v
}

// TestGoldenChunksAreRead opens chunks of every encoding, leaf kind and presence as they were once written, and compares
// their values. A file is four chunks, by kind of presence, each behind its length as u32. No file is ever written again.
func TestGoldenChunksAreRead(t *testing.T) {
	for i := range goldens {
		g := &goldens[i]
		t.Run(g.name, func(t *testing.T) {
			file := "testdata/golden/" + g.name
			if *newGolden {
				writeGolden(t, g, file)
			}
			rest, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for presence := range goldenPresence {
				n := binary.LittleEndian.Uint32(rest)
				data := rest[4 : 4+n]
				rest = rest[4+n:]
				v := g.values(presence)
				c, err := Open(v.Leaf, v.Rows, v.Present(), data)
				if err != nil {
					t.Fatal(err)
				}
				if c.Encoding() != g.want || int(c.pres.kind) != presence {
					t.Fatalf("presence %d: %s, want %s", presence, c.Describe(data), g.want)
				}
				requireRoundTrip(t, v, data, c)
				ref, r := v.flat(), newRand(7)
				for _, p := range predicates(r, v) {
					f, err := c.NewFilter(p)
					if err != nil {
						t.Fatal(err)
					}
					requireFilterAgrees(t, r, f, p, data, ref, &vec.Vector{}, [2]int{0, min(v.Rows, blockValues)})
				}
			}
			if len(rest) != 0 {
				t.Errorf("%d bytes are left", len(rest))
			}
		})
	}
}

func writeGolden(t *testing.T, g *golden, file string) {
	if _, err := os.Stat(file); err == nil {
		return
	}
	var out []byte
	for presence := range goldenPresence {
		var e Encoder
		data, err := e.Encode(nil, g.values(presence), Options{AlignCodes: g.align})
		if err != nil {
			t.Fatal(err)
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(len(data)))
		out = append(out, data...)
	}
	if err := os.MkdirAll("testdata/golden", 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(out); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestEveryEncodingHasAGoldenChunk: of every leaf kind that it can hold.
func TestEveryEncodingHasAGoldenChunk(t *testing.T) {
	have := map[string]bool{}
	for _, g := range goldens {
		have[g.leaf.String()+" "+g.want] = true
	}
	for leaf := types.LeafBool; leaf <= types.LeafJSON; leaf++ {
		for enc := uint8(0); enc < 64; enc++ {
			if !holds(enc, leaf) {
				continue
			}
			c := Chunk{enc: enc, leaf: leaf}
			names := []string{""}
			if enc == encInts {
				names = []string{"for"}
				if leaf == types.LeafInt {
					names = []string{"plain", "for", "delta", "runs", "steps"}
				}
			} else {
				names[0] = c.name()
			}
			for _, name := range names {
				if !have[leaf.String()+" "+name] {
					t.Errorf("there is no golden chunk of %s values as %s", leaf, name)
				}
			}
		}
	}
}

// holds tells whether a reader takes an encoding for a leaf kind, and whether the writer makes it: symbols, UUIDs, digests
// and times are made of text only.
func holds(enc uint8, leaf types.Leaf) bool {
	c := Chunk{enc: enc, leaf: leaf, pres: presence{rows: 1, present: 1}}
	err := c.parseValues(&cursor{})
	if err != nil && strings.Contains(err.Error(), fmt.Sprintf("encoding %d of", enc)) {
		return false
	}
	switch enc {
	case encUUID, encFSST, encStems, encHex, encTime:
		return leaf == types.LeafText
	}
	return true
}

// TestHistogramsOfOlderFilesAreMerged: in their own form among themselves; beside those of today they are gathered.
func TestHistogramsOfOlderFilesAreMerged(t *testing.T) {
	read := func(name string) (*golden, []byte, *Chunk) {
		for i := range goldens {
			if g := &goldens[i]; g.name == name {
				file, err := os.ReadFile("testdata/golden/" + name)
				if err != nil {
					t.Fatal(err)
				}
				data := file[4 : 4+binary.LittleEndian.Uint32(file)]
				c, err := Open(g.leaf, goldenValues, goldenValues, data)
				if err != nil {
					t.Fatal(err)
				}
				return g, data, c
			}
		}
		t.Fatalf("no golden chunk %s", name)
		return nil, nil, nil
	}
	g, data, c := read("histogram-hist")
	_, newData, newChunk := read("histogram-beyond")
	want := &Values{Leaf: g.leaf, Rows: goldenValues}
	want.Vec.Reset(g.leaf.Type())
	src := []Source{{Chunk: c, Data: data}, {Chunk: c, Data: data}}
	for to := range goldenValues {
		from := to / 2
		src[to%2].Want = append(src[to%2].Want, uint32(from)<<16|uint32(to))
		g.add(&want.Vec, from)
	}
	var e Encoder
	always := func(int) bool { return true }
	_, chunk, m, ok, err := e.Merge(nil, nil, g.leaf, goldenValues, src, Options{}, always)
	if err != nil || !ok || m.Present != goldenValues {
		t.Fatalf("%v, %v, %+v", err, ok, m)
	}
	merged, err := Open(g.leaf, goldenValues, goldenValues, chunk)
	if err != nil {
		t.Fatal(err)
	}
	if merged.Encoding() != "hist" {
		t.Errorf("merged to %s", merged.Encoding())
	}
	requireRoundTrip(t, want, chunk, merged)
	src[1].Chunk, src[1].Data = newChunk, newData
	if _, _, _, ok, err := e.Merge(nil, nil, g.leaf, goldenValues, src, Options{}, always); ok || err != nil {
		t.Errorf("two forms are merged as one: %v, %v", ok, err)
	}
}

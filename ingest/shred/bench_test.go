package shred

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/valyala/fastjson"
)

// mainPing is the compact form of the large main sample, as clients send it.
func mainPing(b testing.TB) []byte {
	var out bytes.Buffer
	if err := json.Compact(&out, samples(b)["main.4.sample.pass.json"]); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// modernPing is mainPing as clients send it today: histograms without the members that no longer exist.
func modernPing(b testing.TB) []byte {
	return regexp.MustCompile(`"(log_sum|log_sum_squares|sum_squares_hi|sum_squares_lo)":[0-9.e+]+,`).ReplaceAll(mainPing(b), nil)
}

func BenchmarkShredMain(b *testing.B)   { benchShred(b, mainPing(b)) }
func BenchmarkShredModern(b *testing.B) { benchShred(b, modernPing(b)) }

func benchShred(b *testing.B, doc []byte) {
	in := column.NewInterner()
	s := New(in, &Rules{Stops: PingRules, Rest: "additional_properties"})
	ids := map[string]uint32{}
	top := func(m string) (uint32, bool) {
		id, ok := ids[m]
		if !ok {
			id = in.Intern(types.Path(m))
			ids[m] = id
		}
		return id, true
	}
	var row column.RowBuf
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		row.Reset()
		if err := s.Document(doc, &row, top); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(row.Values)), "values/ping")
	b.ReportMetric(float64(len(row.Arena)+24*len(row.Values)), "rowbytes/ping")
}

// BenchmarkFastjsonWalkMain is what the parser is held against: fastjson's parse and a walk that reads every number.
func BenchmarkFastjsonWalkMain(b *testing.B)   { benchFastjson(b, mainPing(b)) }
func BenchmarkFastjsonWalkModern(b *testing.B) { benchFastjson(b, modernPing(b)) }

func benchFastjson(b *testing.B, doc []byte) {
	var p fastjson.Parser
	b.SetBytes(int64(len(doc)))
	sum := 0.0
	for b.Loop() {
		v, err := p.ParseBytes(doc)
		if err != nil {
			b.Fatal(err)
		}
		sum += walkFastjson(v)
	}
	if sum == 0 {
		b.Fatal("nothing was read")
	}
}

func walkFastjson(v *fastjson.Value) (sum float64) {
	switch v.Type() {
	case fastjson.TypeObject:
		v.GetObject().Visit(func(_ []byte, v *fastjson.Value) { sum += walkFastjson(v) })
	case fastjson.TypeArray:
		for _, e := range v.GetArray() {
			sum += walkFastjson(e)
		}
	case fastjson.TypeNumber:
		return v.GetFloat64()
	case fastjson.TypeString:
		return float64(len(v.GetStringBytes()))
	}
	return sum
}

func BenchmarkAppendJSONBMain(b *testing.B) {
	doc := mainPing(b)
	var dst []byte
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = AppendJSONB(dst[:0], doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAssembleMain(b *testing.B) {
	doc := mainPing(b)
	in := column.NewInterner()
	s := New(in, &Rules{Stops: PingRules, Rest: "additional_properties"})
	var rows []*column.RowBuf
	for range 64 {
		row := &column.RowBuf{}
		if err := s.Document(doc, row, func(m string) (uint32, bool) { return in.Intern(types.Path(m)), true }); err != nil {
			b.Fatal(err)
		}
		rows = append(rows, row)
	}
	g := groupOf(b, in, rows)
	var v vec.Vector
	b.ReportAllocs()
	for b.Loop() {
		if err := Assemble(g, "payload", 0, len(rows), nil, &v); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(v.Data)))
}

func BenchmarkJSONBGet(b *testing.B) {
	text, err := AppendJSONB(nil, []byte(`{"a":1,"name":"x","version":"1.2","list":[1,2,3],"deep":{"x":1}}`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := JSONBGet(text, "version"); !ok {
			b.Fatal("not found")
		}
	}
}

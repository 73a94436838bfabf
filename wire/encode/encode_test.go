package encode

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// values holds a few texts of each type that has a text form.
var values = map[types.Type][]string{
	types.Of(types.Bool):         {"t", "f"},
	types.Of(types.Int16):        {"0", "-32768"},
	types.Of(types.Int32):        {"0", "-2147483648", "7"},
	types.Of(types.Int64):        {"0", "-9223372036854775808", "9223372036854775807"},
	types.Of(types.Float32):      {"0.5", "1e20", "NaN"},
	types.Of(types.Float64):      {"0.1", "-Infinity", "1e-7"},
	types.Of(types.Numeric):      {"1.50", "-12345678901234567890.1", "NaN"},
	types.Of(types.Text):         {"", "ä b"},
	types.Of(types.Varchar):      {"x"},
	types.Of(types.BPChar):       {"x "},
	types.Of(types.Name):         {"pg_class"},
	types.Of(types.Char):         {"r", ""},
	types.Of(types.Bytea):        {`\x00ff`, ""},
	types.Of(types.Date):         {"2016-05-01", "infinity", "-infinity", "1969-12-31"},
	types.Of(types.Time):         {"10:00:00.5"},
	types.Of(types.Timestamp):    {"2016-05-01 12:00:00.25", "-infinity"},
	types.Of(types.Timestamptz):  {"2016-05-01 12:00:00+02", "infinity"},
	types.Of(types.Interval):     {"1 year 2 mons 3 days 04:05:06.789"},
	types.Of(types.UUID):         {"12345678-1234-1234-1234-123456789abc"},
	types.Of(types.JSON):         {`{"a" : 1}`},
	types.Of(types.JSONB):        {`{"a": 1}`},
	types.Of(types.OID):          {"4294967295"},
	types.Of(types.Xid):          {"3"},
	types.ArrayOf(types.Int32):   {"{1,NULL,3}", "{}"},
	types.ArrayOf(types.Text):    {`{a,"b c"}`},
	types.Of(types.Int2Vector):   {"1 2"},
	types.Of(types.OIDVector):    {"25 23"},
	types.Of(types.PgNodeTree):   {"{CONST}"},
	types.Of(types.AclItem):      {"a=r/b"},
	types.Of(types.Regtype):      {"23"},
	types.Of(types.Regclass):     {"0"},
	types.Of(types.Regnamespace): {"99999"},
	types.Of(types.Record):       {"(1,a)"},
}

func parse(t testing.TB, typ types.Type, texts []string) *vec.Vector {
	v := &vec.Vector{}
	v.Reset(typ)
	for _, s := range texts {
		if typ.Kind == types.Record || typ.Kind == types.PgNodeTree || typ.Kind == types.AclItem {
			v.AppendString(s)
		} else if err := datum.ParseText(typ, []byte(s), datum.Default, v); err != nil {
			t.Fatalf("%s %q: %v", typ, s, err)
		}
	}
	return v
}

// rows takes DataRow messages apart; a nil cell is NULL.
func rows(t *testing.T, p []byte) (out [][][]byte) {
	for len(p) > 0 {
		n := binary.BigEndian.Uint32(p[1:])
		if p[0] != 'D' || int(n) >= len(p) {
			t.Fatalf("not a DataRow: %x", p)
		}
		body := p[5 : n+1]
		p = p[n+1:]
		row := make([][]byte, binary.BigEndian.Uint16(body))
		body = body[2:]
		for i := range row {
			l := int32(binary.BigEndian.Uint32(body))
			body = body[4:]
			if l >= 0 {
				row[i], body = body[:l:l], body[l:]
			}
		}
		if len(body) != 0 {
			t.Fatalf("%d bytes behind a row", len(body))
		}
		out = append(out, row)
	}
	return out
}

// forms returns vectors in all three forms that hold v's values, with NULLs and without, and what each row's index in v
// is (-1 for NULL).
func forms(v *vec.Vector) (out []*vec.Vector, index [][]int) {
	add := func(w *vec.Vector, idx ...int) { out, index = append(out, w), append(index, idx) }
	var all []int
	for i := range v.N {
		all = append(all, i)
	}
	add(v, all...)
	nulls := &vec.Vector{}
	nulls.Reset(v.Type)
	var idx []int
	for i := range v.N {
		nulls.AppendNull()
		nulls.AppendFrom(v, i)
		idx = append(idx, -1, i)
	}
	add(nulls, idx...)
	c := &vec.Vector{}
	c.SetConst(v, v.N-1, 3)
	add(c, v.N-1, v.N-1, v.N-1)
	n := &vec.Vector{}
	n.SetConstNull(v.Type, 2)
	add(n, -1, -1)
	d := &vec.Vector{Type: v.Type, Form: vec.Dict, N: v.N + 1, Dict: v, Codes: make([]uint32, v.N+1), Valid: vec.MakeBitmap(v.N + 1)}
	idx = nil
	for i := range v.N {
		d.Codes[i] = uint32(v.N - 1 - i)
		d.Valid.Set(i)
		idx = append(idx, v.N-1-i)
	}
	add(d, append(idx, -1)...)
	return out, index
}

// The typed paths write what datum writes, in every form.
func TestRowsAreThoseOfDatum(t *testing.T) {
	for typ, texts := range values {
		v := parse(t, typ, texts)
		vecs, index := forms(v)
		for k, w := range vecs {
			for format := range int16(2) {
				t.Run(fmt.Sprintf("%s/form%d/format%d", typ, k, format), func(t *testing.T) {
					b := &vec.Batch{N: w.N, Cols: []*vec.Vector{w, w}}
					got, next, err := NewRows([]types.Type{typ, typ}, []int16{format, 0}, datum.Default).Append(nil, b, 0, b.N, math.MaxInt)
					if typ.Kind == types.Record && format == 1 && k != 3 {
						if err == nil {
							t.Fatal("record in binary")
						}
						for _, r := range rows(t, got) {
							if r[0] != nil {
								t.Error("a row that failed was left in the buffer")
							}
						}
						return
					}
					if err != nil || next != b.N {
						t.Fatal(next, err)
					}
					for r, row := range rows(t, got) {
						i := index[k][r]
						if i < 0 {
							if row[0] != nil || row[1] != nil {
								t.Errorf("row %d: NULL became %q %q", r, row[0], row[1])
							}
							continue
						}
						want := datum.AppendText(nil, v, i, datum.Default)
						if string(row[1]) != string(want) || row[1] == nil {
							t.Errorf("row %d: text %q, want %q", r, row[1], want)
						}
						if format == 1 {
							if want, err = datum.AppendBinary(nil, v, i); err != nil {
								t.Fatal(err)
							}
						}
						if string(row[0]) != string(want) || row[0] == nil {
							t.Errorf("row %d: %q, want %q", r, row[0], want)
						}
					}
				})
			}
		}
	}
}

func TestAppendStopsAtTheLimitWithAWholeRow(t *testing.T) {
	v := parse(t, types.Of(types.Int32), []string{"1", "2", "3", "4"})
	b := &vec.Batch{N: 4, Cols: []*vec.Vector{v}}
	r := NewRows([]types.Type{v.Type}, nil, datum.Default)
	for limit, want := range map[int]int{0: 1, 12: 1, 13: 2, 1000: 4} {
		got, next, err := r.Append(nil, b, 0, 4, limit)
		if err != nil || next != want || len(rows(t, got)) != want {
			t.Errorf("limit %d: next %d, %d rows, %v", limit, next, len(rows(t, got)), err)
		}
	}
	got, next, _ := r.Append([]byte{}, b, 2, 4, 1000)
	if rs := rows(t, got); next != 4 || len(rs) != 2 || string(rs[0][0]) != "3" {
		t.Error(next, rs)
	}
	b = &vec.Batch{N: 3}
	if got, next, _ = NewRows(nil, nil, nil).Append(nil, b, 0, 3, 1000); next != 3 || len(rows(t, got)) != 3 {
		t.Error("rows without columns:", next)
	}
}

func benchBatch(t testing.TB) (*vec.Batch, []types.Type) {
	const n = 1024
	ts := []types.Type{types.Of(types.Int64), types.Of(types.Float64), types.Of(types.Text), types.Of(types.Timestamptz), types.Of(types.Date), types.Of(types.Bool)}
	b := &vec.Batch{N: n}
	for _, typ := range ts {
		v := &vec.Vector{}
		v.Reset(typ)
		for i := range n {
			switch typ.Kind {
			case types.Float64:
				v.AppendFloat(float64(i) * 1.37)
			case types.Text:
				v.AppendString(fmt.Sprintf("client %d", i))
			case types.Bool:
				v.AppendBool(i%3 == 0)
			case types.Timestamptz:
				v.AppendInt(1_460_000_000_000_000 + int64(i)*1_234_567)
			default:
				v.AppendInt(int64(i) * 7)
			}
		}
		b.Cols = append(b.Cols, v)
	}
	return b, ts
}

func TestNoAllocationPerValue(t *testing.T) {
	b, ts := benchBatch(t)
	for _, format := range []int16{0, 1} {
		f := make([]int16, len(ts))
		for i := range f {
			f[i] = format
		}
		r := NewRows(ts, f, datum.Default)
		buf := make([]byte, 0, 1<<20)
		if n := testing.AllocsPerRun(10, func() { buf, _, _ = r.Append(buf[:0], b, 0, b.N, math.MaxInt) }); n > 0 {
			t.Errorf("format %d: %v allocations for %d values", format, n, b.N*len(ts))
		}
	}
}

func BenchmarkRows(b *testing.B) {
	batch, ts := benchBatch(b)
	for name, format := range map[string]int16{"text": 0, "binary": 1} {
		b.Run(name, func(b *testing.B) {
			f := make([]int16, len(ts))
			for i := range f {
				f[i] = format
			}
			r := NewRows(ts, f, datum.Default)
			var buf []byte
			for b.Loop() {
				buf, _, _ = r.Append(buf[:0], batch, 0, batch.N, math.MaxInt)
			}
			b.SetBytes(int64(len(buf)))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch.N*len(ts)), "ns/value")
		})
	}
}

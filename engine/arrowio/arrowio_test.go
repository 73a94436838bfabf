package arrowio

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Values are given in SQL's text form; NULL is "\\N". The want column is how Arrow prints the array.
var cases = []struct {
	t    types.Type
	vals []string
	want string
}{
	{types.Of(types.Bool), []string{"t", "f", "\\N"}, "[true false (null)]"},
	{types.Of(types.Int16), []string{"-3", "\\N", "32767"}, "[-3 (null) 32767]"},
	{types.Of(types.Int32), []string{"-3", "\\N", "2147483647"}, "[-3 (null) 2147483647]"},
	{types.Of(types.Int64), []string{"1", "2", "-9223372036854775808"}, "[1 2 -9223372036854775808]"},
	{types.Of(types.OID), []string{"4294967295", "1", "0"}, "[4294967295 1 0]"},
	{types.Of(types.Float32), []string{"0.5", "\\N", "-1"}, "[0.5 (null) -1]"},
	{types.Of(types.Float64), []string{"0.1", "\\N", "1e300"}, "[0.1 (null) 1e+300]"},
	{types.Of(types.Numeric), []string{"1.50", "\\N", "NaN"}, `["1.50" (null) "NaN"]`},
	{types.Of(types.Text), []string{"a", "", "\\N"}, `["a" "" (null)]`},
	{types.Of(types.JSONB), []string{`{"a": 1}`, "\\N", "[]"}, `["{\"a\": 1}" (null) "[]"]`},
	{types.Of(types.Date), []string{"1970-01-02", "\\N", "1969-12-31"}, "[1 (null) -1]"},
	{types.Of(types.Timestamp), []string{"1970-01-01 00:00:01", "\\N", "1970-01-01 00:00:00.000002"}, "[1000000 (null) 2]"},
	{types.Of(types.Timestamptz), []string{"1970-01-01 00:00:01+00", "\\N", "1970-01-01 00:00:00+00"}, "[1000000 (null) 0]"},
	{types.Of(types.Interval), []string{"1 day", "\\N", "2 mons"}, `["1 day" (null) "2 mons"]`},
	{types.Of(types.UUID), []string{"61626364-6162-6364-6162-636461626364", "\\N", "61626364-6162-6364-6162-636461626364"},
		`["abcdabcdabcdabcd" (null) "abcdabcdabcdabcd"]`},
	{types.ArrayOf(types.Int32), []string{"{1,NULL,3}", "\\N", "{}"}, "[[1 (null) 3] (null) []]"},
	{types.ArrayOf(types.Text), []string{"{a,b}", "{}", "{c}"}, `[["a" "b"] [] ["c"]]`},
}

func vectorOf(t *testing.T, typ types.Type, vals []string) *vec.Vector {
	v := &vec.Vector{}
	v.Reset(typ)
	for _, s := range vals {
		if s == "\\N" {
			v.AppendNull()
			continue
		}
		if err := datum.ParseText(typ, []byte(s), nil, v); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func TestEveryTypeBecomesItsArrowType(t *testing.T) {
	for _, c := range cases {
		v := vectorOf(t, c.t, c.vals)
		ts, names := []types.Type{c.t}, []string{"x"}
		for _, sel := range [][]uint16{nil, {0, 1, 2}} {
			rec, err := Record(Schema(names, ts), ts, &vec.Batch{N: 3, Cols: []*vec.Vector{v}, Sel: sel})
			if err != nil {
				t.Fatalf("%s: %v", c.t, err)
			}
			if got := rec.Column(0).String(); got != c.want {
				t.Errorf("%s: got %s want %s", c.t, got, c.want)
			}
			rec.Release()
		}
	}
}

func TestConstantsAndDictionariesAreWrittenOut(t *testing.T) {
	text := types.Of(types.Text)
	dict := vectorOf(t, text, []string{"x", "y"})
	d := &vec.Vector{Type: text, Form: vec.Dict, N: 3, Codes: []uint32{1, 0, 1}, Dict: dict}
	c := &vec.Vector{}
	c.SetConst(dict, 0, 3)
	null := &vec.Vector{}
	null.SetConstNull(types.Of(types.Unknown), 3)
	ts := []types.Type{text, text, types.Of(types.Int64)}
	rec, err := Record(Schema([]string{"d", "c", "n"}, ts), ts, &vec.Batch{N: 3, Cols: []*vec.Vector{d, c, null}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`["y" "x" "y"]`, `["x" "x" "x"]`, `[(null) (null) (null)]`} {
		if got := rec.Column(i).String(); got != want {
			t.Errorf("column %d: got %s want %s", i, got, want)
		}
	}
}

func TestMatrixIsRefused(t *testing.T) {
	typ := types.ArrayOf(types.Int32)
	v := vectorOf(t, typ, []string{"{{1,2},{3,4}}"})
	ts := []types.Type{typ}
	_, err := Record(Schema([]string{"x"}, ts), ts, &vec.Batch{N: 1, Cols: []*vec.Vector{v}})
	if sqlstate.Code(err) != sqlstate.FeatureNotSupported {
		t.Fatal(err)
	}
}

func TestIPCStreamReadsBack(t *testing.T) {
	var ts []types.Type
	var names []string
	b := &vec.Batch{N: 3}
	for _, c := range cases {
		ts, names = append(ts, c.t), append(names, c.t.String())
		b.Cols = append(b.Cols, vectorOf(t, c.t, c.vals))
	}
	left := 2
	next := func() (*vec.Batch, error) {
		if left--; left < 0 {
			return nil, nil
		}
		return b, nil
	}
	var buf bytes.Buffer
	if err := WriteIPC(&buf, names, ts, next); err != nil {
		t.Fatal(err)
	}
	r, err := ipc.NewReader(&buf)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	n := 0
	for r.Next() {
		n++
		for i, c := range cases {
			if got := r.Record().Column(i).String(); got != c.want {
				t.Errorf("%s: got %s want %s", c.t, got, c.want)
			}
		}
	}
	if n != 2 || r.Err() != nil {
		t.Fatalf("%d records, %v", n, r.Err())
	}
}

func TestReaderClosesTheRowsOnce(t *testing.T) {
	closed := 0
	r := NewReader([]string{"x"}, []types.Type{types.Of(types.Int64)}, func() (*vec.Batch, error) {
		return nil, sqlstate.New(sqlstate.DivisionByZero, "division by zero")
	}, func() error { closed++; return nil })
	if r.Next() || r.Err() == nil || !strings.Contains(r.Err().Error(), "division") {
		t.Fatal(r.Err())
	}
	r.Retain()
	r.Release()
	if closed != 0 {
		t.Fatal("closed while in use")
	}
	r.Release()
	if closed != 1 {
		t.Fatalf("closed %d times", closed)
	}
}

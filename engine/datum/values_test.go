package datum

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// goldenValues parses every accepted input of testdata/text.txt, by type.
func goldenValues(t *testing.T) map[types.Type]*vec.Vector {
	t.Helper()
	out := map[types.Type]*vec.Vector{}
	for _, b := range readGolden(t, "testdata/text.txt") {
		ty, f := goldenType(t, b.args["type"]), goldenFormat(t, b.args)
		plain := types.Type{Kind: ty.Kind, Elem: ty.Elem}
		v := out[plain]
		if v == nil {
			v = &vec.Vector{}
			v.Reset(plain)
			out[plain] = v
		}
		for _, in := range b.input {
			if n := v.N; ParseText(ty, []byte(in), f, v) != nil && v.N != n {
				t.Errorf("%s %q: a value was appended beside the error", ty, in)
			}
		}
	}
	return out
}

func TestBinaryFormsGiveTheValueBack(t *testing.T) {
	for ty, v := range goldenValues(t) {
		var back vec.Vector
		back.Reset(ty)
		for i := range v.N {
			b, err := AppendBinary(nil, v, i)
			if err != nil {
				t.Fatalf("%s: %v", ty, err)
			}
			if err := ParseBinary(ty, b, &back); err != nil {
				t.Fatalf("%s %s: %v", ty, AppendText(nil, v, i, nil), err)
			}
			if got, want := AppendText(nil, &back, i, nil), AppendText(nil, v, i, nil); !bytes.Equal(got, want) {
				t.Errorf("%s: %s came back as %s", ty, want, got)
			}
		}
	}
}

func TestKeysAreEqualExactlyWhereCompareIsZero(t *testing.T) {
	for ty, v := range goldenValues(t) {
		if !Comparable(ty) {
			continue
		}
		for i := range v.N {
			for j := range v.N {
				c := Compare(ty, v, i, v, j)
				same := bytes.Equal(AppendKey(nil, v, i), AppendKey(nil, v, j))
				if (c == 0) != same {
					t.Errorf("%s: %s and %s compare as %d, keys equal: %v", ty, AppendText(nil, v, i, nil), AppendText(nil, v, j, nil), c, same)
				}
				if d := Compare(ty, v, j, v, i); (c < 0) != (d > 0) || (c == 0) != (d == 0) {
					t.Errorf("%s: %s and %s compare as %d, the other way as %d", ty, AppendText(nil, v, i, nil), AppendText(nil, v, j, nil), c, d)
				}
			}
		}
	}
}

func TestWritingAndReadingTextGivesTheValueBack(t *testing.T) {
	for ty, v := range goldenValues(t) {
		var back vec.Vector
		back.Reset(ty)
		for i := range v.N {
			s := AppendText(nil, v, i, nil)
			if err := ParseText(ty, s, nil, &back); err != nil {
				t.Fatalf("%s %q: %v", ty, s, err)
			}
			if Comparable(ty) && Compare(ty, v, i, &back, i) != 0 {
				t.Errorf("%s: %q reads back as another value", ty, s)
			}
		}
	}
}

// The wire form of numeric, from numeric_send.
func TestNumericBinaryIsThatOfPostgreSQL(t *testing.T) {
	cases := map[string]string{
		"0":              "0000000000000000",
		"0.00":           "0000000000000002",
		"1":              "00010000000000000001",
		"-1.50":          "00020000400000020001" + "1388",
		"12345.678":      "000300010000000300010929" + "1a7c",
		"0.0001":         "0001ffff000000040001",
		"10000":          "00010001000000000001",
		"NaN":            "00000000c0000000",
		"Infinity":       "00000000d0000020",
		"-Infinity":      "00000000f0000020",
		"100000000.0001": "0004000200000004000100000000" + "0001",
	}
	for text, want := range cases {
		var n Numeric
		if err := n.Parse([]byte(text)); err != nil {
			t.Fatal(err)
		}
		w, err := ParseHex([]byte(want))
		if err != nil {
			t.Fatal(err)
		}
		if got := n.AppendBinary(nil); !bytes.Equal(got, w) {
			t.Errorf("%s: %x, want %s", text, got, want)
		}
	}
}

func TestJSONBOrderIsThatOfPostgreSQL(t *testing.T) {
	ascending := []string{`[]`, `null`, `""`, `"a"`, `"b"`, `-1`, `1`, `1.5`, `false`, `true`, `[null]`, `[1]`, `[0, 1]`, `{}`,
		`{"a": 1}`, `{"a": 2}`, `{"b": 0}`, `{"a": 1, "b": 1}`}
	for i, x := range ascending {
		for j, y := range ascending {
			if c := CompareJSONB([]byte(x), []byte(y)); cmpInt(c, 0) != cmpInt(i, j) {
				t.Errorf("%s against %s: %d", x, y, c)
			}
		}
	}
	if CompareJSONB([]byte(`[1.0, "x"]`), []byte(`[1.00, "x"]`)) != 0 {
		t.Error("equal numbers of different scale differ")
	}
}

func TestArraysKeepNullsBoundsAndDimensions(t *testing.T) {
	var v vec.Vector
	v.Reset(types.Of(types.Text))
	v.AppendString("a")
	v.AppendNull()
	v.AppendString("")
	b := EncodeArrayLower(nil, &v, 0, 3, 5)
	a, err := OpenArray(types.Text, b)
	if err != nil {
		t.Fatal(err)
	}
	if a.N != 3 || a.Dims[0] != (Dim{3, 5}) || a.Null(0) || !a.Null(1) || string(a.Bytes(0)) != "a" || len(a.Bytes(2)) != 0 {
		t.Fatalf("%+v", a)
	}
	if ArrayLen(b) != 3 {
		t.Errorf("length %d", ArrayLen(b))
	}
	var out vec.Vector
	out.Reset(types.Of(types.Text))
	for _, sub := range []int64{4, 5, 6, 7, 8} {
		if err := ArrayElem(types.Text, b, sub, &out); err != nil {
			t.Fatal(err)
		}
	}
	if !out.Null(0) || string(out.Bytes(1)) != "a" || !out.Null(2) || out.Null(3) || !out.Null(4) {
		t.Error("subscripts give the wrong elements")
	}
}

func TestZonesAreFoundByEverySpelling(t *testing.T) {
	for name, offset := range map[string]int{
		"UTC": 0, "europe/berlin": 3600, "EUROPE/BERLIN": 3600, "EST": -5 * 3600, "UTC+3": -3 * 3600, "UTC-5:30": 5*3600 + 1800,
		"-8": -8 * 3600, "5.5": 5*3600 + 1800, "<-03>3": -3 * 3600, "Etc/GMT+3": -3 * 3600, "America/Port_of_Spain": -4 * 3600,
	} {
		loc, err := LoadZone(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if o, _ := zoneOffset(1451606400_000000, loc); o != offset { // a day in winter
			t.Errorf("%s is %d, want %d", name, o, offset)
		}
	}
	for _, name := range []string{"", "nowhere", "../etc/passwd", "Local", "Europe/", "a"} {
		if _, err := LoadZone(name); sqlstate.Code(err) != sqlstate.InvalidParameter {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCivilDaysAreInverse(t *testing.T) {
	for _, d := range []int64{dateMin, -719528, -1, 0, 1, 59, 60, 16922, dateMax} {
		y, m, day := DaysToCivil(d)
		if back := CivilToDays(y, m, day); back != d {
			t.Errorf("%d is %d-%d-%d, which is %d", d, y, m, day, back)
		}
	}
	const seed = 3
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	for range 10000 {
		d := r.Int64N(dateMax-dateMin) + dateMin
		y, m, day := DaysToCivil(d)
		if back := CivilToDays(y, m, day); back != d || m < 1 || m > 12 || day < 1 || day > DaysInMonth(y, m) {
			t.Fatalf("%d is %d-%d-%d, which is %d", d, y, m, day, back)
		}
	}
}

func TestTypesRoundTripThroughOIDsAndNames(t *testing.T) {
	for _, i := range Types {
		for _, ty := range []types.Type{types.Of(i.Kind), types.ArrayOf(i.Kind)} {
			oid := OID(ty)
			if oid == 0 {
				continue
			}
			if back, ok := TypeOfOID(oid); !ok || back != ty {
				t.Errorf("%s has oid %d, which is %s", ty, oid, back)
			}
			if back, ok := TypeByName(TypeName(ty)); !ok || back != ty {
				t.Errorf("%s is named %s, which is %s", ty, TypeName(ty), back)
			}
		}
	}
	for ty, want := range map[types.Type]string{
		WithTypMod(types.Of(types.Varchar), 36):                       "character varying(32)",
		WithTypMod(types.Of(types.Numeric), MakeNumericMod(12, 3)):    "numeric(12,3)",
		WithTypMod(types.Of(types.Numeric), MakeNumericMod(2, -3)):    "numeric(2,-3)",
		WithTypMod(types.Of(types.BPChar), 6):                         "character(2)",
		WithTypMod(types.Of(types.Timestamptz), 3):                    "timestamp(3) with time zone",
		WithTypMod(types.Of(types.Interval), fieldYear<<16|0xffff):    "interval year",
		WithTypMod(types.Of(types.Interval), intervalFullRange<<16|2): "interval(2)",
		types.ArrayOf(types.Text):                                     "text[]",
		types.Of(types.Char):                                          `"char"`,
	} {
		if got := FormatType(ty); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

var fuzzTypes = func() (ts []types.Type) {
	for _, i := range Types {
		switch i.Kind {
		case types.Any, types.AnyArray, types.AnyElement, types.Void, types.Record, types.Unknown:
			continue
		}
		ts = append(ts, types.Of(i.Kind))
		if i.ArrayOID != 0 {
			ts = append(ts, types.ArrayOf(i.Kind))
		}
	}
	return ts
}()

// FuzzParseText: no input does harm, and what is accepted prints and reads back.
func FuzzParseText(f *testing.F) {
	for i, s := range []string{"t", "1", "1.5e3", "NaN", "2016-05-01 12:00+02", "1 day ago", "P1Y2M", "{1,NULL,\"a\"}", "[0:1]={1,2}",
		`{"a":[1,2]}`, `\xdead`, "infinity", "5;4;10;1,2;0:3", "J2457510", "12:34:56.789"} {
		f.Add(uint8(i), []byte(s))
	}
	f.Fuzz(func(t *testing.T, which uint8, s []byte) {
		ty := fuzzTypes[int(which)%len(fuzzTypes)]
		var v, back vec.Vector
		v.Reset(ty)
		back.Reset(ty)
		if len(s) > 1000 || ParseText(ty, s, nil, &v) != nil {
			if v.N != 0 {
				t.Fatal("a value beside an error")
			}
			return
		}
		text := AppendText(nil, &v, 0, nil)
		if ty.Kind == types.HLL || ty.Elem == types.HLL {
			return
		}
		if err := ParseText(ty, text, nil, &back); err != nil {
			t.Fatalf("%s: %q printed %q: %v", ty, s, text, err)
		}
		if Comparable(ty) && Compare(ty, &v, 0, &back, 0) != 0 {
			t.Fatalf("%s: %q printed %q, which is another value", ty, s, text)
		}
		b, err := AppendBinary(nil, &v, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := ParseBinary(ty, b, &back); err != nil {
			t.Fatalf("%s: %q: %v", ty, s, err)
		}
	})
}

// FuzzParseBinary: no bytes do harm, and what is accepted can be written again.
func FuzzParseBinary(f *testing.F) {
	var v vec.Vector
	for i, ty := range fuzzTypes {
		v.Reset(ty)
		if ParseText(ty, []byte("1"), nil, &v) == nil || ParseText(ty, []byte("{1}"), nil, &v) == nil {
			if b, err := AppendBinary(nil, &v, 0); err == nil {
				f.Add(uint8(i), b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		ty := fuzzTypes[int(which)%len(fuzzTypes)]
		var v vec.Vector
		v.Reset(ty)
		if len(b) > 1000 || ParseBinary(ty, b, &v) != nil {
			return
		}
		if _, err := AppendBinary(nil, &v, 0); err != nil {
			t.Fatal(err)
		}
		AppendText(nil, &v, 0, nil)
		AppendKey(nil, &v, 0)
		if Comparable(ty) && Compare(ty, &v, 0, &v, 0) != 0 {
			t.Fatalf("%s: a value differs from itself", ty)
		}
	})
}

// FuzzOpenArray: damaged array bytes are an error, never a panic.
func FuzzOpenArray(f *testing.F) {
	var v vec.Vector
	v.Reset(types.Of(types.Text))
	v.AppendString("abc")
	v.AppendNull()
	f.Add(uint8(types.Text), EncodeArray(nil, &v, 0, 2))
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		elem := types.Kind(kind)
		if elem.Phys() == types.PhysNone {
			return
		}
		a, err := OpenArray(elem, b)
		if err != nil || a.N > 10000 {
			return
		}
		var out vec.Vector
		out.Reset(types.Of(elem))
		for i := range a.N {
			a.AppendElem(&out, i)
		}
		appendArrayKey(nil, elem, b)
		compareArrays(elem, b, b)
	})
}

func BenchmarkNumeric(b *testing.B) {
	var x, y, z Numeric
	if x.Parse([]byte("12345.678")) != nil || y.Parse([]byte("0.0321")) != nil {
		b.Fatal("parse")
	}
	for name, f := range map[string]func() error{
		"add": func() error { return z.Add(&x, &y) }, "mul": func() error { return z.Mul(&x, &y) },
		"div": func() error { return z.Div(&x, &y) }, "parse": func() error { return z.Parse([]byte("12345.678")) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTimestamptz(b *testing.B) {
	s := []byte("2016-05-01 12:34:56.789+00")
	buf := make([]byte, 0, 64)
	loc, err := LoadZone("America/New_York")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := ParseTimestamptz(s, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("print", func(b *testing.B) {
		for b.Loop() {
			buf = AppendTimestamptz(buf[:0], 1462104000_000000, loc)
		}
	})
}

func TestLongIdentifiersAndFloatsAreCut(t *testing.T) {
	if got := TruncateName([]byte(strings.Repeat("é", 40))); len(got) != 62 {
		t.Errorf("%d bytes", len(got))
	}
	var f Format
	f.SetExtraFloatDigits(0)
	if got := string(AppendFloat(nil, 0.1+0.2, types.Float64, &f)); got != "0.3" {
		t.Errorf("got %s", got)
	}
	if got := string(AppendFloat(nil, math.Pi, types.Float64, nil)); got != "3.141592653589793" {
		t.Errorf("got %s", got)
	}
}

package shred

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/valyala/fastjson"
	"pgregory.net/rapid"
)

// leaves prints a row: path, kind, value.
func leaves(in *column.Interner, row *column.RowBuf) string {
	var b strings.Builder
	for _, v := range row.Values {
		fmt.Fprintf(&b, "%s %s ", in.Path(v.Path), v.Leaf)
		switch v.Leaf {
		case types.LeafBool, types.LeafInt:
			fmt.Fprintf(&b, "%d\n", int64(v.Num))
		case types.LeafFloat:
			fmt.Fprintf(&b, "%v\n", mathFloat(v.Num))
		case types.LeafHistogram:
			fmt.Fprintf(&b, "%d bytes\n", v.Len)
		default:
			fmt.Fprintf(&b, "%s\n", row.Data(v))
		}
	}
	return b.String()
}

func shredValue(t tb, text string, rules *Rules) string {
	t.Helper()
	in := column.NewInterner()
	var row column.RowBuf
	if err := New(in, rules).Value([]byte(text), in.Intern("c"), &row); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return leaves(in, &row)
}

func TestLeavesOfAValue(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"a": 1, "b": {"c": "x", "d": true}}`, "c.a int 1\nc.b.c text x\nc.b.d bool 1\n"},
		{`{}`, "c json {}\n"},
		{`null`, "c json null\n"},
		{`{"a":{},"b":[],"c":null}`, "c.a json {}\nc.b json []\nc.c json null\n"},
		{`[1,2.50,{"bb":1,"a":2}]`, "c json [1, 2.50, {\"a\": 2, \"bb\": 1}]\n"},
		{`12`, "c int 12\n"},
		{`-0`, "c int 0\n"},
		{`-0.5`, "c float -0.5\n"},
		{`9223372036854775807`, "c int 9223372036854775807\n"},
		{`-9223372036854775808`, "c int -9223372036854775808\n"},
		{`9223372036854775808`, "c json 9223372036854775808\n"}, // no double has these digits
		{`100000000000000000000`, "c float 1e+20\n"},
		{`1.5`, "c float 1.5\n"},
		{`1.10`, "c float 1.1\nc json 1.10\n"},
		{`1.0`, "c float 1\nc json 1.0\n"},
		{`-0.0`, "c float 0\nc json 0.0\n"},
		{`1e2`, "c int 100\n"}, // jsonb prints 100 for both
		{`1.5e-7`, "c float 1.5e-07\n"},
		{`1.50e-7`, "c float 1.5e-07\nc json 0.000000150\n"},
		{`0.30000000000000004`, "c float 0.30000000000000004\n"},
		{`0.300000000000000041`, "c json 0.300000000000000041\n"},
		{`1e400`, "c json 1" + strings.Repeat("0", 400) + "\n"},
		{`1e-400`, "c json 0." + strings.Repeat("0", 399) + "1\n"},
		{`1e23`, "c float 1e+23\n"},
		{`{"a":1,"b":2,"a":{"x":1,"y":2},"a":{"y":3}}`, "c.b int 2\nc.a.y int 3\n"},
		{`{"a":1,"\u0061":2}`, "c.a int 2\n"},
		{`{"7":1,"x":2}`, "c json {\"7\": 1, \"x\": 2}\n"},
		{`{"h":{"bucket_count":3,"histogram_type":4,"sum":1,"range":[1,2],"values":{"0":1,"1":0}}}`, "c.h histogram 11 bytes\n"},
		{`{"sum":1,"values":{"0":1}}`, "c.sum int 1\nc.values json {\"0\": 1}\n"},
		{`"a\u00e9\ud83d\ude00\n"`, "c text aé😀\n\n"},
	} {
		if got := shredValue(t, c.in, nil); got != c.want {
			t.Errorf("%s:\ngot  %swant %s", c.in, got, c.want)
		}
	}
}

func TestOnlyWhatPrintsBackIsAHistogram(t *testing.T) {
	const good = `{"bucket_count":3,"histogram_type":4,"sum":1,"range":[1,2],"values":{"0":1,"1":0}}`
	for text, want := range map[string]bool{
		good: true,
		`{ "values" : { "10" : 1 , "2":5} , "sum":1, "range":[1,0],"bucket_count":3,"histogram_type":0 }`:                   true,
		strings.Replace(good, `"sum":1`, `"sum":-1`, 1):                                                                     false,
		strings.Replace(good, `"sum":1`, `"sum":1.0`, 1):                                                                    false,
		strings.Replace(good, `"sum":1`, `"sum":1e1`, 1):                                                                    false,
		strings.Replace(good, `"sum":1`, `"sum":"1"`, 1):                                                                    false,
		strings.Replace(good, `"sum":1`, `"sum":9223372036854775808`, 1):                                                    false,
		strings.Replace(good, `"sum":1`, `"sum":9223372036854775807`, 1):                                                    true,
		strings.Replace(good, `"sum":1,`, ``, 1):                                                                            false,
		strings.Replace(good, `"sum":1`, `"sum":1,"log_sum":0`, 1):                                                          false,
		strings.Replace(good, `"sum":1`, `"sum":1,"sum":1`, 1):                                                              false,
		strings.Replace(good, `"0":1`, `"00":1`, 1):                                                                         false,
		strings.Replace(good, `"0":1`, `"1":1`, 1):                                                                          false,
		strings.Replace(good, `"0":1`, `"-1":1`, 1):                                                                         false,
		strings.Replace(good, `"0":1`, `"0":-1`, 1):                                                                         false,
		strings.Replace(good, `"0":1`, `"0":01`, 1):                                                                         false,
		strings.Replace(good, `[1,2]`, `[-5,2]`, 1):                                                                         true,
		strings.Replace(good, `[1,2]`, `[-0,2]`, 1):                                                                         false,
		strings.Replace(good, `[1,2]`, `[1,2,3]`, 1):                                                                        false,
		strings.Replace(good, `{"0":1,"1":0}`, `{}`, 1):                                                                     true,
		strings.Replace(good, `{"0":1,"1":0}`, buckets(4096), 1):                                                            true,
		strings.Replace(good, `{"0":1,"1":0}`, buckets(4097), 1):                                                            false,
		strings.Replace(strings.Replace(good, `"bucket_count":3`, `"bucket_count":2147483648`, 1), `"sum":1`, `"sum":1`, 1): false,
	} {
		in := column.NewInterner()
		var row column.RowBuf
		doc := `{"payload":{"histograms":{"H":` + text + `}}}`
		rules := &Rules{Stops: PingRules}
		err := New(in, rules).Document([]byte(doc), &row, func(m string) (uint32, bool) { return in.Intern(types.Path(m)), true })
		if strings.Contains(text, ":01") {
			if err == nil {
				t.Errorf("%s: a leading zero was accepted", text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if len(row.Values) != 1 {
			t.Errorf("%.80s: %d values, want one", text, len(row.Values))
		}
		if got := row.Values[0].Leaf == types.LeafHistogram; got != want {
			t.Errorf("%.80s: histogram %v, want %v", text, got, want)
		}
		checkRoundTrip(t, in, []*column.RowBuf{&row}, "payload", []string{doc[len(`{"payload":`) : len(doc)-1]})
	}
}

func TestBucketsInAnyOrderAreOneHistogram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bounds := rapid.SliceOfNDistinct(rapid.OneOf(rapid.Int64Range(0, 30), rapid.Int64Range(0, 1<<20), rapid.Int64Range(0, math.MaxInt64)), 0, 60, rapid.ID[int64]).Draw(t, "bounds")
		if rapid.Bool().Draw(t, "as text") {
			slices.SortFunc(bounds, func(a, b int64) int { return strings.Compare(strconv.FormatInt(a, 10), strconv.FormatInt(b, 10)) })
		}
		var b strings.Builder
		for _, x := range bounds {
			fmt.Fprintf(&b, `,"%d":%d`, x, x/2)
		}
		text := `{"h":{"bucket_count":9,"histogram_type":0,"sum":7,"range":[1,2],"values":{` + strings.TrimPrefix(b.String(), ",") + `}}}`
		in := column.NewInterner()
		var row column.RowBuf
		if err := New(in, nil).Value([]byte(text), in.Intern("c"), &row); err != nil {
			t.Fatal(err)
		}
		if len(row.Values) != 1 || row.Values[0].Leaf != types.LeafHistogram {
			t.Fatalf("not stored as a histogram: %s", text)
		}
		checkRoundTrip(t, in, []*column.RowBuf{&row}, "c", []string{text})
	})
}

func TestDigitsOf(t *testing.T) {
	for x := int64(1); x > 0 && x < math.MaxInt64/10; x *= 10 {
		for _, y := range []int64{x - 1, x, x + 1, 9*x + 1} {
			if got := digitsOf(y); got != len(strconv.FormatInt(y, 10)) {
				t.Errorf("digitsOf(%d) = %d", y, got)
			}
		}
	}
	if digitsOf(math.MaxInt64) != 19 {
		t.Error("largest int64")
	}
}

func buckets(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%d":1`, i*3)
	}
	return "{" + b.String()[1:] + "}"
}

// checkRoundTrip compares the assembled values at root with the oracle's form of texts.
func checkRoundTrip(t tb, in *column.Interner, rows []*column.RowBuf, root types.Path, texts []string) {
	t.Helper()
	got := assembleAll(t, groupOf(t, in, rows), root)
	for i, text := range texts {
		want, err := oracle([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got[i] != want {
			t.Fatalf("row %d:\nin   %.300s\ngot  %.300s\nwant %.300s", i, text, got[i], want)
		}
		norm, err := AppendJSONB(nil, []byte(text))
		if err != nil || string(norm) != want {
			t.Fatalf("AppendJSONB(%.300s)\ngot  %.300s %v\nwant %.300s", text, norm, err, want)
		}
		if again, err := AppendJSONB(nil, norm); err != nil || string(again) != want {
			t.Fatalf("jsonb text is not its own normal form: %.300s, %v", again, err)
		}
	}
}

// drawJSON draws a JSON value as text, with all the freedom that the grammar leaves.
func drawJSON(t *rapid.T, depth int) string {
	kinds := 6
	if depth <= 0 {
		kinds = 4
	}
	space := rapid.SampledFrom([]string{"", "", "", " ", "\n\t "})
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]string{"true", "false", "null", "{}", "[]", `""`, "{ }", "[\n]"}).Draw(t, "constant")
	case 1:
		return drawNumber(t)
	case 2:
		return drawString(t)
	case 3:
		return rapid.SampledFrom([]string{
			`{"bucket_count":3,"histogram_type":4,"sum":1,"range":[1,2],"values":{"0":1,"1":0}}`,
			`{"range":[1,50],"sum":110,"values":{"10":2,"5":18,"0":0},"histogram_type":1,"bucket_count":10}`,
			`{"range":[1,50],"log_sum":1.50,"sum":110,"values":{"10":2,"5":18,"0":0},"log_sum_squares":0,"histogram_type":1,"bucket_count":10}`,
			`{"sum_squares_lo":7,"range":[1,50],"sum":110,"values":{"10":2},"sum_squares_hi":0.0,"histogram_type":1,"bucket_count":10}`,
			`{"sum_squares_lo":7e1,"range":[1,50],"sum":110,"values":{"10":2},"histogram_type":1,"bucket_count":10}`,
			`{"sum":1,"values":{"0":1}}`, `{"values":{"a":1}}`, `{"range":[1,2]}`, `{"sum":{"sum":{"sum":1}}}`,
		}).Draw(t, "histogram")
	case 4:
		return "[" + strings.Join(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return space.Draw(t, "space") + drawJSON(t, depth-1) + space.Draw(t, "space")
		}), 0, 4).Draw(t, "array"), ",") + "]"
	}
	return "{" + strings.Join(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		return space.Draw(t, "space") + drawKey(t) + space.Draw(t, "space") + ":" + space.Draw(t, "space") + drawJSON(t, depth-1) + space.Draw(t, "space")
	}), 0, 6).Draw(t, "object"), ",") + "}"
}

func drawNumber(t *rapid.T) string {
	return rapid.OneOf(
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})`),
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,8})\.[0-9]{1,18}`),
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,4})(\.[0-9]{1,4})?[eE][+-]?[0-9]{1,3}`),
		rapid.SampledFrom([]string{"0", "-0", "0.0", "-0.00", "1e400", "1e-400", "0e10", "0e-3", "9007199254740993", "1.7976931348623157e308", "5e-324", "2.2250738585072014E-308"}),
	).Draw(t, "number")
}

func drawString(t *rapid.T) string {
	s := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"a", "quote\"", "back\\slash", "line\nfeed", "\u007f", "é", "😀"})).Draw(t, "string")
	s = strings.ReplaceAll(s, "\x00", "")
	if rapid.Bool().Draw(t, "escape all") {
		b, _ := json.Marshal(s)
		return string(b)
	}
	return string(AppendQuoted(nil, s))
}

func drawKey(t *rapid.T) string {
	if rapid.IntRange(0, 9).Draw(t, "odd key") == 0 {
		return drawString(t)
	}
	return rapid.SampledFrom([]string{`"a"`, `"b"`, `"c"`, `"dd"`, `"sum"`, `"values"`, `"\u0061"`, `"ee.f"`, `""`, `"12"`, `"histograms"`, `"keyedHistograms"`}).Draw(t, "key")
}

// drawPathRules draws caps so low that they bite.
func drawPathRules(t *rapid.T) *Rules {
	r := &Rules{Stops: PingRules, PathsPerTable: rapid.SampledFrom([]int{0, 1, 3, 10}).Draw(t, "paths")}
	r.Histograms = rapid.SampledFrom([]int{0, 1}).Draw(t, "histograms")
	return r
}

func TestAssembledValuesEqualTheInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := column.NewInterner()
		s := New(in, drawPathRules(t))
		texts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return drawJSON(t, 4) }), 1, 8).Draw(t, "values")
		var rows []*column.RowBuf
		for _, text := range texts {
			row := &column.RowBuf{}
			if err := s.Value([]byte(text), in.Intern("payload"), row); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			rows = append(rows, row)
		}
		checkRoundTrip(t, in, rows, "payload", texts)
	})
}

func TestDocumentsAreGivenBackWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := column.NewInterner()
		rules := drawPathRules(t)
		rules.Rest = "additional_properties"
		s := New(in, rules)
		cols := []types.Column{{Name: "col_a", Source: "a"}, {Name: "col_sum", Source: "sum"}, {Name: "server"}, {Name: "col_h", Source: "histograms"}}
		top := func(m string) (uint32, bool) {
			for _, c := range cols {
				if c.Source != "" && c.Source == m {
					return in.Intern(types.Path(c.Name)), true
				}
			}
			return 0, false
		}
		var rows []*column.RowBuf
		var texts []string
		for range rapid.IntRange(1, 6).Draw(t, "documents") {
			var members []string
			for range rapid.IntRange(0, 6).Draw(t, "members") {
				members = append(members, drawKey(t)+":"+drawJSON(t, 3))
			}
			text := "{" + strings.Join(members, ", ") + "}"
			row := &column.RowBuf{}
			row.Text(in.Intern("server"), "not the document's")
			if err := s.Document([]byte(text), row, top); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			rows, texts = append(rows, row), append(texts, text)
		}
		var v vec.Vector
		if err := DocumentValue(groupOf(t, in, rows), cols, "additional_properties", 0, len(rows), nil, &v); err != nil {
			t.Fatal(err)
		}
		for i, got := range strs(&v) {
			if want, _ := oracle([]byte(texts[i])); got != want {
				t.Fatalf("row %d:\nin   %s\ngot  %s\nwant %s", i, texts[i], got, want)
			}
		}
	})
}

func TestSamplesAreGivenBack(t *testing.T) {
	in := column.NewInterner()
	rules := &Rules{Stops: PingRules, Rest: "additional_properties"}
	s := New(in, rules)
	var rows []*column.RowBuf
	var texts []string
	sources := map[string]bool{}
	for range 2 {
		for name, text := range samples(t) {
			row := &column.RowBuf{}
			err := s.Document(text, row, func(m string) (uint32, bool) {
				sources[m] = true
				return in.Intern(types.Path("col_" + m)), m != "clientId"
			})
			if err != nil {
				t.Fatal(name, err)
			}
			rows, texts = append(rows, row), append(texts, string(text))
		}
	}
	var cols []types.Column
	for m := range sources {
		if m != "clientId" {
			cols = append(cols, types.Column{Name: "col_" + m, Source: m})
		}
	}
	g := groupOf(t, in, rows)
	var v vec.Vector
	if err := DocumentValue(g, cols, "additional_properties", 0, len(rows), nil, &v); err != nil {
		t.Fatal(err)
	}
	for i, got := range strs(&v) {
		if want, _ := oracle([]byte(texts[i])); got != want {
			t.Fatalf("row %d: in %.200s\n%s", i, texts[i], cmp.Diff(want, got))
		}
	}
	if n := in.Len(); n > 6000 {
		t.Errorf("%d paths for the samples: something expands that should not", n)
	}
	t.Logf("%d paths, %d rows", in.Len(), len(rows))
}

func TestExtractAgreesWithTheAssembledValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := column.NewInterner()
		s := New(in, drawPathRules(t))
		texts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return drawJSON(t, 4) }), 1, 6).Draw(t, "values")
		var rows []*column.RowBuf
		for _, text := range texts {
			row := &column.RowBuf{}
			if err := s.Value([]byte(text), in.Intern("payload"), row); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		g := groupOf(t, in, rows)
		keys := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "sum", "values", "0", "1", "-1", "", "range", "ee.f", "c"}), 0, 4).Draw(t, "keys")
		var j, x vec.Vector
		if err := Extract(g, "payload", keys, 0, len(rows), nil, false, &j); err != nil {
			t.Fatal(err)
		}
		if err := Extract(g, "payload", keys, 0, len(rows), nil, true, &x); err != nil {
			t.Fatal(err)
		}
		gotJSON, gotText := strs(&j), strs(&x)
		for i, text := range texts {
			norm, _ := oracle([]byte(text))
			want, ok := JSONBGetPath([]byte(norm), keys)
			if gotJSON[i] != string(want) || ok != !j.Null(i) {
				t.Fatalf("%s #> %q: got %q, want %q %v", text, keys, gotJSON[i], want, ok)
			}
			wantText, notNull := AppendText(nil, want)
			notNull = notNull && ok
			if !notNull {
				wantText = nil
			}
			if gotText[i] != string(wantText) || notNull == x.Null(i) {
				t.Fatalf("%s #>> %q: got %q, want %q %v", text, keys, gotText[i], wantText, notNull)
			}
		}
	})
}

func TestSelectedRowsOnly(t *testing.T) {
	in := column.NewInterner()
	s := New(in, nil)
	var rows []*column.RowBuf
	for i := range 2000 {
		row := &column.RowBuf{}
		if i%3 != 0 {
			if err := s.Value(fmt.Appendf(nil, `{"a":{"b":%d}}`, i), in.Intern("c"), row); err != nil {
				t.Fatal(err)
			}
		}
		rows = append(rows, row)
	}
	g := groupOf(t, in, rows)
	sel := vec.MakeBitmap(500)
	for i := range 500 {
		sel.SetTo(i, i%2 == 0)
	}
	var v vec.Vector
	if err := Assemble(g, "c", 1024+10, 1024+510, sel, &v); err != nil {
		t.Fatal(err)
	}
	for i, got := range strs(&v) {
		want := ""
		if row := 1034 + i; i%2 == 0 && row%3 != 0 {
			want = fmt.Sprintf(`{"a": {"b": %d}}`, row)
		}
		if got != want {
			t.Fatalf("row %d: %q, want %q", i, got, want)
		}
	}
}

// validity compares what we accept with fastjson, leaving out what we refuse on purpose.
func checkValidity(t tb, text []byte) {
	ours := Valid(text)
	theirs := fastjson.ValidateBytes(text)
	if ours != nil {
		e := ours.(*Error)
		switch e.Reason {
		case "invalid UTF-8 in string", "lone surrogate in string", `\u0000 in string`, "nested too deeply", "number out of range",
			"too many keys and values", "key is too long":
			return
		}
		if e.Offset < 0 || e.Offset > len(text) {
			t.Fatalf("offset %d outside of %q", e.Offset, text)
		}
	}
	if json.Valid(text) != (ours == nil) {
		t.Fatalf("%q: we say %v, fastjson %v, encoding/json valid %v", text, ours, theirs, json.Valid(text))
	}
	in := column.NewInterner()
	var row column.RowBuf
	if err := New(in, nil).Value(text, in.Intern("c"), &row); (err == nil) != (ours == nil) {
		t.Fatalf("%q: Valid says %v, Value says %v", text, ours, err)
	}
}

func TestValidityAgreesWithFastjson(t *testing.T) {
	for _, text := range []string{"", " ", "{", "}", "[", "[]", "[1,]", "{,}", `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a" 1}`, "nul", "nulll", "truefalse", "01", "-", "1.", ".5",
		"1e", "1e+", "+1", "- 1", `"`, `"\`, `"\x"`, `"\u12"`, `"\u123g"`, "\"\n\"", "\"\x01\"", `"abc`, "[1 2]", `{"a":1 "b":2}`, "NaN", "Infinity", "'a'", "[[]", "[]]",
		"\ufeff{}", "{}x", "1 2", `{"a":1}}`, "\x00", "{}\x00", `{1:2}`, `{"sum":`, `{"bucket_count":3,"histogram_type":4,"sum":1,"range":[1,2],"values":{"0":1,"1":0}`,
		`{"values":{"1":1,}}`, `{"values":{"1":1`, `{"values":{"1"`, `{"range":[`, "/**/1"} {
		if err := Valid([]byte(text)); (err == nil) != (fastjson.Validate(text) == nil) {
			t.Errorf("%q: we say %v, fastjson %v", text, err, fastjson.Validate(text))
		}
		checkValidity(t, []byte(text))
	}
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(drawJSON(t, 3))
		if rapid.Bool().Draw(t, "damage") && len(text) > 0 {
			i := rapid.IntRange(0, len(text)-1).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "how") {
			case 0:
				text[i] = rapid.SampledFrom([]byte("{}[]\",:0e-.\\ ux\n\x00\xff")).Draw(t, "byte")
			case 1:
				text = text[:i]
			case 2:
				text = append(text[:i:i], text[i+1:]...)
			}
		}
		checkValidity(t, text)
	})
}

func FuzzShred(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.50,{"b":null}],"h":{"sum":1}}`, `{"a":1,"a":{}}`, `"\ud800"`, `1e99`, `{"values":{"1":1}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		checkValidity(t, text)
		in := column.NewInterner()
		row := &column.RowBuf{}
		s := New(in, &Rules{Stops: PingRules, PathsPerTable: 5})
		if s.Value(text, in.Intern("c"), row) != nil {
			return
		}
		want, err := AppendJSONB(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := assembleAll(t, groupOf(t, in, []*column.RowBuf{row}), "c"); got[0] != string(want) {
			t.Fatalf("%q: got %q, want %q", text, got[0], want)
		}
		for range JSONBEach(text) { // any bytes: no panic
		}
		JSONBContains(text, text)
		JSONBGetPath(text, []string{"a", "1"})
		AppendText(nil, text)
	})
}

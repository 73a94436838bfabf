package shred

import (
	"fmt"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/types"
	"pgregory.net/rapid"
)

func jsonb(t tb, text string) []byte {
	t.Helper()
	out, err := AppendJSONB(nil, []byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

// The expected texts are what PostgreSQL 15 prints for the same casts.
func TestJSONBTextIsPostgresText(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":2,"aa":0}`:                 `{"a": 2, "b": 1, "aa": 0}`,
		`{"a":1,"a":2}`:                        `{"a": 2}`,
		` [ 1 , 2.50 ,"x" ] `:                  `[1, 2.50, "x"]`,
		`1e2`:                                  `100`,
		`1.5e3`:                                `1500`,
		`1.50e1`:                               `15.0`,
		`1e-2`:                                 `0.01`,
		`-0`:                                   `0`,
		`-0.0`:                                 `0.0`,
		`0e10`:                                 `0`,
		`0.00e1`:                               `0.0`,
		`-1.20E+1`:                             `-12.0`,
		`123.456e-2`:                           `1.23456`,
		`0.001e2`:                              `0.1`,
		`0.001e3`:                              `1`,
		`"\u0041\n\u001f\/\u00e9\ud83d\ude00"`: `"A\n\u001f/é😀"`,
		`"\u007f\b\f\t\r\"\\"`:                 "\"\u007f\\b\\f\\t\\r\\\"\\\\\"",
		`{"\u0062":1,"a":{}}`:                  `{"a": {}, "b": 1}`,
		`{"é":1,"z":2,"zz":3}`:                 `{"z": 2, "zz": 3, "é": 1}`,
		`[[],{},null,true,false]`:              `[[], {}, null, true, false]`,
	} {
		if got := string(jsonb(t, in)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		`1e131072`: "number out of range at byte 0", `1e-16384`: "number out of range at byte 0",
		strings.Repeat("[", 1025) + strings.Repeat("]", 1025): "nested too deeply at byte 1024",
		`[1e131071` + strings.Repeat(",1e131071", 10) + `]`:   "number out of range at byte 73",
		"": "unexpected end at byte 0",
	} {
		if dst, err := AppendJSONB([]byte("kept"), []byte(in)); err == nil || err.Error() != want || string(dst) != "kept" {
			t.Errorf("%.20s: %v, want %s; dst %q", in, err, want, dst)
		}
	}
}

func TestJSONBAccess(t *testing.T) {
	v := jsonb(t, `{"a":[1,{"x":"say \"hi\""},null],"bb":{"c":{"d":1.50}},"k\"":"v","":0,"s":"}{,:"}`)
	for path, want := range map[string]string{
		"": string(v), "a": `[1, {"x": "say \"hi\""}, null]`, "a/0": "1", "a/1/x": `"say \"hi\""`, "a/2": "null", "a/-1": "null", "a/-3": "1",
		"a/3": "none", "a/-4": "none", "a/x": "none", "a/ 1": "none", "bb/c/d": "1.50", "bb/c/d/e": "none", "bb/x": "none", `k"`: `"v"`, "s": `"}{,:"`, "zzzz": "none",
		"a/99999999999": "none",
	} {
		var keys []string
		if path != "" {
			keys = strings.Split(path, "/")
		}
		got, ok := JSONBGetPath(v, keys)
		if !ok {
			got = []byte("none")
		}
		if string(got) != want {
			t.Errorf("#> %q = %s, want %s", keys, got, want)
		}
	}
	if got, ok := JSONBGet(v, ""); !ok || string(got) != "0" {
		t.Error("empty key:", string(got), ok)
	}
	for in, want := range map[string]string{`"a\"\u00e9\n"`: "a\"é\n", `1.50`: "1.50", `{"a":1}`: `{"a": 1}`, `true`: "true", `""`: ""} {
		if got, ok := AppendText(nil, jsonb(t, in)); !ok || string(got) != want {
			t.Errorf("->> of %s: %q", in, got)
		}
	}
	if _, ok := AppendText(nil, []byte("null")); ok {
		t.Error("->> of null is SQL NULL")
	}
	for in, want := range map[string]string{"{}": "object", "[]": "array", `""`: "string", "1": "number", "-1": "number", "true": "boolean", "false": "boolean", "null": "null"} {
		if got := JSONBTypeof([]byte(in)); got != want {
			t.Errorf("typeof %s = %s", in, got)
		}
	}
	for _, c := range []struct {
		v, key string
		want   bool
	}{{`{"a":1}`, "a", true}, {`{"a":1}`, "b", false}, {`["a",1]`, "a", true}, {`["a",1]`, "1", false}, {`"a"`, "a", true}, {`"a\n"`, "a\n", true}, {`1`, "1", false}, {`[["a"]]`, "a", false}} {
		if got := JSONBExists(jsonb(t, c.v), c.key); got != c.want {
			t.Errorf("%s ? %s = %v", c.v, c.key, got)
		}
	}
	if n, ok := JSONBLen(jsonb(t, `[1,[2,3],{"a":[4]}]`)); n != 3 || !ok {
		t.Error("array length", n)
	}
}

func TestJSONBContains(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1,"b":2}`, `{"a":1}`, true}, {`{"a":1}`, `{"a":1,"b":2}`, false}, {`{"a":{"b":1,"c":2}}`, `{"a":{"c":2}}`, true},
		{`[1,2,3]`, `[3,1]`, true}, {`[1,2,3]`, `[1,1]`, true}, {`[1,2]`, `[4]`, false}, {`["foo","bar"]`, `"bar"`, true}, {`"bar"`, `["bar"]`, false},
		{`{"foo":{"bar":"baz"}}`, `{"bar":"baz"}`, false}, {`[1,[2,[3]]]`, `[[2]]`, true}, {`[1,[2]]`, `2`, false}, {`1.0`, `1`, true},
		{`{"a":1.50}`, `{"a":1.5}`, true}, {`[{"a":1,"b":2}]`, `[{"a":1}]`, true}, {`{}`, `{}`, true}, {`[]`, `{}`, false}, {`null`, `null`, true}, {`[[1,2]]`, `[[1],[2]]`, true},
	} {
		if got := JSONBContains(jsonb(t, c.a), jsonb(t, c.b)); got != c.want {
			t.Errorf("%s @> %s = %v", c.a, c.b, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a := jsonb(t, drawJSON(t, 3))
		if !JSONBContains(a, a) || !JSONBEqual(a, a) {
			t.Fatalf("%s does not contain itself", a)
		}
		b := jsonb(t, drawJSON(t, 3))
		if JSONBEqual(a, b) != JSONBEqual(b, a) || JSONBEqual(a, b) && !(JSONBContains(a, b) && JSONBContains(b, a)) {
			t.Fatalf("%s and %s", a, b)
		}
	})
}

func TestEachYieldsWhatGetFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := jsonb(t, drawJSON(t, 3))
		var b strings.Builder
		for k, x := range JSONBEach(v) {
			if y, ok := JSONBGet(v, k); !ok || string(x) != string(y) {
				t.Fatalf("%s: member %q is %s, get finds %s", v, k, x, y)
			}
			fmt.Fprintf(&b, ", %s: %s", AppendQuoted(nil, k), x)
		}
		if JSONBTypeof(v) == "object" && "{"+strings.TrimPrefix(b.String(), ", ")+"}" != string(v) {
			t.Fatalf("%s was walked as %s", v, b.String())
		}
		i := 0
		for x := range JSONBElements(v) {
			if y, ok := JSONBIndex(v, i); !ok || string(x) != string(y) {
				t.Fatalf("%s: element %d", v, i)
			}
			i++
		}
	})
}

func TestAccessDoesNotAllocate(t *testing.T) {
	v := jsonb(t, `{"a":[1,2,3],"name":"x","deep":{"k":{"z":"t"}}}`)
	path := []string{"deep", "k", "z"}
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		x, _ := JSONBGetPath(v, path)
		buf, _ = AppendText(buf[:0], x)
		JSONBContains(v, v)
		JSONBExists(v, "name")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParseNumberGivesTheValue(t *testing.T) {
	for in, want := range map[string]string{"12": "int 12 0", "1.10": "float 0 1.1", "100000000000000000000": "float 0 1e+20", "12345678901234567890": "leaf? 0 0", `"x"`: "leaf? 0 0", "true": "leaf? 0 0"} {
		leaf, i, f := ParseNumber([]byte(in))
		if got := fmt.Sprint(leaf, i, f); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if leaf, _, _ := ParseNumber(nil); leaf != types.Leaf(0) {
		t.Error(leaf)
	}
}

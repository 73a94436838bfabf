package session

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/sqlstate"
)

const copyTestTable = `CREATE TABLE c (i bigint, n smallint, f double precision, b boolean, d date, t timestamptz, s text NOT NULL, v varchar(5), m numeric, p timestamp)`

// copyAll feeds data to a COPY, cut into pieces, and returns the table, or the error with what it says of the place.
func copyAll(t *testing.T, options string, data string, size, piece int, plain bool) string {
	t.Helper()
	c := open(t, newFakeDB(), Options{})
	defer c.Close()
	must(t, c, copyTestTable)
	r, err := prepare(t, c, "COPY c FROM STDIN WITH ("+options+")").Execute(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	in := r.CopyIn()
	pipe := in.(*copyIn).chunks
	pipe.size, pipe.plain = size, plain
	err = nil
	for at := 0; at < len(data) && err == nil; at += piece {
		err = in.Write([]byte(data[at:min(at+piece, len(data))]))
	}
	if err == nil {
		err = in.Done()
	}
	r.Close()
	if err != nil {
		e := err.(*sqlstate.Error)
		_ = c.EndBatch(t.Context(), true)
		return fmt.Sprint("error ", e.Code, ": ", e.Message, " at ", e.Where)
	}
	if err := c.EndBatch(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	return r.Tag() + "\n" + must(t, c, "SELECT * FROM c")
}

// copyValues are fields by column, of which most are of the plain form and some of every other one; and wrong ones.
var copyValues = [][]string{
	{"1", "-77", "123456789012345678", "9223372036854775807", " 5 ", "+3"},
	{"0", "-32768", "32767", "12"},
	{"0", "-0", "1.5", "3.0541666666666667", "1e300", "-2.5E-3", "nan", "Infinity", "123456789012345678901234", ".5", "7.", "0.000000000000000000000001"},
	{"true", "f", "t", "no", "1", "TRUE"},
	{"2026-09-01", "2026-09-02", "epoch", "2024-02-29", "infinity", "9 Sep 2026"},
	{"2026-09-01 10:20:30+00", "2026-09-01T10:20:30.123456Z", "2026-09-01 10:20:30.5+02", "2026-09-01 10:20", "epoch"},
	{"a", "b", "release", "ünï", "x y", strings.Repeat("long ", 9), "it's"},
	{"v", "five5", "12345  "},
	{"1.50", "-0.001", "NaN", "12345678901234567890.5"},
	{"2026-09-01 10:20:30", "2026-09-01T10:20:30.5", "2026-09-01 10:20:30+05", "2026-09-01 10:20", "infinity"},
}

var copyWrong = [][]string{{"x", "9223372036854775808", "1.5"}, {"32768"}, {"1e400", "abc"}, {"maybe"}, {"2026-02-30"}, {"soon"}, {"\xff", "\x00"}, {"toolong"}, {"1,5"}, {"2026-09-01 25:00:00"}}

// randomCopy writes lines in the form of the options.
func randomCopy(rng *rand.Rand, csv bool, null string) string {
	var b strings.Builder
	lines := rng.IntN(40)
	wrong := -1
	if rng.IntN(3) == 0 {
		wrong = rng.IntN(lines + 1)
	}
	eol := []string{"\n", "\r\n"}[rng.IntN(2)]
	for l := range lines {
		bad := -1
		if l == wrong {
			bad = rng.IntN(len(copyValues) + 4)
		}
		for k, values := range copyValues {
			if k > 0 {
				b.WriteString(map[bool]string{true: ",", false: "\t"}[csv])
			}
			v := values[rng.IntN(len(values))]
			switch {
			case bad == k:
				v = copyWrong[k][rng.IntN(len(copyWrong[k]))]
			case rng.IntN(7) == 0 && k != 6:
				b.WriteString(null)
				continue
			}
			switch {
			case csv && (rng.IntN(5) == 0 || strings.ContainsAny(v, ",")):
				if k == 6 && rng.IntN(2) == 0 {
					v += []string{"\"\"", "\nline", ",", "\r\n", "\\"}[rng.IntN(5)]
				}
				b.WriteString(`"` + v + `"`)
			case !csv && k == 6 && rng.IntN(5) == 0:
				b.WriteString(v + []string{`\\`, `\t`, `\x41`, "\\\t", "\\\n"}[rng.IntN(5)])
			default:
				b.WriteString(v)
			}
		}
		switch bad {
		case len(copyValues):
			b.WriteString(",\tmore")
		case len(copyValues) + 1:
			b.WriteString("\nshort")
		case len(copyValues) + 2:
			b.WriteString("\n\\.\nrest \"")
		case len(copyValues) + 3:
			b.WriteString(`"`)
		}
		if l < lines-1 || rng.IntN(2) == 0 {
			b.WriteString(eol)
		}
	}
	return b.String()
}

func TestCopyInChunksReadsWhatRowByRowReads(t *testing.T) {
	for seed := range uint64(120) {
		rng := rand.New(rand.NewPCG(seed, 7))
		csv := rng.IntN(3) > 0
		options, null := "FORMAT text", `\N`
		if csv {
			options, null = "FORMAT csv", ""
			if rng.IntN(3) == 0 {
				options, null = options+", NULL 'NA', FORCE_NULL (f)", "NA"
			}
			if rng.IntN(5) == 0 {
				options += `, ESCAPE '\'`
			}
			if rng.IntN(4) == 0 {
				options += ", FORCE_NOT_NULL (s)"
			}
		}
		if rng.IntN(4) == 0 {
			options += ", HEADER"
		}
		data := randomCopy(rng, csv, null)
		want := copyAll(t, options, data, 1<<20, 1<<20, false)
		for _, size := range []int{1, 1 + rng.IntN(100), 1 << 20} {
			if got := copyAll(t, options, data, size, 1+rng.IntN(300), true); got != want {
				t.Fatalf("seed %d, %s, chunks of %d bytes:\n%q\ngot  %s\nwant %s", seed, options, size, data, got, want)
			}
		}
	}
}

func TestCopyIsTheSameWhereverChunksEnd(t *testing.T) {
	data := "i,n\n1,2,3.5,t,2026-09-01,2026-09-01 10:20:30+00,\"a\nb\",v,1,\r\n,,,,,,\"x\"\"y\",,,\n7,,,,,,\"\",\"q\",,\n"
	for _, options := range []string{"FORMAT csv, HEADER", "FORMAT csv"} {
		want := copyAll(t, options, data, 1<<20, 1<<20, false)
		if strings.HasPrefix(want, "error") != (options == "FORMAT csv") {
			t.Fatal(want)
		}
		for size := 1; size <= len(data); size++ {
			for _, piece := range []int{1, 3, len(data)} {
				if got := copyAll(t, options, data, size, piece, true); got != want {
					t.Fatalf("chunks of %d bytes: got %s, want %s", size, got, want)
				}
			}
		}
	}
}

func TestCopyNamesTheLineWithoutAValue(t *testing.T) {
	got := copyAll(t, "FORMAT csv", "1,,,,,,s,,,\n2,,,,,,,,,\nx,,,,,,s,,,\n", 1<<20, 1<<20, true)
	if !strings.HasSuffix(got, "at COPY c, line 2") || !strings.Contains(got, sqlstate.NotNullViolation) {
		t.Fatal(got)
	}
}

// Lines are those of the file, as an editor counts them, not records: a text in quotes may hold newlines, and the error is in the
// last line of its record.
func TestCopyCountsLinesOfTheFile(t *testing.T) {
	const good = "1,,,,,,\"a\nb\nc\",,,\n"
	for size := range 3 {
		size := []int{1, 40, 1 << 20}[size]
		for _, c := range []struct{ data, want string }{
			{good + good + "x,,,,,,s,,,\n", `line 7, column i: "x"`},
			{good + "1,,,,,,\"two\nlines\",toolong,,\n", `line 5, column v: "toolong"`},
			{good + "1,,,,,,\"two\nlines\"\n", "line 5: \"1,,,,,,\"two\nlines\"\""},
			{good + good + "1,,,,,,,,,\n" + good, "line 7"},
			{good + "1,,,,,,\xff,,,\n", "line 4, column s"},
			{good + "\"never\n1,,\n2,,\n", `line 4: ""never"`},
		} {
			if got := copyAll(t, "FORMAT csv", c.data, size, 1<<20, true); !strings.HasSuffix(got, " at COPY c, "+c.want) {
				t.Errorf("chunks of %d: %q: got %s, want %s", size, c.data, got, c.want)
			}
		}
	}
}

// FuzzRecordsEnd compares the end of the last whole record with that found by walking from record to record.
func FuzzRecordsEnd(f *testing.F) {
	for _, s := range []string{"", "a\n", "\"a\n\"\nb", "a\\\nb\n", "\"\\\"\n\"\n", "\\\\\n\\\n", "\"\"\"\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, o := range []copyOptions{{csv: true, quote: '"', escape: '"'}, {csv: true, quote: '"', escape: '\\'}, {}} {
			want := 0
			for {
				_, next := o.recordEnd(data[want:])
				if next == 0 || data[want+next-1] != '\n' || next == len(data)-want && !endsRecord(&o, data[want:]) {
					break
				}
				want += next
			}
			if got := o.recordsEnd(data); got != want {
				t.Fatalf("%+v of %q: %d, want %d", o, data, got, want)
			}
		}
	})
}

// endsRecord tells whether the newline data ends with is the end of its record, and not part of it.
func endsRecord(o *copyOptions, data []byte) bool {
	quoted, escaped := false, false
	for i, b := range data {
		switch {
		case escaped:
			escaped = false
		case !o.csv && b == '\\', o.csv && quoted && b == o.escape && o.escape != o.quote:
			escaped = true
		case o.csv && b == o.quote:
			quoted = !quoted
		case b == '\n' && !quoted:
			return i == len(data)-1
		}
	}
	return false
}

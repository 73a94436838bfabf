package datum

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// goldenBlock is one block of a testdata file: a header of key=value words, input lines, and the line PostgreSQL 15
// answered to each (␀ stands for an empty answer, \n for a line break).
type goldenBlock struct {
	line  int
	args  map[string]string
	input []string
	want  []string
}

func readGolden(t *testing.T, file string) []goldenBlock {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []goldenBlock
	var b *goldenBlock
	answers := false
	for n, l := range strings.Split(string(data), "\n") {
		switch {
		case l == "":
			b, answers = nil, false
		case b == nil && strings.HasPrefix(l, "#"):
		case b == nil:
			out = append(out, goldenBlock{line: n + 1, args: map[string]string{}})
			b = &out[len(out)-1]
			for _, w := range strings.Fields(l)[1:] {
				k, v, _ := strings.Cut(w, "=")
				b.args[k] = v
			}
		case l == "----":
			answers = true
		case answers:
			b.want = append(b.want, strings.ReplaceAll(l, "␀", ""))
		default:
			b.input = append(b.input, strings.ReplaceAll(l, "␀", ""))
		}
	}
	for _, b := range out {
		if len(b.input) != len(b.want) {
			t.Fatalf("%s:%d: %d inputs, %d answers", file, b.line, len(b.input), len(b.want))
		}
	}
	return out
}

func goldenFormat(t *testing.T, args map[string]string) *Format {
	t.Helper()
	f := &Format{}
	for k, v := range args {
		switch k {
		case "zone":
			loc, err := LoadZone(v)
			if err != nil {
				t.Fatal(err)
			}
			f.Zone = loc
		case "style":
			f.IntervalStyle, _ = ParseIntervalStyle(v)
		case "order":
			f.DateOrder = map[string]DateOrder{"ISO,DMY": OrderDMY, "ISO,YMD": OrderYMD}[v]
		case "bytea":
			f.ByteaEscape = v == "escape"
		case "floats":
			n := 0
			if _, err := fmt.Sscan(v, &n); err != nil {
				t.Fatal(err)
			}
			f.SetExtraFloatDigits(n)
		}
	}
	return f
}

// goldenType reads a type of a header: name, (modifier), [].
func goldenType(t *testing.T, s string) types.Type {
	t.Helper()
	name, mods, hasMod := strings.Cut(s, "(")
	base, isArray := strings.CutSuffix(strings.ReplaceAll(name, "_", " "), "[]")
	if rng, ok := strings.CutPrefix(base, "interval "); ok {
		bits := map[string]int32{"day to second": fieldDay | fieldHour | fieldMinute | fieldSecond, "year": fieldYear}[rng]
		return WithTypMod(types.Of(types.Interval), bits<<16|intervalFullPrecision)
	}
	if base == "char" && hasMod {
		base = "bpchar"
	}
	base = strings.Trim(base, `"`)
	ty, ok := TypeByName(base)
	if !ok {
		t.Fatalf("no type %q", s)
	}
	if isArray {
		return types.ArrayOf(ty.Kind)
	}
	if !hasMod {
		return ty
	}
	var p, q int
	if n, _ := fmt.Sscanf(mods, "%d,%d", &p, &q); n == 0 {
		t.Fatalf("bad modifier in %q", s)
	}
	switch ty.Kind {
	case types.Numeric:
		return WithTypMod(ty, MakeNumericMod(p, q))
	case types.Varchar, types.BPChar:
		return WithTypMod(ty, int32(p)+4)
	case types.Interval:
		return WithTypMod(ty, intervalFullRange<<16|int32(p))
	}
	return WithTypMod(ty, int32(p))
}

func errText(err error) string {
	var e *sqlstate.Error
	if !errors.As(err, &e) {
		return "ERROR without code: " + err.Error()
	}
	return "ERROR " + e.Code + ": " + e.Message
}

func parseAndPrint(ty types.Type, s string, f *Format) string {
	var in, out vec.Vector
	in.Reset(ty)
	out.Reset(ty)
	if err := ParseText(ty, []byte(s), f, &in); err != nil {
		return errText(err)
	}
	if err := ApplyMod(ty, &in, 0, true, &out); err != nil {
		return errText(err)
	}
	return string(AppendText(nil, &out, 0, f))
}

func TestTextFormsAreThoseOfPostgreSQL(t *testing.T) {
	for _, b := range readGolden(t, "testdata/text.txt") {
		ty, f := goldenType(t, b.args["type"]), goldenFormat(t, b.args)
		for i, in := range b.input {
			if got := parseAndPrint(ty, in, f); got != b.want[i] {
				t.Errorf("testdata/text.txt:%d: %s %q\n got  %s\n want %s", b.line+1+i, ty, in, got, b.want[i])
			}
		}
	}
}

package shred

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// samples returns the sample documents of the reference data by file name, or skips the test.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for !exists(filepath.Join(dir, "go.mod")) {
		if dir == filepath.Dir(dir) {
			t.Skip("not in the repository")
		}
		dir = filepath.Dir(dir)
	}
	out := map[string][]byte{}
	for _, sub := range []string{"validation", "validation-retired"} {
		files, _ := filepath.Glob(filepath.Join(dir, "..", "shared", "data", sub, "*", "*.json"))
		for _, f := range files {
			if out[filepath.Base(f)], err = os.ReadFile(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(out) == 0 {
		t.Skip("no reference data beside the repository")
	}
	return out
}

func exists(p string) bool { _, err := os.Stat(p); return err == nil }

// oracle is jsonb's output form computed the slow way, with encoding/json and arbitrary-precision decimals.
func oracle(text []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", err
	}
	var b strings.Builder
	writeOracle(&b, v)
	return b.String(), nil
}

func writeOracle(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		if v {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	case json.Number:
		d, _, err := apd.NewFromString(v.String())
		if err != nil {
			panic(err)
		}
		switch {
		case !d.IsZero():
			b.WriteString(d.Text('f'))
		case d.Exponent < 0:
			b.WriteString("0." + strings.Repeat("0", int(-d.Exponent)))
		default:
			b.WriteString("0")
		}
	case string:
		b.Write(AppendQuoted(nil, v))
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			writeOracle(b, e)
		}
		b.WriteByte(']')
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Slice(keys, func(i, j int) bool {
			if len(keys[i]) != len(keys[j]) {
				return len(keys[i]) < len(keys[j])
			}
			return keys[i] < keys[j]
		})
		b.WriteByte('{')
		for i, k := range keys {
			if i > 0 {
				b.WriteString(", ")
			}
			b.Write(AppendQuoted(nil, k))
			b.WriteString(": ")
			writeOracle(b, v[k])
		}
		b.WriteByte('}')
	}
}

// groupOf builds a row group of rows, as a head would.
func groupOf(t tb, in *column.Interner, rows []*column.RowBuf) column.Group {
	t.Helper()
	type key struct {
		path uint32
		leaf types.Leaf
	}
	cols := map[key]*vec.Vector{}
	for r, row := range rows {
		for _, v := range row.Values {
			k := key{v.Path, v.Leaf}
			c := cols[k]
			if c == nil {
				c = &vec.Vector{}
				c.Reset(v.Leaf.Type())
				cols[k] = c
			}
			if c.N > r {
				t.Fatalf("row %d has two values of kind %v at %v", r, v.Leaf, in.Path(v.Path))
			}
			for c.N < r {
				c.AppendNull()
			}
			switch v.Leaf {
			case types.LeafBool:
				c.AppendBool(v.Num != 0)
			case types.LeafInt:
				c.AppendInt(int64(v.Num))
			case types.LeafFloat:
				c.AppendFloat(math.Float64frombits(v.Num))
			default:
				c.AppendBytes(row.Data(v))
			}
		}
	}
	g := column.NewMem(len(rows))
	for k, c := range cols {
		for c.N < len(rows) {
			c.AppendNull()
		}
		g.Add(in.Path(k.path), k.leaf, c)
	}
	return g
}

// assembleAll assembles every row of g, block by block; "" for NULL.
func assembleAll(t tb, g column.Group, root types.Path) []string {
	t.Helper()
	var out []string
	for from := 0; from < g.Rows(); from += vec.BlockRows {
		var v vec.Vector
		if err := Assemble(g, root, from, min(from+vec.BlockRows, g.Rows()), nil, &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, strs(&v)...)
	}
	return out
}

func strs(v *vec.Vector) []string {
	var out []string
	for i := range v.N {
		if v.Null(i) {
			out = append(out, "")
		} else {
			out = append(out, string(v.Bytes(i)))
		}
	}
	return out
}

func mathFloat(bits uint64) float64 { return math.Float64frombits(bits) }

// tb is what tests, benchmarks, fuzz targets and rapid checks share.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

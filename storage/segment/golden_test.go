package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

var rewrite = flag.Bool("rewrite", false, "write the dumps in testdata anew; a segment is written only if it does not exist")

// TestFilesOfVersion1AreRead reads segments that versions 1.0, 1.2 and 1.3 wrote, and shows what they consist of in the text files
// beside them. The segments are never written again: every later build must read them.
func TestFilesOfVersion1AreRead(t *testing.T) {
	for name, build := range map[string]func(testing.TB, vfs.FS) ([]column.Group, []RowRef){
		"v1":          tinySegment,
		"v1-presence": presenceSegment,
		"v1.2":        shapedSegment,
		"v1.3":        clientsSegment,
	} {
		t.Run(name, func(t *testing.T) { requireGolden(t, "testdata/"+name, build) })
	}
}

// TestFilesOfVersion11AreRead does the same with a segment that has an index area: that Check finds nothing means that the
// hash, the salts and the choice of blocks are those of the file.
func TestFilesOfVersion11AreRead(t *testing.T) {
	requireGolden(t, "testdata/v1.1", func(t testing.TB, fs vfs.FS) ([]column.Group, []RowRef) {
		src, rows := indexedSegment(t, fs)
		return src, rows[:1400]
	})
	requireGolden(t, "testdata/v1.2-pages", func(t testing.TB, fs vfs.FS) ([]column.Group, []RowRef) { return idSegment(t, fs, 4300) })
}

func requireGolden(t *testing.T, base string, build func(testing.TB, vfs.FS) ([]column.Group, []RowRef)) {
	fs := vfs.NewMem()
	src, rows := build(t, fs)
	if _, err := os.Stat(base + ".seg"); *rewrite && os.IsNotExist(err) {
		if err := os.WriteFile(base+".seg", readFile(t, fs, "/seg"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(base + ".seg")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, fs, "/golden.seg", stored)
	rd := open(t, fs, "/golden.seg", 9, nil)
	requireClean(t, rd)
	requireGroup(t, newRand(1), rd.Group(0), src, rows)

	var dump bytes.Buffer
	if err := rd.Inspect(&dump); err != nil {
		t.Fatal(err)
	}
	text := bytes.Replace(dump.Bytes(), []byte("/golden.seg"), []byte(base[len("testdata"):]+".seg"), 1)
	if *rewrite {
		if err := os.WriteFile(base+".txt", text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(base + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, text) {
		t.Errorf("the dump differs from %s.txt; it is now\n%s", base, text)
	}
}

// presenceSegment has a column for each way of saying which of 2,000 rows have a value.
func presenceSegment(t testing.TB, fs vfs.FS) (src []column.Group, rows []RowRef) {
	const n = 2000
	m := column.NewMem(n)
	for name, has := range map[string]func(i int) bool{
		"all":       func(i int) bool { return true },
		"bitmap":    func(i int) bool { return i*i%7 < 3 },
		"positions": func(i int) bool { return i%19 == 3 },
		"runs":      func(i int) bool { return i/40%3 == 1 },
		"one run":   func(i int) bool { return i >= 1000 },
	} {
		v := &vec.Vector{}
		v.Reset(types.LeafInt.Type())
		for i := range n {
			if has(i) {
				v.AppendInt(int64(i % 5))
			} else {
				v.AppendNull()
			}
		}
		m.Add(types.MakePath("p", name), types.LeafInt, v)
	}
	return writeOne(t, fs, m)
}

// shapedSegment has a column for each encoding that version 1.1 brought.
func shapedSegment(t testing.TB, fs vfs.FS) (src []column.Group, rows []RowRef) {
	m := column.NewMem(1200)
	add := adder(m)
	add("price", types.LeafFloat, func(v *vec.Vector, i int) { v.AppendFloat(float64(hash(i)%100_000) / 100) })
	add("address", types.LeafText, func(v *vec.Vector, i int) {
		v.AppendString(fmt.Sprintf("https://%d.example/page/%d", hash(i)%7, hash(i)))
	})
	add("digest", types.LeafText, func(v *vec.Vector, i int) { v.AppendString(fmt.Sprintf("%016x", hash(i))) })
	add("at", types.LeafText, func(v *vec.Vector, i int) {
		v.AppendString(time.UnixMilli(1_770_000_000_000 + int64(hash(i)%86_400_000)).UTC().Format("2006-01-02T15:04:05.000Z"))
	})
	add("channel", types.LeafText, func(v *vec.Vector, i int) {
		if i == 1111 {
			v.AppendString("esr")
		} else {
			v.AppendString([]string{"release", "beta", "nightly"}[hash(i)%3])
		}
	})
	return writeOne(t, fs, m)
}

// clientsSegment has a column for each form that version 1.3 brought: the rows of a client lie together.
func clientsSegment(t testing.TB, fs vfs.FS) (src []column.Group, rows []RowRef) {
	m := column.NewMem(2500)
	add := adder(m)
	client := func(i int) int { return (i + i%7) / 13 }
	add("country", types.LeafText, func(v *vec.Vector, i int) { v.AppendString(fmt.Sprintf("C%d", hash(client(i))%40)) })
	add("city", types.LeafText, func(v *vec.Vector, i int) {
		if k := hash(client(i)); k%5 == 0 {
			v.AppendNull()
		} else {
			v.AppendString(fmt.Sprintf("city %d", k%90))
		}
	})
	add("cores", types.LeafInt, func(v *vec.Vector, i int) { v.AppendInt(1 << (hash(client(i)) % 6)) })
	add("start", types.LeafInt, func(v *vec.Vector, i int) { v.AppendInt(1_770_000_000_123_456 + int64(hash(i)%900_000)*1_000_000) })
	add("mean", types.LeafFloat, func(v *vec.Vector, i int) { v.AppendFloat(float64(hash(i)%70_000) / float64(1+i%23)) })
	add("page", types.LeafText, func(v *vec.Vector, i int) {
		v.AppendString(fmt.Sprintf("https://site-%d.example/%x", hash(int(hash(i)%200)), hash(i)>>30))
	})
	return writeOne(t, fs, m)
}

// adder adds columns to m, whose values come by row.
func adder(m *column.Mem) func(name string, leaf types.Leaf, value func(v *vec.Vector, i int)) {
	return func(name string, leaf types.Leaf, value func(v *vec.Vector, i int)) {
		v := &vec.Vector{}
		v.Reset(leaf.Type())
		for i := range m.Rows() {
			value(v, i)
		}
		m.Add(types.MakePath(name), leaf, v)
	}
}

// hash is the same on every day.
func hash(i int) uint64 { return uint64(i+1) * 0x9e3779b97f4a7c15 >> 7 }

// writeOne writes a segment of one group to /seg.
func writeOne(t testing.TB, fs vfs.FS, m *column.Mem) (src []column.Group, rows []RowRef) {
	src, rows = []column.Group{m}, allRows(m.Rows())
	write(t, fs, WriterOptions{Path: "/seg", ID: 9, TableID: 2}, adding(src, rows))
	return src, rows
}

// TestAFileWithAnUnknownRequiredFeatureIsRefused: what is done to files of this version by the readers before it.
func TestAFileWithAnUnknownRequiredFeatureIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	tinySegment(t, fs)
	file := readFile(t, fs, "/seg")
	if got := binary.LittleEndian.Uint32(file[8:]); got != requiredEncodings2|requiredEncodings3 {
		t.Fatalf("required features %#x", got)
	}
	binary.LittleEndian.PutUint32(file[8:], 1<<31)
	binary.LittleEndian.PutUint32(file[headerBytes-4:], checksum(file[:headerBytes-4]))
	writeFile(t, fs, "/newer", file)
	if _, err := Open(fs, "/newer", 9, nil); !errors.Is(err, ErrNewerVersion) {
		t.Fatalf("open: %v", err)
	}
}

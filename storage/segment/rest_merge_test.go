package segment

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// documents are shapes of columns of documents; each gives row i of source s a value, or none.
func documents(r *rand.Rand) []func(s, i int) (string, bool) {
	text := func(n int) string { return strings.Repeat("[{}]", n/4) }
	return []func(s, i int) (string, bool){
		func(s, i int) (string, bool) { return fmt.Sprintf(`[%d, %d]`, s, i), true },
		func(s, i int) (string, bool) { return fmt.Sprintf(`[%d]`, i) + text(r.IntN(3000)), true }, // many pages
		func(s, i int) (string, bool) { return text(r.IntN(60)), r.IntN(3) > 0 },                   // shares pages
		func(s, i int) (string, bool) { return "[]", true },                                        // constant in the zone map
		func(s, i int) (string, bool) { return "[]", i != 40 },                                     // all the same, but not there
		func(s, i int) (string, bool) { return text(40), true },                                    // all the same, too long for the zone map
		func(s, i int) (string, bool) { return "[]" + strings.Repeat(" ", i/590), true },           // differs late
		func(s, i int) (string, bool) { return text(8 + 8*(s&1)), s != 2 },                         // not in all sources
		func(s, i int) (string, bool) { return text(64 * r.IntN(4000)), i%150 == 0 },               // larger than a page
		func(s, i int) (string, bool) { return "{}", s == 1 && i == 7 },                            // one, and that is dead
		func(s, i int) (string, bool) { return text(restPageBytes - 4 + 4*(i%3)), i%100 == 0 },     // as large as a page
	}
}

// TestMergedDocumentsAreWrittenAsGatheredOnes holds files whose documents came from pages of segments against files of the
// same rows that came from memory.
func TestMergedDocumentsAreWrittenAsGatheredOnes(t *testing.T) {
	const seed = 31
	t.Log("seed", seed)
	r := newRand(seed)
	fs := vfs.NewMem()
	const rows, sources = 600, 3
	var memory, stored []column.Group
	for s := range sources {
		m := column.NewMem(rows)
		for k, shape := range documents(r) {
			v := &vec.Vector{}
			v.Reset(types.LeafJSON.Type())
			some := false
			for i := range rows {
				if x, ok := shape(s, i); ok {
					v.AppendString(x)
					some = true
				} else {
					v.AppendNull()
				}
			}
			if some {
				m.Add(types.MakePath("doc", fmt.Sprintf("k%02d", k)), types.LeafJSON, v)
			}
		}
		path := fmt.Sprintf("/in%d", s)
		write(t, fs, WriterOptions{Path: path, ID: uint64(s + 1)}, adding([]column.Group{m}, allRows(rows)))
		memory, stored = append(memory, m), append(stored, open(t, fs, path, uint64(s+1), nil).Group(0))
	}
	for _, dead := range []bool{false, true} {
		list := interleaved(r, sources, rows, dead)
		half := len(list) / 2 // two row groups: the second begins in the middle of pages
		write(t, fs, WriterOptions{Path: "/memory", ID: 9}, adding(memory, list[:half]), adding(memory, list[half:]))
		write(t, fs, WriterOptions{Path: "/stored", ID: 9}, adding(stored, list[:half]), adding(stored, list[half:]))
		if want, got := readFile(t, fs, "/memory"), readFile(t, fs, "/stored"); !bytes.Equal(want, got) {
			t.Errorf("dead rows %v: %d bytes differ from the %d of the same rows gathered from memory", dead, len(got), len(want))
		}
		out := open(t, fs, "/stored", 9, nil)
		requireClean(t, out)
		requireGroup(t, r, out.Group(0), memory, list[:half])
		requireGroup(t, r, out.Group(1), memory, list[half:])
		for _, f := range []string{"/memory", "/stored"} {
			if err := fs.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// interleaved lists all rows of the sources, or all but some, each source's in order.
func interleaved(r *rand.Rand, sources, rows int, dead bool) []RowRef {
	next := make([]int, sources)
	var out []RowRef
	for len(out) < sources*rows && next[0]+next[1]+next[2] < sources*rows {
		s := r.IntN(sources)
		for range r.IntN(5) {
			if next[s] < rows {
				if !dead || next[s]%7 != 0 {
					out = append(out, RowRef{Group: uint32(s), Row: uint16(next[s])})
				}
				next[s]++
			}
		}
	}
	return out
}

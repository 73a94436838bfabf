package shred

import (
	"fmt"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// TestRestOfWhichPartIsAMapIsReadAsOne: when the members without a column of their own become a keyed map, a row can hold
// some of them as paths and some in one piece. Readers see one object, its members in order.
func TestRestOfWhichPartIsAMapIsReadAsOne(t *testing.T) {
	in := column.NewInterner()
	s := New(in, &Rules{Rest: "additional_properties"})
	none := func(string) (uint32, bool) { return 0, false }
	var rows []*column.RowBuf
	add := func(doc string) {
		row := &column.RowBuf{}
		if err := s.Document([]byte(doc), row, none); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	add(`{"plain": {"x": 1}}`)
	for i := range widthMax + 1 {
		add(fmt.Sprintf(`{"name_%c%c": 1}`, 'g'+i/20, 'g'+i%20))
	}
	add(`{"plain": {"x": 2}, "8e0bd8a1-0a30": true, "b": [1]}`)
	at := len(rows) - 1
	g := groupOf(t, in, rows)
	const root = types.Path("additional_properties")
	if _, ok := g.Find(root, types.LeafJSON); !ok {
		t.Fatal("the rest did not become a map")
	}
	var v vec.Vector
	if err := Assemble(g, root, 0, len(rows), nil, &v); err != nil {
		t.Fatal(err)
	}
	const want = `{"b": [1], "plain": {"x": 2}, "8e0bd8a1-0a30": true}`
	if got := string(v.Bytes(at)); got != want {
		t.Errorf("assembled %s, want %s", got, want)
	}
	if got := string(v.Bytes(0)); got != `{"plain": {"x": 1}}` {
		t.Errorf("assembled %s", got)
	}
	var o Outline
	if !o.Open(g, root, nil) {
		t.Fatal("no outline of a column with values")
	}
	if err := o.Read(0, len(rows), nil, &v); err != nil {
		t.Fatal(err)
	}
	if got := string(v.Bytes(0)); got != "{}" {
		t.Errorf("outline of an object of paths: %s", got)
	}
	if got := JSONBTypeof(v.Bytes(at)); got != "object" {
		t.Errorf("outline of an object of both: %s", v.Bytes(at))
	}
	if o.Open(g, root, []string{"plain", "y", "z"}) && !o.above {
		t.Error("an outline of what no row has")
	}
}

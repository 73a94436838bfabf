package inspect

import (
	"bytes"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

func TestSegmentDumpNamesColumnsAndEncodings(t *testing.T) {
	fs := vfs.NewMem()
	v := &vec.Vector{}
	v.Reset(types.Of(types.Int64))
	m := column.NewMem(300)
	rows := make([]segment.RowRef, 300)
	for i := range rows {
		rows[i].Row = uint16(i)
		v.AppendInt(int64(i * i))
	}
	m.Add("n", types.LeafInt, v)
	w, err := segment.Create(segment.WriterOptions{FS: fs, Path: "/s", ID: 12, TableID: 3, SortKey: []string{"n"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AddGroup([]column.Group{m}, rows); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Segment(&out, fs, "/s", Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"segment 12, table 3", "row group 0: 300 rows, 1 columns", "n int: [64, ", "delta bits 10", "300 of 300 rows, 0 to 89401", "sorted by n", "footer: 300 rows"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := Segment(&out, fs, "/s", Options{Column: "n"}); err != nil || !strings.Contains(out.String(), "    block 0: 300 of 300 rows, 0 to 89401\n") {
		t.Errorf("one column (%v):\n%s", err, out.String())
	}
	out.Reset()
	if err := Segment(&out, fs, "/s", Options{Column: "m"}); err != nil || strings.Contains(out.String(), "  n int") {
		t.Errorf("no column (%v):\n%s", err, out.String())
	}
	if err := Segment(&out, fs, "/none", Options{}); err == nil {
		t.Error("a missing file is dumped")
	}
}

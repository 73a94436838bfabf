package scan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// waited is a morsel whose columns note what is asked ahead and what is then decided and read; its filter holds one
// channel.
type waited struct {
	*morsel
	i       int
	channel string
	note    func(string)
}

func (m *waited) MayHold(name string, p *column.Pred) (bool, error) {
	return name != "channel" || string(p.B) == m.channel, nil
}

func (m *waited) Open() (column.Group, error) {
	g, err := m.morsel.Open()
	return &waitedGroup{g, m}, err
}

type waitedGroup struct {
	column.Group
	m *waited
}

func (g *waitedGroup) Find(p types.Path, leaf types.Leaf) (column.Column, bool) {
	c, ok := g.Group.Find(p, leaf)
	return &waitedColumn{c, g.m}, ok
}

type waitedColumn struct {
	column.Column
	m *waited
}

func (c *waitedColumn) Prefetch(from, to int) bool {
	c.m.note(fmt.Sprintf("ask %s %d", c.Path(), c.m.i))
	return true
}

func (c *waitedColumn) Read(from, to int, dst *vec.Vector) error {
	c.m.note(fmt.Sprintf("read %s %d", c.Path(), c.m.i))
	return c.Column.Read(from, to, dst)
}

func (c *waitedColumn) Filter(from, to int, p *column.Pred, sel vec.Bitmap) error {
	c.m.note(fmt.Sprintf("read %s %d", c.Path(), c.m.i))
	return c.Column.Filter(from, to, p, sel)
}

// lookupSource has groups of two rows; every third may have rows of channel beta.
func lookupSource(t *testing.T, groups int, note func(string)) Source {
	var docs []doc
	for i := range groups {
		channel := "esr"
		if i%3 == 0 {
			channel = "beta"
		}
		docs = append(docs, doc{n: int64(i + 1), channel: channel}, doc{n: int64(-i), channel: "release"})
	}
	src := newSource(t, docs, 2, false)
	for i, m := range src.morsels {
		w := &waited{m.(*morsel), i, "esr", note}
		if i%3 == 0 {
			w.channel = "beta"
		}
		src.morsels[i] = w
	}
	return src
}

func lookupScan() *plan.Scan {
	n, channel := plan.ScanCol{Column: "n", Type: types.Of(types.Int32)}, plan.ScanCol{Column: "channel", Type: tText}
	filter := compareCall("=", &expr.Col{Idx: 1, T: tText}, constOf(tText, "beta"))
	return &plan.Scan{Table: table, Read: []plan.ScanCol{n, channel}, Out: 1, Filter: []expr.Expr{filter}}
}

func TestALookupAsksForAllItsGroupsBeforeItWaitsForTheFirst(t *testing.T) {
	var notes []string
	src := lookupSource(t, 12, func(s string) { notes = append(notes, s) })
	rows, st, err := read(t, src, lookupScan())
	if err != nil || len(rows) != 4 {
		t.Fatalf("%q, %v", rows, err)
	}
	want := "ask channel 0, ask channel 3, ask channel 6, ask channel 9, read channel 0, read channel 3, read channel 6, read channel 9, " +
		"ask n 0, ask n 3, ask n 6, ask n 9, read n 0, read n 3, read n 6, read n 9"
	if got := strings.Join(notes, ", "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if want := (Stats{Morsels: 12, MorselsFiltered: 8, Blocks: 4, RowsIn: 24, RowsOut: 4}); st != want {
		t.Errorf("%+v, want %+v", st, want)
	}
}

// Rows, their order within a group and the counts are the same however many workers share the groups, with groups for
// more than one batch and in the last of them few.
func TestWorkersShareALookup(t *testing.T) {
	const groups = 3*lookupMorsels + 5
	for _, workers := range []int{1, 2, 5} {
		src := lookupSource(t, groups, func(string) {})
		s, err := New(&expr.Ctx{}, src, lookupScan())
		if err != nil {
			t.Fatal(err)
		}
		found := make([][]int64, groups)
		errs := make([]error, workers)
		var wg sync.WaitGroup
		for k := range workers {
			wg.Go(func() {
				w := s.NewWorker(&expr.Ctx{})
				defer w.Close()
				for i := k; i < groups; i += workers {
					errs[k] = errors.Join(errs[k], w.Morsel(i, func(b *vec.Batch, sel vec.Bitmap) error {
						for r := range b.N {
							if sel == nil || sel.Get(r) {
								found[i] = append(found[i], b.Cols[0].Int(r))
							}
						}
						return nil
					}))
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		hits := int64(0)
		for i, rows := range found {
			var want []int64
			if i%3 == 0 {
				want = []int64{int64(i + 1)}
				hits++
			}
			if !slices.Equal(rows, want) {
				t.Fatalf("%d workers, group %d: %d, want %d", workers, i, rows, want)
			}
		}
		if st := s.Stats(); st != (Stats{Morsels: groups, MorselsFiltered: groups - hits, Blocks: hits, RowsIn: 2 * groups, RowsOut: hits}) {
			t.Errorf("%d workers: %+v", workers, st)
		}
	}
}

// A lookup that is measured tells which partitions and groups it looked into, and what ruled the others out.
func TestAMeasuredLookupTellsWhatItRead(t *testing.T) {
	src := lookupSource(t, 12, func(string) {})
	for i, m := range src.Morsels() {
		m.(*waited).day = int64(100 + i/6)
	}
	n := lookupScan()
	n.Read = append(n.Read, plan.ScanCol{Column: "day", Type: types.Of(types.Date)})
	n.Filter = append(n.Filter, compareCall("=", &expr.Col{Idx: 2, T: types.Of(types.Date)}, constOf(types.Of(types.Date), int64(101))))
	s, err := New(&expr.Ctx{}, src, n)
	if err != nil {
		t.Fatal(err)
	}
	s.Measure()
	w := s.NewWorker(&expr.Ctx{})
	for i := range s.Morsels() {
		if err := w.Morsel(i, func(*vec.Batch, vec.Bitmap) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if st := s.Stats(); st.MorselsPruned != 6 || st.MorselsOutside != 6 || st.MorselsFiltered != 4 {
		t.Errorf("%+v", st)
	}
	if d := s.Detail(); d.Partitions != 2 || d.PartitionsRead != 1 || d.SegmentsRead != 1 || d.opened.Count() != 2 {
		t.Errorf("%+v, %d groups opened", d, d.opened.Count())
	}
}

// Where the filters hold most groups the scan is none for a few rows: only what is read next is asked for ahead.
func TestAScanOfMostGroupsIsNoLookup(t *testing.T) {
	asked, read1 := 0, false
	src := lookupSource(t, 60, func(s string) {
		read1 = read1 || strings.HasPrefix(s, "read")
		if strings.HasPrefix(s, "ask") && !read1 {
			asked++
		}
	})
	for _, m := range src.Morsels() {
		m.(*waited).channel = "beta"
	}
	rows, _, err := read(t, src, lookupScan())
	if err != nil || len(rows) != 20 || asked > 2*(aheadMorsels+1) {
		t.Errorf("%d rows, asked %d times before the first was read, %v", len(rows), asked, err)
	}
}

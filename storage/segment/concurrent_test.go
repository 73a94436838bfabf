package segment

import (
	"fmt"
	"sync"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

func TestManyReadersOfOneColumnAgree(t *testing.T) {
	fs := vfs.NewMem()
	r := newRand(21)
	src := randomSources(r)
	rows := randomRows(r, src, 3000)
	write(t, fs, WriterOptions{Path: "/s", ID: 1}, adding(src, rows))
	names, want := columnsOf(t, src, rows)
	cache := NewCache(256 << 10) // smaller than the segment: chunks come and go
	defer cache.Close()
	rd := open(t, fs, "/s", 1, cache)
	cols := rd.Group(0).Under("")
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := newRand(uint64(g))
			for range 300 {
				k := r.IntN(len(cols))
				if err := readOnce(cols[k], want[k], r.IntN(3)); err != nil {
					t.Errorf("column %s: %v", names[k].path, err)
					return
				}
			}
		}()
	}
	wg.Wait()
}

func readOnce(c column.Column, want *vec.Vector, block int) error {
	from := block * vec.BlockRows
	to := min(from+vec.BlockRows, want.N)
	var v vec.Vector
	if err := c.Read(from, to, &v); err != nil {
		return err
	}
	for i := range v.N {
		if !sameValue(&v, i, want, from+i) {
			return fmt.Errorf("row %d differs", from+i)
		}
	}
	sel := vec.MakeBitmap(to - from)
	sel.Fill(to - from)
	p := &column.Pred{Op: column.OpGe, Leaf: c.Leaf()}
	if err := c.Filter(from, to, p, sel); err != nil {
		return err
	}
	ref := vec.MakeBitmap(to - from)
	ref.Fill(to - from)
	if err := p.Apply(&v, ref); err != nil {
		return err
	}
	for i := range to - from {
		if sel.Get(i) != ref.Get(i) {
			return fmt.Errorf("filter differs in row %d", from+i)
		}
	}
	return nil
}

package segment

import (
	"errors"
	"os"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

var errDisk = errors.New("disk says no")

// writeOnce writes a segment, aborting after an error as callers do.
func writeOnce(fs vfs.FS, src []column.Group, rows []RowRef) error {
	w, err := Create(WriterOptions{FS: fs, Path: "/s", ID: 1})
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := w.AddGroup(src, rows); err != nil {
		return err
	}
	_, err = w.Finish()
	return err
}

// bigSource takes more than one write.
func bigSource(rows int) *column.Mem {
	r := newRand(3)
	v := &vec.Vector{}
	v.Reset(types.Of(types.Text))
	var noise [64]byte
	for range rows {
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		v.AppendBytes(noise[:])
	}
	m := column.NewMem(rows)
	m.Add("noise", types.LeafText, v)
	return m
}

func TestEachFailingWriteIsAnErrorAndLeavesNoFile(t *testing.T) {
	src := []column.Group{bigSource(40000)}
	rows := allRows(40000)
	for nth := int64(1); ; nth++ {
		inner := vfs.NewMem()
		in := vfs.NewInjector(vfs.Rule{Ops: vfs.Ops(vfs.OpCreate, vfs.OpWrite, vfs.OpSync, vfs.OpClose), Nth: nth, Err: errDisk, Partial: true})
		err := writeOnce(vfs.Fault(inner, in), src, rows)
		if err == nil {
			if nth < 6 { // create, two writes, sync and close must have been tried
				t.Fatalf("only %d operations can fail", nth-1)
			}
			return
		}
		if !errors.Is(err, errDisk) {
			t.Fatalf("operation %d: %v", nth, err)
		}
		if _, err := inner.Stat("/s"); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("operation %d: the file stays: %v", nth, err)
		}
	}
}

func TestFailedReadFailsOnceAndIsTriedAgain(t *testing.T) {
	inner := vfs.NewMem()
	m := sortedSource()
	write(t, inner, WriterOptions{Path: "/s", ID: 1}, adding([]column.Group{m}, allRows(2000)))
	in := vfs.NewInjector()
	cache := NewCache(1 << 20)
	defer cache.Close()
	r := open(t, vfs.Fault(inner, in), "/s", 1, cache)
	c, _ := r.Group(0).Find("sample_id", types.LeafInt)
	in.Add(vfs.Rule{Ops: vfs.Ops(vfs.OpReadAt), Err: errDisk})
	var v vec.Vector
	if err := c.Read(0, 1024, &v); !errors.Is(err, errDisk) {
		t.Fatalf("got %v", err)
	}
	if err := c.Read(0, 1024, &v); err != nil || v.Int(1023) != 51 {
		t.Fatalf("got %v", err)
	}
}

func TestFailedOpenClosesTheFile(t *testing.T) {
	inner := vfs.NewMem()
	write(t, inner, WriterOptions{Path: "/s", ID: 1}, adding([]column.Group{sortedSource()}, allRows(2000)))
	for nth := int64(1); nth <= 3; nth++ {
		in := vfs.NewInjector(vfs.Rule{Ops: vfs.Ops(vfs.OpReadAt), Nth: nth, Err: errDisk})
		if _, err := Open(vfs.Fault(inner, in), "/s", 1, nil); !errors.Is(err, errDisk) {
			t.Fatalf("read %d: %v", nth, err)
		}
		if opened, closed := in.Calls(vfs.Ops(vfs.OpOpen)), in.Calls(vfs.Ops(vfs.OpClose)); opened != 1 || closed != 1 {
			t.Fatalf("read %d: %d opened, %d closed", nth, opened, closed)
		}
	}
}

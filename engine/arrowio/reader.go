package arrowio

import (
	"io"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Reader is an array.RecordReader over batches. It is used by one goroutine at a time; Retain and Release may be called
// from any.
type Reader struct {
	schema *arrow.Schema
	types  []types.Type
	next   func() (*vec.Batch, error)
	close  func() error
	refs   atomic.Int64
	rec    arrow.Record
	err    error
}

var _ array.RecordReader = (*Reader)(nil)

// NewReader returns a reader of what next returns, up to nil. The last Release calls close.
func NewReader(names []string, ts []types.Type, next func() (*vec.Batch, error), close func() error) *Reader {
	r := &Reader{schema: Schema(names, ts), types: ts, next: next, close: close}
	r.refs.Store(1)
	return r
}

// Retain adds an owner.
func (r *Reader) Retain() { r.refs.Add(1) }

// Release drops an owner; without owners the rows are closed.
func (r *Reader) Release() {
	if r.refs.Add(-1) != 0 {
		return
	}
	r.drop()
	if err := r.close(); err != nil && r.err == nil {
		r.err = err
	}
}

func (r *Reader) drop() {
	if r.rec != nil {
		r.rec.Release()
		r.rec = nil
	}
}

// Schema returns the schema of all records.
func (r *Reader) Schema() *arrow.Schema { return r.schema }

// Next makes the next record the current one; false at the end or on an error.
func (r *Reader) Next() bool {
	r.drop()
	if r.err != nil {
		return false
	}
	b, err := r.next()
	if err == nil && b != nil {
		r.rec, err = Record(r.schema, r.types, b)
	}
	r.err = err
	return r.rec != nil
}

// Record returns the current record. It belongs to the reader; who keeps it longer than until Next retains it.
func (r *Reader) Record() arrow.Record { return r.rec }

// Err returns the error that ended the rows.
func (r *Reader) Err() error { return r.err }

// WriteIPC writes the batches that next returns, up to nil, as an Arrow IPC stream.
func WriteIPC(w io.Writer, names []string, ts []types.Type, next func() (*vec.Batch, error)) error {
	schema := Schema(names, ts)
	out := ipc.NewWriter(w, ipc.WithSchema(schema))
	for {
		b, err := next()
		if err != nil {
			return err
		}
		if b == nil {
			return out.Close()
		}
		rec, err := Record(schema, ts, b)
		if err != nil {
			return err
		}
		err = out.Write(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
}

package spill

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/s2"
	"github.com/zeebo/xxh3"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/vec"
)

// Reader gives the rows of a file back, in the order they were written. It is used by one goroutine.
type Reader struct {
	f      *File
	at     int64
	tail   bool // the block in the file's memory has been read
	head   [headerBytes]byte
	packed []byte
	raw    []byte
	rest   []byte // of raw
	out    vec.Batch
	vecs   []vec.Vector
}

// Reader returns a reader at the first row. The file is not written afterwards. Its last, incomplete block never went to
// disk. The reader is of no use after the file's Close.
func (f *File) Reader() (*Reader, error) {
	if f.err != nil {
		return nil, f.err
	}
	if f.closed {
		return nil, sqlstate.New(sqlstate.Internal, "a spill file is read after it was closed")
	}
	if !f.sealed {
		f.flushGathered()
		f.sealed, f.gather, f.pending.Cols = true, nil, nil
	}
	r := &Reader{f: f, vecs: make([]vec.Vector, len(f.types))}
	for i := range r.vecs {
		r.out.Cols = append(r.out.Cols, &r.vecs[i])
	}
	return r, nil
}

// Next returns the next rows without Sel, valid until the next call; nil at the end.
func (r *Reader) Next() (*vec.Batch, error) {
	for len(r.rest) == 0 {
		more, err := r.block()
		if err != nil || !more {
			return nil, err
		}
	}
	var ok bool
	if r.rest, ok = r.batch(r.rest); !ok {
		return nil, r.damaged("its rows cannot be read")
	}
	return &r.out, nil
}

// Bytes returns the memory the reader holds, for accounting.
func (r *Reader) Bytes() int64 {
	n := int64(cap(r.packed) + cap(r.raw))
	for i := range r.vecs {
		v := &r.vecs[i]
		n += int64(cap(v.I64)+cap(v.F64)+cap(v.Bits)+cap(v.Valid))*8 + int64(cap(v.Off))*4 + int64(cap(v.Data))
	}
	return n
}

func (r *Reader) block() (bool, error) {
	if r.at >= r.f.size {
		if r.tail {
			return false, nil
		}
		r.tail, r.rest = true, r.f.raw
		return len(r.rest) > 0, nil
	}
	if err := r.read(r.head[:], r.at); err != nil {
		return false, err
	}
	packed, raw := binary.LittleEndian.Uint32(r.head[:]), binary.LittleEndian.Uint32(r.head[4:])
	if int64(packed) > r.f.size-r.at-headerBytes || int64(raw) > s2.MaxBlockSize {
		return false, r.damaged("a block's length is wrong")
	}
	r.packed = sized(r.packed, int(packed))
	if err := r.read(r.packed, r.at+headerBytes); err != nil {
		return false, err
	}
	if xxh3.Hash(r.packed) != binary.LittleEndian.Uint64(r.head[8:]) {
		return false, r.damaged("a block's checksum is wrong")
	}
	if n, err := s2.DecodedLen(r.packed); err != nil || n != int(raw) {
		return false, r.damaged("a block's length is wrong")
	}
	var err error
	if r.raw, err = s2.Decode(sized(r.raw, int(raw)), r.packed); err != nil {
		return false, r.damaged(err.Error())
	}
	r.rest = r.raw
	r.at += headerBytes + int64(packed)
	return true, nil
}

func (r *Reader) read(p []byte, at int64) error {
	n, err := r.f.f.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return r.damaged("it is shorter than what was written")
	}
	return ioError("read", err)
}

func (r *Reader) damaged(what string) error {
	return sqlstate.New(sqlstate.DataCorrupted, "a file of intermediate results (%s) is damaged: %s", r.f.f.Name(), what).
		WithHint("Run the statement again, and check the disk.")
}

func sized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

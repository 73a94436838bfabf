package spill

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/zeebo/xxh3"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

// A file is a sequence of blocks:
//
//	u32 bytes of the payload as compressed, u32 as it was, u64 xxh3 of the compressed payload, payload
//
// and a payload a sequence of batches (see encode.go), integers little endian.
const (
	headerBytes = 16
	// blockBytes is about the size of a block before it is compressed: big enough for a disk, small enough that an
	// operator can have a file for each of its partitions.
	blockBytes = 64 << 10
	// gatherRows is the size below which batches are put together before they are written: an operator that scatters a
	// batch over partitions writes a few rows to each.
	gatherRows = 512
	// gatherBytes is from how many bytes of text they are written though they are fewer.
	gatherBytes = 1 << 20
)

// File is rows on disk. Create, Write … Write, Reader … Reader, Close: one goroutine at a time until the first Reader.
type File struct {
	space   *Space
	f       vfs.File // nil until the first block is full
	types   []types.Type
	gather  []vec.Vector // rows of small batches
	pending vec.Batch
	raw     []byte // of the next block
	size    int64
	rows    int64
	plain   int64 // bytes of the values that are in raw or written
	sealed  bool
	closed  bool
	err     error // of the first failed write: all later calls fail with it
}

// Create returns an empty file. Nothing is on disk before a block is full.
func (s *Space) Create() (*File, error) { return &File{space: s}, nil }

// Rows returns the number of rows written.
func (f *File) Rows() int64 { return f.rows }

// Size returns the bytes on disk.
func (f *File) Size() int64 { return f.size }

// Plain returns the bytes of the values written, each on its own and not compressed: about what they take in memory again. It does
// not depend on the batches they came in.
func (f *File) Plain() int64 {
	if !f.closed {
		f.flushGathered()
	}
	return f.plain
}

// Bytes returns the memory the file holds, for accounting.
func (f *File) Bytes() int64 {
	n := int64(cap(f.raw))
	for i := range f.gather {
		v := &f.gather[i]
		n += int64(cap(v.I64)+cap(v.F64)+cap(v.Bits)+cap(v.Valid))*8 + int64(cap(v.Off)+cap(v.Codes))*4 + int64(cap(v.Data))
	}
	return n
}

// Write appends the live rows of b; their order is kept. All batches of a file have columns of the same types. It keeps
// nothing of b. Error 53100 if the limit of the space or the disk does not allow it, 58030 for other faults of the disk.
func (f *File) Write(b *vec.Batch) error {
	if f.err != nil {
		return f.err
	}
	n := b.Rows()
	if n == 0 {
		return nil
	}
	if f.sealed || f.closed {
		return sqlstate.New(sqlstate.Internal, "a spill file is written after it was read")
	}
	if f.gather == nil {
		f.begin(b)
	}
	f.rows += int64(n)
	if b.Sel != nil || n < gatherRows {
		for i, v := range b.Cols {
			if b.Sel == nil {
				f.gather[i].AppendRange(v, 0, b.N)
			} else {
				vec.AppendIndexed(&f.gather[i], v, b.Sel)
			}
		}
		if f.pending.N += n; f.pending.N >= gatherRows || f.gatheredText() >= gatherBytes {
			f.flushGathered()
		}
	} else {
		f.flushGathered()
		f.append(b)
	}
	if len(f.raw) >= blockBytes {
		return f.flush()
	}
	return nil
}

func (f *File) begin(b *vec.Batch) {
	f.gather = make([]vec.Vector, len(b.Cols))
	for i, v := range b.Cols {
		f.types = append(f.types, v.Type)
		f.gather[i].Reset(v.Type)
		f.pending.Cols = append(f.pending.Cols, &f.gather[i])
	}
}

// gatheredText returns the bytes of text among the rows of small batches.
func (f *File) gatheredText() (n int) {
	for i := range f.gather {
		n += len(f.gather[i].Data)
	}
	return n
}

// append encodes a batch.
func (f *File) append(b *vec.Batch) {
	f.raw = appendBatch(f.raw, b)
	for _, v := range b.Cols {
		f.plain += plainBytes(v, b.N)
	}
}

func (f *File) flushGathered() {
	if f.pending.N == 0 {
		return
	}
	f.append(&f.pending)
	for i := range f.gather {
		f.gather[i].Reset(f.types[i])
	}
	f.pending.N = 0
}

// flush writes a block.
func (f *File) flush() error {
	if len(f.raw) == 0 {
		return nil
	}
	if f.err = f.writeBlock(); f.err != nil {
		return f.err
	}
	f.raw = f.raw[:0]
	return nil
}

// Settle puts what the file still holds in memory on disk, and gives the memory back: for who has many files that are not read
// soon. Nothing is written to the file afterwards.
func (f *File) Settle() error {
	if f.err != nil || f.sealed || f.closed {
		return f.err
	}
	f.flushGathered()
	f.sealed = true
	if err := f.flush(); err != nil {
		return err
	}
	f.gather, f.pending, f.raw = nil, vec.Batch{}, nil
	return nil
}

// packBuffers lends memory for one block's compressed form.
var packBuffers = sync.Pool{New: func() any { return new([]byte) }}

func (f *File) writeBlock() error {
	if int64(len(f.raw)) > s2.MaxBlockSize {
		return sqlstate.New(sqlstate.ProgramLimit, "one batch of %d bytes is too large to be spilled", len(f.raw))
	}
	buf := packBuffers.Get().(*[]byte)
	defer packBuffers.Put(buf)
	*buf = sized(*buf, headerBytes+s2.MaxEncodedLen(len(f.raw)))
	body := s2.Encode((*buf)[headerBytes:], f.raw)
	block := (*buf)[:headerBytes+len(body)]
	binary.LittleEndian.PutUint32(block, uint32(len(body)))
	binary.LittleEndian.PutUint32(block[4:], uint32(len(f.raw)))
	binary.LittleEndian.PutUint64(block[8:], xxh3.Hash(body))
	if err := f.space.take(int64(len(block))); err != nil {
		return err
	}
	f.size += int64(len(block)) // counted until Close even if the write fails: some of it may be on the disk
	if f.f == nil {
		var err error
		if f.f, err = f.space.newFile(); err != nil {
			return err
		}
	}
	if _, err := f.f.Write(block); err != nil {
		return ioError("write", err)
	}
	return nil
}

// Close removes the file. It may be called at any time, and more than once.
func (f *File) Close() error {
	if f == nil || f.closed {
		return nil
	}
	f.closed = true
	f.gather, f.raw = nil, nil
	if f.f == nil {
		f.space.give(f.size)
		return nil
	}
	name := f.f.Name()
	err := f.f.Close()
	if e := f.space.root().fs.Remove(name); e != nil {
		return ioError("remove", e) // still on disk, and so still counted
	}
	f.space.give(f.size)
	f.space.countFiles(-1)
	if err != nil {
		return ioError("close", err)
	}
	return nil
}

// ioError gives an error of the file system its SQLSTATE.
func ioError(do string, err error) error {
	code := sqlstate.IOError
	hint := "Check the disk; raising query_memory makes the query need it less."
	if errors.Is(err, vfs.ErrNoSpace) {
		code, hint = sqlstate.DiskFull, "Free disk space, or raise query_memory so that the query does not need the disk."
	}
	return sqlstate.Wrap(code, fmt.Errorf("%s a file of intermediate results: %w", do, err)).WithHint("%s", hint)
}

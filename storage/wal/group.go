package wal

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
)

// group is the records that one sync makes durable. Under Log.mu callers reserve room in it; they fill the room without
// the lock, all at the same time; the writer waits for them before it looks.
type group struct {
	buf     []byte // its capacity never changes: callers write into it
	n       int    // records
	filling sync.WaitGroup
	done    chan struct{} // closed when first and err are final
	first   uint64        // LSN of the first record
	err     error
}

// newGroup makes a group with room for at least size bytes.
func (l *Log) newGroup(size int) *group {
	g := &group{done: make(chan struct{})}
	if size > l.o.GroupBytes {
		g.buf = make([]byte, 0, size)
	} else {
		g.buf = (*l.buffers.Get().(*[]byte))[:0]
	}
	return g
}

// release gives the buffer back. Nobody fills it and the writer is done with it.
func (l *Log) release(g *group) {
	if cap(g.buf) == l.o.GroupBytes {
		buf := g.buf
		l.buffers.Put(&buf)
	}
	g.buf = nil
}

// Append writes a record whose payload is parts joined, and returns its LSN once it is synced. parts are not kept. If
// ctx ends first, the record may or may not be in the log. Errors are ErrTooLarge, ErrOverloaded, ErrFull, ErrFailed,
// ErrClosed, that of ctx, or another for a write that failed and was undone.
func (l *Log) Append(ctx context.Context, kind Kind, parts ...[]byte) (lsn uint64, err error) {
	length := 0
	for _, p := range parts {
		length += len(p)
	}
	if length > l.o.MaxPayload {
		return 0, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, length, l.o.MaxPayload)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	g, i, rec, err := l.reserve(recordSize(length))
	if err != nil {
		return 0, err
	}
	fill(rec, kind, length, parts)
	g.filling.Done()
	select {
	case <-g.done:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if g.err != nil {
		return 0, g.err
	}
	return g.first + uint64(i), nil
}

// fill writes what a caller knows of its record: kind, length, payload, and in place of the checksum that of the payload.
func fill(rec []byte, kind Kind, length int, parts [][]byte) {
	at := rec[recordHeader:]
	for _, p := range parts {
		at = at[copy(at, p):]
	}
	clear(at) // padding
	rec[1] = byte(kind)
	binary.LittleEndian.PutUint32(rec[16:], uint32(length))
	binary.LittleEndian.PutUint32(rec[4:], payloadChecksum(rec[recordHeader:recordHeader+length]))
}

// reserve takes room for one record in the group that is gathering.
func (l *Log) reserve(size int) (g *group, i int, rec []byte, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.failed != nil:
		return nil, 0, nil, l.failed
	case l.closing:
		return nil, 0, nil, ErrClosed
	case l.queueBytes > 0 && l.queueBytes+int64(size) > l.o.QueueBytes:
		return nil, 0, nil, ErrOverloaded
	}
	g = l.gathering
	if g != nil && len(g.buf)+size > cap(g.buf) {
		l.queue = append(l.queue, g)
		g = nil
	}
	if g == nil {
		g = l.newGroup(size)
		l.gathering = g
	}
	i, off := g.n, len(g.buf)
	g.buf = g.buf[:off+size]
	g.n++
	g.filling.Add(1)
	l.queueBytes += int64(size)
	if g.n == 1 || g.n == l.wanted {
		l.wakeWriter()
	}
	return g, i, g.buf[off : off+size : off+size], nil
}

func (l *Log) wakeWriter() {
	select {
	case l.wake <- struct{}{}:
	default: // a wake-up is pending already
	}
}

package codec

import (
	"sync"

	"github.com/klauspost/compress/zstd"
)

// pageBytes is the size of a page before compression; a page ends with the value that reaches it.
const pageBytes = 64 << 10

// One coder of each kind serves all goroutines. Both work on whole buffers and start no goroutines.
var (
	deflater = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(false),
			zstd.WithWindowSize(2*pageBytes), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic("BUG: constant zstd options: " + err.Error())
		}
		return e
	})
	inflater = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(MaxChunkBytes))
		if err != nil {
			panic("BUG: constant zstd options: " + err.Error())
		}
		return d
	})
)

// Deflate appends the compressed form of raw.
func Deflate(dst, raw []byte) []byte { return deflater().EncodeAll(raw, dst) }

// Inflate decompresses page into dst[:0] and returns the rawLen bytes it must give.
func Inflate(dst, page []byte, rawLen int) ([]byte, error) { return inflate(dst, page, rawLen) }

// inflate allocates at most what the length of page can possibly give: a block of 128 KiB takes at least 4 bytes.
func inflate(dst, page []byte, rawLen int) ([]byte, error) {
	if rawLen < 0 || rawLen > MaxChunkBytes || rawLen > (len(page)+16)<<15 {
		return nil, corrupt("page of %d bytes would become %d", len(page), rawLen)
	}
	if cap(dst) < rawLen {
		dst = make([]byte, 0, rawLen)
	}
	out, err := inflater().DecodeAll(page, dst[:0:rawLen])
	if err != nil {
		return nil, corrupt("zstd page: %v", err)
	}
	if len(out) != rawLen {
		return nil, corrupt("page gives %d bytes, not %d", len(out), rawLen)
	}
	return out, nil
}

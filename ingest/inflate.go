package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// errTooLarge means that a document is larger than decode.max_inflated_bytes.
var errTooLarge = errors.New("document is larger than decode.max_inflated_bytes")

// inflater gunzips bodies. It belongs to one goroutine and keeps its memory.
type inflater struct {
	max int // bytes of a document; its buffer is never more than 64 KiB larger
	src bytes.Reader
	gz  gzip.Reader
	buf []byte
}

// inflate returns the document in body: gunzipped if it is gzip, else body itself. As the reference does, it decides by
// trying, not by the Content-Encoding header; members may follow each other, and what follows the last of them is
// ignored. On broken gzip it returns body unchanged and why in cause. err is errTooLarge or nil. The result is valid
// until the next call.
func (z *inflater) inflate(body []byte) (doc []byte, cause, err error) {
	if len(body) < 2 || body[0] != 0x1f || body[1] != 0x8b {
		if len(body) > z.max {
			return nil, nil, errTooLarge
		}
		return body, nil, nil
	}
	z.src.Reset(body)
	defer z.src.Reset(nil)
	if err := z.gz.Reset(&z.src); err != nil {
		return z.unchanged(body, err)
	}
	out := z.room(z.buf[:0], sizeHint(body))
	for {
		z.gz.Multistream(false)
		if out, err = z.member(out); err == errTooLarge {
			return nil, nil, err
		} else if err != nil {
			return z.unchanged(body, err)
		}
		if z.src.Len() == 0 || z.gz.Reset(&z.src) != nil {
			z.buf = out
			return out, nil, nil
		}
	}
}

func (z *inflater) unchanged(body []byte, cause error) ([]byte, error, error) {
	if len(body) > z.max {
		return nil, cause, errTooLarge
	}
	return body, cause, nil
}

// member appends one gzip member.
func (z *inflater) member(out []byte) ([]byte, error) {
	for {
		if len(out) == cap(out) {
			out = z.room(out, 2*cap(out))
		}
		n, err := z.gz.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if len(out) > z.max {
			return out, errTooLarge
		}
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// room returns out with a capacity of at least want bytes, within the bounds.
func (z *inflater) room(out []byte, want int) []byte {
	want = min(max(want, 4<<10, len(out)+1), z.max+32<<10)
	if cap(out) >= want {
		return out
	}
	return append(make([]byte, 0, want), out...)
}

// sizeHint is the size that the gzip trailer claims. It is only a hint: the trailer may lie.
func sizeHint(body []byte) int {
	if len(body) < 18 {
		return 0
	}
	claimed := int(binary.LittleEndian.Uint32(body[len(body)-4:]))
	return min(claimed+1, 1032*len(body)) // deflate's best ratio
}

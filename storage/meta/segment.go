package meta

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/telemdb/telemdb/storage/segment"
)

// A manifest entry is stored as: segmentForm u8, length uvarint of what follows, the entry as JSON without its summary, the
// summary as segment.Meta.AppendBinary writes it. The summary is nearly all of it, and ten thousand of them are read when
// a store opens. Format 1 stored the whole as JSON, which begins with a brace.
const segmentForm = 1

func (s *Segment) append(dst []byte) ([]byte, error) {
	outer := *s
	outer.Meta = segment.Meta{}
	text, err := json.Marshal(&outer)
	if err != nil {
		return dst, err
	}
	dst = binary.AppendUvarint(append(dst, segmentForm), uint64(len(text)))
	return s.Meta.AppendBinary(append(dst, text...)), nil
}

// parse reads either form. It copies v once.
func (s *Segment) parse(v []byte) error {
	if len(v) > 0 && v[0] == '{' {
		return json.Unmarshal(v, s)
	}
	if len(v) == 0 || v[0] != segmentForm {
		return errors.New("manifest entry of an unknown form")
	}
	n, size := binary.Uvarint(v[1:])
	if size <= 0 || n > uint64(len(v)-1-size) {
		return errors.New("manifest entry cut short")
	}
	v = v[1+size:]
	if err := json.Unmarshal(v[:n], s); err != nil {
		return err
	}
	return s.Meta.UnmarshalBinary(bytes.Clone(v[n:]))
}

package session

import (
	"bytes"
	"encoding/binary"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// The binary format of COPY, big endian:
//
//	signature  11 bytes, flags int32, length of an extension int32, the extension
//	row        number of fields int16, then per field its length int32 (-1: NULL) and its bytes
//	end        int16 -1
var copySignature = []byte("PGCOPY\n\xff\r\n\x00")

const copyHeaderBytes = 11 + 4 + 4

// binaryIn reads the binary format. It returns how much of p it has used: whole rows.
func (in *copyIn) binaryIn(p []byte) (used int, err error) {
	if !in.begun {
		n, err := in.binaryHeader(p)
		if n == 0 || err != nil {
			return 0, err
		}
		in.begun, used = true, n
	}
	for !in.ended {
		n, err := in.binaryRow(p[used:])
		if err != nil {
			return used, err
		}
		if n == 0 {
			return used, nil
		}
		used += n
	}
	return len(p), nil
}

// binaryHeader checks the header; 0 means that it is not all there yet.
func (in *copyIn) binaryHeader(p []byte) (int, error) {
	if n := min(len(p), len(copySignature)); !bytes.Equal(p[:n], copySignature[:n]) {
		return 0, in.bad("COPY file signature not recognized")
	}
	if len(p) < copyHeaderBytes {
		return 0, nil
	}
	if flags := binary.BigEndian.Uint32(p[11:]); flags>>16 != 0 {
		return 0, in.bad("unrecognized critical flags in COPY file header")
	}
	ext := binary.BigEndian.Uint32(p[15:])
	if ext > copyRowBytesMax {
		return 0, in.bad("invalid COPY file header (wrong length)")
	}
	if len(p) < copyHeaderBytes+int(ext) {
		return 0, nil
	}
	return copyHeaderBytes + int(ext), nil
}

// binaryRow reads one row; 0 means that it is not all there yet.
func (in *copyIn) binaryRow(p []byte) (int, error) {
	if len(p) < 2 {
		return 0, nil
	}
	fields := int16(binary.BigEndian.Uint16(p))
	if fields == -1 {
		in.ended = true
		return 2, nil
	}
	if int(fields) != len(in.cols) {
		return 0, in.bad("row field count is %d, expected %d", fields, len(in.cols))
	}
	in.fields = in.fields[:0]
	at := 2
	for range fields {
		if len(p) < at+4 {
			return 0, nil
		}
		n := int32(binary.BigEndian.Uint32(p[at:]))
		at += 4
		if n == -1 {
			in.fields = append(in.fields, copyField{null: true})
			continue
		}
		if n < 0 || n > copyRowBytesMax {
			return 0, in.bad("invalid field size")
		}
		if len(p) < at+int(n) {
			return 0, nil
		}
		in.fields = append(in.fields, copyField{data: p[at : at+int(n)]})
		at += int(n)
	}
	if err := in.store(); err != nil {
		return 0, err
	}
	in.line++
	return at, nil
}

// binaryValue reads one field.
func (in *copyIn) binaryValue(v *vec.Vector, t types.Type, data []byte) error {
	plain := v
	if t.Mod != 0 {
		plain = &vec.Vector{}
		plain.Reset(types.Type{Kind: t.Kind, Elem: t.Elem})
	}
	if err := datum.ParseBinary(types.Type{Kind: t.Kind, Elem: t.Elem}, data, plain); err != nil || t.Mod == 0 {
		return err
	}
	return datum.ApplyMod(t, plain, 0, false, v)
}

// binaryOut writes one row, after the header if it is the first.
func (o *copyOut) binaryOut() ([]byte, error) {
	if o.header {
		o.header = false
		o.line = append(o.line, copySignature...)
		o.line = append(o.line, make([]byte, copyHeaderBytes-len(copySignature))...)
		return o.line, nil
	}
	if o.ended {
		return nil, nil
	}
	more, err := o.more()
	if err != nil {
		return nil, err
	}
	if !more {
		o.ended = true
		return append(o.line, 0xff, 0xff), nil
	}
	o.line = binary.BigEndian.AppendUint16(o.line, uint16(len(o.q.Columns())))
	for _, v := range o.batch.Cols {
		if v.Null(o.at) {
			o.line = append(o.line, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		if o.value, err = datum.AppendBinary(o.value[:0], v, o.at); err != nil {
			return nil, err
		}
		o.line = binary.BigEndian.AppendUint32(o.line, uint32(len(o.value)))
		o.line = append(o.line, o.value...)
	}
	o.at++
	o.rows++
	return o.line, nil
}

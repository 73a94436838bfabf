package session

import "bytes"

// recordsEnd returns where the last whole record of data ends, behind its newline; 0 if there is none. data begins with a
// record.
func (o *copyOptions) recordsEnd(data []byte) int {
	switch {
	case !o.csv:
		return textRecordsEnd(data)
	case o.escape != o.quote:
		return o.escapedRecordsEnd(data)
	}
	// A quote inside quotes is written twice, so a newline ends a record where the quotes before it are even in number.
	quotes := bytes.Count(data, []byte{o.quote})
	for end := len(data); ; {
		at := bytes.LastIndexByte(data[:end], '\n')
		if at < 0 {
			return 0
		}
		if quotes > 0 {
			quotes -= bytes.Count(data[at:end], []byte{o.quote})
		}
		if quotes&1 == 0 {
			return at + 1
		}
		end = at
	}
}

// textRecordsEnd looks for a newline that no backslash stands for: the backslashes in front of it are even in number.
func textRecordsEnd(data []byte) int {
	for end := len(data); ; {
		at := bytes.LastIndexByte(data[:end], '\n')
		if at < 0 {
			return 0
		}
		slashes := 0
		for slashes < at && data[at-1-slashes] == '\\' {
			slashes++
		}
		if slashes&1 == 0 {
			return at + 1
		}
		end = at
	}
}

// escapedRecordsEnd looks at every byte, from the front: what an escape means depends on what stands before it.
func (o *copyOptions) escapedRecordsEnd(data []byte) (end int) {
	quoted, escaped := false, false
	for i, b := range data {
		switch {
		case escaped:
			escaped = false
		case quoted && b == o.escape:
			escaped = true
		case b == o.quote:
			quoted = !quoted
		case b == '\n' && !quoted:
			end = i + 1
		}
	}
	return end
}

// recordEnd returns where the record that data begins with ends: its text, without "\r", and the next one. data holds it
// in whole.
func (o *copyOptions) recordEnd(data []byte) (end, next int) {
	quoted, escaped := false, false
	for i, b := range data {
		switch {
		case escaped:
			escaped = false
		case !o.csv && b == '\\', o.csv && quoted && b == o.escape && o.escape != o.quote:
			escaped = true
		case o.csv && b == o.quote:
			quoted = !quoted
		case b == '\n' && !quoted:
			if end = i; end > 0 && data[end-1] == '\r' {
				end--
			}
			return end, i + 1
		}
	}
	return len(data), len(data)
}

// Eight bytes at a time: the words of one byte each.
const (
	eachLow  = 0x0101010101010101
	eachHigh = 0x8080808080808080
)

// matches returns a word of which the high bit of each byte tells whether that byte of x is that of pattern.
func matches(x, pattern uint64) uint64 {
	t := x ^ pattern
	return ^((t&^eachHigh + ^uint64(eachHigh)) | t | ^uint64(eachHigh))
}

// openQuote tells whether data, which begins with a record, ends inside quotes.
func (o *copyOptions) openQuote(data []byte) bool {
	quoted, escaped := false, false
	for _, b := range data {
		switch {
		case escaped:
			escaped = false
		case quoted && b == o.escape && o.escape != o.quote:
			escaped = true
		case b == o.quote:
			quoted = !quoted
		}
	}
	return quoted
}

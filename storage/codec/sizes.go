package codec

import "github.com/telemdb/telemdb/storage/vec"

// Encoding says how the values are encoded, in a word or two: what reports add up by.
func (c *Chunk) Encoding() string { return c.name() }

// PresenceBytes is how many of the chunk's bytes say which rows have a value.
func (c *Chunk) PresenceBytes() int {
	switch c.pres.kind {
	case presentSparse:
		return 2 * c.pres.present
	case presentBitmap:
		return 8 * vec.Words(c.pres.rows)
	case presentRuns:
		return roaringBytes(c.pres.runs)
	}
	return 0
}

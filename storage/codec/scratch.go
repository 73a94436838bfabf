package codec

import (
	"sync"

	"github.com/telemdb/telemdb/storage/vec"
)

// scratch is a decoder's working memory. A function takes its own and gives it back; nested calls nest takes.
type scratch struct {
	a, b   [blockValues]int64
	codes  [blockValues]uint32
	bits   [blockValues / 64]uint64
	page   []byte
	vec    vec.Vector
	floats [blockValues]float64
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func getScratch() *scratch { return scratches.Get().(*scratch) }
func (s *scratch) put()    { scratches.Put(s) }

package hits

import (
	"strings"

	"github.com/telemdb/telemdb/bench/workload/draw"
)

// What a stream of bits is for.
const (
	saltRow = iota + 1
	saltUser
	saltCounter
	saltPage
	saltPhrase
	saltWord
	saltModel
)

var (
	latin    = syllables("b c d f g k l m n p r s t v z sh kr pr st tr", "a e i o u ya")
	cyrillic = syllables("б в г д ж з к л м н п р с т х ц ч ш кр пр ст тр", "а е и о у ы я ю")
)

func syllables(onsets, nuclei string) (out []string) {
	for o := range strings.FieldsSeq(onsets) {
		for n := range strings.FieldsSeq(nuclei) {
			out = append(out, o+n)
		}
	}
	return out
}

// appendWord appends a word of n syllables; equal bits give equal words.
func appendWord(dst []byte, of []string, word uint64, n int) []byte {
	for range n {
		dst = append(dst, of[draw.Scale(word, uint64(len(of)))]...)
		word = word<<13 | word>>51
	}
	return dst
}

// vocabulary is the words that titles and search phrases are made of.
var vocabulary = func() []string {
	out := make([]string, 1<<13)
	for i := range out {
		b := draw.Of(seed, saltWord, uint64(i))
		out[i] = string(appendWord(nil, cyrillic, b.Next(), 1+int(b.Below(3))))
		switch {
		case i%37 == 0:
			out[i] = string(appendWord(nil, latin, b.Next(), 3))
		case i%53 == 0:
			out[i] = string(draw.Int(nil, int64(b.Below(3000))))
		}
	}
	return out
}()

var wordOf = draw.LongTail(1<<13, 0.8)

// appendWords appends n words with spaces between them.
func appendWords(dst []byte, b *draw.Bits, n int) []byte {
	for i := range n {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, vocabulary[wordOf.Int(b.Next())]...)
	}
	return dst
}

// modelNames are the names of mobile phones, the most used first.
var modelNames = func() []string {
	out := []string{"iPad", "iPhone", "GT-I9300", "GT-I9100", "A500", "N8-00", "LT26i", "Lumia 800"}
	for i := len(out); i < 166; i++ {
		b := draw.Of(seed, saltModel, uint64(i))
		name := []byte{byte('A' + b.Below(26)), byte('A' + b.Below(26)), '-'}
		out = append(out, string(draw.Int(append(name, byte('A'+b.Below(26))), int64(1000+i*37))))
	}
	return out
}()

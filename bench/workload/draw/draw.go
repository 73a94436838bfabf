// Package draw is what the generators of the workloads draw from: streams of random bits that belong to one thing (a row,
// a client, a page) and are the same whenever that thing is met, distributions as tables, and values as CSV.
//
// A generator makes row i of a table from the seed and i alone. So any shard can be made by itself, in any order, and the
// rows are the same however many shards there are.
package draw

import "math/bits"

// Bits is a stream of random 64-bit words (splitmix64). It is a value: a copy goes on by itself.
type Bits uint64

// Of returns the stream of one thing: number id of the kind named by salt, under a seed.
func Of(seed, salt, id uint64) Bits { return Bits(Mix(Mix(seed, salt), id)) }

// Next returns the next word.
func (b *Bits) Next() uint64 {
	*b += 0x9e3779b97f4a7c15
	return finish(uint64(*b))
}

// Below returns a number below n, each as likely (to within n/2^64).
func (b *Bits) Below(n uint64) uint64 {
	hi, _ := bits.Mul64(b.Next(), n)
	return hi
}

// Chance says yes in perMille of 1,000 cases.
func (b *Bits) Chance(perMille uint64) bool { return b.Below(1000) < perMille }

// Mix hashes two words into one, each bit of which depends on all of theirs.
func Mix(a, b uint64) uint64 { return finish(a + finish(b+0x9e3779b97f4a7c15)) }

func finish(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Scale maps a random word to a number below n.
func Scale(word, n uint64) uint64 {
	hi, _ := bits.Mul64(word, n)
	return hi
}

package rollups

import "github.com/telemdb/telemdb/storage/sketch"

// Keyed probes are stored as jsonb maps. Clients write nearly all of them in one shape, whose jsonb form is read here
// without a parser: labels without escapes, histograms of exactly five members, whole numbers. Whatever is not so is
// left to the parser as a whole.

// keyedMap adds the contributions of a map in that shape; false if it has another, and then nothing is added.
func (a *aggregator) keyedMap(k probeKind, tuple int32, text []byte) bool {
	ownList, ownBuckets := a.own.mark()
	countList, countBuckets := a.counts.mark()
	if a.keyedMembers(k, tuple, &jsonbText{b: text}) {
		return true
	}
	a.own.rollBack(ownList, ownBuckets)
	a.counts.rollBack(countList, countBuckets)
	return false
}

func (a *aggregator) keyedMembers(k probeKind, tuple int32, s *jsonbText) bool {
	if !s.lit("{") {
		return false
	}
	for first := true; ; first = false {
		if s.lit("}") {
			return s.at == len(s.b)
		}
		if !first && !s.lit(", ") {
			return false
		}
		key, ok := s.plainString()
		if !ok || !s.lit(": ") {
			return false
		}
		if k == probeKeyedScalar {
			n, ok := s.whole()
			if !ok {
				return false
			}
			a.whole(k, a.label(k, key), tuple, n)
			continue
		}
		if !s.histogram(&a.h) {
			return false
		}
		a.histogram(a.label(k, key), tuple, &a.h)
	}
}

// jsonbText reads the output form of jsonb from the front.
type jsonbText struct {
	b  []byte
	at int
}

// lit steps over l, if that is what comes.
func (s *jsonbText) lit(l string) bool {
	if len(s.b)-s.at < len(l) || string(s.b[s.at:s.at+len(l)]) != l {
		return false
	}
	s.at += len(l)
	return true
}

// plainString reads a string without escapes.
func (s *jsonbText) plainString() ([]byte, bool) {
	if !s.lit(`"`) {
		return nil, false
	}
	for i := s.at; i < len(s.b); i++ {
		switch s.b[i] {
		case '\\':
			return nil, false
		case '"':
			out := s.b[s.at:i]
			s.at = i + 1
			return out, true
		}
	}
	return nil, false
}

// whole reads a whole number of at most 18 digits.
func (s *jsonbText) whole() (n int64, ok bool) {
	i := s.at
	for ; i < len(s.b) && i-s.at < 19 && s.b[i]-'0' <= 9; i++ {
		n = n*10 + int64(s.b[i]-'0')
	}
	digits := i - s.at
	if i < len(s.b) && (s.b[i] == '.' || s.b[i]|0x20 == 'e') {
		return 0, false
	}
	s.at = i
	return n, digits > 0 && digits < 19
}

// histogram reads a histogram of the members that today's clients send, in the order of jsonb.
func (s *jsonbText) histogram(h *sketch.Histogram) bool {
	var ok [6]bool
	var buckets, typ int64
	if !s.lit(`{"sum": `) {
		return false
	}
	h.Sum, ok[0] = s.whole()
	ok[1] = s.lit(`, "range": [`)
	h.Layout.Low, ok[2] = s.whole()
	ok[3] = s.lit(", ")
	h.Layout.High, ok[4] = s.whole()
	ok[5] = s.lit(`], "values": {`)
	if ok != [6]bool{true, true, true, true, true, true} || !s.buckets(h) {
		return false
	}
	ok[0] = s.lit(`, "bucket_count": `)
	buckets, ok[1] = s.whole()
	ok[2] = s.lit(`, "histogram_type": `)
	typ, ok[3] = s.whole()
	ok[4] = s.lit("}")
	h.Layout.Buckets, h.Layout.Type = int32(buckets), int32(typ)
	return ok == [6]bool{true, true, true, true, true, true} && int64(h.Layout.Buckets) == buckets && int64(h.Layout.Type) == typ
}

// buckets reads the members of "values", which jsonb has in ascending order if they are written as numbers are.
func (s *jsonbText) buckets(h *sketch.Histogram) bool {
	h.Buckets = h.Buckets[:0]
	for prev := int64(-1); !s.lit("}"); {
		if prev >= 0 && !s.lit(", ") {
			return false
		}
		if !s.lit(`"`) {
			return false
		}
		bound, boundOK := s.whole()
		colon := s.lit(`": `)
		count, countOK := s.whole()
		if !boundOK || !colon || !countOK || bound <= prev {
			return false
		}
		h.Buckets = append(h.Buckets, sketch.Bucket{Bound: bound, Count: count})
		prev = bound
	}
	return true
}

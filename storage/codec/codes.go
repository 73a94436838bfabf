package codec

import "github.com/telemdb/telemdb/storage/simd"

// codes are the indexes into a dictionary: of 1, 2, 4, 8 or 16 bits each, which need no unpacking across bytes, or runs. An
// integer stream is how runs were written before version 1.3 of segments.
type codes struct {
	width uint // 0: stream
	n     int
	limit int // size of the dictionary
	at    int
	runs  *ints    // width 0
	rle   runCodes // width runWidth
}

func parseCodes(c *cursor, n, limit int) (k codes, err error) {
	k = codes{width: uint(c.u8()), n: n, limit: limit}
	switch k.width {
	case 0:
		k.runs, err = parseInts(c, n)
	case runWidth:
		err = k.rle.parse(c, n, limit)
	case 1, 2, 4, 8, 16:
		k.at = c.skip(packedLen(n, k.width))
		if c.bad {
			err = corrupt("codes cut short")
		}
	default:
		err = corrupt("codes of %d bits", k.width)
	}
	return k, err
}

// codeWidth returns the width for a dictionary of n values.
func codeWidth(n int, aligned bool) uint {
	switch {
	case n > 256:
		return 16
	case n > 16 || aligned:
		return 8
	case n > 4:
		return 4
	case n > 2:
		return 2
	}
	return 1
}

// read writes codes [a, b) to dst and checks that the dictionary has them.
func (k *codes) read(data []byte, a, b int, dst []uint32) error {
	dst = dst[:b-a]
	top := uint32(0)
	switch k.width {
	case runWidth:
		k.rle.read(data, a, b, dst)
		return nil
	case 0:
		sc := getScratch()
		defer sc.put()
		if err := k.runs.read(data, a, b, sc.a[:]); err != nil {
			return err
		}
		bad := uint64(0)
		for i, v := range sc.a[:b-a] {
			bad |= uint64(v) >> 16
			top = max(top, uint32(v))
			dst[i] = uint32(v)
		}
		if bad != 0 {
			return corrupt("code beyond 16 bits")
		}
	case 8:
		top = simd.WidenU8(dst, data[k.at+a:])
	case 16:
		top = simd.WidenU16(dst, data[k.at+2*a:])
	default:
		simd.Unpack32(dst, data[k.at:], a, k.width)
		top = simd.TopU32(dst)
	}
	if int(top) >= k.limit {
		return corrupt("code %d in a dictionary of %d", top, k.limit)
	}
	return nil
}

// filter sets the bits of those values among [a, b) whose code passes. pass has an entry for every possible code of the
// width (256) or of the dictionary (16 bits and runs).
func (k *codes) filter(data []byte, a, b int, pass []uint8, out bitset) error {
	switch k.width {
	case 0:
		return k.filterRuns(data, a, b, pass, out)
	}
	sc := getScratch()
	defer sc.put()
	if err := k.read(data, a, b, sc.codes[:]); err != nil {
		return err
	}
	look32(sc.codes[:b-a], pass, out)
	return nil
}

// look32 looks every code up in a table of zeros and ones; each is within it.
func look32(src []uint32, pass []uint8, out bitset) {
	for i := 0; len(src) > 0; i++ {
		n := min(64, len(src))
		word := uint64(0)
		for _, c := range src[:n] {
			word = word>>1 | uint64(pass[c])<<63
		}
		out[i] = word >> uint(64-n)
		src = src[n:]
	}
}

func (k *codes) filterRuns(data []byte, a, b int, pass []uint8, out bitset) error {
	if k.runs.kind != intsRuns {
		sc := getScratch()
		defer sc.put()
		for at := a; at < b; at += blockValues {
			end := min(at+blockValues, b)
			if err := k.read(data, at, end, sc.codes[:]); err != nil {
				return err
			}
			look32(sc.codes[:end-at], pass, out[(at-a)/64:])
		}
		return nil
	}
	bad, broken := int64(0), false
	err := k.runs.eachRun(data, a, b, func(c int64, from, to int) {
		switch {
		case c < 0 || c >= int64(k.limit):
			bad, broken = c, true
		case pass[c] != 0:
			out.setRange(from-a, to-a)
		}
	})
	if err == nil && broken {
		err = corrupt("code %d in a dictionary of %d", bad, k.limit)
	}
	return err
}

func (k *codes) name() string {
	switch k.width {
	case runWidth:
		return k.rle.name()
	case 0:
		return k.runs.name()
	case 1:
		return "u1"
	case 2:
		return "u2"
	case 4:
		return "u4"
	case 8:
		return "u8"
	}
	return "u16"
}

package draw

import "strconv"

const digits = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849" +
	"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

// Two appends two decimal digits.
func Two(dst []byte, n int) []byte { return append(dst, digits[2*n], digits[2*n+1]) }

// Int appends an integer.
func Int(dst []byte, n int64) []byte {
	if 0 <= n && n < 100 {
		if n < 10 {
			return append(dst, byte('0'+n))
		}
		return Two(dst, int(n))
	}
	return strconv.AppendInt(dst, n, 10)
}

// Hundredths appends a number of hundredths as a decimal number, without zeros at its end.
func Hundredths(dst []byte, n int64) []byte {
	dst = append(Int(dst, n/100), '.')
	switch r := int(n % 100); {
	case r%10 == 0:
		return append(dst, byte('0'+r/10))
	default:
		return Two(dst, r)
	}
}

// Thousandths appends a number of thousandths as a decimal number.
func Thousandths(dst []byte, n int64) []byte {
	dst = append(Int(dst, n/1000), '.')
	r := int(n % 1000)
	return Two(append(dst, byte('0'+r/100)), r%100)
}

// Date appends days since 1970-01-01.
func Date(dst []byte, days int64) []byte {
	y, m, d := civil(days)
	dst = Two(Two(dst, y/100), y%100)
	dst = Two(append(dst, '-'), m)
	return Two(append(dst, '-'), d)
}

// Time appends microseconds since 1970-01-01 as a time stamp, with its fraction if it has one.
func Time(dst []byte, micros int64) []byte {
	dst = Date(dst, micros/86400_000_000)
	r := micros % 86400_000_000
	sec := int(r / 1_000_000)
	dst = Two(append(dst, ' '), sec/3600)
	dst = Two(append(dst, ':'), sec/60%60)
	dst = Two(append(dst, ':'), sec%60)
	if f := int(r % 1_000_000); f != 0 {
		dst = append(dst, '.')
		dst = Two(Two(Two(dst, f/10000), f/100%100), f%100)
	}
	return dst
}

// civil turns days since 1970-01-01 into year, month and day (Howard Hinnant's algorithm), for days from 0 on.
func civil(days int64) (y, m, d int) {
	z := days + 719468
	era := z / 146097
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	y, m, d = int(yoe+era*400), int(mp+3), int(doy-(153*mp+2)/5+1)
	if m > 12 {
		y, m = y+1, m-12
	}
	return y, m, d
}

const hex = "0123456789abcdef"

// UUID appends a random UUID (version 4) made of two words.
func UUID(dst []byte, a, b uint64) []byte {
	a = a&^0xf000 | 0x4000
	b = b&^(3<<62) | 2<<62
	var u [36]byte
	at := 0
	for i := 60; i >= 0; i -= 4 {
		if i == 28 || i == 12 {
			u[at] = '-'
			at++
		}
		u[at] = hex[a>>i&15]
		at++
	}
	u[at] = '-'
	at++
	for i := 60; i >= 0; i -= 4 {
		if i == 44 {
			u[at] = '-'
			at++
		}
		u[at] = hex[b>>i&15]
		at++
	}
	return append(dst, u[:]...)
}

// Hex appends the lowest n hexadecimal digits of a word.
func Hex(dst []byte, word uint64, n int) []byte {
	for i := 4 * (n - 1); i >= 0; i -= 4 {
		dst = append(dst, hex[word>>i&15])
	}
	return dst
}

// Quoted appends a text in quotes; it may hold none itself.
func Quoted(dst []byte, s string) []byte {
	return append(append(append(dst, '"'), s...), '"')
}

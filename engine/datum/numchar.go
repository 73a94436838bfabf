package datum

import (
	"strings"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
)

// Formats of to_char(number) and to_number.

type numKey uint8

const (
	nText     numKey = iota
	nNine            // 9: a digit, blank if it leads
	nZero            // 0: a digit, always there
	nPoint           // . D
	nComma           // , G
	nSign            // S
	nMinus           // MI
	nPlus            // PL
	nPlusMin         // SG
	nAngle           // PR
	nOrdinal         // TH
	nCurrency        // L
	nShift           // V
	nRoman           // RN
	nExponent        // EEEE
)

type numNode struct {
	key  numKey
	text string
}

var numPatterns = []struct {
	word string
	key  numKey
}{
	{"eeee", nExponent}, {"mi", nMinus}, {"pl", nPlus}, {"pr", nAngle}, {"rn", nRoman}, {"sg", nPlusMin}, {"th", nOrdinal},
	{"9", nNine}, {"0", nZero}, {".", nPoint}, {"d", nPoint}, {",", nComma}, {"g", nComma}, {"l", nCurrency}, {"s", nSign},
	{"v", nShift},
}

// numFormat is a parsed format with what the whole of it says.
type numFormat struct {
	nodes    []numNode
	fill     bool // FM
	pre      int  // digits before the point
	post     int  // digits behind it
	zeroFrom int  // index among the pre digits of the first 0, or -1
	postZero int  // digits behind the point up to the last 0
	shift    int  // digits behind V
	has      map[numKey]bool
	signLead bool // S before the first digit
}

func parseNumFormat(f string) (*numFormat, error) {
	n := &numFormat{zeroFrom: -1, has: map[numKey]bool{}}
	for len(f) > 0 {
		if f[0] == '"' {
			f = quotedFormat(f[1:], func(s string) { n.nodes = append(n.nodes, numNode{nText, s}) })
			continue
		}
		if len(f) >= 2 && strings.EqualFold(f[:2], "fm") {
			n.fill, f = true, f[2:]
			continue
		}
		k, w := nText, f[:1]
		for _, p := range numPatterns {
			if len(f) >= len(p.word) && strings.EqualFold(f[:len(p.word)], p.word) {
				k, w = p.key, f[:len(p.word)]
				break
			}
		}
		if err := n.note(k); err != nil {
			return nil, err
		}
		n.nodes = append(n.nodes, numNode{k, w})
		f = f[len(w):]
	}
	return n, nil
}

func errNumFormat(text string) error { return sqlstate.New(sqlstate.Syntax, "%s", text) }

func (n *numFormat) note(k numKey) error {
	switch k {
	case nNine, nZero:
		switch {
		case n.has[nAngle]:
			return errNumFormat("\"9\" must be ahead of \"PR\"")
		case n.has[nShift]:
			n.shift++
		case n.has[nPoint]:
			n.post++
			if k == nZero {
				n.postZero = n.post
			}
		default:
			if k == nZero && n.zeroFrom < 0 {
				n.zeroFrom = n.pre
			}
			n.pre++
		}
	case nPoint:
		if n.has[nPoint] {
			return errNumFormat("multiple decimal points")
		}
		if n.has[nShift] {
			return errNumFormat("cannot use \"V\" and decimal point together")
		}
	case nShift:
		if n.has[nPoint] {
			return errNumFormat("cannot use \"V\" and decimal point together")
		}
	case nSign:
		if n.has[nSign] {
			return errNumFormat("cannot use \"S\" twice")
		}
		if n.has[nPlus] || n.has[nMinus] || n.has[nPlusMin] || n.has[nAngle] {
			return errNumFormat("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together")
		}
		n.signLead = n.pre+n.post == 0
	case nMinus, nPlus, nPlusMin, nAngle:
		if n.has[nSign] {
			return errNumFormat("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together")
		}
	}
	n.has[k] = true
	return nil
}

// AppendNumericChar is to_char(number, format).
func AppendNumericChar(dst []byte, x *Numeric, format string) ([]byte, error) {
	f, err := parseNumFormat(format)
	if err != nil {
		return dst, err
	}
	switch {
	case f.has[nRoman]:
		return f.roman(dst, x), nil
	case f.has[nExponent]:
		return f.exponent(dst, x), nil
	}
	return f.number(dst, x), nil
}

// number prints digit by digit. The integer part is right-aligned in its digits; too many digits print as #.
func (f *numFormat) number(dst []byte, x *Numeric) []byte {
	var v Numeric
	v.Abs(x)
	neg := x.Sign() < 0
	intPart, frac := "", ""
	switch {
	case v.form == finite:
		if f.shift > 0 {
			v.coef.Mul(&v.coef, pow10(f.shift))
		}
		v.Round(int32(f.post))
		neg = neg && v.coef.Sign() != 0
		intPart, frac, _ = strings.Cut(v.String(), ".")
		if intPart == "0" && (f.pre+f.shift > 0) {
			intPart = ""
		}
	case v.form == nan:
		intPart = "NaN"
	default:
		intPart = "Infinity"
	}
	width := f.pre + f.shift
	if len(intPart) > width && v.form == finite && intPart != "0" || v.form != finite && len(intPart) > width {
		intPart = strings.Repeat("#", width)
		frac = strings.Repeat("#", f.post)
	}
	if intPart == "0" && width == 0 {
		intPart = ""
	}
	p := numPrinter{f: f, neg: neg, intPart: intPart, frac: frac, special: v.form != finite}
	return p.print(dst)
}

type numPrinter struct {
	f       *numFormat
	neg     bool
	intPart string
	frac    string
	special bool
	signed  bool // the sign has been written
	started bool // a digit has been written
}

func (p *numPrinter) print(dst []byte) []byte {
	f := p.f
	width := f.pre + f.shift
	seen, post := 0, 0
	inFrac := false
	explicit := f.has[nSign] || f.has[nMinus] || f.has[nPlusMin] || f.has[nAngle]
	// Where the digits begin: at the first digit of the number or at the first 0 of the format.
	first := width - len(p.intPart)
	if f.zeroFrom >= 0 && !p.special {
		first = min(first, f.zeroFrom)
	}
	if first == width && f.post == 0 && width > 0 {
		first = width - 1 // a lone zero is printed
	}
	lastFrac := f.post
	if f.fill {
		lastFrac = max(len(strings.TrimRight(p.frac, "0")), f.postZero)
		if lastFrac == 0 && first == width && width > 0 {
			first = width - 1
		}
	}
	sign := func(lead bool) {
		if p.signed {
			return
		}
		p.signed = true
		switch {
		case f.has[nSign] && lead:
			if p.neg {
				dst = append(dst, '-')
			} else {
				dst = append(dst, '+')
			}
		case f.has[nAngle]:
			if p.neg {
				dst = append(dst, '<')
			} else if !f.fill {
				dst = append(dst, ' ')
			}
		case !explicit:
			if p.neg {
				dst = append(dst, '-')
			} else if !f.fill {
				dst = append(dst, ' ')
			}
		}
	}
	for _, n := range f.nodes {
		switch n.key {
		case nNine, nZero:
			if inFrac {
				sign(f.signLead)
				if post < lastFrac {
					if post < len(p.frac) {
						dst = append(dst, p.frac[post])
					} else if !p.special {
						dst = append(dst, '0')
					}
				}
				post++
				continue
			}
			if seen < first {
				seen++
				if !f.fill {
					dst = append(dst, ' ')
				}
				continue
			}
			if !p.signed {
				sign(f.signLead)
			}
			digit := byte('0')
			if k := seen - (width - len(p.intPart)); k >= 0 && k < len(p.intPart) {
				digit = p.intPart[k]
			}
			dst = append(dst, digit)
			p.started = true
			seen++
		case nPoint:
			inFrac = true
			if !p.signed {
				sign(f.signLead)
			}
			if f.post == 0 && !strings.HasPrefix(p.intPart, "#") {
				return dst // a point without digits behind it ends the number, and PostgreSQL's format too
			}
			if !p.special {
				dst = append(dst, '.')
			}
		case nComma:
			if p.started {
				dst = append(dst, ',')
			} else if !f.fill {
				dst = append(dst, ' ')
			}
		case nShift:
		case nSign:
			if !f.signLead {
				dst = append(dst, plusMinus(p.neg))
			}
		case nMinus:
			if p.neg {
				dst = append(dst, '-')
			} else if !f.fill {
				dst = append(dst, ' ')
			}
		case nPlus:
			if !p.neg {
				dst = append(dst, '+')
			} else if !f.fill {
				dst = append(dst, ' ')
			}
		case nPlusMin:
			dst = append(dst, plusMinus(p.neg))
		case nAngle:
			if p.neg {
				dst = append(dst, '>')
			} else if !f.fill {
				dst = append(dst, ' ')
			}
		case nOrdinal:
			if !p.neg && !p.special && f.post == 0 && len(p.intPart) > 0 {
				dst = append(dst, ordinal(p.intPart, n.text)...)
			} else if !p.neg && !p.special && f.post == 0 {
				dst = append(dst, ordinal("0", n.text)...)
			}
		case nCurrency:
			dst = append(dst, ' ')
		default:
			dst = append(dst, n.text...)
		}
	}
	return dst
}

func plusMinus(neg bool) byte {
	if neg {
		return '-'
	}
	return '+'
}

func (f *numFormat) roman(dst []byte, x *Numeric) []byte {
	n, err := x.Int64(types.Int64)
	if err != nil || n < 1 || n > 3999 {
		return append(dst, strings.Repeat("#", 15)...)
	}
	var s strings.Builder
	for _, p := range []struct {
		v int64
		r string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for n >= p.v {
			s.WriteString(p.r)
			n -= p.v
		}
	}
	if !f.fill {
		dst = append(dst, strings.Repeat(" ", max(15-s.Len(), 0))...)
	}
	return append(dst, s.String()...)
}

// exponent prints d.ddde+xx.
func (f *numFormat) exponent(dst []byte, x *Numeric) []byte {
	if x.form != finite {
		return append(dst, strings.Repeat("#", f.pre+f.post+6)...)
	}
	var v Numeric
	v.Abs(x)
	exp := 0
	if v.coef.Sign() != 0 {
		exp = numDigits(&v.coef) - 1 - int(v.scale)
	}
	mant := v
	scaleBy := func() {
		mant.Set(&v)
		if exp >= 0 {
			mant.scale += int32(exp)
		} else {
			mant.coef.Mul(&mant.coef, pow10(-exp))
		}
		mant.Round(int32(f.post))
	}
	scaleBy()
	if numDigits(&mant.coef)-int(mant.scale) > 1 { // 9.99 rounded up to 10.0
		exp++
		scaleBy()
	}
	if x.Sign() < 0 {
		dst = append(dst, '-')
	} else if !f.fill {
		dst = append(dst, ' ')
	}
	dst = mant.AppendText(dst)
	dst = append(dst, 'e', plusMinus(exp < 0))
	if exp < 0 {
		exp = -exp
	}
	if exp >= 100 {
		dst = append(dst, byte('0'+exp/100))
		exp %= 100
	}
	return append2(dst, exp)
}

// ParseNumericChar is to_number(text, format): digits are taken where the format has digits, separators are skipped.
func ParseNumericChar(s, format string, n *Numeric) error {
	f, err := parseNumFormat(format)
	if err != nil {
		return err
	}
	if f.has[nRoman] || f.has[nExponent] {
		return sqlstate.New(sqlstate.FeatureNotSupported, "to_number with \"RN\" or \"EEEE\" is not supported")
	}
	var digits []byte
	neg, point := false, false
	take := func() {
		for len(s) > 0 {
			c := s[0]
			switch {
			case c == '-' || c == '<':
				neg = true
			case c == '+' || isSpace(c) || c == '>':
			case isDigit(c):
				digits = append(digits, c)
				s = s[1:]
				return
			default:
				return
			}
			s = s[1:]
		}
	}
	for _, node := range f.nodes {
		switch node.key {
		case nNine, nZero:
			if len(s) > 0 && s[0] == '.' && !point {
				continue // fewer digits than the format has before the point
			}
			take()
		case nPoint:
			if len(s) > 0 && s[0] == '.' {
				s = s[1:]
			}
			point = true
			digits = append(digits, '.')
		case nComma:
			if len(s) > 0 && s[0] == ',' {
				s = s[1:]
			}
		case nSign, nMinus, nPlusMin, nPlus, nAngle:
			if len(s) > 0 && (s[0] == '-' || s[0] == '+' || s[0] == ' ' || s[0] == '<' || s[0] == '>') {
				neg = neg || s[0] == '-' || s[0] == '<'
				s = s[1:]
			}
		case nOrdinal:
			s = s[min(2, len(s)):]
		case nCurrency, nText:
			if len(s) > 0 && !isDigit(s[0]) && s[0] != '.' && s[0] != '-' {
				s = s[1:]
			}
		}
	}
	text := strings.TrimSuffix(string(digits), ".")
	if text == "" || text == "." {
		return errSyntax(types.Numeric, []byte(" "))
	}
	if neg {
		text = "-" + text
	}
	if err := n.Parse([]byte(text)); err != nil {
		return err
	}
	if f.shift > 0 {
		n.scale += int32(f.shift)
	}
	return nil
}

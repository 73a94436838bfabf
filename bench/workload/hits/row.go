package hits

import "github.com/telemdb/telemdb/bench/workload/draw"

// Where a view came from.
const (
	fromNowhere = iota
	fromSearch
	fromInside
	fromElsewhere
)

// view is one row as it is made.
type view struct {
	visitor
	rank     int // of the counter
	page     uint64
	unique   uint64 // what makes the address one of its own; 0: nothing
	day, at  int64  // relative to firstDay; microseconds since 1970-01-01
	from     int
	referrer struct {
		rank   int
		page   uint64
		unique uint64
	}
	phrase uint64 // number of the search phrase, from 1; 0: none
	bits   draw.Bits
}

func (g *generator) view(i int64, v *view) {
	v.bits = draw.Of(seed, saltRow, uint64(i))
	b := &v.bits
	v.day = i * days / g.rows
	first, next := (v.day*g.rows+days-1)/days, ((v.day+1)*g.rows+days-1)/days
	u := (float64(i-first) + share(b.Next())) / float64(next-first)
	v.at = ((firstDay+v.day)*86400 + min(int64(u*86400), 86399)) * 1e6
	v.rank = counterOf.Pick(b.Next())
	g.visitor(g.user(b.Next()), &v.visitor)
	v.page, v.unique = g.page(v.rank, b.Next()), 0
	if b.Chance(80) {
		v.unique = b.Next() | 1
	}
	v.refer(g, b)
}

// refer draws where the view came from. A site is linked from its own pages, from search engines and from a few others.
func (v *view) refer(g *generator, b *draw.Bits) {
	r := &v.referrer
	r.unique, v.phrase = 0, 0
	switch k := b.Below(1000); {
	case k < 190:
		v.from = fromNowhere
	case k < 350:
		v.from = fromSearch
		r.rank, r.page = int(b.Next()>>62), v.page
		if k < 322 {
			u := share(b.Next())
			v.phrase = 1 + uint64(g.phrases*u*u)
		}
		r.page = v.phrase
		if k >= 340 {
			r.unique = b.Next() | 1
		}
	case k < 720:
		v.from = fromInside
		r.rank, r.page = v.rank, g.page(v.rank, b.Next())/2
	default:
		v.from = fromElsewhere
		r.rank = counterOf.Pick(b.Next())
		r.page = g.page(r.rank, b.Next()) / 2
	}
	if v.from >= fromInside && b.Chance(40) {
		r.unique = b.Next() | 1
	}
}

// appendAddress appends the address of a page. One page in 6,000 has to do with google.
func appendAddress(dst []byte, rank int, page, unique uint64) []byte {
	site := draw.Mix(uint64(rank), saltCounter)
	dst = append(dst, "http://"...)
	if site&3 == 0 {
		dst = append(dst, "www."...)
	}
	dst = appendWord(dst, latin, site, 2+int(site>>2&1))
	dst = append(dst, [4]string{".ru/", ".com/", ".ru/", ".com.tr/"}[site>>3&3]...)
	if page == 0 && unique == 0 {
		return dst
	}
	p := draw.Mix(site, page)
	for range 2 + p&1 + p>>1&1 {
		dst = append(appendWord(dst, latin, p, 3+int(p>>9&1)), '/')
		p = p>>7 | p<<57
	}
	if p>>2%6000 == 0 {
		dst = append(dst, "google_analog/"...)
	}
	switch p >> 16 & 3 {
	case 0:
		dst = append(draw.Int(append(dst, "id"...), int64(p>>20&0xffffff)), ".html"...)
	case 1:
		dst = draw.Int(append(dst, "?page="...), int64(p>>20&0xffff))
	case 2:
		dst = draw.Hex(append(dst, '#'), p>>8, 6)
	}
	if unique != 0 {
		dst = draw.Hex(append(dst, "&sid="...), unique, 10+int(p>>60&7))
	}
	return dst
}

// appendSearch appends the address of a search engine's answers: rank says whose.
func appendSearch(dst []byte, rank int, phrase, unique uint64) []byte {
	dst = append(dst, [4]string{"http://yandex.ru/yandsearch?text=", "http://www.google.ru/search?q=", "http://yandex.ru/clck/jsredir?from=",
		"http://go.mail.ru/search?q="}[rank]...)
	dst = appendWord(dst, latin, draw.Mix(phrase, saltPhrase), 7)
	if unique != 0 {
		dst = draw.Hex(append(dst, "&lr="...), unique, 8)
	}
	return dst
}

// appendPhrase appends the search phrase of a number. It has no quotes and no commas.
func appendPhrase(dst []byte, phrase uint64) []byte {
	if phrase == 0 {
		return dst
	}
	b := draw.Of(seed, saltPhrase, phrase)
	return appendWords(dst, &b, 2+int(b.Below(3)))
}

// appendTitle appends a page's title: 14 % of the pages have none, and one in 5,000 names Google.
func appendTitle(dst []byte, rank int, page uint64) []byte {
	b := draw.Of(draw.Mix(uint64(rank), seed), saltPage, page)
	w := b.Next()
	if page > 0 && w%100 < 14 {
		return dst
	}
	dst = appendWords(dst, &b, 4+int(w>>16&7))
	if w>>20%5000 == 0 {
		dst = append(dst, " - Google"...)
	}
	if w>>32&1 == 0 {
		dst = append(dst, ", "...)
		dst = appendWords(dst, &b, 2)
	}
	site := draw.Mix(uint64(rank), saltCounter)
	return appendWord(append(dst, " | "...), cyrillic, site, 3)
}

// hashOf is what the address of a page hashes to.
func hashOf(rank int, page, unique uint64) int64 {
	return int64(draw.Mix(draw.Mix(uint64(rank), page), unique))
}

package hits

import (
	"github.com/telemdb/telemdb/bench/workload/draw"
)

// record appends fields; each ends with a comma.
type record struct{ dst []byte }

func (r *record) int(ns ...int64) {
	for _, n := range ns {
		r.dst = append(draw.Int(r.dst, n), ',')
	}
}

func (r *record) time(micros int64) { r.dst = append(draw.Time(r.dst, micros), ',') }

// text appends a text in quotes, which an empty one needs so as not to be NULL.
func (r *record) text(ss ...string) {
	for _, s := range ss {
		r.dst = append(draw.Quoted(r.dst, s), ',')
	}
}

func (r *record) open()  { r.dst = append(r.dst, '"') }
func (r *record) close() { r.dst = append(r.dst, '"', ',') }

// bit is a bit of a word as 0 or 1.
func bit(word uint64, n int) int64 { return int64(word >> n & 1) }

// rare is n in so many of 1,024 cases, else 0.
func rare(word uint64, in uint64, n int64) int64 {
	if word&1023 < in {
		return n
	}
	return 0
}

var advertisers = [...]int64{2, 27, 13, 45, 44, 3, 62, 52, 50, 28, 53, 25, 61, 21, 42, 16, 7, 22}

// appendRow appends row i as CSV: rows come in the order of their time.
func (g *generator) appendRow(dst []byte, i int64) []byte {
	var v view
	g.view(i, &v)
	r := record{dst}
	v.what(&r)
	v.browser(&r)
	v.search(&r)
	v.window(&r)
	v.event(&r)
	v.person(&r)
	v.timings(&r)
	v.campaign(&r)
	r.dst[len(r.dst)-1] = '\n'
	return r.dst
}

// what appends watch_id to url_region_id.
func (v *view) what(r *record) {
	r.int(int64(v.bits.Next()>>1), int64(v.java-'0'))
	r.open()
	r.dst = appendTitle(r.dst, v.rank, v.page)
	r.close()
	r.int(1)
	r.time(v.at)
	r.dst = append(draw.Date(r.dst, firstDay+v.day), ',')
	site := draw.Mix(uint64(v.rank), saltCounter)
	r.int(counterID(v.rank), int64(v.ip), v.region, v.id, int64(site>>40&3)-1, v.os, v.agent)
	r.open()
	r.dst = appendAddress(r.dst, v.rank, v.page, v.unique)
	r.close()
	r.open()
	switch v.from {
	case fromSearch:
		r.dst = appendSearch(r.dst, v.referrer.rank, v.referrer.page, v.referrer.unique)
	case fromInside, fromElsewhere:
		r.dst = appendAddress(r.dst, v.referrer.rank, v.referrer.page, v.referrer.unique)
	}
	r.close()
	w := v.bits.Next()
	other := draw.Mix(uint64(v.referrer.rank), saltCounter)
	r.int(rare(w, 130, 1))
	if v.from == fromElsewhere || v.from == fromInside {
		r.int(int64(other>>20&0x3fff), int64(other>>34%9041))
	} else {
		r.int(0, 0)
	}
	r.int(int64(site>>20&0x3fff), int64(site>>34%9041))
}

// browser appends resolution_width to params.
func (v *view) browser(r *record) {
	w := v.visitor.bits
	r.int(v.width, v.height, int64([4]int{37, 23, 37, 37}[w&3]), v.flash, int64(w>>2&7)*bit(w, 5))
	r.text([8]string{"700", "800", "", "0.", "600", "D<", "700", "169"}[w>>6&7])
	r.int(int64(w>>9&3)*bit(w, 11), int64(w>>12&7)*bit(w, 11), v.major)
	r.text([8]string{"D1", "Dl", "D", "13", "7", "Bp", "D1", "0"}[w>>15&7])
	r.int(1, 1)
	if v.mobile {
		r.int(1)
	} else {
		r.int(0)
	}
	r.int(v.phone)
	r.text(v.model)
	if w>>18&127 == 0 {
		r.open()
		r.dst = appendWord(append(r.dst, "site/"...), latin, w, 4)
		r.close()
	} else {
		r.text("")
	}
}

// search appends ip_network_id to adv_engine_id.
func (v *view) search(r *record) {
	w := v.bits.Next()
	source, engine, adv := int64(0), int64(0), int64(0)
	switch v.from {
	case fromSearch:
		source, engine = 2, [4]int64{2, 3, 2, 13}[v.referrer.rank]
		if w&255 < 4 {
			engine = 1 + int64(w>>8&63)
		}
	case fromInside:
		source = -1
		if w&7 == 0 {
			source = 6
		}
	case fromElsewhere:
		source = 1 + int64(w&7>>2*(w>>3&7))
	}
	if w>>20&1023 < 6 {
		source, adv = 3, advertisers[int(w>>30&15*(w>>34&15)>>4)]
	}
	r.int(int64(v.ip>>12&0x3fffff), source, engine)
	r.open()
	r.dst = appendPhrase(r.dst, v.phrase)
	r.close()
	r.int(adv)
}

// window appends is_artificial to code_version.
func (v *view) window(r *record) {
	w := v.bits.Next()
	r.int(rare(w, 15, 1), v.width-int64(w>>10&63*(w>>16&1)), max(v.height-90-int64(w>>18&127), 0), v.zone)
	r.time(v.at + (int64(w>>26&127)-20)*1e6*bit(w, 33))
	light := bit(w, 34) * bit(w, 35)
	r.int(5*light, light, 50000*light, 0)
	r.text([4]string{"utf-8", "windows-1251", "utf-8", ""}[draw.Mix(uint64(v.rank), saltCounter)>>50&3])
	r.int(int64([4]int{291, 1601, 1602, 289}[w>>36&3]))
}

// event appends is_link to hit_color.
func (v *view) event(r *record) {
	w := v.bits.Next()
	r.int(rare(w, 60, 1), rare(w>>10, 20, 1), rare(w>>20, 300, 1), int64(v.bits.Next()>>2)*bit(w, 30))
	if w>>31&63 == 0 {
		r.open()
		r.dst = appendAddress(r.dst, v.rank, v.page, 0)
		r.close()
	} else {
		r.text("")
	}
	r.int(int64(w>>37&0x3fffffff), 0, rare(w>>5, 30, 1), rare(w>>15, 5, 1), rare(w>>25, 40, 1), rare(w>>35, 100, 1))
	r.text([8]string{"5", "5", "g", "5", "T", "5", "E", "5"}[w>>56&7])
}

// person appends local_event_time to http_error.
func (v *view) person(r *record) {
	w := v.bits.Next()
	r.time(v.at + v.zone*60e6/4)
	r.int(v.age, v.sex, v.income, v.interests, int64([8]int{0, 0, 5, 13, 0, 21, 0, 37}[v.visitor.bits>>40&7]))
	r.int(int64(v.remote), int64(int32(w)), int64(int32(draw.Mix(w, 1)))*bit(w, 33), int64(w>>34&31)-1)
	r.text(v.language, v.country)
	if w>>40&2047 == 0 {
		r.text([4]string{"twitter", "facebook", "vkontakte", "google"}[w>>51&3], [2]string{"like", "share"}[w>>53&1])
	} else {
		r.text("", "")
	}
	r.int(rare(w>>54, 2, 404))
}

var (
	timing  = draw.LogNormal(90, 1.2)
	timings = draw.LogNormal(700, 1.3)
)

// timings appends send_timing to param_currency_id.
func (v *view) timings(r *record) {
	w := v.bits.Next()
	if w&3 == 0 {
		r.int(0, 0, 0, 0, 0, 0)
	} else {
		r.int(timing.Int(v.bits.Next()), timing.Int(v.bits.Next())*bit(w, 3), timing.Int(v.bits.Next())*bit(w, 4), timing.Int(v.bits.Next()),
			timings.Int(v.bits.Next()), timings.Int(v.bits.Next()))
	}
	r.int(rare(w>>8, 3, 1+int64(w&3)))
	r.text("")
	if w>>18&1023 == 0 {
		r.int(int64(w >> 28 & 0xffff))
		r.open()
		r.dst = draw.Int(append(r.dst, "order-"...), int64(w>>28&0xffffff))
		r.close()
	} else {
		r.int(0)
		r.text("")
	}
	r.text("NH")
	r.int(int64(w>>44&1) * 2)
}

// campaign appends openstat_service_name to clid.
func (v *view) campaign(r *record) {
	w := v.bits.Next()
	if w&255 == 0 {
		r.text("direct.yandex.ru", [4]string{"4152921", "3892461", "3980071", "5521334"}[w>>8&3])
		r.text([4]string{"33892110", "34009021", "30011402", "31200943"}[w>>10&3], [2]string{"yandex.ru:premium", "yandex.ru:guarantee"}[w>>12&1])
	} else {
		r.text("", "", "", "")
	}
	if w>>13&127 == 0 {
		r.text([4]string{"yandex", "google", "vk.com", "subscribe"}[w>>20&3], [2]string{"cpc", "email"}[w>>22&1])
		for j := range 3 {
			r.open()
			r.dst = appendWord(r.dst, latin, w>>23&uint64(63<<(2*j))<<50, 3)
			r.close()
		}
	} else {
		r.text("", "", "", "", "")
	}
	r.text([16]string{14: "rss", 15: "main"}[w>>30&15*(w>>34&1)])
	r.int(rare(w>>36, 12, 1))
	hash := int64(0)
	switch v.from {
	case fromSearch:
		hash = hashOf(-1-v.referrer.rank, v.referrer.page, v.referrer.unique)
	case fromInside, fromElsewhere:
		hash = hashOf(v.referrer.rank, v.referrer.page, v.referrer.unique)
	}
	r.int(hash, hashOf(v.rank, v.page, v.unique), rare(w>>46, 20, int64(w>>48&0xffff)))
}

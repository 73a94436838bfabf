package hits

import "github.com/telemdb/telemdb/bench/workload/draw"

// counters are the sites that are counted.
const counters = 6506

// The site that seven of the questions are about, by its place and by its number.
const (
	knownRank = 13
	knownID   = 62
)

// generator makes rows of a table of rows rows. It is read-only once made.
type generator struct {
	rows    int64
	users   float64
	phrases float64
	pages   [counters]float64 // how many pages a site has
}

var counterWeights = func() []float64 {
	w := make([]float64, counters)
	for i := range w {
		w[i] = 1 / float64(i+1)
	}
	return w
}()

var counterOf = draw.NewChoice(counterWeights)

func newGenerator(rows int64) *generator {
	g := &generator{rows: rows, users: max(float64(rows)*0.19, 20), phrases: max(float64(rows)*0.085, 20)}
	sum := 0.0
	for _, w := range counterWeights {
		sum += w
	}
	for i, w := range counterWeights {
		g.pages[i] = max(1, 0.10*float64(rows)*w/sum)
	}
	return g
}

// counterID is the number of the site of a rank.
func counterID(rank int) int64 {
	if rank == knownRank {
		return knownID
	}
	return 100 + int64(rank)*48271%262139
}

// share maps a word to a number in [0, 1).
func share(word uint64) float64 { return float64(word>>11) / (1 << 53) }

// page draws a page of a site; the first ones are visited most (their weights fall with the power 3/4 of the rank).
func (g *generator) page(rank int, word uint64) uint64 {
	u := share(word)
	u *= u
	return uint64(g.pages[rank] * u * u)
}

// user draws a visitor; the first ones come most often.
func (g *generator) user(word uint64) uint64 {
	u := share(word)
	return uint64(g.users * u * u)
}

// visitor is what the page views of one user have in common.
type visitor struct {
	id         int64
	ip, remote int32
	region     int64
	os, agent  int64
	major      int64
	width      int64
	height     int64
	mobile     bool
	phone      int64
	model      string
	flash      int64
	java       byte
	language   string
	country    string
	age, sex   int64
	income     int64
	interests  int64
	zone       int64
	bits       uint64
}

type screen struct{ w, h int64 }

var screens = []screen{{1366, 768}, {1920, 1080}, {1280, 1024}, {1280, 800}, {1024, 768}, {1600, 900}, {1440, 900}, {1680, 1050}, {1152, 864},
	{2560, 1440}, {1280, 720}, {1360, 768}, {1920, 1200}, {800, 600}, {1093, 614}, {1638, 922}, {1024, 600}, {1536, 864}}

var phones = []screen{{768, 1024}, {320, 480}, {320, 568}, {480, 800}, {720, 1280}, {360, 640}, {1080, 1920}, {800, 1280}}

var (
	regionOf  = draw.LongTail(9040, 0.95)
	screenOf  = draw.Zipf(len(screens), 0.9)
	phoneOf   = draw.Zipf(len(phones), 0.8)
	modelOf   = draw.Zipf(len(modelNames), 1.1)
	systemOf  = draw.Zipf(60, 1.3)
	agentOf   = draw.Zipf(50, 1.2)
	languages = []string{"ru", "S0", "en", "uk", "tr", "kk", "de", "be", "\\f"}
	languagOf = draw.Zipf(len(languages), 2)
	lands     = []string{"S0", "RU", "US", "UA", "TR", "KZ", "DE", "BY", "GB", "_i"}
	landOf    = draw.Zipf(len(lands), 1.4)
)

func (g *generator) visitor(n uint64, v *visitor) {
	b := draw.Of(seed, saltUser, n)
	v.id = int64(b.Next() >> 1)
	// Users share addresses: nine have five.
	h := draw.Mix(n*9/16, saltUser)
	v.ip, v.remote = int32(h), int32(h>>32)
	v.region = 1 + regionOf.Int(b.Next())*7%9041
	w := b.Next()
	v.os, v.agent = 1+int64(systemOf.Pick16(uint16(w))), 1+int64(agentOf.Pick16(uint16(w>>16)))
	v.major = 3 + int64(w>>32&15)
	v.mobile = w>>36&1023 < 62
	v.flash = int64([8]int{11, 11, 11, 10, 12, 11, 9, 0}[w>>46&7])
	v.java = byte('0' + min(w>>49&7, 1)&1)
	v.age = int64([8]int{0, 0, 22, 31, 31, 39, 50, 0}[w>>52&7])
	v.sex = int64([4]int{0, 1, 2, 2}[w>>55&3])
	v.income = int64(w >> 57 & 3)
	w = b.Next()
	s := screens[screenOf.Pick16(uint16(w))]
	v.phone, v.model = 0, ""
	if v.mobile {
		s = phones[phoneOf.Pick16(uint16(w))]
		v.flash = 0
		m := modelOf.Pick16(uint16(w >> 16))
		v.phone, v.model = 1+int64(m%44), modelNames[m]
	}
	v.width, v.height = s.w, s.h
	v.language, v.country = languages[languagOf.Pick16(uint16(w>>32))], lands[landOf.Pick16(uint16(w>>48))]
	v.interests = int64(b.Next() & 0x7fff * (w >> 40 & 1))
	v.zone = int64([8]int{135, 135, 135, 157, 179, 120, 225, 315}[w>>44&7])
	v.bits = b.Next()
}

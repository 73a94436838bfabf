package flat

import (
	"fmt"
	"math"

	"github.com/telemdb/telemdb/bench/workload/draw"
)

// What a stream of bits is for.
const (
	saltRow = iota + 1
	saltClient
	saltCity
	saltAddon
	saltSite
)

// generator makes rows of a table of rows rows. It is read-only once made.
type generator struct {
	rows    int64
	clients uint64
}

// newGenerator returns the generator of a scale: a client has twelve rows on average.
func newGenerator(rows int64) *generator {
	return &generator{rows: rows, clients: uint64(max(rows/12, 50))}
}

// client is what rows of one client have in common.
type client struct {
	uuid            [2]uint64
	sample          int
	channel         int
	country         int
	os              int
	osVersion       string
	city            string // "" if it is not known
	locale          string
	engine, branch  string // "" if there is none
	addon           int64  // -1 if there is none
	e10s, fxa       bool
	isDefault       byte // 't', 'f' or 0
	addonsDisabled  byte
	cpus            string
	memory          int64
	zone            int64
	born            int64 // day of the profile, relative to firstDay
	bornKnown       bool
	lag             int     // half days that its updates come late
	use             float64 // how much it is used, next to the median client
	counter, perDay int64
	bookmarks       int64 // -1 if they are not known
}

var (
	channelOf = draw.NewChoice([]float64{release: 72, beta: 14, esr: 6, nightly: 5, aurora: 3})
	countryOf = draw.Zipf(len(countryCodes), 1.15)
	cityOf    = func() []*draw.Choice {
		out := make([]*draw.Choice, len(cityNames))
		for i := range out {
			// The choice of a large country serves all that have as many cities.
			if i > 0 && len(cityNames[i]) == len(cityNames[i-1]) {
				out[i] = out[i-1]
			} else {
				out[i] = draw.Zipf(len(cityNames[i]), 0.9)
			}
		}
		return out
	}()
	addonOf  = draw.LongTail(20_000, 1)
	useOf    = draw.LogNormal(1, 0.8)
	ageOf    = draw.LogNormal(400, 1.1)
	counts   = draw.LogNormal(250, 1.2)
	marksOf  = draw.LogNormal(60, 1.7)
	lagOf    = draw.Exponential(8)
	lagOldOf = draw.Exponential(120)
)

var systems = []string{"Windows_NT", "Darwin", "Linux", "Other"}
var systemOf = draw.NewChoice([]float64{82, 9, 8.5, 0.5})

var systemVersions = [][]string{
	{"10.0.22631", "10.0.19045", "10.0.26100", "10.0.22621", "6.1", "10.0.19044", "6.3", "10.0.22000", "10.0.18363", "10.0.17763", "6.2", "6.0"},
	{"24.3.0", "23.6.0", "22.6.0", "21.6.0", "24.1.0", "20.6.0", "19.6.0", "18.7.0"},
	{"6.8.0-55-generic", "6.12.10", "6.1.0-31-amd64", "5.15.0-134-generic", "6.13.6-arch1-1", "6.11.0-19-generic", "5.10.0", "4.15.0-213-generic"},
	{"14.2-RELEASE", "7.6"},
}

var systemVersionOf = func() (out []*draw.Choice) {
	for _, v := range systemVersions {
		out = append(out, draw.Zipf(len(v), 1.3))
	}
	return out
}()

var locales = [...]string{"en-US", "de", "en-US", "fr", "ru", "pt-BR", "zh-CN", "id", "pl", "en-GB", "it", "es-ES", "ja", "en-CA", "es-MX", "uk",
	"nl", "en-AU", "es-AR", "fa", "tr", "vi", "en-PH", "cs", "hu", "es-CO", "th", "de-CH", "de-AT", "sv-SE", "ro", "fr-BE", "el", "ar-EG",
	"ko", "zh-TW", "pt-PT", "ar", "es-CL", "en-ZA", "ms", "es-PE", "fi", "bn-BD", "ur", "bg", "sk", "es-VE", "fr-DZ", "he", "da"}

var engines = []string{"google-b-d", "google-b-1-d", "bing", "ddg", "yandex-ru", "baidu", "google-nocodes", "yahoo-jp", "ecosia", "qwant", "other-custom", "wikipedia"}
var engineOf = draw.Zipf(len(engines), 1.5)

var branches = []string{"new-tab-2026:control", "new-tab-2026:treatment-a", "new-tab-2026:treatment-b", "https-first:control", "https-first:on",
	"fission-rollout", "suggest-v3:control", "suggest-v3:treatment", "quic-tuning"}

var processors = []string{"4", "8", "2", "12", "16", "6", "1", "24", "32"}
var processorOf = draw.NewChoice([]float64{30, 27, 14, 10, 8, 6, 3, 1.2, 0.8})
var memories = []int64{8192, 16384, 4096, 32768, 6144, 2048, 12288, 65536, 3072, 1024}
var memoryOf = draw.NewChoice([]float64{32, 27, 16, 9, 4, 4, 4, 2, 1.2, 0.8})

// old is the share of the clients that were there before the first day, in per mille.
const old = 550

// bornOn is the day, from 0, on which a client first comes.
func (g *generator) bornOn(c uint64) int64 {
	before := g.clients * old / 1000
	if c < before {
		return -1
	}
	return int64((c - before) * days / (g.clients - before))
}

// on draws a client that is there on a day. Those of low numbers are drawn more often. A client lives for a while, and
// comes on some of the days of that while.
func (g *generator) on(day int64, b *draw.Bits) uint64 {
	before := g.clients * old / 1000
	there := before + (g.clients-before)*uint64(day+1)/days
	var c uint64
	for range 8 {
		u := float64(b.Next()>>11) / (1 << 53)
		c = min(uint64(math.Sqrt(u)*u*float64(there)), there-1)
		h := draw.Mix(c, saltClient)
		if day > max(g.bornOn(c), 0)+lifetime(h) {
			continue
		}
		// Of eight parts, it comes on 1 to 8 of its days.
		if draw.Mix(c, uint64(day))>>61 <= h>>61 {
			break
		}
	}
	return c
}

// lifetime is how many days a client comes after its first: three in ten leave within a week, as many within the month.
func lifetime(h uint64) int64 {
	switch k := h & 1023; {
	case k < 300:
		return int64(k & 7)
	case k < 600:
		return 7 + int64(k%25)
	}
	return days
}

// client makes out what there is to know about a client.
func (g *generator) client(c uint64, out *client) {
	b := draw.Of(seed, saltClient, c)
	w := b.Next()
	out.uuid = [2]uint64{b.Next(), b.Next()}
	out.sample = int(draw.Scale(out.uuid[1]*0x9e3779b97f4a7c15, 100))
	out.channel = channelOf.Pick16(uint16(w))
	out.country = countryOf.Pick16(uint16(w >> 16))
	out.os = systemOf.Pick16(uint16(w >> 32))
	out.osVersion = systemVersions[out.os][systemVersionOf[out.os].Pick16(uint16(w>>48))]
	w = b.Next()
	out.city = ""
	if w&1023 >= 205 {
		out.city = cityNames[out.country][cityOf[out.country].Pick16(uint16(w>>10))]
	}
	out.locale = "en-US"
	if w>>26&15 > 2 {
		out.locale = locales[out.country%len(locales)]
	}
	out.engine, out.branch = "", ""
	if w>>30&1023 >= 30 {
		out.engine = engines[engineOf.Pick16(uint16(w>>40))]
	}
	w = b.Next()
	if k := w & 1023; k < 82 {
		out.branch = branches[k%uint64(len(branches))]
	}
	out.addon = -1
	if w>>10&1023 >= 410 {
		out.addon = addonOf.Int(b.Next())
	}
	out.e10s, out.fxa = w>>20&1023 < 955, w>>30&1023 < 184
	out.isDefault = maybe(w>>40&1023, 51, 360)
	out.addonsDisabled = maybe(w>>50, 9830, 16000)
	w = b.Next()
	out.cpus = processors[processorOf.Pick16(uint16(w))]
	out.memory = memories[memoryOf.Pick16(uint16(w>>16))] - int64(w>>32&255)
	out.zone = int64(out.country%24)*60 - 660
	out.born, out.bornKnown = g.bornOn(c), w>>40&63 != 0
	if out.born < 0 {
		out.born = -1 - ageOf.Int(b.Next())
	}
	out.use = useOf.Pick(b.Next())
	out.lag = int(lagOf.Int(b.Next()))
	if w>>46&31 < 2 {
		out.lag = int(lagOldOf.Int(b.Next()))
	}
	out.counter, out.perDay = 1+counts.Int(b.Next()), 1+int64(w>>51&3)
	out.bookmarks = -1
	if w>>54&1023 >= 563 {
		out.bookmarks = marksOf.Int(b.Next())
	}
}

// maybe is NULL (0) for the first of the draws, false up to no, else true.
func maybe(draw, null, no uint64) byte {
	switch {
	case draw < null:
		return 0
	case draw < no:
		return 'f'
	}
	return 't'
}

// addonNames are the ids of add-ons, the most used first: half of them UUIDs in braces, half like mail addresses.
var addonNames = func() []string {
	out := make([]string, 20_000)
	for i := range out {
		b := draw.Of(seed, saltAddon, uint64(i))
		if b.Next()&1 == 0 {
			out[i] = string(append(draw.UUID([]byte("{"), b.Next(), b.Next()), '}'))
			continue
		}
		tld := [...]string{"org", "com", "mozilla.org", "net", "extensions"}[b.Below(5)]
		out[i] = fmt.Sprintf("%s-%s@%s.%s", appendWord(nil, b.Next(), 2), appendWord(nil, b.Next(), 1), appendWord(nil, b.Next(), 2), tld)
	}
	return out
}()

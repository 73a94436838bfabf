package gen

import (
	"fmt"
	"math"
	"time"
)

// A population's traits, by weight. Numbers are shares in 10,000 unless they only rank.

const (
	chanRelease = iota
	chanESR
	chanBeta
	chanNightly
	chanAurora
	chanDefault
	chanPartner
)

var channels = []struct {
	name   string
	weight int
}{
	chanRelease: {"release", 7150},
	chanESR:     {"esr", 650},
	chanBeta:    {"beta", 1150},
	chanNightly: {"nightly", 730},
	chanAurora:  {"aurora", 240},
	chanDefault: {"default", 55},
	chanPartner: {"release-cck-northwind", 25},
}

type osVersion struct {
	version string
	weight  int
}

const (
	osWindows = iota
	osMac
	osLinux
)

var systems = []struct {
	name     string
	weight   int
	versions []osVersion
	arches   []osVersion
}{
	osWindows: {"Windows_NT", 8350, []osVersion{
		{"10.0", 930}, {"6.1", 42}, {"6.3", 18}, {"6.2", 5}, {"6.0", 3}, {"5.1", 2},
	}, []osVersion{{"x86-64", 830}, {"x86", 120}, {"aarch64", 50}}},
	osMac: {"Darwin", 820, []osVersion{
		{"24.6.0", 260}, {"24.5.0", 120}, {"23.6.0", 160}, {"22.6.0", 110}, {"21.6.0", 90}, {"20.6.0", 60}, {"19.6.0", 60},
		{"24.3.0", 40}, {"23.4.0", 30}, {"22.3.0", 25}, {"18.7.0", 25}, {"25.0.0", 20},
	}, []osVersion{{"aarch64", 560}, {"x86-64", 440}}},
	osLinux: {"Linux", 830, []osVersion{
		{"6.8.0-63-generic", 180}, {"6.1.0-37-amd64", 120}, {"5.15.0-142-generic", 110}, {"6.14.0-24-generic", 80},
		{"6.12.35-1-lts", 60}, {"6.15.4-arch2-1", 60}, {"5.4.0-218-generic", 50}, {"6.11.0-29-generic", 50}, {"5.10.0-35-amd64", 45},
		{"6.15.4-200.fc42.x86_64", 45}, {"4.15.0-213-generic", 30}, {"4.18.0-553.el8_10.x86_64", 30}, {"6.6.87.2-1", 30},
		{"5.14.0-570.el9.x86_64", 25}, {"6.16.0-rc4", 15}, {"4.19.0-27-amd64", 15}, {"3.10.0-1160.el7.x86_64", 10}, {"6.9.3-76060903-generic", 45},
	}, []osVersion{{"x86-64", 965}, {"aarch64", 25}, {"x86", 10}}},
}

var locales = []osVersion{
	{"en-US", 430}, {"de", 110}, {"fr", 80}, {"es-ES", 60}, {"ru", 50}, {"pl", 45}, {"pt-BR", 45}, {"it", 40}, {"zh-CN", 35},
	{"ja", 30}, {"en-GB", 30}, {"nl", 20}, {"cs", 15}, {"hu", 10}, {"tr", 10}, {"sv-SE", 10}, {"el", 8}, {"uk", 8}, {"fi", 8}, {"id", 6},
}

var (
	channelWeights = weightsOf(len(channels), func(i int) int { return channels[i].weight })
	systemWeights  = weightsOf(len(systems), func(i int) int { return systems[i].weight })
)

// weighted is a list of weights with its sum.
type weighted struct {
	weights []int
	total   int
}

func weightsOf(n int, weight func(int) int) weighted {
	w := weighted{weights: make([]int, n)}
	for i := range n {
		w.weights[i] = weight(i)
	}
	w.total = sum(w.weights)
	return w
}

func (w *weighted) pick(r *rng) int { return r.pick(w.weights, w.total) }

func pickVersion(r *rng, of []osVersion) string {
	total := 0
	for _, v := range of {
		total += v.weight
	}
	x := r.below(total)
	for _, v := range of {
		if x < v.weight {
			return v.version
		}
		x -= v.weight
	}
	return of[0].version
}

// traits are what never changes about a client.
type traits struct {
	channel   int
	system    int
	osVersion string
	arch      string
	locale    string
	app       string
	lag       int     // days behind the newest build of its channel
	activity  float64 // how much it does, relative to the median
	tz        int     // offset in minutes
	created   int     // profile creation, days since 1970 before the first submission day
	cpu       int     // index of cpus
	memory    int     // MB
	hours     float64 // length of a typical subsession
}

var offsets = []int{-480, -420, -360, -300, -180, 0, 60, 60, 120, 120, 180, 330, 420, 480, 540}

func makeTraits(seed uint64) traits {
	r := newRNG(seed, 1)
	t := traits{channel: channelWeights.pick(&r), system: systemWeights.pick(&r), app: "Firefox"}
	s := &systems[t.system]
	t.osVersion = pickVersion(&r, s.versions)
	t.arch = pickVersion(&r, s.arches)
	t.locale = pickVersion(&r, locales)
	if r.permille(4) {
		t.app = "Thunderbird"
	}
	switch x := r.below(100); {
	case t.channel == chanNightly && x < 80:
		t.lag = r.below(3)
	case x < 62:
		t.lag = r.below(4)
	case x < 88:
		t.lag = 4 + r.below(17)
	default:
		t.lag = 20 + int(math.Exp2(r.unit()*9)) // up to a year and a half
	}
	t.activity = math.Exp2(r.normal() * 1.1)
	t.hours = 0.2 + 3*r.unit()*min(t.activity, 4)
	t.tz = offsets[r.below(len(offsets))]
	t.created = 1 + r.skewed(3000)
	t.cpu = r.skewed(len(cpus))
	t.memory = []int{2048, 3987, 8077, 8192, 16264, 16384, 32637, 65399}[r.below(8)] - r.below(20)
	return t
}

// normal returns a number that is about normally distributed: the sum of four even ones.
func (r *rng) normal() float64 {
	x := r.next()
	s := float64(x&0xffff) + float64(x>>16&0xffff) + float64(x>>32&0xffff) + float64(x>>48)
	return (s/65536 - 2) * math.Sqrt(3)
}

// build is one build of the application.
type build struct {
	version, display, id string
}

// Versions follow the calendar: a new one every cycleDays.
const (
	cycleDays    = 28
	firstDay     = 20089 // 2025-01-01
	firstVersion = 134
)

// buildOf returns the newest build of a channel on a day (since 1970).
func buildOf(channel, day int) build {
	age := day - firstDay
	cycle := floorDiv(age, cycleDays)
	major, inCycle := firstVersion+cycle, age-cycle*cycleDays
	start := firstDay + cycle*cycleDays
	switch channel {
	case chanESR:
		base := major - floorMod(major, 12)
		return makeBuild(fmt.Sprintf("%d.%d.0", base, major-base), "esr", start-9, 15)
	case chanBeta, chanAurora:
		n := inCycle / 3
		v := fmt.Sprintf("%d.0", major+1)
		b := makeBuild(v, "", start+n*3-1, 18)
		b.display = fmt.Sprintf("%sb%d", v, n+1)
		return b
	case chanNightly, chanDefault:
		return makeBuild(fmt.Sprintf("%d.0a1", major+2), "", day, 9+12*floorMod(day*7+major, 2))
	}
	v := fmt.Sprintf("%d.0", major)
	point := inCycle / 10
	if point > 0 {
		v = fmt.Sprintf("%d.0.%d", major, point)
	}
	return makeBuild(v, "", start+point*10-4, 17)
}

// makeBuild dates a build. Its time of day looks random and is always the same.
func makeBuild(version, suffix string, day, hour int) build {
	h := mix(uint64(day)*31 + uint64(hour))
	t := time.Unix(int64(day)*86400, 0).UTC()
	id := fmt.Sprintf("%s%02d%02d%02d", t.Format("20060102"), hour, h%60, h>>8%60)
	return build{version: version, display: version + suffix, id: id}
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int) int { return a - floorDiv(a, b)*b }

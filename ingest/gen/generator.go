package gen

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Options says what to make. The zero value makes 10,000 pings of one day.
type Options struct {
	Seed    uint64
	Pings   int       // how many; 10,000 if 0, without end if negative
	Clients int       // how many profiles there are; Pings / (2 + Days) if 0
	Start   time.Time // first submission day, UTC; 2026-03-02 if zero
	Days    int       // over how many days the pings come; 1 if 0. Without end: 10,000 pings take so many days
	Kinds   Kinds
	Small   bool // pings about a tenth of the real size, for fast tests
}

// Kinds is the mix of document types, by weight; all zero is 85, 5, 10.
type Kinds struct{ Main, Crash, Event int }

// Ping is one submission.
type Ping struct {
	URI      string // path and query
	Body     []byte // plain JSON
	Received time.Time
	DocID    string
	DocType  string

	Broken    bool // Body is not a JSON object: an error row
	Duplicate bool // the same URI and Body came before
	Odd       bool // a JSON object, parts of which have shapes that they should not have
}

// Tuple is what telemetry aggregates are kept by, beside the submission date: version is the number before the dot, Build
// a date, and of a Linux version the first three characters count.
type Tuple struct {
	Channel, Version, Build, Application, Architecture, OS, OSVersion string
}

// Shares, in 1,000.
const (
	duplicateShare = 5
	brokenShare    = 3
	heldShare      = 30 // kept back by the client for hours to days, while its later pings arrive
	oddShare       = 4
	skewedClocks   = 8 // of clients
)

// memory is how many recent drafts duplicates are taken from.
const memory = 512

// Generator makes pings. It is used from one goroutine; several of different seeds make disjoint populations.
type Generator struct {
	o       Options
	r       rng
	clients []client
	made    int
	recent  []draft
	held    []held // by due time, the next one last
	builds  map[buildKey]build
	tuples  map[Tuple]int
	kinds   weighted
	day0    int

	draft  draft
	counts counts
	uri    []byte
}

// held is a ping on its long way.
type held struct {
	due   time.Time
	draft draft
}

type buildKey struct{ channel, day int }

const endlessPings = 10_000 // per Days, where there is no end

// New returns a generator. Equal options give equal pings.
func New(o Options) *Generator {
	if o.Pings == 0 {
		o.Pings = endlessPings
	}
	if o.Clients <= 0 {
		n := o.Pings
		if n < 0 {
			n = endlessPings
		}
		o.Clients = max(1, n/(2+max(o.Days, 1)))
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	}
	o.Start = o.Start.UTC().Truncate(24 * time.Hour)
	o.Days = max(o.Days, 1)
	if o.Kinds == (Kinds{}) {
		o.Kinds = Kinds{85, 5, 10}
	}
	mixed := []int{o.Kinds.Main, o.Kinds.Crash, o.Kinds.Event}
	g := &Generator{
		o: o, r: newRNG(o.Seed, 0), clients: make([]client, o.Clients),
		builds: map[buildKey]build{}, tuples: map[Tuple]int{},
		kinds: weightsOf(len(mixed), func(i int) int { return max(mixed[i], 0) }),
		day0:  int(o.Start.Unix() / 86400),
	}
	for i := range g.clients {
		g.clients[i].seed = mix(mix(o.Seed+golden) + uint64(i)*golden)
	}
	return g
}

// Tuples returns the distinct dimension tuples of the main pings so far and how many pings each has: what a roll-up keeps
// a row per probe for. Duplicates and broken pings do not count.
func (g *Generator) Tuples() map[Tuple]int { return g.tuples }

// Next makes the next ping and reports whether there was one. Times of receipt never go back. p.Body is overwritten.
func (g *Generator) Next(p *Ping) bool {
	if g.o.Pings > 0 && g.made >= g.o.Pings {
		return false
	}
	received := g.when()
	g.made++
	again := len(g.recent) > 0 && g.r.permille(duplicateShare)
	d := &g.draft
	if again {
		d = &g.recent[g.r.below(len(g.recent))]
	} else {
		g.nextDraft(d, received)
		g.remember(d)
	}
	p.Received, p.Duplicate, p.Odd, p.Broken = received, again, d.odd != oddNot, d.broken != brokenNot
	p.DocType = d.docType
	g.uri = d.appendURI(g.uri[:0])
	p.URI = string(g.uri)
	id, _, _ := strings.Cut(p.URI[len(submitPrefix):], "/")
	p.DocID = id
	p.Body = g.render(p.Body[:0], d)
	if !again && !p.Broken && p.DocType == "main" {
		g.tuples[d.tuple()]++
	}
	return true
}

// nextDraft takes a held ping that is due, or composes one.
func (g *Generator) nextDraft(d *draft, received time.Time) {
	if n := len(g.held); n > 0 && !g.held[n-1].due.After(received) {
		*d = g.held[n-1].draft
		g.held = g.held[:n-1]
		return
	}
	for g.compose(d, received); len(g.held) < memory && g.r.permille(heldShare); g.compose(d, received) {
		due := received.Add(time.Hour + time.Duration(g.r.skewed(13*24*60))*time.Minute)
		at, _ := slices.BinarySearchFunc(g.held, due, func(h held, due time.Time) int { return due.Compare(h.due) })
		g.held = slices.Insert(g.held, at, held{due, *d})
	}
}

// when spreads the pings over the days, more of them in the afternoon.
func (g *Generator) when() time.Time {
	n := g.o.Pings
	if n < 0 {
		n = endlessPings
	}
	days := float64(g.o.Days)
	x := (float64(g.made) + g.r.unit()) / float64(n) * days
	x -= 0.5 / (2 * math.Pi) * math.Sin(2*math.Pi*(x-0.1))
	x -= 0.5 / (2 * math.Pi) * math.Sin(2*math.Pi*0.1)
	if g.o.Pings > 0 {
		x = min(x, days-1e-9)
	}
	return g.o.Start.Add(time.Duration(max(x, 0) * 24 * float64(time.Hour)))
}

// compose drafts a document of a client.
func (g *Generator) compose(d *draft, received time.Time) {
	*d = draft{seed: g.r.next(), id: g.r.uuid(), day0: g.day0}
	c := &g.clients[g.r.skewed(len(g.clients))]
	d.traits = makeTraits(c.seed)
	if !c.known {
		c.start(&d.traits, &g.r, g.o.Start)
	}
	d.buildDay = int(received.Unix()/86400) - d.traits.lag
	d.build = g.build(d.traits.channel, d.buildDay)
	switch g.kinds.pick(&g.r) {
	case 0:
		c.move(d, &g.r, received)
		if g.r.permille(oddShare) {
			d.odd = 1 + g.r.below(oddCount-1)
		}
	case 1:
		c.aside(d, &g.r, received, "crash")
	default:
		c.aside(d, &g.r, received, "event")
	}
	if g.o.Small {
		d.breadth = d.breadth/28 + 1
	}
	if g.r.permille(brokenShare) {
		d.broken = 1 + g.r.below(brokenCount-1)
	}
	d.skewClock()
}

// skewClock sets wrong dates for a client whose clock is wrong.
func (d *draft) skewClock() {
	r := newRNG(d.clientSeed, 6)
	if !r.permille(skewedClocks) {
		return
	}
	off := time.Duration(r.normal()*400) * 24 * time.Hour
	d.creation, d.sessionStart, d.subsessionStart = d.creation.Add(off), d.sessionStart.Add(off), d.subsessionStart.Add(off)
}

func (g *Generator) build(channel, day int) build {
	k := buildKey{channel, day}
	b, ok := g.builds[k]
	if !ok {
		b = buildOf(channel, day)
		g.builds[k] = b
	}
	return b
}

// remember keeps a draft, so that it can come again.
func (g *Generator) remember(d *draft) {
	switch {
	case d.broken != brokenNot:
	case len(g.recent) < memory:
		g.recent = append(g.recent, *d)
	case g.r.permille(100):
		g.recent[g.r.below(memory)] = *d
	}
}

const submitPrefix = "/submit/telemetry/"

func (d *draft) appendURI(dst []byte) []byte {
	dst = append(dst, submitPrefix...)
	dst = d.id.append(dst)
	for _, s := range []string{d.docType, d.traits.app, d.build.version, channels[d.traits.channel].name, d.build.id} {
		dst = append(append(dst, '/'), s...)
	}
	return append(dst, "?v=4"...)
}

// render appends the document.
func (g *Generator) render(dst []byte, d *draft) []byte {
	w := &writer{b: dst}
	switch d.broken {
	case brokenList:
		return append(dst, `[{"type":"main"}]`...)
	case brokenText:
		return append(dst, `"main"`...)
	case brokenNull:
		return append(dst, `null`...)
	case brokenEmpty:
		return dst
	case brokenBytes:
		r := newRNG(d.seed, 8)
		for range 40 {
			w.id("", r.uuid())
			w.b = append(w.b, 0, byte(r.next())|0x80)
		}
		return w.b
	}
	switch d.docType {
	case "main":
		w.mainPing(g, d)
	case "crash":
		w.crashPing(d)
	default:
		w.eventPing(d)
	}
	body := w.end()
	if d.broken == brokenCut {
		return body[:1+int(d.seed%uint64(len(body)-1))]
	}
	return body
}

func (d *draft) tuple() Tuple {
	t := Tuple{
		Channel: channels[d.traits.channel].name, Build: d.build.id[:8], Application: d.traits.app,
		Architecture: d.traits.arch, OS: systems[d.traits.system].name, OSVersion: d.traits.osVersion,
	}
	t.Version, _, _ = strings.Cut(d.build.version, ".")
	if d.traits.system == osLinux {
		t.OSVersion = t.OSVersion[:3]
	}
	return t
}

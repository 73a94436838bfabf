package flat

import (
	"strconv"

	"github.com/telemdb/telemdb/bench/workload/draw"
)

var (
	timeOfDay  = draw.NewCurve(func(u float64) float64 { return u + 0.06*u*(1-u)*(2*u-1)*8 })
	lengthOf   = draw.LogNormal(1500, 1.5)
	domainsOf  = draw.LogNormal(6, 0.9)
	uriShare   = draw.LogNormal(0.12, 0.6)
	tabsOf     = draw.LogNormal(4, 1.1)
	searchesOf = draw.Exponential(5)
	blockedOf  = draw.LogNormal(220, 2)
	heapOf     = draw.LogNormal(6e8, 0.5)
	paintOf    = draw.LogNormal(90_000, 0.8) // hundredths
	restoredOf = draw.LogNormal(2500, 0.9)
	gcOf       = draw.LogNormal(30_000, 0.7)
	siteOf     = draw.LongTail(50_000, 1)
)

// appendRow appends row i as CSV: rows come in the order of their arrival.
func (g *generator) appendRow(dst []byte, i int64) []byte {
	var c client
	day := i * days / g.rows
	first, next := (day*g.rows+days-1)/days, ((day+1)*g.rows+days-1)/days
	b := draw.Of(seed, saltRow, uint64(i))
	g.client(g.on(day, &b), &c)
	u := (float64(i-first) + float64(b.Next()>>11)/(1<<53)) / float64(next-first)
	at := (firstDay+day)*dayMicros + min(int64(timeOfDay.Pick(uint64(u*(1<<53))<<11)*dayMicros), dayMicros-1)
	dst = append(draw.Date(dst, firstDay+day), ',')
	dst = append(draw.Time(dst, at), ',')
	dst = c.appendDims(dst, int(2*day)+int((at%dayMicros)/(dayMicros/2)))
	dst = c.appendUse(dst, &b, at, day)
	return appendRest(dst, &c, &b)
}

func appendText(dst []byte, s string) []byte { return append(append(dst, s...), ',') }

// appendInt appends a number, or NULL for one below zero.
func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return append(dst, ',')
	}
	return append(draw.Int(dst, n), ',')
}

// appendBool appends true for 't', false for 'f' and NULL for 0.
func appendBool(dst []byte, b byte) []byte {
	switch b {
	case 't':
		dst = append(dst, "true"...)
	case 'f':
		dst = append(dst, "false"...)
	}
	return append(dst, ',')
}

func truth(b bool) byte {
	if b {
		return 't'
	}
	return 'f'
}

// appendDims appends the columns from client_id to profile_created. half is the time in half days since firstDay.
func (c *client) appendDims(dst []byte, half int) []byte {
	dst = append(draw.UUID(dst, c.uuid[0], c.uuid[1]), ',')
	dst = append(draw.Int(dst, int64(c.sample)), ',')
	b := buildAt(c.channel, half-c.lag)
	dst = appendText(dst, channels[c.channel])
	dst = appendText(dst, b.version)
	dst = appendText(dst, b.id)
	dst = appendText(dst, systems[c.os])
	dst = appendText(dst, c.osVersion)
	dst = appendText(dst, countryCodes[c.country])
	dst = appendText(dst, c.city)
	dst = appendText(dst, c.locale)
	dst = appendText(dst, c.engine)
	dst = appendText(dst, c.branch)
	dst = appendBool(dst, truth(c.e10s))
	dst = appendBool(dst, c.isDefault)
	dst = appendBool(dst, truth(c.fxa))
	dst = appendBool(dst, c.addonsDisabled)
	dst = appendText(dst, c.cpus)
	dst = append(draw.Int(dst, c.memory), ',')
	dst = append(draw.Int(dst, c.zone), ',')
	if c.bornKnown {
		dst = draw.Date(dst, firstDay+c.born)
	}
	return append(dst, ',')
}

// appendUse appends the columns from session_start to crashes_plugin: what follows from how long the session was.
func (c *client) appendUse(dst []byte, b *draw.Bits, at, day int64) []byte {
	length := min(int64(lengthOf.Pick(b.Next())*c.use), 7*86400)
	w := b.Next()
	ticks := int64(draw.Scale(w<<16, uint64(length/5+1)))
	dst = append(draw.Time(dst, (at/1e6-length)*1e6), ',')
	dst = append(draw.Int(dst, c.counter+c.perDay*day+int64(w&1)), ',')
	dst = append(draw.Int(dst, length), ',')
	dst = append(draw.Int(dst, ticks), ',')
	dst = append(draw.Thousandths(dst, ticks*1000/720), ',')
	uris, domains := int64(float64(ticks)*uriShare.Pick(b.Next())), int64(-1)
	if b.Chance(920) {
		domains = min(domainsOf.Int(b.Next()), uris)
	}
	if b.Chance(40) {
		uris = -1
	}
	dst = appendInt(appendInt(dst, uris), domains)
	tabs := tabsOf.Int(b.Next())
	dst = append(draw.Int(dst, tabs+int64(w>>1&3)), ',')
	dst = append(draw.Int(dst, int64(windows[w>>3&15])), ',')
	dst = append(draw.Int(dst, 1+tabs*int64(1+w>>7&1)/2), ',')
	searches, ads := int64(0), int64(-1)
	if ticks > 0 && b.Chance(400) {
		searches = 1 + searchesOf.Int(b.Next())
	}
	if b.Chance(100) {
		ads = searches * int64(w>>8&3) / 3
	}
	dst = appendInt(append(draw.Int(dst, searches), ','), ads)
	crashes, plugin := int64(0), int64(-1)
	switch k := b.Below(10_000); {
	case k < 200:
		crashes = 1 + int64(w>>10&63*(w>>16&63)>>10)
	case k < 300:
		plugin = int64(w >> 10 & 7 * (w >> 13 & 7) >> 4)
	}
	return appendInt(append(draw.Int(dst, crashes), ','), plugin)
}

// windows are how many windows sixteen sessions open.
var windows = [16]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 9}

// appendRest appends the columns from bookmarks on.
func appendRest(dst []byte, c *client, b *draw.Bits) []byte {
	marks := c.bookmarks
	if marks > 0 {
		marks += int64(b.Next() & 3)
	}
	dst = appendInt(dst, marks)
	dst = append(draw.Int(dst, int64(blockedOf.Pick(b.Next())*c.use)), ',')
	dst = append(draw.Int(dst, heapOf.Int(b.Next())), ',')
	if b.Chance(850) {
		dst = draw.Hundredths(dst, paintOf.Int(b.Next()))
	}
	dst = append(dst, ',')
	if b.Chance(700) {
		dst = draw.Int(dst, restoredOf.Int(b.Next()))
	}
	dst = append(dst, ',')
	if w := b.Next(); w&63 != 0 {
		dst = strconv.AppendFloat(dst, float64(gcOf.Int(b.Next()))/float64(1+w>>6&31), 'g', -1, 64)
	}
	dst = append(dst, ',')
	if b.Chance(880) {
		n := b.Below(1001)
		dst = draw.Hundredths(dst, int64(10*n))
	}
	dst = append(dst, ',')
	if c.addon >= 0 {
		dst = append(dst, addonNames[c.addon]...)
	}
	dst = append(dst, ',')
	if b.Chance(550) {
		dst = appendSite(dst, b)
	}
	return append(dst, '\n')
}

var sections = [16]string{"", "", "news/", "watch/", "search/", "shop/", "shop/cart/", "blog/2026/", "wiki/", "u/", "mail/", "maps/", "en/", "article/", "item/", "photos/"}

// appendSite appends an address of a site: hosts have a long tail, and one page in two is met only once.
func appendSite(dst []byte, b *draw.Bits) []byte {
	host := draw.Of(seed, saltSite, uint64(siteOf.Int(b.Next())))
	h := host.Next()
	dst = appendWord(append(dst, "https://www."...), h, 2+int(h>>60&1))
	dst = append(dst, [...]string{".com/", ".org/", ".net/", ".example/"}[h>>62]...)
	w := b.Next()
	dst = append(dst, sections[w&15]...)
	dst = appendWord(dst, draw.Mix(h, w>>4&15), 2)
	if w>>8&1 == 0 {
		dst = strconv.AppendUint(append(dst, '-'), w>>9&0xfffff, 10)
	}
	return dst
}

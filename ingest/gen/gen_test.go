package gen

import (
	"bytes"
	"compress/gzip"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/storage/sketch"
)

// all calls visit for each ping.
func all(o Options, visit func(p *Ping)) *Generator {
	g := New(o)
	var p Ping
	for g.Next(&p) {
		visit(&p)
	}
	return g
}

func fingerprint(o Options) uint64 {
	h := fnv.New64a()
	all(o, func(p *Ping) {
		io.WriteString(h, p.URI)
		h.Write(p.Body)
		io.WriteString(h, p.Received.String()+p.DocID+p.DocType+strconv.FormatBool(p.Broken)+strconv.FormatBool(p.Duplicate))
	})
	return h.Sum64()
}

func TestEqualOptionsGiveEqualPings(t *testing.T) {
	o := Options{Seed: 5, Pings: 400, Days: 3}
	first := fingerprint(o)
	if again := fingerprint(o); again != first {
		t.Fatal("two runs differ")
	}
	for name, other := range map[string]Options{
		"seed": {Seed: 6, Pings: 400, Days: 3}, "days": {Seed: 5, Pings: 400, Days: 4},
		"size": {Seed: 5, Pings: 400, Days: 3, Small: true}, "clients": {Seed: 5, Pings: 400, Days: 3, Clients: 10},
	} {
		if fingerprint(other) == first {
			t.Errorf("another %s gives the same pings", name)
		}
	}
}

// gzipped measures as clients compress, with zlib's match finder; klauspost's is faster and gives 4.4:1 for the same pings
// and for the sample.
func gzipped(t *testing.T, b []byte) int {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

func TestSizesAndCompressionAreThoseOfRealPings(t *testing.T) {
	var plain, packed int
	sizes := map[string][]int{}
	all(Options{Seed: 1, Pings: 600}, func(p *Ping) {
		if p.Broken || p.Odd {
			return
		}
		sizes[p.DocType] = append(sizes[p.DocType], len(p.Body))
		if p.DocType == "main" {
			plain += len(p.Body)
			packed += gzipped(t, p.Body)
		}
	})
	for typ, s := range sizes {
		slices.Sort(s)
		t.Logf("%s: %d pings, bytes p1 %d p10 %d p50 %d p90 %d max %d", typ, len(s), s[len(s)/100], s[len(s)/10], s[len(s)/2], s[len(s)*9/10], s[len(s)-1])
	}
	m := sizes["main"]
	if m[0] < 20_000 || m[len(m)/2] < 100_000 || m[len(m)-1] > 260_000 {
		t.Errorf("main pings have %d to %d bytes, median %d", m[0], m[len(m)-1], m[len(m)/2])
	}
	ratio := float64(plain) / float64(packed)
	t.Logf("gzip %.2f:1", ratio)
	if ratio < 4.5 || ratio > 4.7 {
		t.Errorf("gzip makes main pings %.2f times smaller, main.4's sample 4.64 times", ratio)
	}
}

func BenchmarkNext(b *testing.B) {
	g := New(Options{Seed: 1, Pings: -1})
	var p Ping
	bytes := 0
	b.ReportAllocs()
	for b.Loop() {
		g.Next(&p)
		bytes += len(p.Body)
	}
	b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
	b.ReportMetric(float64(bytes)/float64(b.N), "bytes/ping")
}

// uniqueKeys fails if an object of v has a member twice.
func uniqueKeys(t *testing.T, v *fastjson.Value, path string) {
	switch v.Type() {
	case fastjson.TypeObject:
		seen := map[string]bool{}
		v.GetObject().Visit(func(k []byte, v *fastjson.Value) {
			if seen[string(k)] {
				t.Errorf("%s has %s twice", path, k)
			}
			seen[string(k)] = true
			uniqueKeys(t, v, path+"."+string(k))
		})
	case fastjson.TypeArray:
		for _, e := range v.GetArray() {
			uniqueKeys(t, e, path+"[]")
		}
	}
}

// histogramsOf calls visit for each histogram of a main ping, keyed ones too.
func histogramsOf(doc *fastjson.Value, visit func(name string, h *fastjson.Value)) {
	plain := func(o *fastjson.Object) {
		if o != nil {
			o.Visit(func(k []byte, h *fastjson.Value) { visit(string(k), h) })
		}
	}
	keyed := func(o *fastjson.Object) {
		if o != nil {
			o.Visit(func(_ []byte, m *fastjson.Value) { plain(m.GetObject()) })
		}
	}
	plain(doc.GetObject("payload", "histograms"))
	keyed(doc.GetObject("payload", "keyedHistograms"))
	doc.GetObject("payload", "processes").Visit(func(_ []byte, p *fastjson.Value) {
		plain(p.GetObject("histograms"))
		keyed(p.GetObject("keyedHistograms"))
	})
}

// checkHistogram holds a histogram against ingestion.md 18: layout, bounds, the rule which buckets are listed, the sum.
func checkHistogram(t *testing.T, name string, v *fastjson.Value) (kind int32) {
	t.Helper()
	h, err := sketch.FromJSON(v)
	if err != nil {
		t.Errorf("%s: %v in %s", name, err, v)
		return -1
	}
	bounds := h.Layout.Bounds()
	at := make([]int, len(h.Buckets))
	least := int64(0)
	for i, b := range h.Buckets {
		at[i] = slices.Index(bounds, b.Bound)
		if at[i] < 0 {
			t.Errorf("%s: %d is no bound of %v", name, b.Bound, h.Layout)
			return -1
		}
		least += b.Bound * b.Count
	}
	n := len(h.Buckets)
	first := slices.IndexFunc(h.Buckets, func(b sketch.Bucket) bool { return b.Count > 0 })
	last := n - 1
	for last > 0 && h.Buckets[last].Count == 0 {
		last--
	}
	switch {
	case first < 0:
		t.Errorf("%s has no samples: %s", name, v)
	case first > 1 || last < n-2, first == 0 && at[0] != 0, first == 1 && at[0] != at[1]-1:
		t.Errorf("%s lists the wrong empty buckets: %s", name, v)
	case last == n-1 && at[last] != len(bounds)-1, last == n-2 && at[n-1] != at[n-2]+1:
		t.Errorf("%s lists the wrong empty buckets at its end: %s", name, v)
	case slices.ContainsFunc(h.Buckets[first:last+1], func(b sketch.Bucket) bool { return b.Count == 0 }):
		t.Errorf("%s lists an empty bucket in its middle: %s", name, v)
	case h.Layout.Type == sketch.TypeFlag && (h.Count() != 1 || h.Sum > 1):
		t.Errorf("flag %s: %s", name, v)
	case h.Layout.Type == sketch.TypeCount && h.Sum != h.Buckets[0].Count:
		t.Errorf("count %s: %s", name, v)
	case h.Sum < least:
		t.Errorf("%s: sum %d is below %d, what its buckets hold at least", name, h.Sum, least)
	}
	return h.Layout.Type
}

func TestMainPingsAreValid(t *testing.T) {
	var parser fastjson.Parser
	kinds := map[int32]int{}
	all(Options{Seed: 2, Pings: 150, Days: 4}, func(p *Ping) {
		if p.Broken || p.Odd {
			return
		}
		doc, err := parser.ParseBytes(p.Body)
		if err != nil || !utf8.Valid(p.Body) {
			t.Fatalf("%s: %v", p.URI, err)
		}
		uniqueKeys(t, doc, "")
		if got := string(doc.GetStringBytes("id")); got != p.DocID {
			t.Fatalf("id %s in the document of %s", got, p.DocID)
		}
		if got := string(doc.GetStringBytes("type")); got != p.DocType {
			t.Fatalf("type %s in the document of %s", got, p.URI)
		}
		if p.DocType != "main" {
			return
		}
		n := 0
		histogramsOf(doc, func(name string, h *fastjson.Value) {
			n++
			kinds[checkHistogram(t, name, h)]++
		})
		if n < 300 {
			t.Errorf("%d histograms", n)
		}
		if t.Failed() {
			t.FailNow()
		}
	})
	for kind := int32(sketch.TypeExponential); kind <= sketch.TypeCategorical; kind++ {
		if kinds[kind] < 500 {
			t.Errorf("%d histograms of type %d", kinds[kind], kind)
		}
	}
}

func TestEnvelopesFitTheirDocuments(t *testing.T) {
	var parser fastjson.Parser
	last := time.Time{}
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	const pings, days = 8000, 5
	types := map[string]int{}
	broken, odd, late, wrongClock := 0, 0, 0, 0
	perDay := map[int]int{}
	all(Options{Seed: 3, Pings: pings, Days: days, Small: true}, func(p *Ping) {
		uri, query, _ := strings.Cut(p.URI, "?")
		u, err := ping.ParseURI(uri)
		if err != nil || query != "v=4" || u.DocID != p.DocID || u.DocType != p.DocType || len(u.AppBuildID) != 14 {
			t.Fatalf("%s: %+v, %v", p.URI, u, err)
		}
		if p.Received.Before(last) {
			t.Fatalf("%v is received after %v", p.Received, last)
		}
		last = p.Received
		perDay[int(p.Received.Sub(start)/(24*time.Hour))]++
		types[p.DocType]++
		doc, err := parser.ParseBytes(p.Body)
		if isObject := err == nil && doc.Type() == fastjson.TypeObject; isObject == p.Broken {
			t.Fatalf("broken is %v of %.80q", p.Broken, p.Body)
		}
		if p.Broken {
			broken++
			return
		}
		if p.Odd {
			odd++
		}
		if got := string(doc.GetStringBytes("application", "buildId")); got != u.AppBuildID {
			t.Fatalf("build %s, %s", got, p.URI)
		}
		created, err := time.Parse(time.RFC3339, string(doc.GetStringBytes("creationDate")))
		if err != nil {
			t.Fatal(err)
		}
		switch d := p.Received.Sub(created); {
		case d > 15*24*time.Hour || d < -time.Minute:
			wrongClock++
		case d > 24*time.Hour:
			late++
		}
	})
	if len(perDay) != days || perDay[0] < pings/days/2 || perDay[days-1] < pings/days/2 {
		t.Errorf("pings per day: %v", perDay)
	}
	between(t, "main", types["main"], pings*83/100, pings*87/100)
	between(t, "crash", types["crash"], pings*4/100, pings*6/100)
	between(t, "event", types["event"], pings*9/100, pings*11/100)
	between(t, "broken", broken, pings*1/1000, pings*6/1000)
	between(t, "odd", odd, pings*1/1000, pings*8/1000)
	between(t, "late", late, pings*10/1000, pings*70/1000)
	between(t, "of wrong clocks", wrongClock, 1, pings*20/1000)
}

// TestAClientsPingsHaveTheSameProbes: presence is drawn per client, so that sorted by client it comes in runs.
func TestAClientsPingsHaveTheSameProbes(t *testing.T) {
	var parser fastjson.Parser
	byClient := map[string][]map[string]bool{}
	all(Options{Seed: 6, Pings: 300, Clients: 20, Kinds: Kinds{Main: 1}}, func(p *Ping) {
		if p.Broken || p.Odd || p.Duplicate {
			return
		}
		doc, err := parser.ParseBytes(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		doc.GetObject("payload", "histograms").Visit(func(k []byte, _ *fastjson.Value) { names[string(k)] = true })
		id := string(doc.GetStringBytes("clientId"))
		byClient[id] = append(byClient[id], names)
	})
	same, missing := 0, 0
	for _, pings := range byClient {
		for i := 1; i < len(pings); i++ {
			a, b := pings[i-1], pings[i]
			if len(a) > len(b) {
				a, b = b, a
			}
			for name := range a { // the shorter session has a part of the longer one's probes
				if b[name] {
					same++
				} else {
					missing++
				}
			}
		}
	}
	if same < 10_000 || missing > 0 {
		t.Errorf("of the probes of the shorter of two pings of a client, the longer has %d and lacks %d", same, missing)
	}
}

func between(t *testing.T, what string, n, lo, hi int) {
	t.Helper()
	if n < lo || n > hi {
		t.Errorf("%s pings: %d, want %d to %d", what, n, lo, hi)
	}
}

func TestDuplicatesRepeatAnEarlierPing(t *testing.T) {
	const pings = 6000
	bodies := map[string]uint64{}
	sum := func(p *Ping) uint64 {
		h := fnv.New64a()
		io.WriteString(h, p.URI)
		h.Write(p.Body)
		return h.Sum64()
	}
	n := 0
	all(Options{Seed: 4, Pings: pings, Small: true}, func(p *Ping) {
		was, seen := bodies[p.DocID]
		if seen != p.Duplicate || seen && was != sum(p) {
			t.Fatalf("%s: seen before %v, marked %v", p.URI, seen, p.Duplicate)
		}
		if seen {
			n++
		}
		bodies[p.DocID] = sum(p)
	})
	between(t, "duplicate", n, pings*3/1000, pings*8/1000)
}

func TestSubsessionsOfAClientAreAChain(t *testing.T) {
	type end struct {
		subsession string
		counter    int
		sessions   map[string]int
	}
	clients := map[string]*end{}
	var parser fastjson.Parser
	sessions, late := 0, 0
	all(Options{Seed: 5, Pings: 4000, Days: 10, Small: true}, func(p *Ping) {
		if p.Broken || p.Odd || p.Duplicate || p.DocType != "main" {
			return
		}
		doc, err := parser.ParseBytes(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		id := string(doc.GetStringBytes("clientId"))
		info := doc.Get("payload", "info")
		previous, counter := string(info.GetStringBytes("previousSubsessionId")), info.GetInt("profileSubsessionCounter")
		session, inSession := string(info.GetStringBytes("sessionId")), info.GetInt("subsessionCounter")
		c := clients[id]
		if c == nil {
			c = &end{subsession: previous, counter: counter - 1, sessions: map[string]int{}}
			clients[id] = c
		}
		if counter <= c.counter { // a late one
			late++
			return
		}
		// A ping of the client may be missing here: it was odd, broken or is late. The counter tells.
		if counter == c.counter+1 && previous != c.subsession {
			t.Fatalf("client %s: previous subsession %s, was %s", id, previous, c.subsession)
		}
		if inSession <= c.sessions[session] || info.GetInt("subsessionLength") < 1 {
			t.Fatalf("client %s: %s", id, info)
		}
		if inSession > 1 {
			sessions++
		}
		c.counter, c.subsession = counter, string(info.GetStringBytes("subsessionId"))
		c.sessions[session] = inSession
	})
	if sessions < 100 || late == 0 || late > 200 {
		t.Errorf("%d pings continue a session, %d come out of order", sessions, late)
	}
}

func TestThePopulationIsSkewed(t *testing.T) {
	channels := map[string]int{}
	g := all(Options{Seed: 6, Pings: 10_000, Small: true}, func(p *Ping) {
		channels[strings.Split(p.URI, "/")[7]]++
	})
	tuples := g.Tuples()
	total, most := 0, 0
	for _, n := range tuples {
		total += n
		most = max(most, n)
	}
	t.Logf("%d dimension tuples in %d main pings, the most frequent has %d", len(tuples), total, most)
	if len(tuples) < 300 || len(tuples) > 1500 || most < total/50 {
		t.Errorf("%d tuples, the most frequent has %d of %d", len(tuples), most, total)
	}
	if channels["release"] < 6000 || channels["nightly"] < 200 || channels["nightly"] > 1500 || channels["esr"] == 0 {
		t.Errorf("%v", channels)
	}
}

func TestSmallPingsAreATenth(t *testing.T) {
	size := func(small bool) (n int) {
		all(Options{Seed: 7, Pings: 300, Small: small, Kinds: Kinds{Main: 1}}, func(p *Ping) {
			if p.DocType != "main" {
				t.Fatalf("%s", p.URI)
			}
			n += len(p.Body)
		})
		return n
	}
	if ratio := float64(size(false)) / float64(size(true)); ratio < 7 || ratio > 13 {
		t.Errorf("small pings are %.1f times smaller", ratio)
	}
}

func TestWithoutEndItGoesOn(t *testing.T) {
	g := New(Options{Pings: -1, Small: true})
	var p Ping
	for range 2 * endlessPings / 10 {
		if !g.Next(&p) {
			t.Fatal("it ended")
		}
	}
}

func TestBuildsFollowTheCalendar(t *testing.T) {
	for channel := range channels {
		last := build{}
		for day := firstDay - 100; day < firstDay+800; day++ {
			b := buildOf(channel, day)
			at, err := time.Parse("20060102150405", b.id)
			if err != nil || b.id < last.id {
				t.Fatalf("%s, day %d: %v after %v, %v", channels[channel].name, day, b, last, err)
			}
			if age := day - int(at.Unix()/86400); age < 0 || age > 60 {
				t.Fatalf("%s, day %d: the newest build %v is %d days old", channels[channel].name, day, b, age)
			}
			last = b
		}
	}
}

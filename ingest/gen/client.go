package gen

import (
	"math"
	"time"
)

// client is a browser profile: what it is follows from its seed, the rest is where it stands in its chain of subsessions.
type client struct {
	seed           uint64
	id, group      uuid
	known          bool // the fields below are set
	session        uuid // zero between two sessions
	subsession     uuid
	lastSession    uuid
	sessionStart   time.Time
	lastEnd        time.Time
	inSession      int
	profileCounter int
	buildID        string // of its last ping
}

// draft is everything that a document depends on; the same draft gives the same bytes.
type draft struct {
	docType    string
	seed       uint64
	clientSeed uint64
	traits     traits
	build      build
	buildDay   int
	day0       int // first submission day, since 1970

	id, client, group                   uuid
	session, subsession                 uuid
	previousSession, previousSubsession uuid
	previousBuild                       string
	reason                              string
	creation                            time.Time
	sessionStart, subsessionStart       time.Time
	length                              int64 // of the subsession, ns
	subsessionCounter                   int
	profileCounter                      int

	breadth int    // which part of the probes is there: 256 is what the registry says
	scale   uint64 // how much was counted: 256 is the median
	odd     int
	broken  int
}

// What can be odd about a main ping that is a JSON object all the same.
const (
	oddNot = iota
	oddPayload
	oddClient
	oddTwice // the member clientId comes twice
	oddEnvironment
	oddHistograms
	oddCount
)

// oddHistogramMembers are histograms as broken clients send them.
const oddHistogramMembers = `"ODD_COUNT_NEGATIVE":{"bucket_count":3,"histogram_type":2,"sum":1,"range":[1,2],"values":{"0":-4,"1":1,"2":0}},` +
	`"ODD_KEY_TEXT":{"bucket_count":3,"histogram_type":2,"sum":1,"range":[1,2],"values":{"zero":4,"1":1}},` +
	`"ODD_NO_RANGE":{"bucket_count":10,"histogram_type":0,"sum":17,"values":{"0":1,"3":2,"5":0}},` +
	`"ODD_SUM_HUGE":{"bucket_count":3,"histogram_type":4,"sum":99999999999999999999,"range":[1,2],"values":{"0":1,"1":0}},` +
	`"ODD_LIST":[1,2,3],"ODD_NULL":null,`

// What can be broken about a body that is not a JSON object.
const (
	brokenNot = iota
	brokenCut
	brokenList
	brokenText
	brokenNull
	brokenEmpty
	brokenBytes
	brokenCount
)

var reasons = []struct {
	name   string
	weight int
}{{"shutdown", 800}, {"daily", 90}, {"environment-change", 70}, {"aborted-session", 40}}

var reasonWeights = weightsOf(len(reasons), func(i int) int { return reasons[i].weight })

// start sets what a client brings along from before the first day.
func (c *client) start(t *traits, r *rng, day0 time.Time) {
	c.known = true
	c.id, c.group = r.uuid(), r.uuid()
	c.lastEnd = day0.Add(-time.Duration(r.skewed(14*24)) * time.Hour)
	if t.created > 1 {
		c.profileCounter = r.skewed(t.created * 2)
	}
	if c.profileCounter > 0 {
		c.lastSession, c.subsession = r.uuid(), r.uuid()
	}
}

// move takes a client one subsession on and drafts its main ping.
func (c *client) move(d *draft, r *rng, received time.Time) {
	t := &d.traits
	if c.session == (uuid{}) {
		c.session, c.inSession = r.uuid(), 0
	}
	end := received.Add(-delay(r))
	if !end.After(c.lastEnd) {
		end = c.lastEnd.Add(time.Second)
	}
	length := time.Duration(t.hours * math.Exp2(r.normal()*1.5) * float64(time.Hour))
	length = min(length, end.Sub(c.lastEnd), 26*time.Hour).Truncate(time.Second) + time.Second
	start := end.Add(-length)
	if c.inSession == 0 {
		c.sessionStart = start
	}
	c.inSession++
	c.profileCounter++
	d.docType, d.reason = "main", reasons[reasonWeights.pick(r)].name
	d.creation, d.subsessionStart, d.length = end, start, int64(length)
	d.previousSubsession = c.subsession
	c.subsession = r.uuid()
	c.lastEnd = end
	c.describe(d)
	if d.reason == "shutdown" || d.reason == "aborted-session" {
		c.lastSession, c.session = c.session, uuid{}
	}
	if c.buildID != d.build.id {
		d.previousBuild = c.buildID
		c.buildID = d.build.id
	}
	hours := length.Hours()
	d.breadth = int(256 * min(1.04, 0.55+0.4*math.Sqrt(hours)) * (0.85 + 0.15*r.unit()))
	d.scale = uint64(256*min(t.activity, 20)*math.Sqrt(hours)) + 16
}

// aside drafts another document of the session that goes on.
func (c *client) aside(d *draft, r *rng, received time.Time, docType string) {
	if c.session == (uuid{}) {
		c.session, c.inSession, c.sessionStart = r.uuid(), 0, received.Add(-time.Duration(1+r.below(180))*time.Minute)
	}
	d.docType = docType
	d.creation = received.Add(-delay(r) / 8)
	d.length = max(int64(d.creation.Sub(c.sessionStart)), int64(time.Minute))
	d.breadth = 256
	c.describe(d)
}

// describe copies where the client stands.
func (c *client) describe(d *draft) {
	d.clientSeed, d.client, d.group = c.seed, c.id, c.group
	d.session, d.subsession, d.previousSession = c.session, c.subsession, c.lastSession
	d.sessionStart = c.sessionStart
	d.subsessionCounter, d.profileCounter = c.inSession, c.profileCounter
}

// delay is how long a ping is under way: mostly minutes, sometimes days.
func delay(r *rng) time.Duration {
	switch x := r.below(1000); {
	case x < 880:
		return time.Duration(r.skewed(900)) * time.Second
	case x < 965:
		return time.Duration(r.skewed(14)) * time.Hour
	default:
		return 24*time.Hour + time.Duration(r.skewed(13*24*60))*time.Minute
	}
}

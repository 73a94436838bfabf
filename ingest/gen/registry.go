package gen

import (
	"fmt"
	"math"
	"strconv"

	"github.com/telemdb/telemdb/storage/sketch"
)

// Processes, in the order of the document.
const (
	procParent = iota
	procContent
	procGPU
	procExtension
	procSocket
	procUtility
	procDynamic
	procCount
)

var procNames = [procCount]string{"parent", "content", "gpu", "extension", "socket", "utility", "dynamic"}

// probe is a histogram of the registry, with everything about it that can be rendered ahead.
type probe struct {
	name   string
	layout sketch.Layout
	bounds []int64
	keys   []string // `"bound":`
	head   string   // `"NAME":{"bucket_count":…,"histogram_type":…,"sum":`
	mid    string   // `,"range":[…],"values":{`
	labels int      // buckets in use, for those that count choices

	common int // how often it is in a ping, per mille
	center int // bucket around which values lie
	spread int // index of shapes
	volume float64
	quiet  int // how often only zeros were recorded, of 256
}

// keyedProbe is a keyed histogram.
type keyedProbe struct {
	probe
	keySet []string // `"key":`
}

// scalar is a scalar probe.
type scalar struct {
	key    string // `"category.name":`
	kind   int
	common int
	bits   int // magnitude of its value
}

const (
	scalarUint = iota
	scalarBool
	scalarString
)

// keyedScalar has one value for each of some keys.
type keyedScalar struct {
	scalar
	keySet []string
}

// registry is all probes. It does not depend on Options.Seed.
type registry struct {
	histograms [procCount][]probe
	keyed      [procCount][]keyedProbe
	scalars    [procCount][]scalar
	keyedSc    [procCount][]keyedScalar
}

var (
	areas = []string{
		"NET", "HTTPCHAN", "DNSCACHE", "TLSHS", "GFXPIPE", "COMPOSE", "RASTER", "WEBREND", "DOMTREE", "LAYOUTFLOW", "STYLESYS",
		"SCRIPTVM", "JITCOMP", "COLLECT", "HEAP", "IMGDEC", "FONTLOAD", "MEDIAPLAY", "AUDIOSINK", "VIDCODEC", "RTCCONN", "PLACESDB",
		"BOOKMARK", "HISTORYVIEW", "TABSTRIP", "SESSIONKEEP", "STARTPATH", "QUITPATH", "UPDATER", "ADDONHOST", "EXTAPI", "SYNCENGINE",
		"PASSMGR", "FORMFILL", "SEARCHBOX", "NEWTABPAGE", "READERVIEW", "PDFVIEW", "PRINTJOB", "DOWNLOADS", "PUSHSVC", "WORKERS",
		"STORAGEDB", "INDEXSTORE", "QUOTAMGR", "COOKIEJAR", "PERMSTORE", "CERTCHECK", "SAFEPAGE", "TRACKGUARD", "A11YTREE", "IMEHOST",
		"CLIPBRD", "DRAGDROP", "DEVPANEL", "INSPECTOR", "PROFILERUI", "IPCPIPE", "PROCLAUNCH", "EVENTQ", "TIMERS", "MEMORYPROBE",
	}
	objects = []string{
		"REQUEST", "RESPONSE", "LOOKUP", "ENTRY", "BLOCK", "FRAME", "LAYER", "TEXTURE", "SURFACE", "DISPLAY_LIST", "NODE", "SUBTREE",
		"RULE", "SHEET", "FUNCTION", "SLICE", "ZONE", "ARENA", "CHUNK", "IMAGE", "GLYPH_RUN", "STREAM", "BUFFER", "PACKET", "PEER",
		"QUERY", "STATEMENT", "ROW", "FOLDER", "VISIT", "TAB", "WINDOW", "SESSION_FILE", "SNAPSHOT", "PATCH", "MANIFEST", "CONTENT_SCRIPT",
		"MESSAGE", "RECORD_BATCH", "LOGIN", "FIELD", "SUGGESTION", "TILE", "ARTICLE", "PAGE", "JOB", "FILE", "SUBSCRIPTION", "SHARED_WORKER",
		"TRANSACTION", "CURSOR", "ORIGIN", "COOKIE", "GRANT", "CHAIN", "LIST_UPDATE", "RESOURCE", "ACCESSIBLE", "COMPOSITION", "FLAVOR",
	}
	actions = []string{
		"OPEN", "CLOSE", "READ", "WRITE", "PARSE", "BUILD", "PAINT", "UPLOAD", "DECODE", "ENCODE", "VALIDATE", "COMMIT", "ROLLBACK",
		"EVICT", "PREFETCH", "REUSE", "RETRY", "CANCEL", "SCHEDULE", "FLUSH", "MERGE", "SCAN", "SORT", "RESTORE", "SAVE", "SWITCH",
		"ATTACH", "DETACH", "COMPARE", "INIT", "SHUTDOWN", "WAIT",
	}
	timeUnits  = []string{"MS", "TIME_MS", "US", "LATENCY_MS", "DURATION_MS", "MAX_MS"}
	sizeUnits  = []string{"KB", "BYTES", "SIZE_KB", "COUNT", "LENGTH", "DEPTH", "PER_SECOND"}
	yesNo      = []string{"SUCCESS", "HIT", "USED", "ENABLED", "ON_MAIN_THREAD", "FROM_CACHE", "IS_EMPTY", "FALLBACK"}
	choices    = []string{"RESULT", "REASON", "STATE", "TYPE", "VERSION", "PHASE", "SOURCE"}
	categories = []string{
		"shell.usage", "tabs.strip", "net.transport", "dom.limits", "gfx.backend", "media.playback", "storage.quota", "startup.path",
		"update.flow", "addons.host", "sync.engine", "search.entry", "privacy.guard", "security.prompt", "timer.wheel", "ipc.channel",
		"worker.pool", "font.match", "image.decode", "script.warm",
	}
	scalarNames = []string{
		"open_count", "close_count", "max_concurrent", "total_uri_count", "unique_domains", "bytes_sent", "bytes_received", "restarts",
		"last_status", "is_default", "is_managed", "provider", "backend", "retries", "evictions", "warm_hits", "cold_hits", "prompt_shown",
		"prompt_accepted", "idle_minutes", "active_minutes", "pinned", "restored", "expired",
	}
	plainKeys = []string{
		"about_home", "urlbar", "context_menu", "toolbar", "sidebar", "keyboard", "newtab", "system", "webextension", "internal", "media",
		"script", "image", "style", "font", "beacon", "xhr", "fetch", "websocket", "document", "subdocument", "worker", "http1", "http2", "http3",
	}
)

// namer makes names that are used once. Probes come in families: several about one thing, alike in layout too.
type namer struct {
	r      *rng
	used   map[string]bool
	left   int    // probes that still belong to the family
	family string // what their names begin with
	layout sketch.Layout
}

// next begins another family if the one before is complete.
func (n *namer) next() {
	if n.left == 0 {
		n.left = 1 + n.r.skewed(22)
		n.family = areas[n.r.below(len(areas))] + "_" + objects[n.r.below(len(objects))]
		if n.r.permille(600) {
			n.family += "_" + objects[n.r.below(len(objects))]
		}
		n.layout = sketch.Layout{
			Type:    sketch.TypeExponential,
			Buckets: int32([]int{10, 15, 20, 20, 30, 50, 50, 50, 50, 100, 100, 200}[n.r.below(12)]),
			Low:     int64([]int{1, 1, 1, 1, 1, 1, 1, 2, 10, 50}[n.r.below(10)]),
			High:    int64([]int{1000, 3000, 10000, 10000, 10000, 10000, 60000, 100000, 1000000, 10000000}[n.r.below(10)]),
		}
	}
	n.left--
}

func (n *namer) histogram(last []string) string {
	for {
		name := n.family
		if n.r.permille(700) {
			name += "_" + actions[n.r.below(len(actions))]
		}
		name += "_" + last[n.r.below(len(last))]
		if n.r.permille(150) {
			name += "_" + strconv.Itoa(2+n.r.below(3))
		}
		if !n.used[name] {
			n.used[name] = true
			return name
		}
	}
}

func (n *namer) scalar() string {
	for {
		name := categories[n.r.below(len(categories))] + "." + scalarNames[n.r.below(len(scalarNames))]
		if n.r.permille(300) {
			name += "_" + plainKeys[n.r.below(len(plainKeys))]
		}
		if !n.used[name] {
			n.used[name] = true
			return name
		}
	}
}

// theRegistry is built once: it is the same for all generators.
var theRegistry = makeRegistry()

// Sizes of the registry.
const (
	parentProbes  = 620
	contentRun    = 25 // every other run of so many is in the content processes too
	contentProbes = 60 // in these alone
	otherProbes   = 40
	keyedProbes   = 34
	scalarProbes  = 190
)

func makeRegistry() *registry {
	r := newRNG(20260105, 7)
	n := &namer{r: &r, used: map[string]bool{}}
	g := &registry{}
	for range parentProbes {
		g.histograms[procParent] = append(g.histograms[procParent], makeProbe(n))
	}
	for i, p := range g.histograms[procParent] {
		if i/contentRun%2 == 0 { // whole families
			p.common = max(30, p.common*(700+r.below(300))/1000)
			g.histograms[procContent] = append(g.histograms[procContent], p)
		}
	}
	for range contentProbes {
		g.histograms[procContent] = append(g.histograms[procContent], makeProbe(n))
	}
	for proc := procGPU; proc <= procUtility; proc++ {
		for range otherProbes / (proc - procContent) {
			g.histograms[proc] = append(g.histograms[proc], makeProbe(n))
		}
	}
	for i := range keyedProbes {
		k := keyedProbe{probe: makeProbe(n), keySet: makeKeys(&r)}
		g.keyed[procParent] = append(g.keyed[procParent], k)
		if i%3 == 0 {
			g.keyed[procContent] = append(g.keyed[procContent], k)
		}
	}
	for i := range scalarProbes {
		s := makeScalar(n)
		g.scalars[procParent] = append(g.scalars[procParent], s)
		switch {
		case i%5 == 0:
			g.scalars[procContent] = append(g.scalars[procContent], s)
		case i%17 == 0:
			g.scalars[procGPU+i%4] = append(g.scalars[procGPU+i%4], s)
		}
		if i%9 == 0 {
			k := keyedScalar{makeScalar(n), makeKeys(&r)}
			g.keyedSc[procParent] = append(g.keyedSc[procParent], k)
			if i%27 == 0 {
				g.keyedSc[procContent] = append(g.keyedSc[procContent], k)
			}
		}
	}
	for i := range 6 {
		s := makeScalar(n)
		g.scalars[procDynamic] = append(g.scalars[procDynamic], s)
		if i == 0 {
			g.keyedSc[procDynamic] = append(g.keyedSc[procDynamic], keyedScalar{s, makeKeys(&r)})
		}
	}
	return g
}

func makeKeys(r *rng) []string {
	keys := make([]string, 3+r.below(18))
	at := r.below(len(plainKeys))
	for i := range keys {
		k := plainKeys[(at+i)%len(plainKeys)]
		if r.permille(250) {
			k += "." + plainKeys[r.below(len(plainKeys))] // keys may hold dots
		}
		keys[i] = fmt.Sprintf("%q:", k+strconv.Itoa(i))
	}
	return keys
}

func makeScalar(n *namer) scalar {
	s := scalar{key: strconv.Quote(n.scalar()) + ":", common: prevalence(n.r), bits: 1 + n.r.skewed(30)}
	switch x := n.r.below(20); {
	case x < 3:
		s.kind = scalarBool
	case x < 5:
		s.kind = scalarString
	}
	return s
}

// prevalence says how many pings in 1,000 have a probe: most probes are in nearly all of them, some in few.
func prevalence(r *rng) int {
	if r.permille(600) {
		return 850 + r.below(150)
	}
	return 20 + r.below(830)
}

func makeProbe(n *namer) probe {
	n.next()
	r := n.r
	p := probe{common: prevalence(r), spread: r.below(len(shapes)), volume: math.Exp2(24 * r.unit() * r.unit())}
	if r.permille(560) {
		p.quiet = 150 + r.below(100)
	}
	switch x := r.below(100); {
	case x < 52:
		p.exponential(n)
	case x < 60:
		p.linear(n)
	case x < 69:
		p.counted(n, sketch.TypeLinear, 2+r.skewed(60), 0)
	case x < 80:
		p.name, p.layout = n.histogram(yesNo), small(sketch.TypeBoolean)
	case x < 93:
		p.name, p.layout = n.histogram(yesNo), small(sketch.TypeFlag)
	case x < 96:
		p.name, p.layout = n.histogram(sizeUnits), small(sketch.TypeCount)
	default:
		p.counted(n, sketch.TypeCategorical, 50, 2+r.below(14))
	}
	p.prepare()
	return p
}

func small(typ int32) sketch.Layout { return sketch.Layout{Type: typ, Buckets: 3, Low: 1, High: 2} }

func (p *probe) exponential(n *namer) {
	r := n.r
	units := timeUnits
	if r.permille(400) {
		units = sizeUnits
	}
	p.name = n.histogram(units)
	p.layout = n.layout
	p.center = int(p.layout.Buckets) * (10 + r.below(70)) / 100
}

func (p *probe) linear(n *namer) {
	r := n.r
	p.name = n.histogram(sizeUnits)
	p.layout = sketch.Layout{
		Type: sketch.TypeLinear, Low: 1,
		Buckets: int32([]int{10, 11, 20, 25, 50, 101}[r.below(6)]),
		High:    int64([]int{100, 100, 150, 200, 1000, 10000}[r.below(6)]),
	}
	p.center = int(p.layout.Buckets) * (5 + r.below(85)) / 100
}

// counted is an enumerated or categorical probe: bucket i counts choice i.
func (p *probe) counted(n *namer, typ int32, values, labels int) {
	p.name = n.histogram(choices)
	p.layout = sketch.Layout{Type: typ, Buckets: int32(values + 1), Low: 1, High: int64(values)}
	p.labels = labels
	if labels == 0 {
		p.labels = 1 + n.r.below(min(values, 9))
	}
}

// prepare renders what can be.
func (p *probe) prepare() {
	l := p.layout
	p.bounds = l.Bounds()
	p.keys = make([]string, len(p.bounds))
	for i, b := range p.bounds {
		p.keys[i] = `"` + strconv.FormatInt(b, 10) + `":`
	}
	p.head = fmt.Sprintf(`%q:{"bucket_count":%d,"histogram_type":%d,"sum":`, p.name, l.Buckets, l.Type)
	p.mid = fmt.Sprintf(`,"range":[%d,%d],"values":{`, l.Low, l.High)
	p.center = min(p.center, len(p.bounds)-1)
}

// keyedHead is the histogram's object without its name.
func (p *probe) keyedHead() string { return p.head[len(p.name)+3:] }

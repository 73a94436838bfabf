package shred

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// Stop says what becomes of an object at a path.
type Stop uint8

// The stops.
const (
	StopNone      Stop = iota // its members are paths
	StopMap                   // a keyed map: one LeafJSON value
	StopHistogram             // one LeafHistogram value if that prints back the same, else one LeafJSON value
)

// Rule names paths whose objects stop the expansion into columns.
type Rule struct {
	// Pattern is keys joined by points, beginning with the document's own top-level member. "*" stands for any text
	// inside one key, a leading "**" for any number of keys.
	Pattern string
	Stop    Stop
}

// PingRules are the keyed maps and histograms of Firefox and Glean pings (ingestion.md 17 to 19): maps whose keys are
// data, not schema. What they miss, the general rules catch: an object whose first key is a number is a keyed map, and
// so is from then on one with more than 256 known members when a new key looks like a value.
var PingRules = []Rule{
	{"**.histograms.*", StopHistogram},
	{"**.keyedHistograms.*", StopMap},
	{"**.keyedScalars.*", StopMap},
	{"**.addonHistograms", StopMap},
	{"environment.addons.activeAddons", StopMap},
	{"environment.addons.activeGMPlugins", StopMap},
	{"environment.experiments", StopMap},
	{"environment.settings.userPrefs", StopMap},
	{"payload.addonDetails", StopMap},
	{"payload.fileIOReports", StopMap},
	{"payload.slowSQL.*", StopMap},
	{"payload.slowSQLStartup.*", StopMap},
	{"payload.simpleMeasurements.UITelemetry", StopMap},
	{"metrics.*_distribution.*", StopHistogram},
	{"metrics.labeled_*.*", StopMap},
	{"metrics.dual_labeled_*.*", StopMap},
	{"ping_info.experiments", StopMap},
	{"searches", StopMap},
}

// Rules are what the shredders of one store agree on. Fill it before the first Shredder is made; the caps are then
// shared by all workers. The zero value has no stops but the general ones, and the default caps.
type Rules struct {
	Stops []Rule
	// Watch names paths (patterns without wildcards) whose values Shredder.Watched gives back after a document.
	Watch []string
	// Rest is the column for top-level members that have none of their own.
	Rest string

	Limits        Limits // of documents; zero: DocumentLimits
	PathsPerTable int    // setting schema.max_paths_per_table; 0: 50,000
	PathsInAll    int    // of all tables together; 0: 500,000
	Histograms    int    // in one document, setting decode.max_histograms_per_ping; 0: 20,000

	budgets sync.Map // types.TableName -> *budget
	inAll   atomic.Int64
}

// The defaults of Rules.
const (
	pathsPerTableMax = 50_000
	pathsInAllMax    = 500_000
	histogramsMax    = 20_000
	bucketsMax       = 4096 // decode.max_buckets_per_histogram
	widthMax         = 256  // members of an object before keys that look like values make it a keyed map
	pathKeyBytesMax  = 256  // a longer key is data, not a name
	pathDepthMax     = 64
)

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// budget counts the paths of one table.
type budget struct {
	mu   sync.Mutex
	seen map[budgetKey]struct{}
}

type budgetKey struct {
	parent uint32
	key    string
}

func (r *Rules) budgetOf(t types.TableName) *budget {
	b, ok := r.budgets.Load(t)
	if !ok {
		b, _ = r.budgets.LoadOrStore(t, &budget{seen: map[budgetKey]struct{}{}})
	}
	return b.(*budget)
}

// take reports whether a table may have the path of key under parent, and counts it.
func (r *Rules) take(b *budget, parent uint32, key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := budgetKey{parent, key}
	if _, ok := b.seen[k]; ok {
		return true
	}
	if len(b.seen) >= orDefault(r.PathsPerTable, pathsPerTableMax) ||
		r.inAll.Load() >= int64(orDefault(r.PathsInAll, pathsInAllMax)) {
		return false
	}
	r.inAll.Add(1)
	b.seen[k] = struct{}{}
	return true
}

// stopAt returns the stop of the path with the given keys.
func (r *Rules) stopAt(keys []string) Stop {
	for _, rule := range r.Stops {
		if matchKeys(strings.Split(rule.Pattern, "."), keys) {
			return rule.Stop
		}
	}
	return StopNone
}

// watchAt returns the number of the watch on keys, or -1.
func (r *Rules) watchAt(keys []string) int {
	for i, w := range r.Watch {
		if matchKeys(strings.Split(w, "."), keys) {
			return i
		}
	}
	return -1
}

func matchKeys(pattern, keys []string) bool {
	if pattern[0] == "**" {
		tail := pattern[1:]
		return len(keys) >= len(tail) && matchKeys(tail, keys[len(keys)-len(tail):])
	}
	if len(pattern) != len(keys) {
		return false
	}
	for i, p := range pattern {
		if !matchKey(p, keys[i]) {
			return false
		}
	}
	return true
}

func matchKey(pattern, key string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == key
	}
	return len(key) >= len(before)+len(after) && strings.HasPrefix(key, before) && strings.HasSuffix(key, after)
}

// looksLikeValue reports whether a key is more likely data than a name: an id, a version, a URL, a number, or anything
// with characters that no one puts into a name.
func looksLikeValue(key []byte) bool {
	digits, hex := 0, true
	for i, c := range key {
		switch {
		case isDigit(c):
			if i == 0 {
				return true
			}
			digits++
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
			hex = hex && (c|0x20 >= 'a' && c|0x20 <= 'f')
		case c == '-' || c == '.':
		default:
			return true
		}
	}
	return len(key) > 100 || digits >= 5 || hex && digits > 0 && len(key) >= 8
}

// pathsFull reports whether the store can number no more paths, whatever the table.
func (r *Rules) pathsFull(in *column.Interner) bool {
	return in.Len() >= 2*orDefault(r.PathsInAll, pathsInAllMax)
}

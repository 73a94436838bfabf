package rollups_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/ingest/ping"
)

// The oracle aggregates documents as rollups.md section 1 is written, one at a time over encoding/json's maps. It shares
// nothing with the package but the meaning.

type object = map[string]any

// stateKey is everything that a row of rollups.histograms is told apart by, and the histogram's layout.
type stateKey struct {
	date                                                                int64
	channel, version, buildID, application, architecture, os, osVersion string
	metric, label, process                                              string
	layoutType, layoutBuckets, layoutLow, layoutHigh                    int64
}

type stateValue struct {
	count   int64
	sum     float64
	buckets map[int64]int64
}

type oracle struct {
	states map[stateKey]*stateValue
	pings  int // that were aggregated
}

func newOracle() *oracle { return &oracle{states: map[stateKey]*stateValue{}} }

var countBounds = []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 23, 25, 27, 29, 31, 34, 37, 40, 43, 46, 50, 54, 58, 63, 68, 74,
	80, 86, 93, 101, 109, 118, 128, 138, 149, 161, 174, 188, 203, 219, 237, 256, 277, 299, 323, 349, 377, 408, 441, 477, 516, 558, 603, 652, 705, 762, 824,
	891, 963, 1041, 1125, 1216, 1315, 1422, 1537, 1662, 1797, 1943, 2101, 2271, 2455, 2654, 2869, 3102, 3354, 3626, 3920, 4238, 4582, 4954, 5356, 5791, 6261,
	6769, 7318, 7912, 8554, 9249, 10000}

var simpleBounds = []int64{0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 16, 20, 24, 29, 35, 43, 52, 63, 77, 94, 115, 140, 171, 209, 255, 311, 379, 462, 564, 688, 839, 1023,
	1248, 1522, 1857, 2265, 2763, 3370, 4111, 5015, 6118, 7463, 9104, 11106, 13548, 16527, 20161, 24593, 30000}

// add aggregates one accepted document of telemetry.main.
func (o *oracle) add(uri string, body []byte, date int64) {
	var doc object
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&doc) != nil {
		return
	}
	key, ok := dimensions(uri, doc, date)
	if !ok {
		return
	}
	payload, ok := doc["payload"].(object)
	if !ok {
		return
	}
	children, _ := payload["childPayloads"].([]any)
	for _, c := range children {
		if _, ok := c.(object); !ok {
			return
		}
	}
	o.pings++
	o.histograms(key, "parent", payload)
	o.simple(key, "parent", payload["simpleMeasurements"])
	for _, c := range children {
		o.histograms(key, "content", c.(object))
		o.simple(key, "content", c.(object)["simpleMeasurements"])
	}
	processes, _ := payload["processes"].(object)
	for _, process := range []string{"parent", "content", "gpu"} {
		p, ok := processes[process].(object)
		if !ok {
			continue
		}
		if process != "parent" {
			o.histograms(key, process, p)
		}
		o.scalars(key, process, p)
	}
}

func dimensions(uri string, doc object, date int64) (k stateKey, ok bool) {
	path, _, _ := strings.Cut(uri, "?")
	elems := strings.Split(path, "/") // "", submit, telemetry, id, type, app, version, channel, build
	if len(elems) < 6 || elems[4] != "main" || elems[5] == "Fennec" || fmt.Sprint(doc["version"]) != "4" {
		return k, false
	}
	client, _ := doc["clientId"].(string)
	if client, ok = ping.ClientID(client); !ok || crc32.ChecksumIEEE([]byte(client))%100 >= 100 {
		return k, false
	}
	app, _ := doc["application"].(object)
	environment, _ := doc["environment"].(object)
	system, _ := environment["system"].(object)
	os, _ := system["os"].(object)
	k = stateKey{date: date}
	for _, f := range []struct {
		dst *string
		in  object
		key string
	}{
		{&k.channel, app, "channel"}, {&k.version, app, "version"}, {&k.buildID, app, "buildId"}, {&k.application, app, "name"},
		{&k.architecture, app, "architecture"}, {&k.os, os, "name"}, {&k.osVersion, os, "version"},
	} {
		if *f.dst, ok = f.in[f.key].(string); !ok {
			return k, false
		}
	}
	if !slices.Contains([]string{"nightly", "aurora", "beta", "release"}, k.channel) {
		return k, false
	}
	k.version, _, _ = strings.Cut(k.version, ".")
	if len(k.buildID) > 8 {
		k.buildID = k.buildID[:8]
	}
	if _, err := strconv.ParseUint(k.buildID, 10, 64); err != nil {
		return k, false
	}
	if r := []rune(k.osVersion); k.os == "Linux" && len(r) > 3 {
		k.osVersion = string(r[:3])
	}
	return k, true
}

func storedName(metric string) bool {
	return metric != "" && strings.Trim(metric, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-[].") == ""
}

// value returns the state of a key, nil for a metric that is dropped at storage.
func (o *oracle) value(k stateKey) *stateValue {
	if !storedName(k.metric) {
		return nil
	}
	if o.states[k] == nil {
		o.states[k] = &stateValue{buckets: map[int64]int64{}}
	}
	return o.states[k]
}

func (o *oracle) histograms(k stateKey, process string, p object) {
	k.process = process
	hs, _ := p["histograms"].(object)
	for name, h := range hs {
		k.metric, k.label = name, ""
		o.histogram(k, h)
	}
	keyed, _ := p["keyedHistograms"].(object)
	for name, v := range keyed {
		if name == "MESSAGE_MANAGER_MESSAGE_SIZE" || name == "VIDEO_DETAILED_DROPPED_FRAMES_PROPORTION" {
			continue
		}
		labels, _ := v.(object)
		for label, h := range labels {
			k.metric, k.label = name, label
			o.histogram(k, h)
		}
	}
}

func integer(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(string(n), 10, 64)
	return i, err == nil
}

func (o *oracle) histogram(k stateKey, v any) {
	h, _ := v.(object)
	values, ok := h["values"].(object)
	sum, sumOK := integer(h["sum"])
	typ, typOK := integer(h["histogram_type"])
	if !ok || !sumOK || sum < 0 || !typOK {
		return
	}
	buckets := map[int64]int64{}
	for bound, count := range values {
		b, err := strconv.ParseInt(bound, 10, 64)
		if err != nil || b < 0 {
			continue
		}
		n, _ := integer(count)
		if n < 0 {
			return // corruption (ingestion.md 18.3)
		}
		buckets[b] += n
	}
	if typ == 4 {
		k.metric = "[[COUNT]]_" + k.metric
		o.number(k, countBounds, 100, 10000, float64(sum))
		return
	}
	k.layoutType = typ
	k.layoutBuckets, _ = integer(h["bucket_count"])
	if r, _ := h["range"].([]any); len(r) == 2 {
		k.layoutLow, _ = integer(r[0])
		k.layoutHigh, _ = integer(r[1])
	}
	s := o.value(k)
	if s == nil {
		return
	}
	s.count++
	s.sum += float64(sum)
	for b, n := range buckets {
		s.buckets[b] += n
	}
}

// number inserts one number into the scalar buckets.
func (o *oracle) number(k stateKey, bounds []int64, buckets, high int64, v float64) {
	if v < 0 || v >= math.MaxInt64 { // a sum beyond int64 is dropped when it is stored; here its numbers are
		return
	}
	k.layoutType, k.layoutBuckets, k.layoutLow, k.layoutHigh = 0, buckets, 1, high
	s := o.value(k)
	if s == nil {
		return
	}
	s.count++
	s.sum += v
	at := bounds[0]
	for _, b := range bounds {
		if float64(b) <= v {
			at = b
		}
	}
	s.buckets[at]++
}

// numeric takes numbers, and booleans as 1 and 0.
func numeric(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

func (o *oracle) simple(k stateKey, process string, v any) {
	k.process = process
	top, _ := v.(object)
	for name, v := range top {
		if n, ok := numeric(v); ok {
			k.metric = "SIMPLE_MEASURES_" + strings.ToUpper(name)
			o.number(k, simpleBounds, 50, 30000, n)
			continue
		}
		sub, _ := v.(object)
		for name2, v := range sub {
			if n, ok := numeric(v); ok {
				k.metric = "SIMPLE_MEASURES_" + strings.ToUpper(name) + "_" + strings.ToUpper(name2)
				o.number(k, simpleBounds, 50, 30000, n)
			}
		}
	}
}

func (o *oracle) scalars(k stateKey, process string, p object) {
	k.process = process
	scalars, _ := p["scalars"].(object)
	for name, v := range scalars {
		if n, ok := numeric(v); ok && !strings.HasPrefix(name, "browser.engagement.navigation") {
			k.metric = "SCALARS_" + strings.ToUpper(name)
			o.number(k, countBounds, 100, 10000, n)
		}
	}
	keyed, _ := p["keyedScalars"].(object)
	for name, v := range keyed {
		labels, _ := v.(object)
		for label, v := range labels {
			if n, ok := numeric(v); ok && !strings.HasPrefix(name, "browser.engagement.navigation") {
				k.metric, k.label = "SCALARS_"+strings.ToUpper(name), strings.ToUpper(label)
				o.number(k, countBounds, 100, 10000, n)
			}
		}
	}
}

// lines prints the states, one a line, sorted; empty buckets are left out.
func (o *oracle) lines() []string {
	var out []string
	for k, s := range o.states {
		var b strings.Builder
		for _, bound := range slices.Sorted(maps.Keys(s.buckets)) {
			if n := s.buckets[bound]; n > 0 {
				fmt.Fprintf(&b, " %d:%d", bound, n)
			}
		}
		out = append(out, fmt.Sprintf("%+v: %d %d%s", k, s.count, int64(math.Trunc(s.sum)), b.String()))
	}
	slices.Sort(out)
	return out
}

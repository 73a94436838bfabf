package session

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
)

// setting describes a run-time parameter. check normalises a new value or refuses it.
type setting struct {
	name     string // as shown; looked up in lower case
	initial  string
	typ      string // bool, integer, string, enum
	unit     string
	desc     string
	reported bool
	readonly bool
	check    func(v string) (string, error)
}

// settings holds a session's values; only those that differ from the initial ones are kept.
type settings struct {
	values map[string]string // by lower-case name
	// local are values before SET LOCAL, to come back at the end of the transaction.
	local map[string]*string
	gen   uint64 // changes with every change
}

func newSettings() *settings { return &settings{values: map[string]string{}} }

func (s *settings) clone() map[string]string { return maps.Clone(s.values) }

// get returns a value; ok is false for an unknown name.
func (s *settings) get(name string) (string, bool) {
	key := strings.ToLower(name)
	if v, ok := s.values[key]; ok {
		return v, true
	}
	if d, ok := settingByName[key]; ok {
		return d.initial, true
	}
	return "", false
}

func (s *settings) value(name string) string { v, _ := s.get(name); return v }

// set changes a value; what came out of the check is returned.
func (s *settings) set(name, value string, local bool) (string, error) {
	key := strings.ToLower(name)
	d, known := settingByName[key]
	switch {
	case !known && !ownName(key):
		return "", errUnknownSetting(name)
	case known && d.readonly:
		return "", sqlstate.New("55P02", "parameter \"%s\" cannot be changed", d.name)
	case known && d.check != nil:
		v, err := d.check(value)
		if err != nil {
			return "", badSetting(d, value, err)
		}
		value = v
	}
	s.remember(key, local)
	s.values[key] = value
	s.gen++
	return value, nil
}

// ownName tells whether a program may keep a value of its own under a name: with a prefix that is not ours, so that a switch whose
// name is mistaken is not taken for set.
func ownName(key string) bool {
	prefix, _, dot := strings.Cut(key, ".")
	return dot && prefix != "telemdb"
}

func errUnknownSetting(name string) error {
	e := sqlstate.New(sqlstate.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
	if strings.HasPrefix(strings.ToLower(name), "telemdb.") {
		e = e.WithHint("SELECT name, short_desc FROM pg_settings WHERE name LIKE 'telemdb.%%' lists those there are.")
	}
	return e
}

func badSetting(d *setting, value string, err error) error {
	e := sqlstate.New(sqlstate.InvalidParameter, "invalid value for parameter \"%s\": \"%s\"", d.name, value)
	if err.Error() != "" {
		e = e.WithHint("%s", err)
	}
	return e
}

func (s *settings) remember(key string, local bool) {
	if !local {
		delete(s.local, key)
		return
	}
	if _, done := s.local[key]; done {
		return
	}
	if s.local == nil {
		s.local = map[string]*string{}
	}
	if old, ok := s.values[key]; ok {
		s.local[key] = &old
	} else {
		s.local[key] = nil
	}
}

// reset puts a setting back to its initial value.
func (s *settings) reset(name string, base map[string]string) error {
	key := strings.ToLower(name)
	d, known := settingByName[key]
	if !known && !ownName(key) {
		return errUnknownSetting(name)
	}
	if known && d.readonly {
		return sqlstate.New("55P02", "parameter \"%s\" cannot be changed", d.name)
	}
	delete(s.values, key)
	if v, ok := base[key]; ok {
		s.values[key] = v
	}
	s.gen++
	return nil
}

// restore puts all values back: at ROLLBACK, and RESET ALL.
func (s *settings) restore(values map[string]string) {
	s.values = maps.Clone(values)
	s.local = nil
	s.gen++
}

// endTransaction undoes SET LOCAL.
func (s *settings) endTransaction() {
	for key, old := range s.local {
		if old == nil {
			delete(s.values, key)
		} else {
			s.values[key] = *old
		}
		s.gen++
	}
	s.local = nil
}

// names lists all settings, the custom ones too.
func (s *settings) names() []string {
	var out []string
	for _, d := range settingTable {
		out = append(out, d.name)
	}
	for k := range s.values {
		if _, known := settingByName[k]; !known {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// hintText is why a value was refused, in the words of a hint; it may be empty.
type hintText string

func (h hintText) Error() string { return string(h) }

func checkBool(v string) (string, error) {
	b, ok := datum.ParseBool([]byte(strings.TrimSpace(v)))
	if !ok {
		return "", hintText("The value must be on or off.")
	}
	if b {
		return "on", nil
	}
	return "off", nil
}

func checkInt(lo, hi int64) func(string) (string, error) {
	return func(v string) (string, error) {
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		if err != nil || n < lo || n > hi {
			return "", hintText(fmt.Sprintf("The value must be an integer between %d and %d.", lo, hi))
		}
		return strconv.FormatInt(n, 10), nil
	}
}

func checkEnum(words ...string) func(string) (string, error) {
	return func(v string) (string, error) {
		for _, w := range words {
			if strings.EqualFold(v, w) {
				return w, nil
			}
		}
		return "", hintText(fmt.Sprintf("Available values: %s.", strings.Join(words, ", ")))
	}
}

// checkTime reads a duration: a number is milliseconds, units are us, ms, s, min, h, d.
func checkTime(v string) (string, error) {
	ms, err := millis(v)
	if err != nil {
		return "", err
	}
	return showMillis(ms), nil
}

var timeUnits = []struct {
	name string
	ms   float64
}{{"min", 60000}, {"ms", 1}, {"us", 0.001}, {"s", 1000}, {"h", 3600000}, {"d", 86400000}}

func millis(v string) (int64, error) {
	s := strings.TrimSpace(v)
	unit := 1.0
	for _, u := range timeUnits {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			s, unit = strings.TrimSpace(rest), u.ms
			break
		}
	}
	if s == "" || (s[0] < '0' || s[0] > '9') && s[0] != '.' && s[0] != '-' {
		return 0, hintText("")
	}
	x, err := strconv.ParseFloat(s, 64)
	if err == nil && (x < 0 || x*unit > math.MaxInt32) {
		return 0, hintText("The value must be between 0 and 2147483647 ms.")
	}
	if err != nil {
		return 0, hintText("Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".")
	}
	return int64(x*unit + 0.5), nil
}

// showMillis prints a duration in the largest unit that divides it.
func showMillis(ms int64) string {
	for _, u := range []struct {
		name string
		ms   int64
	}{{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}} {
		if ms > 0 && ms%u.ms == 0 {
			return strconv.FormatInt(ms/u.ms, 10) + u.name
		}
	}
	if ms == 0 {
		return "0"
	}
	return strconv.FormatInt(ms, 10) + "ms"
}

func checkZone(v string) (string, error) {
	v = strings.TrimSpace(v)
	loc, err := datum.LoadZone(v)
	if err != nil {
		return "", hintText("")
	}
	if strings.EqualFold(v, "utc") || strings.EqualFold(loc.String(), v) && loc.String() != "" {
		return loc.String(), nil
	}
	return v, nil
}

func checkEncoding(v string) (string, error) {
	switch strings.ToUpper(strings.NewReplacer("-", "", "_", "").Replace(v)) {
	case "UTF8", "UNICODE":
		return "UTF8", nil
	}
	return "", hintText("UTF8 is the only encoding.")
}

// checkDateStyle reads the output style, which is always ISO, and the input order.
func checkDateStyle(v string) (string, error) {
	order := "MDY"
	for _, w := range strings.Split(v, ",") {
		switch strings.ToUpper(strings.TrimSpace(w)) {
		case "ISO", "":
		case "MDY", "US", "NONEURO", "NONEUROPEAN", "DEFAULT":
			order = "MDY"
		case "DMY", "EURO", "EUROPEAN":
			order = "DMY"
		case "YMD":
			order = "YMD"
		default:
			return "", hintText("Dates are written in ISO style only.")
		}
	}
	return "ISO, " + order, nil
}

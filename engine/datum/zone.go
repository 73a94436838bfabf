package datum

import (
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones are the same on every machine

	"github.com/telemdb/telemdb/engine/sqlstate"
)

// zoneAbbrevs are the abbreviations PostgreSQL's Default set is asked for most, in minutes east. Those which change
// their meaning over time are left to full zone names.
var zoneAbbrevs = map[string]int{
	"utc": 0, "uct": 0, "gmt": 0, "z": 0, "zulu": 0, "wet": 0, "west": 60, "bst": 60, "ist": 120, "cet": 60, "cest": 120,
	"met": 60, "mest": 120, "mez": 60, "mesz": 120, "eet": 120, "eest": 180, "msk": 180, "msd": 240, "eat": 180,
	"sast": 120, "pkt": 300, "hkt": 480, "sgt": 480, "wita": 480, "wib": 420, "wit": 540, "pht": 480, "jst": 540,
	"kst": 540, "acst": 570, "acdt": 630, "aest": 600, "aedt": 660, "awst": 480, "nzst": 720, "nzdt": 780, "nzt": 720,
	"hst": -600, "akst": -540, "akdt": -480, "pst": -480, "pdt": -420, "mst": -420, "mdt": -360, "cst": -360, "cdt": -300,
	"est": -300, "edt": -240, "ast": -240, "adt": -180, "nst": -210, "ndt": -150, "brt": -180, "brst": -120, "art": -180,
	"clt": -240, "clst": -180, "npt": 345,
}

var zoneCache sync.Map // lower-case name -> *time.Location

// LoadZone finds a time zone by full name (any case), abbreviation, UTC offset in hours ("-5", "5.5") or POSIX
// specification, in which the sign counts west: "UTC+3" is three hours behind UTC. Error 22023.
func LoadZone(name string) (*time.Location, error) {
	key := strings.ToLower(strings.TrimSpace(name))
	if l, ok := zoneCache.Load(key); ok {
		return l.(*time.Location), nil
	}
	loc, ok := findZone(key)
	if !ok {
		return nil, sqlstate.New(sqlstate.InvalidParameter, "time zone \"%s\" not recognized", name)
	}
	zoneCache.Store(key, loc)
	return loc, nil
}

func findZone(key string) (*time.Location, bool) {
	switch key {
	case "utc", "gmt", "z", "zulu", "uct", "etc/utc":
		return time.UTC, true
	case "":
		return nil, false
	}
	if loc, ok := loadByName(key); ok {
		return loc, true
	}
	if m, ok := zoneAbbrevs[key]; ok {
		return time.FixedZone(strings.ToUpper(key), m*60), true
	}
	if h, err := strconv.ParseFloat(key, 64); err == nil && h > -168 && h < 168 {
		return fixedZone(int(h * 3600)), true
	}
	return posixZone(key)
}

// loadByName tries the spellings of IANA names: Europe/Berlin, America/Port_of_Spain, EST5EDT, Etc/GMT+5.
func loadByName(key string) (*time.Location, bool) {
	if key == "local" || strings.ContainsAny(key, ".\\") || strings.HasPrefix(key, "/") {
		return nil, false
	}
	if canon, ok := zoneNames()[key]; ok {
		loc, err := time.LoadLocation(canon)
		return loc, err == nil
	}
	return nil, false
}

// fixedZone names an offset as PostgreSQL prints it: <+05>-05.
func fixedZone(sec int) *time.Location {
	if sec == 0 {
		return time.UTC
	}
	name := string(appendOffset(nil, sec))
	return time.FixedZone(name, sec)
}

// posixZone reads STD[offset] without a daylight part.
func posixZone(key string) (*time.Location, bool) {
	i := 0
	if strings.HasPrefix(key, "<") {
		if i = strings.IndexByte(key, '>') + 1; i == 0 {
			return nil, false
		}
	} else {
		for i < len(key) && isAlpha(key[i]) {
			i++
		}
		if i < 3 {
			return nil, false
		}
	}
	if i == len(key) {
		return nil, false
	}
	sec, rest, ok := parseOffset([]byte(key[i:]))
	if !ok || len(rest) > 0 {
		return nil, false
	}
	return time.FixedZone(strings.ToUpper(strings.Trim(key[:i], "<>")), -sec), true
}

// parseOffset reads [+-]h, hh, hhmm, hh:mm or hh:mm:ss, in seconds with the sign as written.
func parseOffset(s []byte) (sec int, rest []byte, ok bool) {
	sign := 1
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	if n == 0 || n > 6 {
		return 0, nil, false
	}
	v, _ := strconv.Atoi(string(s[:n]))
	h, m, se := v, 0, 0
	if n > 4 {
		h, m, se = v/10000, v/100%100, v%100
	} else if n > 2 {
		h, m = v/100, v%100
	}
	s = s[n:]
	for part := 0; part < 2 && n <= 2 && len(s) >= 3 && s[0] == ':' && isDigit(s[1]) && isDigit(s[2]); part++ {
		v := int(s[1]-'0')*10 + int(s[2]-'0')
		if part == 0 {
			m = v
		} else {
			se = v
		}
		s = s[3:]
	}
	if h > 167 || m > 59 || se > 59 {
		return 0, nil, false
	}
	return sign * (h*3600 + m*60 + se), s, true
}

package ping

import (
	"hash/crc32"
	"strings"
)

// Channel returns normalized_channel of an update channel.
func Channel(s string) string {
	switch {
	case s == "release", s == "esr", s == "beta", s == "aurora", s == "nightly":
		return s
	case strings.HasPrefix(s, "nightly-cck-"):
		return "nightly"
	case strings.HasPrefix(s, "beta"):
		return "beta"
	}
	return "Other"
}

// OS returns normalized_os of an operating system's name. The order of the tests matters.
func OS(s string) string {
	switch {
	case strings.HasPrefix(s, "Windows"), strings.HasPrefix(s, "WINNT"):
		return "Windows"
	case strings.HasPrefix(s, "Darwin"):
		return "Mac"
	case strings.Contains(s, "Linux"), strings.Contains(s, "BSD"), strings.Contains(s, "SunOS"), strings.Contains(s, "Solaris"):
		return "Linux"
	case strings.HasPrefix(s, "iOS"), strings.Contains(s, "iPhone"):
		return "iOS"
	case strings.HasPrefix(s, "Android"):
		return "Android"
	}
	return "Other"
}

// OSVersion returns normalized_os_version: at most three leading numbers joined by points, "" if s begins otherwise.
func OSVersion(s string) string {
	end, i := 0, 0
	for range 3 {
		j := i
		for j < len(s) && isDigit(s[j]) {
			j++
		}
		if j == i {
			break
		}
		end = j
		if j == len(s) || s[j] != '.' {
			break
		}
		i = j + 1
	}
	return s[:end]
}

// appNames are the known applications; the first that is a prefix of a name is its normalised form.
var appNames = []string{
	"Zerda_cn", "Zerda", "Focus-TV", "Focus", "Klar", "FirefoxReality_oculusvr", "FirefoxReality_googlevr",
	"FirefoxReality_wavevr", "FirefoxForFireTV", "FirefoxConnect", "Fennec", "Scryer", "WebXR", "Lockbox", "Firefox",
}

// AppName returns normalized_app_name.
func AppName(s string) string {
	for _, n := range appNames {
		if strings.HasPrefix(s, n) {
			return n
		}
	}
	return "Other"
}

// CountryCode returns normalized_country_code: two letters in upper case, or "Other".
func CountryCode(s string) string {
	if len(s) == 2 {
		c := [2]byte{s[0] &^ 0x20, s[1] &^ 0x20}
		if isUpper(c[0]) && isUpper(c[1]) && (isUpper(s[0]) || isLower(s[0])) && (isUpper(s[1]) || isLower(s[1])) {
			return string(c[:])
		}
	}
	return "Other"
}

// SampleID returns the sampling bucket (0..99) of a client id in the form ClientID gives.
func SampleID(clientID string) int64 { return int64(crc32.ChecksumIEEE([]byte(clientID)) % 100) }

// AttributeMax is the longest attribute or error text that is stored, in bytes of UTF-8.
const AttributeMax = 1024

// Cut returns s if it is at most AttributeMax bytes, else its beginning, cut between characters, and "...".
func Cut(s string) string {
	if len(s) <= AttributeMax {
		return s
	}
	n := AttributeMax - 3
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "..."
}

package types

import "strings"

// Path names one nested member: the table's column name, then the keys below it, joined by NUL. NUL cannot occur in a
// column name nor in an accepted document, so a Path is unambiguous and byte order keeps every subtree contiguous:
// all paths under p sort directly behind p and before any other sibling that does not start with p+NUL.
//
//	"payload\x00simpleMeasurements\x00uptime"
type Path string

const pathSep = "\x00"

// MakePath joins a column name and the keys below it.
func MakePath(column string, keys ...string) Path {
	if len(keys) == 0 {
		return Path(column)
	}
	return Path(column + pathSep + strings.Join(keys, pathSep))
}

// Child returns the path of member key of p.
func (p Path) Child(key string) Path { return p + pathSep + Path(key) }

// Column returns the table column the path belongs to.
func (p Path) Column() string {
	c, _, _ := strings.Cut(string(p), pathSep)
	return c
}

// Keys returns the keys below the column, nil for a column itself.
func (p Path) Keys() []string {
	_, rest, ok := strings.Cut(string(p), pathSep)
	if !ok {
		return nil
	}
	return strings.Split(rest, pathSep)
}

// Parent returns the path one key shorter; ok is false for a column.
func (p Path) Parent() (parent Path, ok bool) {
	i := strings.LastIndex(string(p), pathSep)
	if i < 0 {
		return "", false
	}
	return p[:i], true
}

// Last returns the last key, or the column name.
func (p Path) Last() string { return string(p[strings.LastIndex(string(p), pathSep)+1:]) }

// Under reports whether p is strictly below prefix.
func (p Path) Under(prefix Path) bool {
	return len(p) > len(prefix) && p[len(prefix)] == 0 && p[:len(prefix)] == prefix
}

// String prints the path for people: column.key.key.
func (p Path) String() string { return strings.ReplaceAll(string(p), pathSep, ".") }

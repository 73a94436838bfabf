package gen

import (
	"strconv"
	"time"
)

// writer appends JSON. Members are written as raw text with their key, `"key":`, so that there is nothing to escape or to
// look up; a comma after the last member of an object or list is taken back by close.
type writer struct{ b []byte }

func (w *writer) raw(s string) { w.b = append(w.b, s...) }

// num, yes, text, id and others write a member and the comma behind it. key is `"name":`, or empty in a list.
func (w *writer) num(key string, n int) {
	w.b = append(w.b, key...)
	w.b = strconv.AppendInt(w.b, int64(n), 10)
	w.b = append(w.b, ',')
}

func (w *writer) float(key string, f float64) {
	w.b = append(w.b, key...)
	w.b = strconv.AppendFloat(w.b, f, 'f', -1, 64)
	w.b = append(w.b, ',')
}

func (w *writer) yes(key string, v bool) {
	w.b = append(w.b, key...)
	w.b = strconv.AppendBool(w.b, v)
	w.b = append(w.b, ',')
}

func (w *writer) null(key string) {
	w.b = append(w.b, key...)
	w.b = append(w.b, "null,"...)
}

// text writes a string that needs no escapes.
func (w *writer) text(key, s string) {
	w.b = append(w.b, key...)
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"', ',')
}

func (w *writer) id(key string, u uuid) {
	w.b = append(w.b, key...)
	w.b = append(w.b, '"')
	w.b = u.append(w.b)
	w.b = append(w.b, '"', ',')
}

// time writes ISO 8601 in UTC with milliseconds.
func (w *writer) time(key string, t time.Time) {
	w.b = append(w.b, key...)
	w.b = append(w.b, '"')
	w.b = t.UTC().AppendFormat(w.b, "2006-01-02T15:04:05.000Z")
	w.b = append(w.b, '"', ',')
}

// hour writes a local time as clients round it.
func (w *writer) hour(key string, t time.Time, tz int) {
	w.b = append(w.b, key...)
	w.b = append(w.b, '"')
	w.b = t.In(time.FixedZone("", tz*60)).AppendFormat(w.b, "2006-01-02T15:00:00.0-07:00")
	w.b = append(w.b, '"', ',')
}

// open begins an object or a list: `"key":{`.
func (w *writer) open(s string) { w.b = append(w.b, s...) }

// close ends one: "}" or "]".
func (w *writer) close(s string) {
	if n := len(w.b) - 1; w.b[n] == ',' {
		w.b = w.b[:n]
	}
	w.b = append(w.b, s...)
	w.b = append(w.b, ',')
}

// end takes back the comma behind the document.
func (w *writer) end() []byte { return w.b[:len(w.b)-1] }

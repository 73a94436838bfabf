package session

import (
	"bytes"
	"encoding/json"
)

// fields is an object of JSON whose members stay in the order in which they were added, so that a plan reads from its kind to
// what is below it, as PostgreSQL's do.
type fields struct {
	names  []string
	values map[string]any
}

// set adds a member, or gives one that is there another value.
func (f *fields) set(name string, value any) {
	if f.values == nil {
		f.values = map[string]any{}
	}
	if _, ok := f.values[name]; !ok {
		f.names = append(f.names, name)
	}
	f.values[name] = value
}

// join sets the members of g.
func (f *fields) join(g *fields) {
	for _, name := range g.names {
		f.set(name, g.values[name])
	}
}

// MarshalJSON implements json.Marshaler.
func (f *fields) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false) // conditions are full of < and >
	out.WriteByte('{')
	for i, name := range f.names {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := e.Encode(name); err != nil {
			return nil, err
		}
		out.WriteByte(':')
		if err := e.Encode(f.values[name]); err != nil {
			return nil, err
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// indented prints a document over several lines.
func indented(doc any) (string, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		return "", err
	}
	return string(bytes.TrimRight(out.Bytes(), "\n")), nil
}

package ping

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/storage/types"
)

// The tables that belong to the server.
var (
	ErrorsTable     = types.TableName{Schema: "telemdb", Name: "errors"}
	DuplicatesTable = types.TableName{Schema: "telemdb", Name: "duplicates"}
)

// NameMax is the longest name of a schema, table or column, in bytes: longer ones could not be written in SQL.
const NameMax = 63

// Table returns the table of a namespace and document type: their snake case. The error is a *URIError for names that
// give no SQL name, are too long, or would reach into the server's own schemas.
func Table(namespace, docType string) (types.TableName, error) {
	t := types.TableName{Schema: Name(namespace), Name: Name(docType)}
	switch {
	case t.Schema == "" || t.Name == "":
		return ErrorsTable, &URIError{ClassInvalidURI, "namespace and document type need a letter or digit"}
	case len(t.Schema) > NameMax || len(t.Name) > NameMax:
		return ErrorsTable, &URIError{ClassInvalidURI, "namespace or document type is longer than 63 bytes"}
	case reserved(t.Schema):
		return ErrorsTable, &URIError{ClassInvalidURI, "namespace " + t.Schema + " is reserved for the server"}
	}
	return t, nil
}

func reserved(schema string) bool {
	switch schema {
	case "telemdb", "public", "information_schema", "rollups", "pg", "user":
		return true
	}
	return strings.HasPrefix(schema, "pg_")
}

// Router is the memory of Route: the tables of the paths seen so far. The zero value is ready; safe for concurrent use.
type Router struct {
	mu    sync.Mutex // held by writers
	known atomic.Pointer[map[string]types.TableName]
}

// routerMax bounds the names remembered. It is above schema.max_tables, so only hostile traffic reaches it.
const routerMax = 20_000

// Route tells from the envelope alone which table the record's row would go to if it is valid. What has no table, a
// URI that does not parse and a payload that is no record, goes to telemdb.errors. It does not allocate for a known table.
func (r *Router) Route(payload []byte) types.TableName {
	key := routeKey(recordPath(payload))
	if key == nil {
		return ErrorsTable
	}
	if m := r.known.Load(); m != nil {
		if t, ok := (*m)[string(key)]; ok {
			return t
		}
	}
	ns, doc, _ := strings.Cut(string(key), "/")
	if ns == "" {
		ns = "telemetry"
	}
	t, err := Table(ns, doc)
	if err != nil {
		return ErrorsTable
	}
	r.remember(string(key), t)
	return t
}

func (r *Router) remember(key string, t types.TableName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var old map[string]types.TableName
	if m := r.known.Load(); m != nil {
		old = *m
	}
	if len(old) >= routerMax {
		return
	}
	m := make(map[string]types.TableName, len(old)+1)
	for k, v := range old {
		m[k] = v
	}
	m[key] = t
	r.known.Store(&m)
}

var (
	telemetryBytes = []byte(telemetryPrefix)
	genericBytes   = []byte(genericPrefix)
	slash          = []byte{'/'}
)

// routeKey returns "namespace/type" as a part of path, or nil for a path that ParseURI refuses. In the telemetry shape,
// where the namespace is not beside the type, it is "/type"; no generic path gives that, for an empty namespace has no table.
func routeKey(path []byte) []byte {
	rest, telemetry := bytes.CutPrefix(path, telemetryBytes)
	if !telemetry {
		var ok bool
		if rest, ok = bytes.CutPrefix(path, genericBytes); !ok {
			return nil
		}
	}
	rest = bytes.TrimRight(rest, "/")
	n := bytes.Count(rest, slash) + 1
	if telemetry {
		first := bytes.IndexByte(rest, '/')
		if n != telemetryElements || !IsUUID(rest[:first]) {
			return nil
		}
		docType := rest[first+1:]
		docType = docType[:bytes.IndexByte(docType, '/')]
		return rest[first : first+1+len(docType)]
	}
	last := bytes.LastIndexByte(rest, '/')
	if n != genericElements || !IsUUID(rest[last+1:]) {
		return nil
	}
	first := bytes.IndexByte(rest, '/')
	if first == 0 {
		return nil
	}
	second := first + 1 + bytes.IndexByte(rest[first+1:], '/')
	return rest[:second]
}

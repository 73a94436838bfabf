package ingest

import (
	"bytes"

	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// NewDecoder returns the decoder of submission records.
func NewDecoder(env storage.DecodeEnv, o DecodeOptions) storage.Decoder {
	return &decoder{env: env, o: o, rules: o.rules(), ids: newColumnIDs(env.Paths)}
}

type decoder struct {
	env    storage.DecodeEnv
	o      DecodeOptions
	rules  *shred.Rules
	ids    *columnIDs
	router ping.Router
}

// Route implements storage.Decoder.
func (d *decoder) Route(payload []byte) types.TableName { return d.router.Route(payload) }

// NewWorker implements storage.Decoder.
func (d *decoder) NewWorker() storage.DecodeWorker {
	w := &worker{d: d, ids: d.ids, shredder: shred.New(d.env.Paths, d.rules), names: map[string]columnName{},
		inflater: inflater{max: d.o.inflatedMax()}}
	w.top = w.columnOf
	return w
}

// worker decodes one record at a time.
type worker struct {
	d        *decoder
	ids      *columnIDs
	shredder *shred.Shredder
	inflater inflater
	top      func(member string) (uint32, bool)

	table types.TableName // of the record being decoded
	rec   ping.Record
	uri   ping.URI
	names map[string]columnName
}

// columnName is the column that a top-level member wants; the zero value for none.
type columnName struct {
	name string
	id   uint32 // 0 until the store has granted it
}

// namesMax bounds the member names remembered; beyond it a worker starts anew.
const namesMax = 20_000

// failure is why a record has no row of its own: what its error row says.
type failure struct {
	stage   string // error_type
	class   string // exception_class
	message string
}

// The stages of decoding, as error_type names them.
const (
	stageRecord  = "ParseRecord"
	stageURI     = "ParseUri"
	stageSize    = "LimitPayloadSize"
	stagePayload = "ParsePayload"
	stageTable   = "AssignTable"
)

// Decode implements storage.DecodeWorker.
func (w *worker) Decode(payload []byte, lsn uint64, out *storage.Decoded) {
	w.uri = ping.URI{}
	f := w.decode(payload, out)
	out.Partition = days(w.rec.Time)
	if f == nil {
		w.envelope(lsn, &out.Row)
		return
	}
	out.Row.Reset()
	out.Key = out.Key[:0]
	out.Table = ping.ErrorsTable
	w.errorRow(f, payload, lsn, &out.Row)
}

// decode fills out but for the envelope's columns. In the order of ingestion.md 9.
func (w *worker) decode(payload []byte, out *storage.Decoded) *failure {
	if err := ping.DecodeRecord(payload, &w.rec); err != nil {
		return &failure{stageRecord, "RecordException", err.Error()}
	}
	uri, err := ping.ParseURI(string(w.rec.Path))
	if err != nil {
		return uriFailure(err)
	}
	w.uri = uri
	if out.Table, err = ping.Table(uri.Namespace, uri.DocType); err != nil {
		return uriFailure(err)
	}
	if w.d.env.Admit != nil {
		if err := w.d.env.Admit(out.Table); err != nil {
			return &failure{stageTable, "TableException", err.Error()}
		}
	}
	doc, cause, err := w.inflater.inflate(w.rec.Body)
	if err != nil {
		return &failure{stageSize, "PayloadTooLargeException", err.Error()}
	}
	w.table = out.Table
	w.shredder.Use(out.Table)
	if err := w.shredder.Document(doc, &out.Row, w.top); err != nil {
		msg := err.Error()
		if cause != nil {
			msg = "body begins as gzip and cannot be inflated: " + cause.Error()
		}
		return &failure{stagePayload, "InvalidJSONException", msg}
	}
	out.Key = appendKey(out.Key[:0], out.Table, uri.DocID)
	return nil
}

func uriFailure(err error) *failure {
	if e, ok := err.(*ping.URIError); ok {
		return &failure{stageURI, e.Class, e.Msg}
	}
	return &failure{stageURI, ping.ClassInvalidURI, err.Error()}
}

// appendKey appends the deduplication key: namespace, type, document id in lower case. The first two are the table's
// names, so that spellings of one table share its ids.
func appendKey(dst []byte, t types.TableName, docID string) []byte {
	dst = append(append(dst, t.Schema...), 0)
	dst = append(append(dst, t.Name...), 0)
	return append(dst, bytes.ToLower([]byte(docID))...)
}

// columnOf returns the column of a top-level member. A path is interned only for a column that the store has granted, so
// that made-up members leave nothing behind.
func (w *worker) columnOf(member string) (id uint32, ok bool) {
	c, known := w.names[member]
	if !known {
		if name := ping.Name(member); name != "" && len(name) <= ping.NameMax && !serverColumns[name] {
			c.name = name
		}
		w.remember(member, c)
	}
	if c.name == "" || !w.d.env.ColumnFor(w.table, member, c.name) {
		return 0, false
	}
	if c.id == 0 {
		c.id = w.d.env.Paths.Intern(types.Path(c.name))
		w.remember(member, c)
	}
	return c.id, true
}

func (w *worker) remember(member string, c columnName) {
	if len(w.names) >= namesMax {
		clear(w.names)
	}
	w.names[member] = c
}

// serverColumns are the names that no member may take.
var serverColumns = func() map[string]bool {
	m := map[string]bool{}
	for _, c := range types.PingColumns {
		m[c.Name] = true
	}
	return m
}()

// Duplicate implements storage.DecodeWorker.
func (w *worker) Duplicate(payload []byte, lsn, first uint64, row *column.RowBuf) {
	w.uri = ping.URI{}
	if ping.DecodeRecord(payload, &w.rec) == nil {
		if uri, err := ping.ParseURI(string(w.rec.Path)); err == nil {
			w.uri = uri
		}
	}
	w.duplicateRow(lsn, first, row)
}

const microsPerDay = 24 * 60 * 60 * 1_000_000

// days returns the UTC day of a time in microseconds.
func days(micros int64) int64 {
	d := micros / microsPerDay
	if micros%microsPerDay < 0 {
		d--
	}
	return d
}

package ingest

import (
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// errorRow fills row with the telemdb.errors row of the current record: everything that is known of it but the client's
// address.
func (w *worker) errorRow(f *failure, payload []byte, lsn uint64, row *column.RowBuf) {
	ids, r := w.ids, &w.rec
	w.systemRow(lsn, row)
	if v := w.uri.DocVersion; v != "" {
		row.Text(ids.documentVersion, clean(v))
	}
	row.Text(ids.errorType, f.stage)
	row.Text(ids.errorMessage, clean(ping.Cut(f.class+": "+f.message)))
	row.Text(ids.exceptionClass, f.class)
	if f.stage == stageRecord {
		row.Bytes(ids.payload, types.LeafText, payload)
		return
	}
	row.Text(ids.args, clean(string(r.Query)))
	row.Text(ids.method, r.Method.String())
	row.Text(ids.protocol, clean(string(r.Protocol)))
	for _, h := range errorHeaders {
		if v := r.Headers[h]; v != nil {
			row.Text(ids.errorHeader[h], clean(string(v)))
		}
	}
	row.Bytes(ids.payload, types.LeafText, r.Body)
}

// duplicateRow fills row with the telemdb.duplicates row of the current record.
func (w *worker) duplicateRow(lsn, first uint64, row *column.RowBuf) {
	w.systemRow(lsn, row)
	row.Int(w.ids.firstLSN, int64(first))
}

// systemRow adds what error rows and duplicate rows share.
func (w *worker) systemRow(lsn uint64, row *column.RowBuf) {
	ids, r, u := w.ids, &w.rec, &w.uri
	row.Int(ids.time, r.Time)
	row.Int(ids.date, days(r.Time))
	row.Int(ids.lsn, int64(lsn))
	if u.DocID != "" {
		row.Text(ids.namespace, clean(u.Namespace))
		row.Text(ids.documentType, clean(u.DocType))
		row.Text(ids.documentID, u.DocID)
	}
	row.Text(ids.uri, clean(string(r.Path)))
}

package ingest

import (
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/storage/types"
)

// SystemTables returns the schemas of telemdb.errors and telemdb.duplicates, without ids.
func SystemTables() []*types.Table {
	text := types.Of(types.Text)
	errors := &types.Table{
		Schema: ping.ErrorsTable.Schema, Name: ping.ErrorsTable.Name, Kind: types.TableErrors,
		SortKey: []string{"document_namespace", "document_type", "submission_timestamp"}, PartitionBy: "submission_date",
		Columns: []types.Column{
			{Name: "submission_timestamp", Type: types.Of(types.Timestamptz)},
			{Name: "submission_date", Type: types.Of(types.Date)},
			{Name: "document_namespace", Type: text},
			{Name: "document_type", Type: text},
			{Name: "document_version", Type: text},
			{Name: "document_id", Type: text},
			{Name: "error_type", Type: text},
			{Name: "error_message", Type: text},
			{Name: "exception_class", Type: text},
			{Name: "uri", Type: text},
			{Name: "args", Type: text},
			{Name: "method", Type: text},
			{Name: "protocol", Type: text},
		},
	}
	for _, h := range errorHeaders {
		errors.Columns = append(errors.Columns, types.Column{Name: ping.HeaderNames[h], Type: text})
	}
	errors.Columns = append(errors.Columns,
		types.Column{Name: "payload", Type: types.Of(types.Bytea)},
		types.Column{Name: types.ColLSN, Type: types.Of(types.Int64), Hidden: true})
	duplicates := &types.Table{
		Schema: ping.DuplicatesTable.Schema, Name: ping.DuplicatesTable.Name, Kind: types.TableErrors,
		SortKey: []string{"document_namespace", "document_type", "submission_timestamp"}, PartitionBy: "submission_date",
		Columns: []types.Column{
			{Name: "submission_timestamp", Type: types.Of(types.Timestamptz)},
			{Name: "submission_date", Type: types.Of(types.Date)},
			{Name: "document_namespace", Type: text},
			{Name: "document_type", Type: text},
			{Name: "document_id", Type: text},
			{Name: "first_lsn", Type: types.Of(types.Int64)},
			{Name: "uri", Type: text},
			{Name: types.ColLSN, Type: types.Of(types.Int64), Hidden: true},
		},
	}
	return []*types.Table{errors, duplicates}
}

// errorHeaders are the request headers an error row keeps: all but the client's address.
var errorHeaders = []ping.Header{
	ping.HeaderHost, ping.HeaderContentLength, ping.HeaderDate, ping.HeaderDNT, ping.HeaderUserAgent, ping.HeaderXPingsenderVersion,
	ping.HeaderXPipelineProxy, ping.HeaderXDebugID, ping.HeaderXTelemetryAgent, ping.HeaderXSourceTags, ping.HeaderXFoxsecIPReputation,
	ping.HeaderXLBTags,
}

// metadataHeaders are the request headers that metadata.header of a ping's row keeps (ingestion.md 15).
var metadataHeaders = []ping.Header{
	ping.HeaderDate, ping.HeaderDNT, ping.HeaderXDebugID, ping.HeaderXFoxsecIPReputation, ping.HeaderXLBTags,
	ping.HeaderXPingsenderVersion, ping.HeaderXSourceTags, ping.HeaderXTelemetryAgent,
}

// Package ingest takes pings in by HTTP and turns the log's records into rows.
//
// # The way of a ping
//
// Handler (handler.go) checks what can be checked without the body, reads the body as it is and gives both to a Sink,
// which answers when they are on disk. Nothing is inflated or parsed on that path. Later, and again after a crash or on
// a replay, a worker of the decoder (decoder.go) turns the record into one row: of the ping's table, or of
// telemdb.errors with the reason. The decoder is a pure function of the record and its LSN.
//
// Sub-packages: ping knows the envelope (URI, headers, record encoding, normalised names), shred the document (JSON to
// typed columns and back).
//
// # Deliberate deviations
//
// Go's net/http answers two kinds of request by itself, before a handler runs: header values with control bytes
// (0x00-0x08, 0x0A-0x1F, 0x7F) and malformed request lines or percent escapes, both with 400. The reference edge keeps
// such headers. No known client sends them.
//
// A refusal that can pass (overload, lag, shutdown, a sync that takes too long) is 503 and a full disk 507, never a 4xx:
// clients drop a ping for ever on any 4xx.
package ingest

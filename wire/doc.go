// Package wire speaks PostgreSQL's frontend/backend protocol 3.0 over sessions (sql/session).
//
// # The life of a connection
//
// Server.Serve accepts; serveConn (conn.go) is the connection's one goroutine, from the first byte to the last:
//
//	start-up    startup.go    SSLRequest, GSSENCRequest, CancelRequest, version, parameters; at most 10,000 bytes are read
//	                          and AuthTimeout is spent before a client is known; nothing larger than that is allocated
//	session     conn.go       Open, ParameterStatus, BackendKeyData, ReadyForQuery
//	messages    simple.go     Query: all statements of a string are one implicit transaction
//	            extended.go   Parse, Bind, Describe, Execute, Close, Sync; portal.go holds what Bind made
//	            copy.go       the framing of COPY
//	the end     conn.go       Terminate, a gone client, shutdown, a protocol violation, or a panic (logged once, XX000)
//
// Beside it a second goroutine, owned by the first, does nothing but read (inbox.go). It keeps reading while a statement
// runs, up to a bound in bytes, and so notices within moments that a client is gone, and lets a client send a pipeline
// without reading the answers in between. Beyond the bound both sides wait for each other until WriteTimeout ends it.
//
// # Results
//
// Rows go from a batch to the socket through one buffer of about 64 KiB (outbox.go, wire/encode): a result is never held,
// a client that reads slowly makes its own statement wait, and one that takes nothing for WriteTimeout is cut off.
//
// # What is different from PostgreSQL
//
// No TLS and no passwords yet: a client from another machine is refused unless Options.AllowRemote is set. A client whose
// sending side closes is gone: its statement is cancelled, also if it could still read. Function calls by message 'F'
// are refused. Protocol 3.2 is negotiated down to 3.0, so cancel keys have four bytes.
//
// # Where to look when it breaks
//
// testdata/*.pgtest are conversations, message by message; add the one that fails. pgproto3 encodes what we send and
// decodes what we read, except for framing, start-up and rows, which are here. Two of its decoders panic on broken input
// (Bind, FunctionCall): decode.go checks before it calls them.
package wire

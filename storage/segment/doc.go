// Package segment writes and reads the immutable files that hold sealed rows. FORMAT.md describes the bytes.
//
// # Files
//
//	writer.go gather.go rest_writer.go   a segment is written row group by row group, column by column
//	directory.go footer.go               what is where: parsed and verified when a segment is opened
//	reader.go chunk_column.go rest_column.go   row groups and columns, as storage/column has them
//	cache.go arena_*.go                  verified bytes, outside the Go heap
//	check.go                             every checksum and every invariant
//
// # Ownership
//
// A Writer belongs to one goroutine. A Reader, its groups and columns may be used by several at once, until Close; a
// cache is shared by all readers. Bytes of the cache are pinned while a column decodes them, and vectors never refer to
// them.
//
// # Where to start
//
// A wrong value: Reader.Check finds what the file itself contradicts, storage/inspect prints the file. A CorruptError
// names file, offset and section.
package segment

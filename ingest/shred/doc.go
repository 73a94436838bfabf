// Package shred turns JSON documents into typed columns and back: a document becomes the leaves of a column.RowBuf
// (Shredder), the columns of a row group become jsonb text again (Assemble, Extract, DocumentValue), and the functions
// on jsonb text that both need stand beside them (AppendJSONB, JSONBGet, JSONBContains …).
//
// # The parser
//
// One pass over the bytes, no tree, no recursion: an explicit stack of open objects, whose depth is capped. Members are
// nodes of a trie, one trie for each table and worker. Each node remembers which member followed it last time, so that
// in a stream of similar documents a key costs one comparison of bytes and no hashing (shapes, node.go). Histograms have
// a parser of their own (histogram.go), because three quarters of a main ping's bytes are inside of them.
//
// # What becomes a path
//
// A member of an object is a path of its own, unless the object is a keyed map: one whose keys are data (rules.go). A
// keyed map, an array, {} and null are one LeafJSON value. So a path never stands for a bucket, an add-on or a statement.
// A member that looks like a new path beyond the caps turns its enclosing object into one LeafJSON value. The reader
// does not care: it looks for a member at its own path and inside the LeafJSON values of the paths above.
//
// # Exact numbers
//
// jsonb keeps a number's decimal digits and scale. LeafInt and LeafFloat hold what prints back the same; where only the
// scale differs (1.10) the text stands under LeafJSON beside the typed value; where no type holds the value (1e400,
// 30 digits) the text stands alone (number.go).
package shred

// Package ping knows what a submission is before its document is read: the two shapes of submission URI, the record that
// the log keeps of a request (FORMAT.md), the table a record belongs to, and the rules that turn a client's names into
// normalised ones.
//
// Nothing here looks into a body. Nothing here fails on hostile input: a bad URI is a value of type *URIError, a bad
// record is ErrRecord.
package ping

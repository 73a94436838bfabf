// Package inspect prints annotated dumps of the store's files, one function for each file kind: for telemdb inspect and
// for goldens in tests. A dump goes on past what cannot be read and says so. Nothing is ever changed.
//
// The files of a log, and segments once they have their name, can be looked at while a server works on the directory.
// The catalog cannot: Pebble locks it, and without it a data directory has no summary either.
package inspect

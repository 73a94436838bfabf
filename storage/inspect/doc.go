// Package inspect prints annotated dumps of the store's files, one function for each file kind: for telemdb inspect and
// for goldens in tests. A dump shows every byte range with its meaning and goes on past what cannot be read.
package inspect

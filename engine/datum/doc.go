// Package datum gives single values of each SQL type their PostgreSQL 15 meaning: text and binary forms, order,
// grouping keys, arrays, and the arithmetic of numerics, dates and intervals. Values live in vec.Vectors (storage/types
// tells how each kind is held); nothing here boxes one.
//
// Files: typetable.go (oids), format.go and text*.go (text forms), binary.go (wire form), compare.go and key.go (order and
// equality), array.go, numeric*.go, date*.go, interval*.go, zone.go, tochar*.go.
//
// All errors a value can cause are *sqlstate.Error with PostgreSQL's code and wording.
package datum

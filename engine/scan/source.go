// Package scan is THE loop: it reads the row groups of one table at one moment, prunes, filters on the encoded form,
// and hands on batches of what survived, only in the columns asked for.
package scan

import "github.com/telemdb/telemdb/storage/column"

// What a scan reads from. The interfaces stand in storage/column, where both sides meet.
type (
	// Source is one table at one moment.
	Source = column.Source
	// Morsel is one of its row groups.
	Morsel = column.Morsel
)

// Package rollups keeps the telemetry aggregates: every histogram and numeric scalar of every main ping, summed over the
// dimensions of its ping, continuously.
//
// # Layers
//
//	dims.go        which pings count, and their dimensions: one tuple a ping
//	extract.go     the columns that hold probes, by the reference aggregator's rules
//	loose.go       probes that no column holds: those in arrays and in objects that storage keeps whole
//	aggregator.go  columns → contributions, one (metric, process) at a time (contributions.go, keyed.go, accept.go)
//	states.go      contributions → groups of states, sorted by key: what a seal writes as one small segment
//	merge.go       groups of states → one sorted stream with equal keys added: segment merges and reads share it
//	aggregates.go  the storage.Rollup that ties them together, and the state table's schema
//	read.go        states plus the head's rows → the rows of rollups.histograms
//
// # Why states and not counters
//
// A seal of some thousand main pings touches 10^5 to 10^6 cells. Written as sorted columns their keys nearly vanish;
// written as one key-value update each they would cost more CPU than decoding the pings. So a roll-up is a table of
// states: Build makes a few thousand rows per metric, Merge adds equal keys, and a read groups what is left.
//
// # What keeps it equal to the raw rows
//
// Build is a pure function of rows, Merge is associative and commutative (fractions of sums are whole multiples of a
// power of two, so that adding them is exact too), and the states of a seal are published by the batch that publishes
// its rows. The states of deleted rows are published by the batch that publishes the delete, as states to be subtracted: all
// numbers in a state are sums, so that what is left is the states of the rows that are left. (A sum that ever reached the
// largest int64 stays there.) Reading adds Build of the head's rows. Nothing else changes a state.
package rollups

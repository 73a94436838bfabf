// Package storage is the Store: the log, the heads, the segments and the one catalog that make a data directory, and the
// rules by which they agree.
//
// # Layers
//
//	store.go, open.go      the Store: its locks, its one publication, its life
//	pipeline.go, apply.go  synced log records -> decoded in parallel -> applied in the order of LSNs
//	lane.go, head          what is not sealed, by the route it came; queryable while it grows
//	seal.go, compact       rows -> segments and roll-up states, published by one batch
//	merge.go, compact      small segments -> larger ones, states added up
//	version.go             the published segments, pinned by readers
//	snapshot.go            one moment: segments and heads
//	catalog.go, ddl.go     schemas, tables, views, and the columns that documents claim
//	moment.go, lease.go    one state of a store as files; lending it to readers in other processes (readonly.go)
//	backup.go, restore.go  copying it
//	insert.go, rowrecord.go  rows of ordinary tables
//	background.go, jobs    when all that runs by itself
//	check.go, stats.go     what an operator asks
//
// # The life of a submission
//
// Submit appends it to the log and returns when it is synced: that is the acknowledgement. The reader of the pipeline
// takes it, a decoder makes a row of it, the applier, in the order of LSNs, decides whether it is the first of its key,
// adds the row to its lane and shows it. A seal takes the whole lane and publishes it with one batch: segments, states
// of roll-ups, document keys, new columns, counters, and the mark up to which recovery need not look at the log again.
// A crash anywhere finds that batch or does not.
//
// # Invariants
//
//   - A record is in exactly one place for every reader: in a head, or in segments; install changes that under Store.mu.
//   - All records of a lane up to its mark are sealed, and none above it is. The log's mark is the least of what any lane
//     still needs.
//   - Everything that must agree is in one batch. There is no second place that remembers.
//   - A file is named by the manifest only when it is synced, and removed only when neither the manifest nor a pinned
//     version names it.
//
// # Where to start
//
// A wrong answer: Check. A stuck seal: Jobs, then the log. Something visible too late: Lag, then the applier.
package storage

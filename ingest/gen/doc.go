// Package gen makes pings like those of a real population of desktop browsers, deterministically by a seed. It is the
// client side of ingest, for `telemdb gen`, `telemdb demo`, load tests and tests: no file is read, and no client, person
// or probe in it exists.
//
// What is meant to be real is the shape: sizes, how well the bodies compress, how many histograms of which kinds and
// layouts, how skewed versions, builds and systems are, which documents come twice, late or broken. A body is rendered by
// appending prepared pieces, so that a load test measures the server and not this package.
//
// The way: Next picks a client and moves it one subsession on (client.go), which gives a draft: everything that the
// document depends on. A draft renders to the same bytes every time, which is how duplicates are made without keeping
// bodies. Traits of a client come from its own seed and never change (population.go); the registry of probes is the same
// for every seed (registry.go), so that a query about a probe makes sense against any generated data.
package gen

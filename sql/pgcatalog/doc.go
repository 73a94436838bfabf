// Package pgcatalog makes what PostgreSQL's tools look for: the schemas pg_catalog and information_schema, and the
// functions their queries call.
//
// relations.txt lists every relation with its columns; a relation is filled by the function that fillers names for it, or
// has no rows because there is nothing of its kind here (triggers, indexes, extensions …). Names that telemdb cannot
// answer truthfully are absent, so that a client gets 42P01 or 42883 and goes another way.
//
// Files: relation.go and writer.go (columns and rows), world.go (the objects of a snapshot), fill*.go (rows), reg.go
// (names and oids), func*.go (functions).
//
// Rows that depend on the snapshot's schema only are made once per version of it and shared by all sessions: psql and
// JDBC join these tables with themselves a lot. What depends on the session, or on data, is made for each scan.
package pgcatalog

// Package sqltest asks a database in memory, over the wire, what PostgreSQL 15 was asked, and compares the answers: result
// text, column types, command tags, SQLSTATEs, error texts and positions. It has tests only; they are the statement of how
// far the dialect goes.
//
// The answers in testdata were recorded from PostgreSQL 15 (initdb --locale=C.UTF-8, timezone UTC). With
// TELEMDB_PG_URL naming one, the tests run against it instead of telemdb, and go test -rewrite records:
//
//	TELEMDB_PG_URL=postgres://me@localhost/scratch go test ./sql/sqltest -rewrite
//
// The tests drop and make their tables (schema public) in that database, so it should be one of their own.
package sqltest

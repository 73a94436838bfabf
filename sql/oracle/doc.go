// Package oracle asks random queries over random tables and knows what is wrong with an answer without knowing the answer.
// It has tests only. A seed is a query; fifty seeds share a world, which is three tables with data, partly in segments,
// partly in the head, some rows deleted. Each query is judged by:
//
//   - ternary logic partitioning (Rigger and Su, "Finding Bugs in Database Systems via Query Partitioning", OOPSLA 2020):
//     for any predicate p, the rows where p holds, where it does not and where it is NULL are together all rows; counts,
//     sums, minima and maxima add up alike;
//   - the same statement run otherwise: without the optimiser's rules, one batch a row, one thread, all spilled, all hashes
//     equal, nothing fused, no SIMD;
//   - PostgreSQL 15, where TELEMDB_TEST_POSTGRES or TELEMDB_PG_URL names a database of its own (encoding UTF8, collation C,
//     character type C.UTF-8, timezone UTC): rows, column types and classes of errors;
//   - DuckDB, where TELEMDB_ORACLE_DUCKDB is the path of a binary of bench/peers/duckdb: rows of what it can run.
//
// Floats are compared to the last bit, but for sums of them where the order of additions is not the same (mode.cuts, other
// engines), which may be 1e-9 apart. What else may differ is said where it is let through: known, canonical, compareDuck.
//
// go test plays 100 seeds, .ci/run 2,000. The long run, and one seed alone with its query shrunk:
//
//	TELEMDB_SEEDS=100000 go test -timeout 24h -run Random -v ./sql/oracle
//	TELEMDB_SEED=4711 go test -run Random -v ./sql/oracle
package oracle

// Package builtin is the registry of functions, operators, casts and aggregates, with PostgreSQL 15's names, signatures
// and results. The binder resolves calls against it; the evaluator runs the Eval functions found here.
//
// Every Eval works on whole vectors. Comparison and arithmetic on numbers are leaf loops over slices (compareloops.go,
// arithloops.go); what costs more than a call per row anyway goes through a row function (rows.go).
//
// Files: registry.go, rows.go; cast*.go; compare*.go; arith*.go, math.go; text*.go, like.go, regexp.go, format.go;
// datetime*.go; jsonb*.go; array.go; histogram.go; system.go; tablefuncs.go; aggregates.go; procoid.go (the oids of
// pg_proc). A function whose result depends on the session is Stable and asks expr.Ctx.
package builtin

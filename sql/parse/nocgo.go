//go:build !cgo

package parse

// The SQL parser is PostgreSQL's own, in C. The name of the undefined constant below is the message a build without cgo
// stops with.
var _ = telemdb_needs_a_C_compiler__install_gcc_or_clang_and_build_with_CGO_ENABLED_1

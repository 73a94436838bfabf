package flat

import "github.com/telemdb/telemdb/bench/workload"

// The types of a column in the engines. Each has its best: ClickHouse its dictionaries for dimensions and Nullable only
// where there are NULLs; DuckDB and ClickHouse their 16-byte type for client_id, which is text in ping tables (telemdb
// packs texts of that shape itself).

func of(name, telemdb, duck, click string) workload.Column {
	return workload.Column{Name: name, Telemdb: telemdb, Postgres: telemdb, DuckDB: duck, ClickHouse: click}
}

func date(name string) workload.Column { return of(name, "date NOT NULL", "DATE NOT NULL", "Date") }
func dim(name string) workload.Column {
	return of(name, "text NOT NULL", "VARCHAR NOT NULL", "LowCardinality(String)")
}
func dimNull(name string) workload.Column {
	return of(name, "text", "VARCHAR", "LowCardinality(Nullable(String))")
}
func small(name string) workload.Column {
	return of(name, "smallint NOT NULL", "SMALLINT NOT NULL", "Int16")
}
func integer(name string) workload.Column {
	return of(name, "integer NOT NULL", "INTEGER NOT NULL", "Int32")
}
func integerNull(name string) workload.Column {
	return of(name, "integer", "INTEGER", "Nullable(Int32)")
}
func big(name string) workload.Column {
	return of(name, "bigint NOT NULL", "BIGINT NOT NULL", "Int64")
}
func double(name string) workload.Column {
	return of(name, "double precision NOT NULL", "DOUBLE NOT NULL", "Float64")
}
func doubleNull(name string) workload.Column {
	return of(name, "double precision", "DOUBLE", "Nullable(Float64)")
}
func boolean(name string) workload.Column {
	return of(name, "boolean NOT NULL", "BOOLEAN NOT NULL", "Bool")
}
func booleanNull(name string) workload.Column {
	return of(name, "boolean", "BOOLEAN", "Nullable(Bool)")
}
func moment(name string) workload.Column {
	return of(name, "timestamp NOT NULL", "TIMESTAMP NOT NULL", "DateTime64(6, 'UTC')")
}

// columns are in the order of appendRow.
var columns = []workload.Column{
	date("submission_date"),
	moment("submission_timestamp"),
	of("client_id", "uuid NOT NULL", "UUID NOT NULL", "UUID"),
	small("sample_id"),
	dim("channel"),
	dim("app_version"),
	dim("app_build_id"),
	dim("os"),
	dim("os_version"),
	dim("country"),
	dimNull("city"),
	dim("locale"),
	dimNull("search_engine"),
	dimNull("experiment_branch"),
	boolean("e10s_enabled"),
	booleanNull("is_default_browser"),
	boolean("fxa_configured"),
	booleanNull("addons_disabled"),
	small("cpu_count"),
	integer("memory_mb"),
	small("timezone_offset"),
	of("profile_created", "date", "DATE", "Nullable(Date32)"),
	of("session_start", "timestamp NOT NULL", "TIMESTAMP NOT NULL", "DateTime('UTC')"),
	integer("subsession_counter"),
	integer("subsession_length"),
	integer("active_ticks"),
	double("active_hours"),
	integerNull("uri_count"),
	integerNull("unique_domains"),
	integer("tab_open_count"),
	integer("window_open_count"),
	integer("tabs_max"),
	integer("search_count"),
	integerNull("ad_clicks"),
	integer("crashes_content"),
	integerNull("crashes_plugin"),
	integerNull("bookmarks"),
	big("trackers_blocked"),
	big("heap_bytes"),
	doubleNull("first_paint_ms"),
	doubleNull("session_restored_ms"),
	doubleNull("gc_ms_mean"),
	doubleNull("scroll_percent"),
	dimNull("top_addon"),
	of("top_site", "text", "VARCHAR", "Nullable(String)"),
}

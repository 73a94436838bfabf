package session

import "strings"

// settingTable lists the run-time parameters PostgreSQL's clients set and show. Those without a meaning here are kept
// and shown, as a client expects.
var settingTable = []setting{
	{name: "application_name", typ: "string", reported: true, desc: "Sets the application name to be reported in statistics and logs."},
	{name: "backslash_quote", initial: "safe_encoding", typ: "enum", desc: "Sets whether \"\\'\" is allowed in string literals."},
	{name: "bytea_output", initial: "hex", typ: "enum", check: checkEnum("hex", "escape"), desc: "Sets the output format for bytea."},
	{name: "check_function_bodies", initial: "on", typ: "bool", check: checkBool, desc: "Check routine bodies during CREATE FUNCTION."},
	{name: "client_encoding", initial: "UTF8", typ: "string", reported: true, check: checkEncoding, desc: "Sets the client's character set encoding."},
	{name: "client_min_messages", initial: "notice", typ: "enum", desc: "Sets the message levels that are sent to the client.",
		check: checkEnum("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error")},
	{name: "DateStyle", initial: "ISO, MDY", typ: "string", reported: true, check: checkDateStyle, desc: "Sets the display format for date and time values."},
	{name: "default_table_access_method", initial: "heap", typ: "string", desc: "Sets the default table access method for new tables."},
	{name: "default_tablespace", typ: "string", desc: "Sets the default tablespace to create tables and indexes in."},
	{name: "default_transaction_deferrable", initial: "off", typ: "bool", check: checkBool, desc: "Sets the default deferrable status of new transactions."},
	{name: "default_transaction_isolation", initial: "repeatable read", typ: "enum", check: checkIsolation, desc: "Sets the transaction isolation level of each new transaction."},
	{name: "default_transaction_read_only", initial: "off", typ: "bool", reported: true, check: checkBool, desc: "Sets the default read-only status of new transactions."},
	{name: "enable_hashjoin", initial: "on", typ: "bool", check: checkBool, desc: "Accepted for compatibility."},
	{name: "enable_indexscan", initial: "on", typ: "bool", check: checkBool, desc: "Accepted for compatibility."},
	{name: "enable_mergejoin", initial: "on", typ: "bool", check: checkBool, desc: "Accepted for compatibility."},
	{name: "enable_nestloop", initial: "on", typ: "bool", check: checkBool, desc: "Accepted for compatibility."},
	{name: "enable_seqscan", initial: "on", typ: "bool", check: checkBool, desc: "Accepted for compatibility."},
	{name: "escape_string_warning", initial: "on", typ: "bool", check: checkBool, desc: "Warn about backslash escapes in ordinary string literals."},
	{name: "extra_float_digits", initial: "1", typ: "integer", check: checkInt(-15, 3), desc: "Sets the number of digits displayed for floating-point values."},
	{name: "force_parallel_mode", initial: "off", typ: "string", desc: "Accepted for compatibility."},
	{name: "idle_in_transaction_session_timeout", initial: "0", typ: "integer", unit: "ms", check: checkTime, desc: "Sets the maximum allowed idle time between queries, when in a transaction."},
	{name: "idle_session_timeout", initial: "0", typ: "integer", unit: "ms", check: checkTime, desc: "Sets the maximum allowed idle time between queries, when not in a transaction."},
	{name: "in_hot_standby", initial: "off", typ: "bool", reported: true, readonly: true, desc: "Shows whether hot standby is currently active."},
	{name: "integer_datetimes", initial: "on", typ: "bool", reported: true, readonly: true, desc: "Shows whether datetimes are integer based."},
	{name: "IntervalStyle", initial: "postgres", typ: "enum", reported: true, desc: "Sets the display format for interval values.",
		check: checkEnum("postgres", "postgres_verbose", "sql_standard", "iso_8601")},
	{name: "is_superuser", initial: "on", typ: "bool", reported: true, readonly: true, desc: "Shows whether the current user is a superuser."},
	{name: "jit", initial: "off", typ: "bool", check: checkBool, desc: "Accepted for compatibility."},
	{name: "lc_collate", initial: "C", typ: "string", readonly: true, desc: "Shows the collation order locale."},
	{name: "lc_ctype", initial: "C.UTF-8", typ: "string", readonly: true, desc: "Shows the character classification and case conversion locale."},
	{name: "lc_messages", initial: "C", typ: "string", desc: "Sets the language in which messages are displayed."},
	{name: "lc_monetary", initial: "C", typ: "string", desc: "Sets the locale for formatting monetary amounts."},
	{name: "lc_numeric", initial: "C", typ: "string", desc: "Sets the locale for formatting numbers."},
	{name: "lc_time", initial: "C", typ: "string", desc: "Sets the locale for formatting date and time values."},
	{name: "lock_timeout", initial: "0", typ: "integer", unit: "ms", check: checkTime, desc: "Sets the maximum allowed duration of any wait for a lock."},
	{name: "max_identifier_length", initial: "63", typ: "integer", readonly: true, desc: "Shows the maximum identifier length."},
	{name: "max_index_keys", initial: "32", typ: "integer", readonly: true, desc: "Shows the maximum number of index keys."},
	{name: "max_parallel_workers_per_gather", initial: "2", typ: "integer", check: checkInt(0, 1024), desc: "Accepted for compatibility."},
	{name: "password_encryption", initial: "scram-sha-256", typ: "enum", desc: "Chooses the algorithm for encrypting passwords."},
	{name: "query_memory", initial: "0", typ: "integer", unit: "B", check: checkQueryMemory, desc: "Memory a query may use before it goes on with the help of the disk; 0, and whatever is more, is what the server was started with."},
	{name: "quote_all_identifiers", initial: "off", typ: "bool", check: checkBool, desc: "When generating SQL fragments, quote all identifiers."},
	{name: "role", initial: "none", typ: "string", desc: "Sets the current role."},
	{name: "row_security", initial: "on", typ: "bool", check: checkBool, desc: "Enable row security."},
	{name: "search_path", initial: `"$user", public, telemetry`, typ: "string", desc: "Sets the schema search order for names that are not schema-qualified."},
	{name: "server_encoding", initial: "UTF8", typ: "string", reported: true, readonly: true, desc: "Shows the server (database) character set encoding."},
	{name: "server_version", initial: "15.0 (telemdb)", typ: "string", reported: true, readonly: true, desc: "Shows the server version."},
	{name: "server_version_num", initial: "150000", typ: "integer", readonly: true, desc: "Shows the server version as an integer."},
	{name: "session_authorization", typ: "string", reported: true, readonly: true, desc: "Sets the session user name."},
	{name: "skip_corrupt", initial: "off", typ: "bool", check: checkBool, desc: "Leaves out rows that cannot be read because the data on disk is corrupt, with a warning."},
	{name: "standard_conforming_strings", initial: "on", typ: "bool", reported: true, desc: "Causes '...' strings to treat backslashes literally.",
		check: checkEnum("on")},
	{name: "statement_timeout", initial: "0", typ: "integer", unit: "ms", check: checkTime, desc: "Sets the maximum allowed duration of any statement."},
	{name: "synchronize_seqscans", initial: "on", typ: "bool", check: checkBool, desc: "Accepted for compatibility."},
	{name: "synchronous_commit", initial: "on", typ: "enum", desc: "Accepted for compatibility: every commit is synchronous.",
		check: checkEnum("on", "off", "local", "remote_write", "remote_apply")},
	{name: "telemdb.batch_rows", initial: "0", typ: "integer", check: checkInt(0, 4096), desc: "For tests: most rows of a batch that a scan puts out; 0 is what is best."},
	{name: "telemdb.force_spill", initial: "off", typ: "bool", check: checkBool, desc: "For tests: operators spill as if they had no memory."},
	{name: "telemdb.fused", initial: "on", typ: "bool", check: checkBool, desc: "Lets aggregations over a table take row groups whole."},
	{name: "telemdb.hash_equal", initial: "off", typ: "bool", check: checkBool, desc: "For tests: all hashes of keys are equal."},
	{name: "telemdb.join_bytes", initial: "0", typ: "integer", check: checkInt(0, 1<<30), desc: "For tests: bytes of texts with which rows of a join are put out; 0 is 8 MiB."},
	{name: "telemdb.join_filter", initial: "on", typ: "bool", check: checkBool, desc: "Lets a join tell the scan of its larger side which keys have a partner."},
	{name: "telemdb.join_keys", initial: "on", typ: "bool", check: checkBool, desc: "Lets joins that ask only whether there is a partner gather the other side's keys alone."},
	{name: "telemdb.join_unique", initial: "on", typ: "bool", check: checkBool, desc: "Lets a join whose keys are unique put its rows out without copying them."},
	{name: "telemdb.many_groups", initial: "0", typ: "integer", check: checkInt(0, 1<<30), desc: "For tests: groups from which they are put together by partition; 0 is what is best."},
	{name: "telemdb.optimizer_off", typ: "string", check: checkRules, desc: "For tests: rules of the optimiser to leave out, separated by commas."},
	{name: "telemdb.row_keys", initial: "0", typ: "integer", check: checkInt(-1, 1<<30), desc: "For tests: keys from which a table of keys numbers whole rows; 0 is what is best, -1 never."},
	{name: "telemdb.runs", initial: "on", typ: "bool", check: checkBool, desc: "Lets aggregations number the runs of rows with equal keys."},
	{name: "telemdb.scatter", initial: "on", typ: "bool", check: checkBool, desc: "Lets aggregations with many groups scatter them instead of keeping a table of all."},
	{name: "telemdb.scatter_rows", initial: "on", typ: "bool", check: checkBool, desc: "Lets aggregations scatter rows that are hardly more than their groups one by one."},
	{name: "telemdb.scatter_texts", initial: "on", typ: "bool", check: checkBool, desc: "Lets aggregations scatter groups with texts among the keys."},
	{name: "telemdb.scan_ahead", initial: "on", typ: "bool", check: checkBool, desc: "Lets scans ask the disk for what they will read next."},
	{name: "telemdb.scan_groups", initial: "on", typ: "bool", check: checkBool, desc: "Lets scans filter whole row groups, and aggregations take them; without it they go block by block."},
	{name: "telemdb.scan_lookup", initial: "on", typ: "bool", check: checkBool, desc: "Lets a search for few rows go through many row groups at a time."},
	{name: "telemdb.scan_prune", initial: "on", typ: "bool", check: checkBool, desc: "Lets scans leave row groups unopened whose statistics or filters rule them out."},
	{name: "telemdb.soon_groups", initial: "8192", typ: "integer", check: checkInt(0, 1<<30), desc: "Groups from which aggregations of few rows scatter them; 0 is the number for many rows."},
	{name: "telemdb.text_pieces", initial: "0", typ: "integer", check: checkInt(-1, 1<<30), desc: "Bytes of text that a function makes of a batch before what needs them takes them; 0 is what is best, -1 all."},
	{name: "telemdb.topn_first", initial: "on", typ: "bool", check: checkBool, desc: "Leaves out the rows behind the first ones of an order before other conditions are decided."},
	{name: "telemdb.topn_pushdown", initial: "on", typ: "bool", check: checkBool, desc: "Lets the first rows of an order tell the scan what it need not read, and reads their other columns last."},
	{name: "telemdb.window_clusters", initial: "on", typ: "bool", check: checkBool, desc: "Lets window functions take rows that lie together as they lie, instead of sorting them."},
	{name: "telemdb.worker_rows", initial: "131072", typ: "integer", check: checkInt(0, 1<<30), desc: "Rows of a table that each worker of an aggregation with keys has to have; 0 is any."},
	{name: "telemdb.workers", initial: "0", typ: "integer", check: checkInt(0, 1024), desc: "Cores a query may use; 0 is what the server was started with."},
	{name: "TimeZone", initial: "UTC", typ: "string", reported: true, check: checkZone, desc: "Sets the time zone for displaying and interpreting time stamps."},
	{name: "transaction_deferrable", initial: "off", typ: "bool", check: checkBool, desc: "Whether to defer a read-only serializable transaction."},
	{name: "transaction_isolation", initial: "repeatable read", typ: "enum", check: checkIsolation, desc: "Sets the current transaction's isolation level."},
	{name: "transaction_read_only", initial: "off", typ: "bool", check: checkBool, desc: "Sets the current transaction's read-only status."},
	{name: "work_mem", initial: "4MB", typ: "integer", unit: "kB", desc: "Accepted for compatibility."},
	{name: "xmloption", initial: "content", typ: "enum", desc: "Accepted for compatibility."},
}

var settingByName = func() map[string]*setting {
	m := map[string]*setting{}
	for i := range settingTable {
		m[strings.ToLower(settingTable[i].name)] = &settingTable[i]
	}
	return m
}()

// checkIsolation accepts every level; a transaction reads one snapshot, so each is at least repeatable read.
func checkIsolation(v string) (string, error) {
	return checkEnum("read uncommitted", "read committed", "repeatable read", "serializable")(v)
}

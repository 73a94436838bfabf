package builtin

// procOIDs are the oids of PostgreSQL 15's pg_proc.
var procOIDs = map[string]uint32{}

package pgcatalog

// fillers names the relations that have rows. All others are empty: there is nothing of their kind.
var fillers map[string]filler

func init() {
	kept := func(f func(e *env, w *writer) error) filler { return filler{rows: f} }
	fresh := func(f func(e *env, w *writer) error) filler { return filler{rows: f, fresh: true} }
	fillers = map[string]filler{
		"pg_catalog.pg_namespace":        kept(fillNamespaces),
		"pg_catalog.pg_class":            kept(fillClasses),
		"pg_catalog.pg_attribute":        kept(fillAttributes),
		"pg_catalog.pg_type":             kept(fillTypes),
		"pg_catalog.pg_proc":             kept(fillProcs),
		"pg_catalog.pg_aggregate":        kept(fillAggregates),
		"pg_catalog.pg_operator":         kept(fillOperators),
		"pg_catalog.pg_cast":             kept(fillCasts),
		"pg_catalog.pg_rewrite":          kept(fillRewrites),
		"pg_catalog.pg_database":         kept(fillDatabases),
		"pg_catalog.pg_tablespace":       kept(fillTablespaces),
		"pg_catalog.pg_am":               kept(fillAccessMethods),
		"pg_catalog.pg_language":         kept(fillLanguages),
		"pg_catalog.pg_collation":        kept(fillCollations),
		"pg_catalog.pg_authid":           fresh(fillAuthIDs),
		"pg_catalog.pg_roles":            fresh(fillRoles),
		"pg_catalog.pg_user":             fresh(fillUsers),
		"pg_catalog.pg_shadow":           fresh(fillUsers),
		"pg_catalog.pg_settings":         fresh(fillSettings),
		"pg_catalog.pg_stat_activity":    fresh(fillActivity),
		"pg_catalog.pg_tables":           kept(fillTables),
		"pg_catalog.pg_views":            kept(fillViews),
		"pg_catalog.pg_timezone_names":   fresh(fillZones),
		"pg_catalog.pg_stat_user_tables": fresh(fillTableStats),
		"pg_catalog.pg_stat_all_tables":  fresh(fillTableStats),

		"information_schema.information_schema_catalog_name": kept(fillCatalogName),
		"information_schema.schemata":                        kept(fillSchemata),
		"information_schema.tables":                          kept(fillInfoTables),
		"information_schema.columns":                         kept(fillInfoColumns),
		"information_schema.views":                           kept(fillInfoViews),
		"information_schema.routines":                        kept(fillRoutines),
		"information_schema.parameters":                      kept(fillParameters),
		"information_schema.character_sets":                  kept(fillCharacterSets),
		"information_schema.collations":                      kept(fillInfoCollations),
		"information_schema.enabled_roles":                   fresh(fillEnabledRoles),
		"information_schema.table_privileges":                fresh(fillTablePrivileges),
		"information_schema.role_table_grants":               fresh(fillTablePrivileges),
	}
}

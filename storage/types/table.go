package types

// TableKind tells who fills a table.
type TableKind uint8

// The kinds of table. Values are stored: never renumber.
const (
	TablePing   TableKind = 1 // filled by submissions; columns appear as documents bring them
	TableUser   TableKind = 2 // CREATE TABLE
	TableErrors TableKind = 3 // telemdb.errors and telemdb.duplicates: filled beside the ping tables
	TableStates TableKind = 4 // roll-up states; read through their roll-up
)

// TableName is a schema-qualified name.
type TableName struct{ Schema, Name string }

func (n TableName) String() string { return n.Schema + "." + n.Name }

// Column is one SQL column of a table.
type Column struct {
	Name    string `json:"name"`
	Type    Type   `json:"type"`
	NotNull bool   `json:"not_null,omitempty"`
	Hidden  bool   `json:"hidden,omitempty"` // a system column: not in SELECT *
	Source  string `json:"source,omitempty"` // ping tables: the document's top-level member this column holds, as sent
}

// Table is a table's schema at one moment. It is immutable: a change makes a new Table with the same ID.
type Table struct {
	ID          uint32    `json:"id"` // never reused; file names and manifest keys carry it
	Schema      string    `json:"schema"`
	Name        string    `json:"name"`
	Kind        TableKind `json:"kind"`
	Columns     []Column  `json:"columns"`
	SortKey     []string  `json:"sort_key,omitempty"`     // leading columns rows of a segment are sorted by, NULLs last
	Encoding    string    `json:"encoding,omitempty"`     // EncodingPlain, or "" for whatever is best
	PartitionBy string    `json:"partition_by,omitempty"` // a date column, or "" for one partition
	Retention   Retention `json:"retention,omitzero"`     // when whole partitions are dropped
	SourceLost  int64     `json:"source_lost,omitempty"`  // TableStates: rows of days before this one may have been dropped, and their states count more than the rows there are
}

// EncodingPlain has segments written from now on store the numbers of a table as they are, eight bytes each: for measurements
// of what encodings gain. Texts and constants are stored as ever.
const EncodingPlain = "plain"

// Retention tells how long, and up to what size, a table keeps its partitions. The zero value is for ever. Rows without a
// date are never dropped, nor is the newest partition because of its size.
type Retention struct {
	Days  int32 `json:"days,omitempty"`  // partitions whose date is more days past than this are dropped
	Bytes int64 `json:"bytes,omitempty"` // the oldest partitions are dropped while segments take more bytes than this
}

// FullName returns the qualified name.
func (t *Table) FullName() TableName { return TableName{t.Schema, t.Name} }

// Col returns the index of the named column, or -1.
func (t *Table) Col(name string) int {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// The system columns of every table: in no SELECT *, never taken by a client's member.
const (
	ColLSN      = "_lsn"      // bigint: the log sequence number of the row's record; its identity
	ColRow      = "_row"      // bigint: the row's place in a source at one moment, morsel << 16 | row; made by the scan, in no file
	ColDocument = "_document" // jsonb: the whole document under its own names; ping tables only, put together at read
)

// PingColumns are the columns every ping table begins with, in order. The decoder adds one jsonb column behind them for
// each top-level member that has occurred.
var PingColumns = []Column{
	{Name: "submission_timestamp", Type: Of(Timestamptz)},
	{Name: "submission_date", Type: Of(Date)},
	{Name: "document_id", Type: Of(Text)},
	{Name: "document_type", Type: Of(Text)},
	{Name: "document_version", Type: Of(Text)},
	{Name: "client_id", Type: Of(Text)},
	{Name: "sample_id", Type: Of(Int64)},
	{Name: "normalized_app_name", Type: Of(Text)},
	{Name: "normalized_channel", Type: Of(Text)},
	{Name: "normalized_os", Type: Of(Text)},
	{Name: "normalized_os_version", Type: Of(Text)},
	{Name: "normalized_country_code", Type: Of(Text)},
	{Name: "app_version", Type: Of(Text)},
	{Name: "app_build_id", Type: Of(Text)},
	{Name: "geo_country", Type: Of(Text)},
	{Name: "geo_city", Type: Of(Text)},
	{Name: "geo_subdivision1", Type: Of(Text)},
	{Name: "user_agent_browser", Type: Of(Text)},
	{Name: "user_agent_os", Type: Of(Text)},
	{Name: "user_agent_version", Type: Of(Text)},
	{Name: "metadata", Type: Of(JSONB)},
	{Name: "additional_properties", Type: Of(JSONB)},
	{Name: ColLSN, Type: Of(Int64), Hidden: true},
	{Name: ColDocument, Type: Of(JSONB), Hidden: true},
}

// PingSortKey is the order of rows inside a segment of a ping table: sample and client are runs.
var PingSortKey = []string{"normalized_channel", "sample_id", "client_id", "submission_timestamp"}

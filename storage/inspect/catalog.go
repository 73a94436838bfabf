package inspect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vfs"
)

// Catalog prints what the catalog in dir holds: counters, the log's marks, schemas, tables, views, the manifest, the
// balance. Document keys are counted.
func Catalog(w io.Writer, fsys vfs.FS, dir string, o Options) (err error) {
	db, err := openCatalog(fsys, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	format, err := db.Format()
	if err != nil {
		return err
	}
	s, err := db.Load()
	if err != nil {
		return err
	}
	keys := 0
	if err := db.Keys(func([]byte, uint64, int32) error { keys++; return nil }); err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "catalog %s: format %d, next table %d, next segment %d, %d document keys\n", dir, format, s.NextTable, s.NextSegment, keys)
	printMarks(out, s)
	fmt.Fprintf(out, "schemas: %s\n", list(s.Schemas))
	for _, t := range s.Tables {
		printTable(out, t, o)
	}
	for _, v := range s.Views {
		fmt.Fprintf(out, "view %d %s: %s\n", v.ID, v.FullName(), v.SQL)
	}
	names := tableNames(s)
	for _, e := range s.Segments {
		fmt.Fprintln(out, segmentLine(e, names))
	}
	for _, t := range s.Tombstones {
		fmt.Fprintf(out, "tombstone of segment %d of %s: %d rows\n", t.Segment, nameOf(names, t.Table), t.Rows.GetCardinality())
	}
	fmt.Fprintf(out, "segments that were being written: %s\nsegment files to be removed: %s\n", numbers(s.Building), numbers(s.Obsolete))
	for _, route := range sortedNames(s.Balance) {
		b := s.Balance[route]
		fmt.Fprintf(out, "balance of %s: %d submissions = %d rows + %d errors + %d duplicates; %d removed\n", route, b.Accepted(), b.Rows,
			b.Errors, b.Duplicates, b.Removed)
	}
	for _, d := range s.Damage {
		fmt.Fprintln(out, damageLine(d))
	}
	return out.Flush()
}

func damageLine(d *meta.Damage) string {
	line := fmt.Sprintf("damage %d, %s: %s, offset %d, found %s by %s: %s", d.ID, d.State, d.File, d.Offset, d.Found.Format(time.RFC3339), d.By, d.What)
	if !d.Settled.IsZero() {
		line += ", settled " + d.Settled.Format(time.RFC3339)
	}
	return line
}

// openCatalog says whose the lock is, if it is somebody's.
func openCatalog(fsys vfs.FS, dir string) (*meta.DB, error) {
	db, err := meta.OpenReadOnly(fsys, dir)
	var locked *vfs.LockedError
	if !errors.As(err, &locked) {
		return db, err
	}
	holder := "another process"
	if text, readErr := vfs.ReadFile(fsys, path.Join(path.Dir(path.Clean(dir)), "LOCK")); readErr == nil && len(text) > 0 {
		holder = strings.TrimSpace(string(text))
	}
	return nil, fmt.Errorf("the catalog %s is in use (%s): stop it to inspect the directory; log files and segments can be inspected one by one: %w", dir, holder, err)
}

func printMarks(out io.Writer, s *meta.State) {
	fmt.Fprintf(out, "the log is sealed up to %d", s.LogMark)
	for _, route := range sortedNames(s.Marks) {
		fmt.Fprintf(out, ", %s up to %d", route, s.Marks[route])
	}
	fmt.Fprintln(out)
}

func printTable(out io.Writer, t *types.Table, o Options) {
	fmt.Fprintf(out, "table %d %s: %s, %d columns, sorted by %s, partitioned by %s\n", t.ID, t.FullName(), kindName(t.Kind), len(t.Columns),
		list(t.SortKey), list(slices.DeleteFunc([]string{t.PartitionBy}, func(s string) bool { return s == "" })))
	if r := t.Retention; r != (types.Retention{}) {
		fmt.Fprintf(out, "  retention: %d days, %d bytes (0: no limit)\n", r.Days, r.Bytes)
	}
	if t.SourceLost != 0 {
		fmt.Fprintf(out, "  rows of days before %s may have been dropped\n", date(t.SourceLost))
	}
	for i, c := range t.Columns {
		if o.Head > 0 && i == o.Head {
			fmt.Fprintf(out, "  and %d more columns\n", len(t.Columns)-i)
			return
		}
		fmt.Fprintf(out, "  %s %s", c.Name, c.Type)
		if c.NotNull {
			fmt.Fprint(out, ", not null")
		}
		if c.Hidden {
			fmt.Fprint(out, ", hidden")
		}
		if c.Source != "" {
			fmt.Fprintf(out, ", of member %q", c.Source)
		}
		fmt.Fprintln(out)
	}
}

func kindName(k types.TableKind) string {
	switch k {
	case types.TablePing:
		return "pings"
	case types.TableUser:
		return "a user's"
	case types.TableErrors:
		return "errors or duplicates"
	case types.TableStates:
		return "states of a roll-up"
	}
	return fmt.Sprintf("unknown kind %d", k)
}

func segmentLine(e *meta.Segment, names map[uint32]string) string {
	m := &e.Meta
	line := fmt.Sprintf("segment %d of %s: %d rows in %d row groups, %d bytes, %d bytes of values, LSN %d to %d", e.ID, nameOf(names, e.Table),
		m.Rows, len(m.GroupRows), m.Bytes, m.ValueBytes, m.MinLSN, m.MaxLSN)
	if m.HasPartition {
		line += ", partition " + date(m.Partition)
	}
	if e.Bulk {
		line += ", written beside the log"
	}
	if e.Run != nil {
		line += fmt.Sprintf(", place %d in run %d", e.Run.At, e.Run.ID)
	}
	if e.Minus {
		line += ", to be subtracted"
	}
	return line + ", sealed " + instant(e.From) + " to " + instant(e.To)
}

func tableNames(s *meta.State) map[uint32]string {
	names := map[uint32]string{}
	for _, t := range s.Tables {
		names[t.ID] = t.FullName().String()
	}
	return names
}

func nameOf(names map[uint32]string, id uint32) string {
	if n := names[id]; n != "" {
		return n
	}
	return fmt.Sprintf("table %d, which is not in the catalog", id)
}

func date(days int64) string { return time.Unix(days*86400, 0).UTC().Format(time.DateOnly) }

func instant(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

func list(s []string) string {
	if len(s) == 0 {
		return "nothing"
	}
	return strings.Join(s, ", ")
}

func numbers(ids []uint64) string {
	if len(ids) == 0 {
		return "none"
	}
	return strings.Trim(fmt.Sprint(ids), "[]")
}

func sortedNames[V any](m map[types.TableName]V) []types.TableName {
	return slices.SortedFunc(maps.Keys(m), func(a, b types.TableName) int { return strings.Compare(a.String(), b.String()) })
}

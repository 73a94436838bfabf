package telemdb

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/vfs"
)

// A flipped byte of a column fails the statements that read it, with the file and the offset; with skip_corrupt they leave
// its rows out, and say how many.
func TestSkipCorruptLeavesOutWhatAFlippedByteHides(t *testing.T) {
	ctx, fsys := context.Background(), vfs.NewMem()
	db, err := Open("/db", flipOptions(fsys))
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, "CREATE TABLE s (d date, a bigint) WITH (partition_by = 'd')")
	mustExec(t, db, "INSERT INTO s SELECT date '2026-03-01' + g / 5000, g * 7919 % 100003 FROM generate_series(0, 9999) g")
	mustExec(t, db, "SELECT telemdb.flush()")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := &flipStore{files: map[string][]byte{}}
	if err := readTree(fsys, "/db", s.files); err != nil {
		t.Fatal(err)
	}
	segment := ""
	for name, data := range s.files {
		s.names = append(s.names, name)
		if strings.Contains(name, "/segments/") && (segment == "" || len(data) > len(s.files[segment])) {
			segment = name
		}
	}
	bad := append([]byte(nil), s.files[segment]...)
	bad[len(bad)/3] ^= 0x10
	if db, err = Open("/db", flipOptions(s.with(segment, bad))); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.OpenSession(ctx, session.Options{User: "ann", Database: databaseName})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const question = "SELECT sum(a), count(a) FROM s" // a count alone is told by statistics
	_, err = runOn(conn, question)
	base := segment[strings.LastIndexByte(segment, '/')+1:]
	if SQLState(err) != sqlstate.DataCorrupted || !strings.Contains(err.Error(), base) || !strings.Contains(err.Error(), "offset") {
		t.Fatalf("%s: %v", question, err)
	}
	if got, err := runOn(conn, "SELECT sum(a), count(a) FROM s WHERE d > '2026-03-01'"); err == nil && got != "5000" {
		t.Errorf("the other segment: %s", got)
	}
	if _, err := runOn(conn, "SET skip_corrupt = on"); err != nil {
		t.Fatal(err)
	}
	conn.Notices()
	got, err := runOn(conn, question)
	if err != nil {
		t.Fatal(err)
	}
	var read, lost, groups int
	if _, err := fmt.Sscan(got, &read); err != nil {
		t.Fatal(err)
	}
	notices := conn.Notices()
	if len(notices) != 1 || notices[0].Severity != "WARNING" {
		t.Fatalf("%+v", notices)
	}
	if _, err := fmt.Sscanf(notices[0].Message, "%d rows of %d row groups were left out", &lost, &groups); err != nil {
		t.Fatalf("%s: %v", notices[0].Message, err)
	}
	if lost == 0 || groups != 1 || read+lost != 10000 {
		t.Errorf("%d rows read, %d lost of %d groups", read, lost, groups)
	}
}

// runOn runs one statement and returns its last value as text.
func runOn(conn session.Conn, statement string) (string, error) {
	ctx := context.Background()
	rows, err := query(ctx, conn, statement, nil)
	if err != nil {
		return "", err
	}
	out := ""
	for rows.Next() {
		for _, v := range rows.Values() {
			out = fmt.Sprint(v)
		}
	}
	return out, rows.Close()
}

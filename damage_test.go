package telemdb_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/telemdb/telemdb"
)

// scalar returns the one value of a query as text.
func scalar(t *testing.T, db *telemdb.DB, sql string) string {
	t.Helper()
	rows, err := db.Query(context.Background(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	var out any
	for rows.Next() {
		if err := rows.Scan(&out); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return fmt.Sprint(out)
}

// queryError runs a query to its end and returns its error.
func queryError(db *telemdb.DB, sql string) error {
	rows, err := db.Query(context.Background(), sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func TestABadBlockIsXX001WithFileAndOffsetAndARowOfTelemdbDamage(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	db, err := telemdb.Open(dir, telemdb.Options{DiskReserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		uri := fmt.Sprintf("/submit/telemetry/%s/main/Firefox/61.0/release/20180328030202?v=4", uuid.NewString())
		if _, err := db.Ingest(ctx, telemdb.Submission{URI: uri, Body: []byte(fmt.Sprintf(`{"payload":{"n":%q}}`, uuid.NewString()))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	file := scalar(t, db, "SELECT file FROM telemdb.segments WHERE table_name = 'main'")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "segments", file)
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 64; i < 66; i++ { // the first chunk
		raw[i] ^= 0xff
	}
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err = telemdb.Open(dir, telemdb.Options{DiskReserve: -1}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	err = queryError(db, "SELECT _lsn, * FROM telemetry.main")
	if telemdb.SQLState(err) != "XX001" || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "offset 64") {
		t.Errorf("SQLSTATE %q: %v", telemdb.SQLState(err), err)
	}
	bad := scalar(t, db, "SELECT column_name FROM telemdb.damage WHERE state = 'open' AND found_by = 'query' AND table_name = 'main' AND \"offset\" = 64 AND in_landfill")
	if bad == "<nil>" || bad == "" {
		t.Fatalf("no row of telemdb.damage names the column: %q", bad)
	}
	good := "app_version"
	if bad == good {
		good = "app_build_id"
	}
	if n := scalar(t, db, "SELECT count("+good+") FROM telemetry.main"); n != "200" {
		t.Errorf("count of another column: %s", n)
	}
	if n := scalar(t, db, "SELECT value FROM telemdb.metrics WHERE name = 'telemdb_damage'"); n != "1" {
		t.Errorf("telemdb_damage is %s", n)
	}
}

package telemdb

import "context"

// TB is what ForTest needs of a *testing.T or *testing.B.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// ForTest opens a database in memory that is closed when the test ends, and runs the given statements on it:
//
//	db := telemdb.ForTest(t, "CREATE TABLE builds (id text, day date)")
func ForTest(t TB, statements ...string) *DB {
	t.Helper()
	db, err := Open("", Options{})
	if err != nil {
		t.Fatalf("telemdb: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Fatalf("telemdb: close: %v", err)
		}
	})
	for _, s := range statements {
		if _, err := db.Exec(context.Background(), s); err != nil {
			t.Fatalf("telemdb: %s: %v", s, err)
		}
	}
	return db
}

package telemdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/vfs"
)

// A sync of the log that fails makes an embedded database answer every later call with the failure. Its host lives, and
// opening the directory again brings back everything that was acknowledged.
func TestAFailedSyncFailsTheDatabaseAndNotItsHost(t *testing.T) {
	ctx := context.Background()
	disk, in := vfs.NewCrash(), vfs.NewInjector()
	db, err := Open("/db", Options{fs: vfs.Fault(disk, in)})
	if err != nil {
		t.Fatal(err)
	}
	submission := func() Submission {
		return Submission{URI: fmt.Sprintf("/submit/telemetry/%s/main/Firefox/61.0/release/20180328030202?v=4", uuid.NewString()), Body: []byte(`{"payload":{"n":1}}`)}
	}
	const acked = 20
	for range acked {
		if _, err := db.Ingest(ctx, submission()); err != nil {
			t.Fatal(err)
		}
	}
	in.Add(vfs.Rule{Ops: vfs.Ops(vfs.OpSync, vfs.OpSyncData), Glob: "*.wal", Sticky: true, Err: syscall.EIO})
	_, err = db.Ingest(ctx, submission())
	if !errors.Is(err, storage.ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Fatalf("the submission whose sync failed: %v", err)
	}
	<-db.Failed()
	in.Clear() // the disk is well again, but what it holds is not known
	if err := db.Failure(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Failure: %v", err)
	}
	_, ingestErr := db.Ingest(ctx, submission())
	_, execErr := db.Exec(ctx, "CREATE TABLE t (a int)")
	for name, err := range map[string]error{"Ingest": ingestErr, "Exec": execErr, "Flush": db.Flush(ctx), "Check": db.Check(func(Problem) {})} {
		if !errors.Is(err, storage.ErrFailed) && !strings.Contains(fmt.Sprint(err), storage.ErrFailed.Error()) {
			t.Errorf("%s after the failure: %v", name, err)
		}
	}
	answer := httptest.NewRecorder()
	s := submission()
	r := httptest.NewRequest(http.MethodPost, s.URI, bytes.NewReader(s.Body))
	r.Header.Set("Content-Length", strconv.Itoa(len(s.Body)))
	db.Handler().ServeHTTP(answer, r)
	if answer.Code != http.StatusInternalServerError {
		t.Errorf("a submission by HTTP after the failure: %d", answer.Code)
	}
	answer = httptest.NewRecorder()
	db.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/__heartbeat__", nil))
	if answer.Code != http.StatusInternalServerError {
		t.Errorf("the heartbeat after the failure: %d %s", answer.Code, answer.Body)
	}
	_ = db.Close() // it may tell of the failure again

	db, err = Open("/db", Options{fs: disk})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(ctx, "SELECT count(*), count(DISTINCT document_id) FROM main")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var n, distinct int64
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	if err := rows.Scan(&n, &distinct); err != nil {
		t.Fatal(err)
	}
	// The one whose sync failed may be there or not.
	if n != distinct || n < acked || n > acked+1 {
		t.Fatalf("%d rows, %d of them distinct, %d were acknowledged", n, distinct, acked)
	}
}

package telemdb_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/telemdb/telemdb"
)

func must(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

const crashURI = "/submit/telemetry/9ed1ed34-7ba9-4db5-9d1b-000000000001/crash/Firefox/61.0a1/nightly/20180328030202?v=4"

const crashPing = `{"type": "crash", "id": "9ed1ed34-7ba9-4db5-9d1b-000000000001", "version": 4,
  "creationDate": "2018-03-28T10:11:12.000Z", "clientId": "2907648d-711b-4e9f-94b5-52a2b40a44b1",
  "application": {"name": "Firefox", "channel": "nightly", "version": "61.0a1"},
  "payload": {"crashDate": "2018-03-28", "processType": "content", "metadata": {"UptimeTS": "12.5"}}}`

func ExampleOpen() {
	ctx := context.Background()
	db, err := telemdb.Open("", telemdb.Options{}) // "" is in memory; a directory's name keeps it on disk
	must(err)
	defer db.Close()
	_, err = db.Ingest(ctx, telemdb.Submission{URI: crashURI, Body: []byte(crashPing)}) // durable when it returns
	must(err)
	must(db.Flush(ctx)) // not needed to see the ping, but here to see it at once
	rows, err := db.Query(ctx, "SELECT normalized_channel, sample_id, payload->'metadata'->>'UptimeTS' FROM crash WHERE payload->>'processType' = $1", "content")
	must(err)
	defer rows.Close()
	for rows.Next() {
		var channel, uptime string
		var sample int
		must(rows.Scan(&channel, &sample, &uptime))
		fmt.Println(channel, sample, uptime)
	}
	must(rows.Err())
	// Output: nightly 67 12.5
}

func ExampleDB_Handler() {
	db, err := telemdb.Open("", telemdb.Options{})
	must(err)
	defer db.Close()
	srv := httptest.NewServer(db.Handler())
	defer srv.Close()
	resp, err := http.Post(srv.URL+crashURI, "application/json", bytes.NewReader([]byte(crashPing)))
	must(err)
	resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output: 200
}

func ExampleDB_Exec() {
	ctx := context.Background()
	db, err := telemdb.Open("", telemdb.Options{})
	must(err)
	defer db.Close()
	for _, s := range []string{
		"CREATE TABLE builds (version text, day date, crashes bigint)",
		"INSERT INTO builds VALUES ('61.0a1', '2018-03-28', 12), ('61.0a1', '2018-03-29', 7)",
	} {
		tag, err := db.Exec(ctx, s)
		must(err)
		fmt.Println(tag)
	}
	// Output:
	// CREATE TABLE
	// INSERT 0 2
}

func ExampleDB_Connector() {
	db, err := telemdb.Open("", telemdb.Options{})
	must(err)
	defer db.Close()
	pool := sql.OpenDB(db.Connector())
	defer pool.Close()
	var day time.Time
	must(pool.QueryRow("SELECT date '2018-03-28' + $1::int", 3).Scan(&day))
	fmt.Println(day.Format(time.DateOnly))
	// Output: 2018-03-31
}

func ExampleDB_QueryArrow() {
	ctx := context.Background()
	db, err := telemdb.Open("", telemdb.Options{})
	must(err)
	defer db.Close()
	reader, err := db.QueryArrow(ctx, "SELECT n, n * n AS square FROM generate_series(1, 3) AS t(n)")
	must(err)
	defer reader.Release()
	for reader.Next() {
		fmt.Println(reader.Record().Column(1))
	}
	must(reader.Err())
	// Output: [1 4 9]
}

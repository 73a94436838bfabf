// Package telemdb is a database for telemetry: it takes pings (gzipped JSON documents that browsers and apps POST), keeps
// them durably, and answers SQL about them within a second. The same code is the server `telemdb serve` and this library.
//
//	db, err := telemdb.Open("telemetry-data", telemdb.Options{})
//	defer db.Close()
//	_, err = db.Ingest(ctx, telemdb.Submission{URI: "/submit/telemetry/…", Body: body}) // durable when it returns
//	rows, err := db.Query(ctx, "SELECT count(*) FROM main WHERE normalized_channel = $1", "nightly")
//
// An empty directory name keeps everything in memory, for tests. The package is composition only: the work is done by the
// packages below it, which ARCHITECTURE.md describes.
package telemdb

package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// dayQueries are timed over the demo day, warm.
var dayQueries = []struct{ what, sql string }{
	{"count(*)", `SELECT count(*) FROM main`},
	{"filtered sum", `SELECT sum(sample_id) FROM main WHERE normalized_channel = 'nightly' AND normalized_os = 'Windows'`},
	{"low-cardinality group-by", `SELECT normalized_channel, normalized_os, count(*), sum(sample_id) FROM main GROUP BY 1, 2 ORDER BY 1, 2`},
	{"one jsonb leaf aggregate", `SELECT avg((payload->'simpleMeasurements'->>'uptime')::bigint) FROM main`},
	{"one histogram merged over all pings", `SELECT hist_count(hist_merge((payload->'histograms'->'EVENTQ_CURSOR_ENCODE_DURATION_MS')::histogram)) FROM main`},
	{"roll-up: one metric by version", `SELECT version, sum(count), hist_quantile(hist_merge(histogram), 0.95) FROM rollups.histograms WHERE metric = 'EVENTQ_CURSOR_ENCODE_DURATION_MS' AND process = 'parent' GROUP BY 1 ORDER BY 1`},
}

// dayPart is how many pings are held at once while the day is loaded.
const dayPart = 5000

func measureDay(ctx context.Context, t *table, bin, dir string, pings int) error {
	s, err := start(bin, dir)
	if err != nil {
		return err
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	gz, plain, took := 0, 0, time.Duration(0)
	for part := 0; part*dayPart < pings; part++ {
		bodies, err := makeBodies(uint64(5000+part), min(dayPart, pings-part*dayPart))
		if err != nil {
			return err
		}
		began := time.Now()
		if _, err := sendBurst(s.http, bodies, 16); err != nil {
			return err
		}
		if _, err := waitCaughtUp(ctx, conn); err != nil {
			return err
		}
		took += time.Since(began)
		for _, b := range bodies {
			gz += len(b.gz)
			plain += b.plain
		}
	}
	t.add("demo day", fmt.Sprintf("%d pings, %.2f GB of JSON, %.2f GB gzipped: submitted and visible", pings, float64(plain)/1e9, float64(gz)/1e9),
		fmt.Sprintf("%.0f pings/s, %.0f MB/s of JSON", float64(pings)/took.Seconds(), float64(plain)/1e6/took.Seconds()))
	if _, err := conn.Exec(ctx, "SELECT telemdb.flush()"); err != nil {
		return err
	}
	if err := measureDisk(t, dir, plain, gz); err != nil {
		return err
	}
	t.add("demo day", "resident memory after loading", fmt.Sprintf("%.0f MB", float64(s.rss())/1e6))
	for _, q := range dayQueries {
		if err := measureQuery(ctx, t, conn, q.what, q.sql); err != nil {
			return fmt.Errorf("%s: %w", q.sql, err)
		}
	}
	if err := conn.Close(ctx); err != nil {
		return err
	}
	return s.stop()
}

// measureDisk adds up the directory by kind of file.
func measureDisk(t *table, dir string, plain, gz int) error {
	sizes := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		kind := strings.Split(strings.TrimPrefix(path, dir+"/"), "/")[0]
		sizes[kind] += info.Size()
		return nil
	})
	if err != nil {
		return err
	}
	var parts []string
	for kind, n := range sizes {
		parts = append(parts, fmt.Sprintf("%s %.0f MB", kind, float64(n)/1e6))
	}
	seg := float64(sizes["segments"])
	t.add("demo day", "segments on disk (rows and roll-up states)", fmt.Sprintf("%.4f bytes per byte of JSON, %.2f per gzipped byte (%s)",
		seg/float64(plain), seg/float64(gz), strings.Join(parts, ", ")))
	return nil
}

func measureQuery(ctx context.Context, t *table, conn *pgx.Conn, what, sql string) error {
	var times []time.Duration
	for range 8 {
		began := time.Now()
		rows, err := conn.Query(ctx, sql)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		if rows.Err() != nil {
			return rows.Err()
		}
		times = append(times, time.Since(began))
	}
	t.add("query", what+": `"+sql+"`", ms(quantile(times[1:], .5)))
	return nil
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/telemdb/telemdb"
)

var (
	findRows       = flag.Int("find.rows", 10_000_000, "find, delete: rows of thin main pings")
	findPartitions = flag.Int("find.partitions", 400, "find, delete: partitions, one segment each")
	findClients    = flag.Int("find.clients", 400_000, "find, delete: clients")
	findSeed       = flag.Uint64("find.seed", 7, "find, delete: seed of pings and of the clients looked for")
	findLookups    = flag.Int("find.lookups", 200, "find: clients looked for, one at a time")
	findDir        = flag.String("find.dir", "", "find, delete: where the rows are kept for the next run; empty: made anew")
)

// measureFind looks for the rows of random clients in a store that is open, one after the other. Before each, the data
// pages of all segments are dropped from the page cache and the verified chunks from the server's own.
func measureFind(ctx context.Context, b *bench) error {
	o := thinStore{rows: *findRows, partitions: *findPartitions, clients: *findClients, seed: *findSeed}
	dir := *findDir
	if dir == "" {
		dir = filepath.Join(b.dir, "find")
	}
	began := time.Now()
	if err := o.build(ctx, dir); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "  rows are there after %.0f s\n", time.Since(began).Seconds())
	db, err := telemdb.Open(filepath.Join(dir, "db"), telemdb.Options{MustExist: true})
	if err != nil {
		return err
	}
	f := finder{db: db, o: o}
	if f.files, err = filepath.Glob(filepath.Join(dir, "db", "segments", "*.seg")); err == nil {
		err = f.run(ctx, b)
	}
	return errors.Join(err, db.Close())
}

type finder struct {
	db    *telemdb.DB
	o     thinStore
	files []string
}

// lookup is one client looked for.
type lookup struct {
	count, ids, both time.Duration
	rows             int64
	cpu              time.Duration // of the whole process
	reads, bytes     int64         // from the disk
}

func (f *finder) run(ctx context.Context, b *bench) error {
	var bytes int64
	for _, name := range f.files {
		st, err := os.Stat(name)
		if err != nil {
			return err
		}
		bytes += st.Size()
	}
	b.add("rows", fmt.Sprintf("%d thin main pings of %d clients", f.o.rows, f.o.clients), fmt.Sprintf("%d partitions, %d segments with states, %.0f MB", f.o.partitions, len(f.files), mb(bytes)))
	if err := f.openAll(ctx); err != nil {
		return err
	}
	for _, v := range []struct {
		what   string
		before func(pick uint64) error
	}{
		{"filters in memory, data pages dropped (to reach: p99 <= 20 ms)", func(uint64) error { return f.drop(false) }},
		{"filters and data pages dropped", func(uint64) error { return f.drop(true) }},
		{"nothing dropped, found once before", func(pick uint64) error { _, err := f.find(ctx, pick, nil); return err }},
	} {
		if err := f.series(ctx, b, v.what, v.before); err != nil {
			return err
		}
	}
	return nil
}

// openAll opens every file: a column of each is read, and every filter asked.
func (f *finder) openAll(ctx context.Context) error {
	sum := 0.0
	err := f.query(ctx, "SELECT sum(sample_id)::float8 FROM telemetry.main WHERE client_id <> $1", "", func(r *telemdb.Rows) error { return r.Scan(&sum) })
	if err == nil {
		_, err = f.find(ctx, 0, nil)
	}
	return err
}

func (f *finder) series(ctx context.Context, b *bench, what string, before func(pick uint64) error) error {
	var all []lookup
	for i := range *findLookups {
		l, err := f.find(ctx, mix(f.o.seed+uint64(i)*977), before)
		if err != nil {
			return err
		}
		all = append(all, l)
	}
	pick := func(g func(lookup) time.Duration) string {
		var d []time.Duration
		for _, l := range all {
			d = append(d, g(l))
		}
		return fmt.Sprintf("p50 %s, p99 %s, max %s", ms(quantile(d, 0.5)), ms(quantile(d, 0.99)), ms(slices.Max(d)))
	}
	var rows, reads, bytes int64
	for _, l := range all {
		rows, reads, bytes = rows+l.rows, reads+l.reads, bytes+l.bytes
	}
	b.add("find", "of that CPU time", pick(func(l lookup) time.Duration { return l.cpu }))
	n := int64(len(all))
	b.add("find", what, pick(func(l lookup) time.Duration { return l.both }))
	b.add("find", "of that SELECT count(*), then SELECT document_id", pick(func(l lookup) time.Duration { return l.count })+"; "+pick(func(l lookup) time.Duration { return l.ids }))
	b.add("find", "a client, on average", fmt.Sprintf("%.1f rows, %d reads, %.2f MB from the disk", float64(rows)/float64(n), reads/n, mb(bytes/n)))
	return nil
}

// find counts a client's rows and lists their documents: two statements, and nothing is dropped between them.
func (f *finder) find(ctx context.Context, pick uint64, before func(pick uint64) error) (l lookup, err error) {
	client := f.o.clientID(pick % uint64(f.o.clients))
	if before != nil {
		if err := before(pick); err != nil {
			return l, err
		}
	}
	reads, bytes, err := ownReads()
	if err != nil {
		return l, err
	}
	began, cpu := time.Now(), ownCPU()
	var n int64
	if err := f.query(ctx, "SELECT count(*) FROM telemetry.main WHERE client_id = $1", client, func(r *telemdb.Rows) error { return r.Scan(&n) }); err != nil {
		return l, err
	}
	l.count = time.Since(began)
	ids := map[string]bool{}
	if err := f.query(ctx, "SELECT document_id FROM telemetry.main WHERE client_id = $1", client, func(r *telemdb.Rows) error {
		var id string
		err := r.Scan(&id)
		ids[id] = true
		return err
	}); err != nil {
		return l, err
	}
	l.both, l.cpu = time.Since(began), ownCPU()-cpu
	l.ids = l.both - l.count
	l.rows = int64(len(ids))
	l.reads, l.bytes, err = ownReads()
	l.reads, l.bytes = l.reads-reads, l.bytes-bytes
	if n != l.rows {
		return l, fmt.Errorf("client %s: %d rows, %d documents", client, n, l.rows)
	}
	return l, err
}

func (f *finder) query(ctx context.Context, sql, client string, row func(*telemdb.Rows) error) error {
	rows, err := f.db.Query(ctx, sql, client)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := row(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// drop makes the next reads cold.
func (f *finder) drop(indexes bool) error {
	f.db.DropCaches(indexes)
	for _, name := range f.files {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED), file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// ownReads returns the system calls that read, and the bytes this process had fetched from disks.
func ownReads() (calls, bytes int64, err error) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, 0, err
	}
	var rchar, wchar, syscw int64
	_, err = fmt.Sscanf(string(text), "rchar: %d\nwchar: %d\nsyscr: %d\nsyscw: %d\nread_bytes: %d", &rchar, &wchar, &calls, &syscw, &bytes)
	return calls, bytes, err
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/telemdb/telemdb"
)

var deleteClients = flag.Int("delete.clients", 200, "delete: clients deleted, one at a time")

// measureDelete deletes the rows of random clients from a copy of find's rows, one client after the other. All segments are
// in the page cache, and a client's rows have been looked for once before. The clock runs from the statement until another
// one has counted none.
func measureDelete(ctx context.Context, b *bench) error {
	o := thinStore{rows: *findRows, partitions: *findPartitions, clients: *findClients, seed: *findSeed}
	from := *findDir
	if from == "" {
		from = filepath.Join(b.dir, "find")
	}
	if err := o.build(ctx, from); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(from), "telembench-delete-") // where hard links of it can be
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyStore(dir, filepath.Join(from, "db")); err != nil {
		return err
	}
	db, err := telemdb.Open(dir, telemdb.Options{MustExist: true})
	if err != nil {
		return err
	}
	d := deleter{finder: finder{db: db, o: o}, dir: dir}
	return errors.Join(d.run(ctx, b), db.Close())
}

// copyStore makes a directory the same store as another that nobody has open. Segments never change, and old log files
// are never written, so links will do for them.
func copyStore(to, from string) error {
	return filepath.WalkDir(from, func(name string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		at := filepath.Join(to, below)
		switch {
		case below == ".":
			return nil
		case e.IsDir():
			return os.Mkdir(at, 0o700)
		case strings.HasPrefix(below, "segments"), strings.HasPrefix(below, "wal") && !newest(name):
			return os.Link(name, at)
		}
		return copyFile(at, name)
	})
}

// newest reports whether a file's name is the last one of its directory: of a log, the file that is written.
func newest(name string) bool {
	all, err := filepath.Glob(filepath.Join(filepath.Dir(name), "*"))
	return err != nil || slices.Max(all) == name
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

type deleter struct {
	finder
	dir string
}

// removal is one client deleted.
type removal struct {
	took, statement, cpu time.Duration
	rows, partitions     int64
	corrections          int64 // bytes of new segments
}

func (d *deleter) run(ctx context.Context, b *bench) error {
	if err := errors.Join(d.warm(), d.openAll(ctx)); err != nil {
		return err
	}
	before, err := d.count(ctx, "SELECT count(*) FROM telemetry.main WHERE client_id <> $1", "")
	if err != nil {
		return err
	}
	var all []removal
	gone := int64(0)
	for i := range *deleteClients {
		r, err := d.delete(ctx, d.o.clientID(mix(d.o.seed+uint64(i)*977)%uint64(d.o.clients)))
		if err != nil {
			return err
		}
		all, gone = append(all, r), gone+r.rows
	}
	after, err := d.count(ctx, "SELECT count(*) FROM telemetry.main WHERE client_id <> $1", "")
	if err != nil {
		return err
	}
	if before-after != gone {
		return fmt.Errorf("%d rows before, %d after %d were deleted", before, after, gone)
	}
	d.report(b, all)
	return nil
}

func (d *deleter) report(b *bench, all []removal) {
	pick := func(g func(removal) time.Duration) string {
		var t []time.Duration
		for _, r := range all {
			t = append(t, g(r))
		}
		return fmt.Sprintf("p50 %s, p99 %s, max %s", ms(quantile(t, 0.5)), ms(quantile(t, 0.99)), ms(slices.Max(t)))
	}
	var sum, most removal
	for _, r := range all {
		sum.rows, sum.partitions, sum.corrections = sum.rows+r.rows, sum.partitions+r.partitions, sum.corrections+r.corrections
		most.rows, most.partitions, most.corrections = max(most.rows, r.rows), max(most.partitions, r.partitions), max(most.corrections, r.corrections)
	}
	n := int64(len(all))
	b.add("rows", fmt.Sprintf("%d thin main pings of %d clients", d.o.rows, d.o.clients), fmt.Sprintf("%d partitions", d.o.partitions))
	b.add("delete", fmt.Sprintf("%d clients, until a count finds none (to reach: p99 <= 50 ms)", n), pick(func(r removal) time.Duration { return r.took }))
	b.add("delete", "of that the DELETE", pick(func(r removal) time.Duration { return r.statement }))
	b.add("delete", "CPU time, of all the process did meanwhile", pick(func(r removal) time.Duration { return r.cpu }))
	b.add("delete", "a client, on average", fmt.Sprintf("%.1f rows in %.1f partitions, %.1f kB of corrections", float64(sum.rows)/float64(n), float64(sum.partitions)/float64(n), float64(sum.corrections)/float64(n)/1e3))
	b.add("delete", "a client, at most", fmt.Sprintf("%d rows in %d partitions, %.1f kB of corrections", most.rows, most.partitions, float64(most.corrections)/1e3))
}

// warm brings the segments into the page cache.
func (d *deleter) warm() error {
	for name := range d.segments() {
		f, err := os.Open(filepath.Join(d.dir, "segments", name))
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, f); err != nil {
			return errors.Join(err, f.Close())
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// segments returns the sizes of the segments.
func (d *deleter) segments() map[string]int64 {
	out := map[string]int64{}
	list, err := os.ReadDir(filepath.Join(d.dir, "segments"))
	if err != nil {
		return out
	}
	for _, e := range list {
		if info, err := e.Info(); err == nil {
			out[e.Name()] = info.Size()
		}
	}
	return out
}

func (d *deleter) count(ctx context.Context, sql, client string) (n int64, err error) {
	err = d.query(ctx, sql, client, func(r *telemdb.Rows) error { return r.Scan(&n) })
	return n, err
}

const countClient = "SELECT count(*) FROM telemetry.main WHERE client_id = $1"

func (d *deleter) delete(ctx context.Context, client string) (r removal, err error) {
	if r.rows, err = d.count(ctx, countClient, client); err != nil {
		return r, err
	}
	if r.partitions, err = d.count(ctx, "SELECT count(DISTINCT submission_date) FROM telemetry.main WHERE client_id = $1", client); err != nil {
		return r, err
	}
	segments := d.segments()
	began, cpu := time.Now(), ownCPU()
	tag, err := d.db.Exec(ctx, "DELETE FROM telemetry.main WHERE client_id = $1", client)
	if err != nil {
		return r, err
	}
	r.statement = time.Since(began)
	left, err := d.count(ctx, countClient, client)
	if err != nil {
		return r, err
	}
	r.took, r.cpu = time.Since(began), ownCPU()-cpu
	now := d.segments()
	maps.DeleteFunc(now, func(name string, _ int64) bool { _, old := segments[name]; return old })
	for _, size := range now {
		r.corrections += size
	}
	if want := fmt.Sprintf("DELETE %d", r.rows); tag != want || left != 0 {
		return r, fmt.Errorf("client %s: %s and %d rows left, want %s", client, tag, left, want)
	}
	return r, nil
}

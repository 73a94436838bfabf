package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/telemdb/telemdb/bench/peer"
	"github.com/telemdb/telemdb/bench/workload"
)

// loaded is what loading an engine took. It is kept beside a database that is kept.
type loaded struct {
	Rows        int64   `json:"rows"` // of all tables
	CSVBytes    int64   `json:"csv_bytes"`
	LoadSeconds float64 `json:"load_seconds"` // COPY of all shards
	SealSeconds float64 `json:"seal_seconds"` // then until all is in its final form and synced
	SettleSecs  float64 `json:"settle_seconds"`
	DataBytes   int64   `json:"data_bytes"`  // what the engine says its tables take
	DirBytes    int64   `json:"dir_bytes"`   // all files in its directory
	Fingerprint string  `json:"fingerprint"` // of tables and rows
}

// shardRows is how many rows are written to a CSV file at a time, so that the disk holds little more than the databases.
const shardRows = 1 << 20

// marker tells in an engine's directory that the database beside it is whole.
const marker = "telembench.json"

// load fills all engines that are not filled yet from the same CSV files, one shard after the other. An engine waits,
// stopped, while another one loads.
func (c *comparison) load() error {
	for _, e := range c.engines {
		if l, err := c.kept(e); err == nil {
			c.loads[e.name] = l
			c.say("%s is kept from before", e.name)
		}
	}
	if err := c.loadFromCSV(); err != nil {
		return err
	}
	for _, e := range c.engines {
		if e.from != nil && c.loads[e.name] == nil {
			if err := c.rewrite(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *comparison) kept(e *engine) (*loaded, error) {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(e.dir), filepath.Base(e.dir)+"."+marker))
	if err != nil {
		return nil, err
	}
	l := &loaded{}
	if err := json.Unmarshal(text, l); err != nil {
		return nil, err
	}
	want, err := c.fingerprint(e)
	if err == nil && l.Fingerprint != want {
		err = errors.New("it holds other rows")
	}
	return l, err
}

// fingerprint changes with the tables' definitions, the number of rows and the first of them.
func (c *comparison) fingerprint(e *engine) (string, error) {
	h := sha256.New()
	for i := range c.w.Tables {
		t := &c.w.Tables[i]
		fmt.Fprintln(h, e.name, e.createTable(t), t.Rows(c.rows), t.SortKey)
		err := t.CSV(&limited{w: h, left: 1 << 20}, c.rows, 0, c.shards(t))
		if err != nil && !errors.Is(err, errEnough) {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// limited passes so many bytes and then fails with errEnough.
type limited struct {
	w    io.Writer
	left int
}

var errEnough = errors.New("enough")

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	if _, err := l.w.Write(p[:n]); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, errEnough
	}
	return n, nil
}

func (c *comparison) shards(t *workload.Table) int {
	return int(max(1, (t.Rows(c.rows)+shardRows-1)/shardRows))
}

func (c *comparison) loadFromCSV() error {
	var empty []*engine
	for _, e := range c.engines {
		if e.from == nil && c.loads[e.name] == nil {
			empty = append(empty, e)
		}
	}
	if len(empty) == 0 {
		return nil
	}
	for _, e := range empty {
		if err := os.RemoveAll(e.dir); err != nil {
			return err
		}
		if err := e.start(); err != nil {
			return err
		}
		c.loads[e.name] = &loaded{}
	}
	for i := range c.w.Tables {
		t := &c.w.Tables[i]
		for _, e := range empty {
			if err := e.exec(e.createTable(t), openMax); err != nil {
				return err
			}
		}
		if err := c.loadTable(t, empty); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
	}
	for _, e := range empty {
		if err := c.finish(e); err != nil {
			return err
		}
	}
	return nil
}

// generators is how many shards are written at once.
const generators = 2

func (c *comparison) loadTable(t *workload.Table, engines []*engine) error {
	of := c.shards(t)
	for first := 0; first < of; first += generators {
		files, err := c.writeShards(t, first, min(first+generators, of), of)
		for _, f := range files {
			for _, e := range engines {
				if err == nil {
					err = c.loadFile(e, t, f)
				}
			}
			err = errors.Join(err, os.Remove(f))
		}
		if err != nil {
			return err
		}
		c.say("%s: %d of %d shards", t.Name, min(first+generators, of), of)
	}
	for _, e := range engines {
		c.loads[e.name].Rows += t.Rows(c.rows)
	}
	return nil
}

func (c *comparison) writeShards(t *workload.Table, from, to, of int) (files []string, err error) {
	errs := make([]error, to-from)
	var wg sync.WaitGroup
	for i := range errs {
		name := filepath.Join(c.dir, fmt.Sprintf("%s.%d.csv", t.Name, from+i))
		files = append(files, name)
		wg.Go(func() { errs[i] = writeShard(t, name, c.rows, from+i, of) })
	}
	wg.Wait()
	return files, errors.Join(errs...)
}

func writeShard(t *workload.Table, name string, rows int64, shard, of int) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	return errors.Join(t.CSV(w, rows, shard, of), w.Flush(), f.Close())
}

func (c *comparison) loadFile(e *engine, t *workload.Table, file string) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	st, err := os.Stat(file)
	if err != nil {
		return err
	}
	r, err := e.call(&peer.Request{Op: peer.Load, Table: t.Name, Columns: columnsOf(t, e.dialect), File: file}, loadMax)
	if err != nil {
		return fmt.Errorf("%s: load: %w", e.name, err)
	}
	l := c.loads[e.name]
	l.LoadSeconds += time.Duration(r.Nanos[0]).Seconds()
	l.CSVBytes += st.Size()
	return nil
}

// finish seals, settles and weighs an engine's database and marks it as whole.
func (c *comparison) finish(e *engine) error {
	l := c.loads[e.name]
	for _, step := range []struct {
		op   peer.Op
		into *float64
	}{{peer.Seal, &l.SealSeconds}, {peer.Settle, &l.SettleSecs}, {peer.Seal, nil}} {
		r, err := e.call(&peer.Request{Op: step.op}, loadMax)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", e.name, step.op, err)
		}
		if step.into != nil {
			*step.into += time.Duration(r.Nanos[0]).Seconds()
		}
	}
	var tables []string
	for _, t := range c.w.Tables {
		tables = append(tables, t.Name)
	}
	r, err := e.call(&peer.Request{Op: peer.Size, Tables: tables}, openMax)
	if err != nil {
		return fmt.Errorf("%s: size: %w", e.name, err)
	}
	l.DataBytes = r.Bytes
	if l.DirBytes, err = bytesBelow(e.dir); err != nil {
		return err
	}
	c.say("%s: loaded in %.1f s, sealed in %.1f s, settled in %.1f s, %.1f MB", e.name, l.LoadSeconds, l.SealSeconds, l.SettleSecs, mb(l.DataBytes))
	if l.Fingerprint, err = c.fingerprint(e); err != nil {
		return err
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(e.dir), filepath.Base(e.dir)+"."+marker), text, 0o644)
}

// rewrite makes a DuckDB file again in the order of the sort key. What that takes comes on top of the load.
func (c *comparison) rewrite(e *engine) error {
	src := c.loads[e.from.name]
	if err := errors.Join(e.from.stop(), os.RemoveAll(e.dir), e.start()); err != nil {
		return err
	}
	l := &loaded{Rows: src.Rows, CSVBytes: src.CSVBytes, LoadSeconds: src.LoadSeconds, SealSeconds: src.SealSeconds}
	c.loads[e.name] = l
	began := time.Now()
	err := e.exec("ATTACH '"+filepath.Join(e.from.dir, "bench.duckdb")+"' AS loaded (READ_ONLY)", openMax)
	for i := 0; err == nil && i < len(c.w.Tables); i++ {
		err = e.exec(rewritten(&c.w.Tables[i]), loadMax)
	}
	if err == nil {
		err = e.exec("DETACH loaded", openMax)
	}
	if err != nil {
		return err
	}
	l.LoadSeconds += time.Since(began).Seconds()
	return c.finish(e)
}

func bytesBelow(dir string) (n int64, err error) {
	err = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// byName finds an engine; nil if it does not take part.
func (c *comparison) byName(name string) *engine {
	if i := slices.IndexFunc(c.engines, func(e *engine) bool { return e.name == name }); i >= 0 {
		return c.engines[i]
	}
	return nil
}

package telemdb

import (
	"fmt"
	"time"

	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/types"
)

func day(has bool, days int64) any {
	if !has {
		return nil
	}
	return days
}

// known is NULL for a zero value.
func known[T comparable](v T) any {
	var zero T
	return when(v != zero, v)
}

// when is NULL where there is no value.
func when[T any](there bool, v T) any {
	if !there {
		return nil
	}
	return v
}

// columnText prints a path as SQL users know it.
func columnText(path string) string { return types.Path(path).String() }

func (d *database) segmentRows(s *storage.Snapshot, add func(...any)) error {
	for _, f := range s.Segments() {
		add(f.ID, f.Table.Schema, f.Table.Name, day(f.HasPartition, f.Partition), f.Rows, f.Groups, f.Bytes, f.ValueBytes,
			f.MinLSN, f.MaxLSN, f.From, f.To, f.File, f.Deleted, known(f.Run))
	}
	return nil
}

// partitionSum is a partition's segments, added up.
type partitionSum struct {
	first                   storage.SegmentInfo
	segments                int
	rows, bytes, valueBytes int64
	oldest, newest          time.Time // seals whose rows it holds
}

func (d *database) partitionRows(s *storage.Snapshot, add func(...any)) error {
	var sums []*partitionSum // segments come by table and partition, so equal ones are neighbours
	for _, f := range s.Segments() {
		if n := len(sums); n == 0 || sums[n-1].first.TableID != f.TableID || sums[n-1].first.Partition != f.Partition ||
			sums[n-1].first.HasPartition != f.HasPartition {
			sums = append(sums, &partitionSum{first: f, oldest: f.From, newest: f.To})
		}
		p := sums[len(sums)-1]
		p.segments++
		p.rows += f.Rows
		p.bytes += f.Bytes
		p.valueBytes += f.ValueBytes
		if f.From.Before(p.oldest) {
			p.oldest = f.From
		}
		if f.To.After(p.newest) {
			p.newest = f.To
		}
	}
	drops := map[uint32]int64{}
	for _, t := range s.Tables() {
		drops[t.ID] = int64(d.store.Retention(t).Days)
	}
	for _, p := range sums {
		f := &p.first
		add(f.Table.Schema, f.Table.Name, day(f.HasPartition, f.Partition), p.segments, p.rows, p.bytes, p.valueBytes,
			p.oldest, p.newest, dropsAt(f, drops[f.TableID]))
	}
	return nil
}

// dropsAt is the end of a partition's last day under a retention by age; none for rows that are kept for ever.
func dropsAt(f *storage.SegmentInfo, days int64) any {
	if !f.HasPartition || days == 0 {
		return nil
	}
	return time.Unix((f.Partition+days+1)*24*60*60, 0)
}

func (d *database) columnRows(s *storage.Snapshot, add func(...any)) error {
	for _, t := range s.Tables() {
		for _, c := range t.Columns {
			var source any
			if c.Source != "" {
				source = c.Source
			}
			add(t.Schema, t.Name, c.Name, c.Type.String(), source, c.Hidden)
		}
	}
	return nil
}

func (d *database) walRows(_ *storage.Snapshot, add func(...any)) error {
	for _, f := range d.store.WALFiles() {
		state := "unsealed"
		switch {
		case f.Active:
			state = "active"
		case f.Landfill:
			state = "landfill"
		}
		add(f.Name, f.First, f.Last, f.Bytes, state, f.Time)
	}
	return nil
}

func (d *database) walStatusRows(_ *storage.Snapshot, add func(...any)) error {
	st := d.store.Stats()
	add(st.Synced, st.Applied, st.Sealed, st.UnsealedBytes, st.Log.QueueBytes, st.Lag.Seconds())
	return nil
}

// balanceRows is one row for the whole store: accepted = rows + errors + duplicates, and what is in the log only.
func (d *database) balanceRows(_ *storage.Snapshot, add func(...any)) error {
	routes, pending := d.store.Balance()
	var sum storage.BalanceRow
	for _, r := range routes {
		sum.Accepted += r.Accepted
		sum.Rows += r.Rows
		sum.Errors += r.Errors
		sum.Duplicates += r.Duplicates
		sum.Removed += r.Removed
	}
	add(sum.Accepted, sum.Rows, sum.Errors, sum.Duplicates, pending, sum.Removed)
	return nil
}

func (d *database) rollupRows(s *storage.Snapshot, add func(...any)) error {
	r := rollups.Aggregates{}
	states := r.States().FullName()
	segments, rows, bytes := 0, int64(0), int64(0)
	for _, f := range s.Segments() {
		if f.Table == states {
			segments++
			rows += f.Rows
			bytes += f.Bytes
		}
	}
	add("rollups", "histograms", r.Source().String(), segments, rows, bytes)
	return nil
}

func (d *database) jobRows(_ *storage.Snapshot, add func(...any)) error {
	for _, j := range d.store.Jobs() {
		var lastErr any
		if j.Err != "" {
			lastErr = j.Err
		}
		add(j.Name, j.Running, j.Steps, j.Errors, j.Last, j.Took.Seconds(), lastErr, known(j.Progress))
	}
	return nil
}

func (d *database) damageRows(_ *storage.Snapshot, add func(...any)) error {
	for _, x := range d.store.Damage() {
		inColumn := x.Column != ""
		add(x.ID, x.Found, x.Kind, x.File, x.Offset, known(x.Table.Schema), known(x.Table.Name), known(x.Segment), when(inColumn, x.Group),
			known(columnText(x.Column)), known(x.FirstLSN), known(x.LastLSN), d.store.InLandfill(x.FirstLSN, x.LastLSN), x.By, x.What,
			string(x.State), x.Settled)
	}
	return nil
}

func (d *database) settingRows(_ *storage.Snapshot, add func(...any)) error {
	o := d.opts
	keep, landfill := d.store.Landfill()
	for _, s := range []struct {
		name, description string
		value             any
	}{
		{"cache.bytes", "cache of verified column chunks, outside the Go heap", o.CacheBytes},
		{"compaction.memory", "memory a merge of segments may hold; at least 32 MiB", o.CompactionMemory},
		{"files.max_open", "descriptors kept for segments; at least 32", o.FilesMaxOpen},
		{"ingest.max_body_bytes", "largest body of a submission, as sent", o.MaxBodyBytes},
		{"ingest.max_lag", "decoding may be this far behind before submissions are refused with 503", o.MaxLag},
		{"landfill.max_bytes", "bytes of sealed log files kept for replay; 0: 20 % of the disk, negative: no bound", landfill},
		{"landfill.retention", "how long sealed log files are kept for replay; at least 1m, negative: not at all", keep},
		{"queries_memory", "memory all running queries may use together; negative: no bound", o.QueriesMemory},
		{"query_memory", "memory one query may use", o.QueryMemory},
		{"scrub.bytes_per_second", "how fast the scrub reads; at least 64 KiB, negative: no bound", o.ScrubBytesPerSecond},
		{"scrub.interval", "how often all files are read again and their checksums compared; at least 1m, negative: never", o.ScrubInterval},
		{"seal.bytes", "a table is sealed when its head holds this many bytes of values", o.SealBytes},
		{"seal.max_age", "or when its oldest unsealed row is this old", o.SealMaxAge},
		{"spill_bytes", "disk that running queries may use for intermediate results; 0: a quarter of it, negative: no bound", o.SpillBytes},
		{"strict_wal", "a start fails where records of the log are lost", o.StrictLog},
		{"wal.durability", "a submission is acknowledged when it is synced (sync), or before (interval:<ms>, none)", o.durability()},
	} {
		add(s.name, fmt.Sprint(s.value), s.description)
	}
	return nil
}

func (d *database) metricRows(_ *storage.Snapshot, add func(...any)) error {
	for _, m := range d.metrics() {
		add(m.name, m.value)
	}
	return nil
}

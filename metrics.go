package telemdb

import "github.com/prometheus/client_golang/prometheus"

// metric is one number of the store, for telemdb.metrics and /metrics alike.
type metric struct {
	name, help string
	counter    bool
	value      float64
}

func (db *DB) metrics() []metric {
	st := db.store.Stats()
	scrub := db.store.Scrub()
	routes, pending := db.store.Balance()
	var accepted, rows, errs, duplicates uint64
	for _, r := range routes {
		accepted += r.Accepted
		rows += r.Rows
		errs += r.Errors
		duplicates += r.Duplicates
	}
	gauge := func(name, help string, v float64) metric { return metric{name, help, false, v} }
	counter := func(name, help string, v float64) metric { return metric{name, help, true, v} }
	return []metric{
		gauge("telemdb_decode_lag_seconds", "Age of the oldest acknowledged submission that SQL does not see yet.", st.Lag.Seconds()),
		gauge("telemdb_log_unsealed_bytes", "Bytes of the log whose rows are not sealed.", float64(st.UnsealedBytes)),
		gauge("telemdb_log_queue_bytes", "Bytes waiting for the log.", float64(st.Log.QueueBytes)),
		counter("telemdb_log_records_total", "Records written to the log since start.", float64(st.Log.Records)),
		counter("telemdb_log_syncs_total", "Syncs of the log since start.", float64(st.Log.Syncs)),
		counter("telemdb_log_sync_seconds_total", "Time spent in syncs of the log.", st.Log.SyncSum.Seconds()),
		counter("telemdb_log_stalls_total", "Syncs of the log that took 5 s or longer.", float64(st.Log.Stalls)),
		gauge("telemdb_log_sync_seconds_max", "Longest sync of the log.", st.Log.SyncMax.Seconds()),
		gauge("telemdb_head_bytes", "Memory of the rows that are not sealed.", float64(st.HeadBytes)),
		gauge("telemdb_head_rows", "Rows that are not sealed.", float64(st.HeadRows)),
		gauge("telemdb_queries_memory_bytes", "Memory that running queries hold.", float64(db.queries.Used())),
		gauge("telemdb_queries_memory_peak_bytes", "Most memory that queries held at a time since start.", float64(db.queries.Peak())),
		gauge("telemdb_queries_memory_limit_bytes", "Memory that all queries together may hold; --queries-memory.", float64(db.queries.Limit())),
		gauge("telemdb_spill_bytes", "Bytes that running queries keep on disk.", float64(db.spill.Used())),
		counter("telemdb_spill_written_bytes_total", "Bytes that queries have written to disk since start.", float64(db.spill.Written())),
		gauge("telemdb_segments", "Published segments.", float64(st.Segments)),
		gauge("telemdb_segment_files_open", "Descriptors of segments; files.max_open bounds them.", float64(st.OpenFiles)),
		gauge("telemdb_segment_bytes", "Bytes of published segments.", float64(st.SegmentBytes)),
		gauge("telemdb_segment_rows", "Rows of published segments, roll-up states among them.", float64(st.SegmentRows)),
		gauge("telemdb_deleted_rows", "Rows of published segments that are deleted and not written away yet.", float64(st.DeletedRows)),
		gauge("telemdb_snapshots", "Snapshots that are pinned.", float64(st.Snapshots)),
		gauge("telemdb_damage", "Things found broken that still are.", float64(st.Damage)),
		counter("telemdb_scrub_read_bytes_total", "Bytes that the scrub has read since start.", float64(scrub.BytesRead)),
		counter("telemdb_scrub_passes_total", "Times that the scrub has read all files since start.", float64(scrub.Passes)),
		gauge("telemdb_disk_state", "0: enough space is free; 1: below the soft reserve; 2: below the hard reserve, submissions are refused.", float64(db.store.Disk())),
		counter("telemdb_seals_total", "Seals since start.", float64(st.Seals)),
		counter("telemdb_merges_total", "Merges since start.", float64(st.Merges)),
		counter("telemdb_merges_skipped_total", "Merges skipped since start: the disk had no room for their output.", float64(st.MergesSkipped)),
		gauge("telemdb_merge_debt_bytes", "Bytes of segments that would be rewritten until every partition is in its target shape.", float64(st.MergeDebtBytes)),
		gauge("telemdb_merge_debt_segments", "Segments that would go until every partition is in its target shape.", float64(st.MergeDebtSegments)),
		counter("telemdb_publications_total", "Publishing batches since start.", float64(st.Publications)),
		counter("telemdb_accepted_total", "Submissions decoded, ever.", float64(accepted)),
		counter("telemdb_rows_total", "Submissions that became rows, ever.", float64(rows)),
		counter("telemdb_errors_total", "Submissions that became error rows, ever.", float64(errs)),
		counter("telemdb_duplicates_total", "Submissions that became duplicate rows, ever.", float64(duplicates)),
		gauge("telemdb_undecoded_records", "Acknowledged records not decoded yet.", float64(pending)),
	}
}

// QueryMemoryPeak returns the most bytes that running queries held at a time, as they account for them, since the last call.
// It is for measurements: one caller, one query at a time.
func (db *DB) QueryMemoryPeak() int64 { return db.queries.TakePeak() }

// collector gives the metrics to Prometheus.
type collector struct{ db *DB }

// Describe sends nothing: the collector is unchecked, its metrics are those of Collect.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c.db.metrics() {
		kind := prometheus.GaugeValue
		if m.counter {
			kind = prometheus.CounterValue
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(m.name, m.help, nil, nil), kind, m.value)
	}
}

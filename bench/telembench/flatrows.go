package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// Flat rows are rows of a table without documents, of the shape of clients_daily: one row per client and day, with what
// the client is and what it did.

// flatColumns are its columns; each fills itself from what is known of a client.
var flatColumns = []struct {
	name string
	kind types.Type
	add  func(r *column.RowBuf, p uint32, c *flatClient)
}{
	{"submission_date", types.Of(types.Date), func(r *column.RowBuf, p uint32, c *flatClient) { r.Int(p, 20700) }},
	{"client_id", types.Of(types.Text), func(r *column.RowBuf, p uint32, c *flatClient) { r.Text(p, c.id) }},
	{"sample_id", types.Of(types.Int64), func(r *column.RowBuf, p uint32, c *flatClient) { r.Int(p, c.sample) }},
	{"normalized_channel", types.Of(types.Text), flatText("channel", 5, 2.5)},
	{"app_version", types.Of(types.Text), flatText("1.", 25, 2)},
	{"app_build_id", types.Of(types.Text), flatText("20261", 60, 1.5)},
	{"normalized_os", types.Of(types.Text), flatText("os", 3, 2)},
	{"normalized_os_version", types.Of(types.Text), flatText("10.", 20, 1.5)},
	{"country", types.Of(types.Text), flatText("c", 120, 1.2)},
	{"city", types.Of(types.Text), flatText("city of ", 800, 1)},
	{"locale", types.Of(types.Text), flatText("xx-", 60, 1.5)},
	{"default_search_engine", types.Of(types.Text), flatText("engine-", 12, 2)},
	{"is_default_browser", types.Of(types.Bool), func(r *column.RowBuf, p uint32, c *flatClient) { r.Bool(p, c.rng.IntN(3) > 0) }},
	{"fxa_configured", types.Of(types.Bool), func(r *column.RowBuf, p uint32, c *flatClient) { r.Bool(p, c.rng.IntN(5) == 0) }},
	{"profile_creation_date", types.Of(types.Int64), func(r *column.RowBuf, p uint32, c *flatClient) { r.Int(p, 20700-c.age) }},
	{"profile_age_in_days", types.Of(types.Int64), func(r *column.RowBuf, p uint32, c *flatClient) { r.Int(p, c.age) }},
	{"cpu_count", types.Of(types.Int64), func(r *column.RowBuf, p uint32, c *flatClient) { r.Int(p, 1<<c.rng.IntN(5)) }},
	{"memory_mb", types.Of(types.Int64), func(r *column.RowBuf, p uint32, c *flatClient) {
		r.Int(p, int64(1000*(1+c.rng.IntN(32))-c.rng.IntN(3)))
	}},
	{"pings_aggregated_by_this_row", types.Of(types.Int64), func(r *column.RowBuf, p uint32, c *flatClient) { r.Int(p, c.pings) }},
	{"subsession_hours_sum", types.Of(types.Float64), func(r *column.RowBuf, p uint32, c *flatClient) { r.Float(p, float64(c.seconds)/3600) }},
	{"active_hours_sum", types.Of(types.Float64), func(r *column.RowBuf, p uint32, c *flatClient) { r.Float(p, float64(c.ticks)/720) }},
	{"sessions_started_on_this_day", types.Of(types.Int64), flatCount(0.2, 3)},
	{"min_subsession_counter", types.Of(types.Int64), func(r *column.RowBuf, p uint32, c *flatClient) { r.Int(p, c.counter) }},
	{"max_subsession_counter", types.Of(types.Int64), func(r *column.RowBuf, p uint32, c *flatClient) { r.Int(p, c.counter+c.pings-1) }},
	{"total_uri_count_sum", types.Of(types.Int64), flatCount(0.1, 120)},
	{"unique_domains_count_mean", types.Of(types.Float64), func(r *column.RowBuf, p uint32, c *flatClient) {
		r.Float(p, float64(c.count(12)+c.pings)/float64(c.pings))
	}},
	{"unique_domains_count_max", types.Of(types.Int64), flatCount(0.1, 12)},
	{"tab_open_event_count_sum", types.Of(types.Int64), flatCount(0.2, 15)},
	{"window_open_event_count_sum", types.Of(types.Int64), flatCount(0.5, 1)},
	{"max_concurrent_tab_count_max", types.Of(types.Int64), flatCount(0.05, 6)},
	{"active_addons_count_mean", types.Of(types.Float64), func(r *column.RowBuf, p uint32, c *flatClient) { r.Float(p, float64(c.count(5))) }},
	{"places_bookmarks_count_mean", types.Of(types.Float64), flatSparse(0.4, 200)},
	{"first_paint_mean", types.Of(types.Float64), func(r *column.RowBuf, p uint32, c *flatClient) {
		r.Float(p, float64(900+c.count(4000)*c.pings)/float64(c.pings))
	}},
	{"session_restored_mean", types.Of(types.Float64), flatSparse(0.7, 3000)},
	{"crashes_detected_content_sum", types.Of(types.Int64), flatCount(0.98, 1)},
	{"search_count_all", types.Of(types.Int64), flatCount(0.5, 6)},
	{"search_count_urlbar", types.Of(types.Int64), flatCount(0.6, 4)},
	{"ad_clicks_count_all", types.Of(types.Int64), flatCount(0.9, 2)},
	{"trackers_blocked_sum", types.Of(types.Int64), flatCount(0.1, 900)},
	{"submission_timestamp_min", types.Of(types.Timestamptz), func(r *column.RowBuf, p uint32, c *flatClient) {
		r.Int(p, 20700*86400_000_000+c.rng.Int64N(86400_000_000))
	}},
}

// flatClient is what the columns of one row have in common.
type flatClient struct {
	rng            *rand.Rand
	id             string
	sample, age    int64
	pings, counter int64
	seconds, ticks int64
}

// next makes another client.
func (c *flatClient) next() {
	a, b := c.rng.Uint64(), c.rng.Uint64()
	c.id = fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)
	c.sample, c.age = int64(a%100), c.count(900)
	c.pings, c.counter = 1+c.count(1.5), 1+c.count(400)
	c.seconds = c.count(9000)
	c.ticks = c.rng.Int64N(c.seconds/5 + 1)
}

// count draws from an exponential distribution.
func (c *flatClient) count(mean float64) int64 { return int64(c.rng.ExpFloat64() * mean) }

// flatText draws one of n names, the first ones most often.
func flatText(prefix string, n int, skew float64) func(*column.RowBuf, uint32, *flatClient) {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%02d", prefix, i)
	}
	return func(r *column.RowBuf, p uint32, c *flatClient) {
		r.Text(p, names[int(math.Pow(c.rng.Float64(), skew+1)*float64(n))])
	}
}

// flatCount draws a count that is often zero.
func flatCount(zero, mean float64) func(*column.RowBuf, uint32, *flatClient) {
	return func(r *column.RowBuf, p uint32, c *flatClient) {
		n := int64(0)
		if c.rng.Float64() >= zero {
			n = 1 + c.count(mean)
		}
		r.Int(p, n)
	}
}

// flatSparse draws a mean that only a share of the clients has.
func flatSparse(share, mean float64) func(*column.RowBuf, uint32, *flatClient) {
	return func(r *column.RowBuf, p uint32, c *flatClient) {
		if c.rng.Float64() < share {
			r.Float(p, float64(c.count(mean)))
		}
	}
}

// insertFlat makes the table and inserts rows into it, of clients in no order. The store writes a segment for every row
// group of them.
func insertFlat(ctx context.Context, s *storage.Store, rows int) error {
	if err := s.CreateSchema(ctx, "bench"); err != nil {
		return err
	}
	table := &types.Table{
		Schema: "bench", Name: "clients_daily", PartitionBy: "submission_date",
		SortKey: []string{"normalized_channel", "sample_id", "client_id"},
	}
	paths := make([]uint32, len(flatColumns))
	for i, c := range flatColumns {
		table.Columns = append(table.Columns, types.Column{Name: c.name, Type: c.kind})
		paths[i] = s.Paths().Intern(types.MakePath(c.name))
	}
	made, err := s.CreateTable(ctx, table)
	if err != nil {
		return err
	}
	in, err := s.NewInsert(made)
	if err != nil {
		return err
	}
	c := flatClient{rng: rand.New(rand.NewPCG(11, 0))}
	var row column.RowBuf
	for range rows {
		row.Reset()
		c.next()
		for i, col := range flatColumns {
			col.add(&row, paths[i], &c)
		}
		if err := in.Add(ctx, &row); err != nil {
			return err
		}
	}
	return in.Commit(ctx)
}

package flat

import (
	"fmt"

	"github.com/telemdb/telemdb/bench/workload"
	"github.com/telemdb/telemdb/bench/workload/draw"
)

// in writes a statement for the engines that need other words. Each is in the words an engine's own users would choose.
type in = map[workload.Dialect]string

const (
	standard = workload.Default
	duck     = workload.DuckDB
	click    = workload.ClickHouse
	pg       = workload.Postgres
)

// by is the rule of an answer in an order that leaves nothing open.
func by(name, title string, sql in, columns ...int) workload.Query {
	return workload.Query{Name: name, Title: title, SQL: sql, Ordered: len(columns) > 0, OrderBy: columns}
}

// top is the rule of the first rows in an order in which rows may be equal.
func top(name, title string, sql in, columns ...int) workload.Query {
	q := by(name, title, sql, columns...)
	q.Limited = true
	return q
}

func queries(g *generator) []workload.Query {
	all := groupings()
	all = append(all, distincts()...)
	all = append(all, dailies()...)
	all = append(all, histories()...)
	return append(all, rest(g)...)
}

// groupings are the groupings, from none to one a client.
func groupings() []workload.Query {
	return []workload.Query{
		by("q01", "count with two dictionary filters",
			workload.Everywhere(`SELECT count(*) FROM main_summary WHERE channel = 'nightly' AND os = 'Windows_NT'`)),
		by("q02", "count and sum by channel",
			workload.Everywhere(`SELECT channel, count(*) AS n, sum(subsession_length) AS seconds FROM main_summary
GROUP BY channel ORDER BY channel`), 0),
		by("q03", "the 20 most frequent of three dimensions together",
			workload.Everywhere(`SELECT channel, os, country, count(*) AS n, avg(active_hours) AS hours FROM main_summary
GROUP BY channel, os, country ORDER BY n DESC, channel, os, country LIMIT 20`), 3, 0, 1, 2),
		by("q04", "count and sum by country",
			workload.Everywhere(`SELECT country, count(*) AS n, sum(uri_count) AS uris FROM main_summary
GROUP BY country ORDER BY country`), 0),
		by("q05", "crashes per build",
			workload.Everywhere(`SELECT app_build_id, count(*) AS n, sum(crashes_content) AS crashes, sum(active_hours) AS hours FROM main_summary
GROUP BY app_build_id ORDER BY app_build_id`), 0),
		top("q06", "the 20 busiest clients",
			workload.Everywhere(`SELECT client_id, count(*) AS n, sum(active_ticks) AS ticks FROM main_summary
GROUP BY client_id ORDER BY n DESC, ticks DESC LIMIT 20`), 1, 2),
		by("q07", "how many sessions clients have in a day",
			workload.Everywhere(`SELECT n, count(*) AS client_days FROM
(SELECT client_id, submission_date, count(*) AS n FROM main_summary GROUP BY client_id, submission_date) s
GROUP BY n ORDER BY n`), 0),
	}
}

// distincts are distinct counts and percentiles.
func distincts() []workload.Query {
	exact := `SELECT channel, count(DISTINCT client_id) AS clients FROM main_summary GROUP BY channel ORDER BY channel`
	estimate := by("q10", "clients by channel, estimated", in{
		standard: `SELECT channel, approx_count_distinct(client_id) AS clients FROM main_summary GROUP BY channel ORDER BY channel`,
		click:    `SELECT channel, uniq(client_id) AS clients FROM main_summary GROUP BY channel ORDER BY channel`,
		duck:     exact, // its estimate is up to 12 % off from some million rows on
		pg:       exact,
	}, 0)
	estimate.Approx = &workload.Approx{Columns: []int{1}, Within: 0.05, Exact: workload.Everywhere(exact)}
	return []workload.Query{
		by("q08", "clients of the month, exactly",
			workload.Everywhere(`SELECT count(DISTINCT client_id) AS clients FROM main_summary`)),
		by("q09", "clients by day, exactly",
			workload.Everywhere(`SELECT submission_date, count(DISTINCT client_id) AS clients FROM main_summary
GROUP BY submission_date ORDER BY submission_date`), 0),
		estimate,
		by("q11", "exact percentiles of all session lengths", in{
			standard: `SELECT p[1] AS median, p[2] AS p95, p[3] AS p99 FROM
(SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY subsession_length) AS p FROM main_summary) s`,
			duck: `SELECT p[1] AS median, p[2] AS p95, p[3] AS p99 FROM
(SELECT quantile_cont(subsession_length, [0.5, 0.95, 0.99]) AS p FROM main_summary) s`,
			click: `SELECT p[1] AS median, p[2] AS p95, p[3] AS p99 FROM
(SELECT quantilesExactInclusive(0.5, 0.95, 0.99)(subsession_length) AS p FROM main_summary) s`,
		}),
		by("q12", "exact percentiles of the time to the first paint by channel", in{
			standard: `SELECT channel, p[1] AS median, p[2] AS p95 FROM
(SELECT channel, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY first_paint_ms) AS p FROM main_summary GROUP BY channel) s
ORDER BY channel`,
			duck: `SELECT channel, p[1] AS median, p[2] AS p95 FROM
(SELECT channel, quantile_cont(first_paint_ms, [0.5, 0.95]) AS p FROM main_summary GROUP BY channel) s
ORDER BY channel`,
			click: `SELECT channel, p[1] AS median, p[2] AS p95 FROM
(SELECT channel, quantilesExactInclusive(0.5, 0.95)(first_paint_ms) AS p FROM main_summary GROUP BY channel) s
ORDER BY channel`,
		}, 0),
		by("q13", "the 10 add-ons whose users visit most pages",
			workload.Everywhere(`SELECT top_addon, sum(uri_count) AS uris, count(*) AS n FROM main_summary WHERE top_addon IS NOT NULL
GROUP BY top_addon ORDER BY uris DESC NULLS LAST, top_addon LIMIT 10`), 1, 0),
	}
}

// dailies are histograms over dates.
func dailies() []workload.Query {
	return []workload.Query{
		by("q14", "searches by day in five countries",
			workload.Everywhere(`SELECT submission_date, count(*) AS n, sum(search_count) AS searches FROM main_summary
WHERE channel = 'release' AND country IN ('DE', 'FR', 'GB', 'IT', 'ES')
GROUP BY submission_date ORDER BY submission_date`), 0),
		by("q15", "hours by week and channel, with subtotals", in{
			standard: `SELECT week, channel, count(*) AS n, sum(active_hours) AS hours FROM
(SELECT CAST(date_trunc('week', submission_timestamp) AS date) AS week, channel, active_hours FROM main_summary) s
GROUP BY ROLLUP (week, channel) ORDER BY week, channel`,
			click: `SELECT toMonday(submission_timestamp) AS week, channel, count(*) AS n, sum(active_hours) AS hours FROM main_summary
GROUP BY ROLLUP (week, channel) ORDER BY week, channel SETTINGS group_by_use_nulls = 1`,
		}, 0, 1),
	}
}

// histories follow single clients over the days.
func histories() []workload.Query {
	return []workload.Query{
		by("q16", "retention: who of one day comes back in the two weeks after",
			workload.Everywhere(`SELECT submission_date, count(DISTINCT client_id) AS clients FROM main_summary
WHERE submission_date > DATE '2026-03-09' AND submission_date <= DATE '2026-03-23'
AND client_id IN (SELECT client_id FROM main_summary WHERE submission_date = DATE '2026-03-09')
GROUP BY submission_date ORDER BY submission_date`), 0),
		by("q17", "days between a client's sessions, in a sample of a tenth", in{
			standard: `SELECT gap, count(*) AS n FROM
(SELECT submission_date - lag(submission_date) OVER (PARTITION BY client_id ORDER BY submission_timestamp) AS gap
FROM main_summary WHERE sample_id < 10) s
WHERE gap IS NOT NULL GROUP BY gap ORDER BY gap`,
			click: `SELECT gap, count(*) AS n FROM
(SELECT toInt32(submission_date) - toInt32(lagInFrame(toNullable(submission_date)) OVER
(PARTITION BY client_id ORDER BY submission_timestamp ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) AS gap
FROM main_summary WHERE sample_id < 10) s
WHERE gap IS NOT NULL GROUP BY gap ORDER BY gap`,
		}, 0),
		by("q18", "use up to a client's n-th session, on one channel",
			workload.Everywhere(`SELECT nth, count(*) AS clients, avg(subsession_length) AS seconds, sum(ticks) AS ticks_so_far FROM
(SELECT row_number() OVER w AS nth, subsession_length, sum(active_ticks) OVER w AS ticks
FROM main_summary WHERE channel = 'beta' WINDOW w AS (PARTITION BY client_id ORDER BY submission_timestamp)) s
WHERE nth <= 10 GROUP BY nth ORDER BY nth`), 0),
	}
}

func rest(g *generator) []workload.Query {
	return []workload.Query{
		by("q19", "sessions by system that saw a shop, with an add-on of an .org", in{
			standard: `SELECT os, count(*) AS n FROM main_summary WHERE top_site LIKE '%/shop/%' AND top_addon ~ '@.*\.org$'
GROUP BY os ORDER BY os`,
			duck: `SELECT os, count(*) AS n FROM main_summary WHERE top_site LIKE '%/shop/%' AND regexp_matches(top_addon, '@.*\.org$')
GROUP BY os ORDER BY os`,
			click: `SELECT os, count(*) AS n FROM main_summary WHERE top_site LIKE '%/shop/%' AND match(top_addon, '@.*\\.org$')
GROUP BY os ORDER BY os`,
		}, 0),
		by("q20", "the sessions of one client", workload.Everywhere(lookup(g)), 0),
		by("q21", "conditional counts and sums of expressions by system", in{
			standard: `SELECT os, count(*) FILTER (WHERE fxa_configured) AS accounts,
count(*) FILTER (WHERE is_default_browser) AS defaults,
sum(CASE WHEN crashes_content > 0 THEN subsession_length ELSE 0 END) AS crashed_seconds,
sum(subsession_length - 5 * active_ticks) AS idle_seconds,
avg(active_hours) FILTER (WHERE memory_mb >= 8000) AS hours
FROM main_summary GROUP BY os ORDER BY os`,
			click: `SELECT os, countIf(fxa_configured) AS accounts, countIf(is_default_browser) AS defaults,
sumIf(subsession_length, crashes_content > 0) AS crashed_seconds,
sum(subsession_length - 5 * active_ticks) AS idle_seconds,
avgIf(active_hours, memory_mb >= 8000) AS hours
FROM main_summary GROUP BY os ORDER BY os`,
		}, 0),
		by("q22", "averages and bounds of columns with many NULLs",
			workload.Everywhere(`SELECT count(experiment_branch) AS enrolled, avg(ad_clicks) AS ads, avg(crashes_plugin) AS plugin, max(crashes_plugin) AS plugin_max,
avg(bookmarks) AS marks, avg(session_restored_ms) AS restored, avg(gc_ms_mean) AS gc, min(first_paint_ms) AS paint_min,
max(first_paint_ms) AS paint_max, min(submission_timestamp) AS since, max(submission_timestamp) AS until FROM main_summary`)),
		top("q23", "the 100 sessions with most trackers blocked, whole rows",
			workload.Everywhere(`SELECT * FROM main_summary ORDER BY trackers_blocked DESC, heap_bytes DESC LIMIT 100`),
			indexOf("trackers_blocked"), indexOf("heap_bytes")),
		by("q24", "use by region, of builds since a date: two dimension tables",
			workload.Everywhere(`SELECT c.region, count(*) AS n, sum(m.uri_count) AS uris, sum(m.active_hours) AS hours
FROM main_summary m JOIN countries c ON c.code = m.country JOIN builds b ON b.build_id = m.app_build_id
WHERE b.released >= DATE '2026-03-02' GROUP BY c.region ORDER BY c.region`), 0),
		by("q25", "histogram of the time to the first paint", in{
			standard: `SELECT width_bucket(first_paint_ms, 0, 4000, 40) AS bucket, count(*) AS n FROM main_summary
WHERE first_paint_ms IS NOT NULL GROUP BY 1 ORDER BY 1`,
			duck: `SELECT least(floor(first_paint_ms / 100), 40)::INTEGER + 1 AS bucket, count(*) AS n FROM main_summary
WHERE first_paint_ms IS NOT NULL GROUP BY 1 ORDER BY 1`,
			click: `SELECT toInt32(least(floor(first_paint_ms / 100), 40)) + 1 AS bucket, count(*) AS n FROM main_summary
WHERE first_paint_ms IS NOT NULL GROUP BY 1 ORDER BY 1`,
		}, 0),
	}
}

// lookup asks for the sessions of the client that the row in the middle of the table is of.
func lookup(g *generator) string {
	var c client
	i := g.rows / 2
	b := draw.Of(seed, saltRow, uint64(i))
	g.client(g.on(i*days/g.rows, &b), &c)
	return fmt.Sprintf(`SELECT submission_timestamp, app_build_id, subsession_length, active_ticks, uri_count, top_site FROM main_summary
WHERE channel = '%s' AND sample_id = %d AND client_id = '%s' ORDER BY submission_timestamp`,
		channels[c.channel], c.sample, draw.UUID(nil, c.uuid[0], c.uuid[1]))
}

func indexOf(column string) int {
	for i := range columns {
		if columns[i].Name == column {
			return i
		}
	}
	return -1
}

package hits

import (
	"fmt"
	"strings"

	"github.com/telemdb/telemdb/bench/workload"
)

// in writes a statement for the engines that need other words.
type in = map[workload.Dialect]string

const (
	standard = workload.Default
	duck     = workload.DuckDB
	click    = workload.ClickHouse
)

// known are the values that questions name: they are in the rows, and often enough for the question to have an answer.
type known struct {
	user              int64 // one of the frequent visitors
	page              int64 // hash of the first page of the known site
	often             int64 // how many rows is often: one in 1,000
	low, middle, high int64 // offsets of 100, 1,000 and 10,000 rows of the public table
}

func newKnown(g *generator) *known {
	var v visitor
	g.visitor(1, &v)
	part := func(n int64) int64 { return n * g.rows / publicRows }
	return &known{user: v.id, page: hashOf(knownRank, 0, 0), often: part(100_000), low: part(100), middle: part(1000), high: part(10_000)}
}

// queries are the 43 questions. q01 to q43 ask what the public ones of those numbers ask.
func queries(g *generator) []workload.Query {
	k := newKnown(g)
	var out []workload.Query
	for _, part := range [][]question{totals(), groups(), texts(k), wide(), ofSite(k)} {
		for _, q := range part {
			out = append(out, q.query(len(out)+1))
		}
	}
	return out
}

// question is a statement and the columns it orders by.
type question struct {
	title string
	sql   in
	order []int
	top   bool // only the first rows in that order, which may be equal in it
	check in
}

func (q question) query(n int) workload.Query {
	return workload.Query{
		Name: fmt.Sprintf("q%02d", n), Title: q.title, SQL: q.sql,
		Ordered: len(q.order) > 0, OrderBy: q.order, Limited: q.top, Check: q.check,
	}
}

func all(sql string) in { return workload.Everywhere(sql) }

// first asks for the first rows in an order.
func first(title, sql string, order ...int) question {
	return question{title: title, sql: all(sql), order: order, top: true}
}

// totals are about the whole table.
func totals() []question {
	return []question{
		{title: "rows", sql: all(`SELECT count(*) FROM hits`)},
		{title: "rows of an advertisement", sql: all(`SELECT count(*) FROM hits WHERE adv_engine_id <> 0`)},
		{title: "a sum, a count and a mean", sql: all(`SELECT sum(adv_engine_id), count(*), avg(resolution_width) FROM hits`)},
		{title: "the mean of a wide number", sql: in{
			standard: `SELECT avg(user_id) FROM hits`,
			click:    `SELECT avg(toFloat64(user_id)) FROM hits`, // its avg of Int64 overflows
		}},
		{title: "users", sql: all(`SELECT count(DISTINCT user_id) FROM hits`)},
		{title: "search phrases", sql: all(`SELECT count(DISTINCT search_phrase) FROM hits`)},
		{title: "first and last date", sql: all(`SELECT min(event_date), max(event_date) FROM hits`)},
	}
}

// groups count what is alike.
func groups() []question {
	return []question{
		{title: "rows by advertiser", order: []int{1}, sql: all(`SELECT adv_engine_id, count(*) AS n FROM hits WHERE adv_engine_id <> 0
GROUP BY adv_engine_id ORDER BY n DESC`)},
		first("regions with most users", `SELECT region_id, count(DISTINCT user_id) AS users FROM hits
GROUP BY region_id ORDER BY users DESC LIMIT 10`, 1),
		first("regions with most rows", `SELECT region_id, sum(adv_engine_id), count(*) AS n, avg(resolution_width), count(DISTINCT user_id)
FROM hits GROUP BY region_id ORDER BY n DESC LIMIT 10`, 2),
		first("phones with most users", `SELECT mobile_phone_model, count(DISTINCT user_id) AS users FROM hits WHERE mobile_phone_model <> ''
GROUP BY mobile_phone_model ORDER BY users DESC LIMIT 10`, 1),
		first("phones by two keys", `SELECT mobile_phone, mobile_phone_model, count(DISTINCT user_id) AS users FROM hits
WHERE mobile_phone_model <> '' GROUP BY mobile_phone, mobile_phone_model ORDER BY users DESC LIMIT 10`, 2),
		first("frequent phrases", `SELECT search_phrase, count(*) AS n FROM hits WHERE search_phrase <> ''
GROUP BY search_phrase ORDER BY n DESC LIMIT 10`, 1),
		first("phrases of most users", `SELECT search_phrase, count(DISTINCT user_id) AS users FROM hits WHERE search_phrase <> ''
GROUP BY search_phrase ORDER BY users DESC LIMIT 10`, 1),
		first("frequent phrases by engine", `SELECT search_engine_id, search_phrase, count(*) AS n FROM hits WHERE search_phrase <> ''
GROUP BY search_engine_id, search_phrase ORDER BY n DESC LIMIT 10`, 2),
		first("busiest users", `SELECT user_id, count(*) AS n FROM hits GROUP BY user_id ORDER BY n DESC LIMIT 10`, 1),
		first("busiest users by phrase", `SELECT user_id, search_phrase, count(*) AS n FROM hits
GROUP BY user_id, search_phrase ORDER BY n DESC LIMIT 10`, 2),
		{title: "any users by phrase", sql: all(`SELECT user_id, search_phrase, count(*) FROM hits GROUP BY user_id, search_phrase LIMIT 10`),
			check: all(`SELECT count(*), sum(n), max(n) FROM
(SELECT user_id, search_phrase, count(*) AS n FROM hits GROUP BY user_id, search_phrase) s`)},
		{title: "busiest users by minute and phrase", order: []int{3}, top: true, sql: in{
			standard: `SELECT user_id, extract(minute FROM event_time) AS m, search_phrase, count(*) AS n FROM hits
GROUP BY user_id, m, search_phrase ORDER BY n DESC LIMIT 10`,
		}},
	}
}

// texts are about addresses, titles and phrases.
func texts(k *known) []question {
	length := func(sql string) in {
		return in{
			standard: strings.ReplaceAll(sql, "LENGTH", "octet_length"),
			duck:     strings.ReplaceAll(sql, "LENGTH", "strlen"),
			click:    strings.ReplaceAll(strings.ReplaceAll(sql, "LENGTH", "length"), `regexp_replace(referer, '^https?://(?:www\.)?([^/]+)/.*$', '\1')`, `replaceRegexpOne(referer, '^https?://(?:www\\.)?([^/]+)/.*$', '\\1')`),
		}
	}
	return []question{
		{title: "the rows of one user", sql: all(fmt.Sprintf(`SELECT user_id FROM hits WHERE user_id = %d`, k.user))},
		{title: "addresses that hold a word", sql: all(`SELECT count(*) FROM hits WHERE url LIKE '%google%'`)},
		first("phrases that led to them", `SELECT search_phrase, min(url), count(*) AS n FROM hits WHERE url LIKE '%google%' AND search_phrase <> ''
GROUP BY search_phrase ORDER BY n DESC LIMIT 10`, 2),
		first("phrases that led to titles that hold a word", `SELECT search_phrase, min(url), min(title), count(*) AS n, count(DISTINCT user_id) FROM hits
WHERE title LIKE '%Google%' AND url NOT LIKE '%.google.%' AND search_phrase <> ''
GROUP BY search_phrase ORDER BY n DESC LIMIT 10`, 3),
		first("whole rows of such addresses", `SELECT * FROM hits WHERE url LIKE '%google%' ORDER BY event_time LIMIT 10`, 4),
		{title: "first phrases by time", sql: all(`SELECT search_phrase FROM hits WHERE search_phrase <> '' ORDER BY event_time LIMIT 10`),
			check: all(`SELECT search_phrase FROM hits WHERE search_phrase <> '' ORDER BY event_time, search_phrase LIMIT 10`)},
		{title: "first phrases by themselves", order: []int{0},
			sql: all(`SELECT search_phrase FROM hits WHERE search_phrase <> '' ORDER BY search_phrase LIMIT 10`)},
		{title: "first phrases by time and themselves",
			sql: all(`SELECT search_phrase FROM hits WHERE search_phrase <> '' ORDER BY event_time, search_phrase LIMIT 10`)},
		{title: "sites with the longest addresses", order: []int{1}, top: true, sql: length(fmt.Sprintf(`SELECT counter_id, avg(LENGTH(url)) AS l, count(*) AS n
FROM hits WHERE url <> '' GROUP BY counter_id HAVING count(*) > %d ORDER BY l DESC LIMIT 25`, k.often))},
		{title: "hosts with the longest referrers", order: []int{1}, top: true, sql: length(fmt.Sprintf(
			`SELECT regexp_replace(referer, '^https?://(?:www\.)?([^/]+)/.*$', '\1') AS host, avg(LENGTH(referer)) AS l, count(*) AS n, min(referer)
FROM hits WHERE referer <> '' GROUP BY host HAVING count(*) > %d ORDER BY l DESC LIMIT 25`, k.often))},
	}
}

// wide are sums of many columns and groups of many keys.
func wide() []question {
	sums := make([]string, 90)
	for i := range sums {
		sums[i] = fmt.Sprintf("sum(resolution_width + %d)", i)
	}
	sums[0] = "sum(resolution_width)"
	address := `SELECT watch_id, client_ip, count(*) AS n, sum(is_refresh), avg(resolution_width) FROM hits`
	byAddress := "\nGROUP BY watch_id, client_ip ORDER BY n DESC"
	return []question{
		{title: "ninety sums", sql: all("SELECT " + strings.Join(sums, ", ") + " FROM hits")},
		first("engines and addresses of searches", `SELECT search_engine_id, client_ip, count(*) AS n, sum(is_refresh), avg(resolution_width) FROM hits
WHERE search_phrase <> '' GROUP BY search_engine_id, client_ip ORDER BY n DESC LIMIT 10`, 2),
		{title: "views of searches, a group each", order: []int{2}, top: true,
			sql:   all(address + " WHERE search_phrase <> ''" + byAddress + " LIMIT 10"),
			check: all(address + " WHERE search_phrase <> ''" + byAddress + ", watch_id LIMIT 10")},
		{title: "views, a group each", order: []int{2}, top: true,
			sql:   all(address + byAddress + " LIMIT 10"),
			check: all(address + byAddress + ", watch_id LIMIT 10")},
		first("frequent addresses", `SELECT url, count(*) AS n FROM hits GROUP BY url ORDER BY n DESC LIMIT 10`, 1),
		first("frequent addresses and a constant", `SELECT 1, url, count(*) AS n FROM hits GROUP BY 1, url ORDER BY n DESC LIMIT 10`, 2),
		first("keys that follow from each other", `SELECT client_ip, client_ip - 1, client_ip - 2, client_ip - 3, count(*) AS n FROM hits
GROUP BY client_ip, client_ip - 1, client_ip - 2, client_ip - 3 ORDER BY n DESC LIMIT 10`, 4),
	}
}

// ofSite are about one site in one month.
func ofSite(k *known) []question {
	month := fmt.Sprintf(`counter_id = %d AND event_date >= DATE '2013-07-01' AND event_date <= DATE '2013-07-31'`, knownID)
	return []question{
		first("its pages", `SELECT url, count(*) AS views FROM hits WHERE `+month+`
AND dont_count_hits = 0 AND is_refresh = 0 AND url <> '' GROUP BY url ORDER BY views DESC LIMIT 10`, 1),
		first("its titles", `SELECT title, count(*) AS views FROM hits WHERE `+month+`
AND dont_count_hits = 0 AND is_refresh = 0 AND title <> '' GROUP BY title ORDER BY views DESC LIMIT 10`, 1),
		{title: "its links, further down", order: []int{1, 0}, sql: all(`SELECT url, count(*) AS views FROM hits WHERE ` + month + fmt.Sprintf(`
AND is_refresh = 0 AND is_link <> 0 AND is_download = 0 GROUP BY url ORDER BY views DESC, url LIMIT 10 OFFSET %d`, k.middle))},
		{title: "ways to its pages, further down", order: []int{5, 3, 4, 0, 1, 2}, sql: all(`SELECT traffic_source_id, search_engine_id, adv_engine_id,
CASE WHEN search_engine_id = 0 AND adv_engine_id = 0 THEN referer ELSE '' END AS src, url AS dst, count(*) AS views
FROM hits WHERE ` + month + fmt.Sprintf(` AND is_refresh = 0
GROUP BY traffic_source_id, search_engine_id, adv_engine_id, src, dst
ORDER BY views DESC, src, dst, traffic_source_id, search_engine_id, adv_engine_id LIMIT 10 OFFSET %d`, k.middle))},
		{title: "days of pages reached from one page", order: []int{2, 0, 1}, sql: all(`SELECT url_hash, event_date, count(*) AS views FROM hits
WHERE ` + month + fmt.Sprintf(` AND is_refresh = 0 AND traffic_source_id IN (-1, 6) AND referer_hash = %d
GROUP BY url_hash, event_date ORDER BY views DESC, url_hash, event_date LIMIT 10 OFFSET %d`, k.page, k.low))},
		{title: "windows that one page was seen in, further down", order: []int{2, 0, 1}, sql: all(`SELECT window_client_width, window_client_height, count(*) AS views
FROM hits WHERE ` + month + fmt.Sprintf(` AND is_refresh = 0 AND dont_count_hits = 0 AND url_hash = %d
GROUP BY window_client_width, window_client_height
ORDER BY views DESC, window_client_width, window_client_height LIMIT 10 OFFSET %d`, k.page, k.high))},
		{title: "views by minute of two days", order: []int{0}, sql: all(`SELECT date_trunc('minute', event_time) AS m, count(*) AS views FROM hits
WHERE counter_id = 62 AND event_date >= DATE '2013-07-14' AND event_date <= DATE '2013-07-15' AND is_refresh = 0 AND dont_count_hits = 0
GROUP BY m ORDER BY m LIMIT 10 ` + fmt.Sprintf(`OFFSET %d`, k.middle))},
	}
}

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/telemdb/telemdb/ingest"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/rollups"
	"github.com/telemdb/telemdb/storage"
)

// thinStore says what the directory holds: main pings of the real top-level shape with a handful of measurements each, one
// partition for each of the last days, one segment in each.
type thinStore struct {
	rows, partitions, clients int
	seed                      uint64
}

func (o thinStore) String() string {
	return fmt.Sprintf("%d rows, %d partitions, %d clients, seed %d\n", o.rows, o.partitions, o.clients, o.seed)
}

// lastDay is the newest partition: long closed by the system's clock.
var lastDay = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func (o thinStore) day(i int) time.Time { return lastDay.AddDate(0, 0, i+1-o.partitions) }

// builtFile stands in a directory that is complete, and says what is in it.
const builtFile = "thin-pings"

// build makes the directory, unless it is there already. Every ping goes the way of the product: log, decoder, head, seal
// with roll-up states. A partition's rows are sealed at once, so each has one segment, as a merge would leave it.
func (o thinStore) build(ctx context.Context, dir string) error {
	mark := filepath.Join(dir, builtFile)
	if text, err := os.ReadFile(mark); err == nil {
		if string(text) == o.String() {
			return nil
		}
		return fmt.Errorf("%s holds something else: %s", dir, text)
	}
	now := o.day(0)
	options := benchOptions(now)
	options.Now = func() time.Time { return now }
	options.Rollups = []storage.Rollup{rollups.Aggregates{}}
	options.LandfillKeep, options.DedupHorizon = time.Nanosecond, time.Nanosecond
	options.Manual, options.SealMaxAge = false, 10*365*24*time.Hour // for what removes the log's files; seals are asked for
	s, err := storage.Open(filepath.Join(dir, "db"), options)
	if err != nil {
		return err
	}
	for i := range o.partitions {
		now = o.day(i).Add(24 * time.Hour)
		if err := o.submitDay(ctx, s, i); err != nil {
			return errors.Join(err, s.Close())
		}
		if i%20 == 19 {
			fmt.Fprintf(os.Stderr, "  partition %d of %d\n", i+1, o.partitions)
			now = now.Add(72 * time.Hour)
			if err := s.ExpireOnce(ctx); err != nil {
				return errors.Join(err, s.Close())
			}
		}
	}
	for did := true; did && err == nil; {
		did, err = s.MergeOnce(ctx)
	}
	now = time.Now()
	if err := errors.Join(err, s.ExpireOnce(ctx), s.Close()); err != nil {
		return err
	}
	return os.WriteFile(mark, []byte(o.String()), 0o644)
}

// thinSenders wait for the log together, so that a sync serves many of them.
const thinSenders = 128

func (o thinStore) submitDay(ctx context.Context, s *storage.Store, day int) error {
	from, to := o.rows*day/o.partitions, o.rows*(day+1)/o.partitions
	var wg sync.WaitGroup
	errs := make([]error, thinSenders)
	for k := range thinSenders {
		wg.Go(func() {
			w := thinPing{o: o, day: day, date: o.day(day)}
			for n := from + k; n < to && errs[k] == nil; n += thinSenders {
				errs[k] = w.submit(ctx, s, n)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.Flush(ctx)
}

// thinPing writes one ping at a time.
type thinPing struct {
	o    thinStore
	day  int
	date time.Time
	body []byte
}

// mix is splitmix64's step: a number that looks random, of one that does not.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func uuidOf(a, b uint64) string {
	var u [16]byte
	binary.BigEndian.PutUint64(u[:], mix(a))
	binary.BigEndian.PutUint64(u[8:], mix(b))
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// clientOf is the client of ping n: three of ten pings are another one of the same client on the same day, and half the
// days a client is seen on are those of a fifth of the clients.
func (o thinStore) clientOf(n int) uint64 {
	for n%10 == 3 || n%10 == 6 || n%10 == 9 {
		n--
	}
	h := mix(o.seed ^ uint64(n)*3)
	all := uint64(o.clients)
	if h&1 == 0 {
		all = max(1, all/5)
	}
	return (h >> 8) % all
}

func (o thinStore) clientID(c uint64) string { return uuidOf(o.seed+c, o.seed^c<<20) }

var (
	thinChannels  = [...]string{"release", "release", "release", "release", "release", "release", "release", "beta", "nightly", "esr"}
	thinSystems   = [...][2]string{{"Windows_NT", "10.0"}, {"Windows_NT", "10.0"}, {"Windows_NT", "6.1"}, {"Darwin", "24.1.0"}, {"Linux", "6.8.0"}}
	thinCountries = [...]string{"US", "DE", "FR", "IN", "BR", "PL", "ID", "RU", "IT", "GB", "ES", "CN", "CA", "MX", "JP", "NL"}
)

func (w *thinPing) submit(ctx context.Context, s *storage.Store, n int) error {
	c := w.o.clientOf(n)
	traits, h := mix(c^w.o.seed<<7), mix(uint64(n)+w.o.seed<<13)
	channel := thinChannels[traits%10]
	system := thinSystems[traits>>8%5]
	version := strconv.Itoa(128 + w.day/28)
	build := w.date.AddDate(0, 0, -int(h%14)).Format("20060102") + "030202"
	doc := uuidOf(uint64(n), w.o.seed+1)
	client := w.o.clientID(c)
	at := w.date.Add(time.Duration(h % uint64(24*time.Hour)))
	num := func(shift, below uint64) uint64 { return h >> shift % below }
	w.body = fmt.Appendf(w.body[:0], `{"type":"main","id":"%s","creationDate":"%s","version":4,"application":{"architecture":"x86-64","buildId":"%s",`+
		`"name":"Firefox","version":"%s.0","vendor":"Northwind","channel":"%s"},"clientId":"%s",`+
		`"environment":{"system":{"os":{"name":"%s","version":"%s"},"memoryMB":%d},"settings":{"locale":"en-%s"}},`+
		`"payload":{"ver":4,"info":{"reason":"daily","subsessionLength":%d,"subsessionCounter":%d,"profileSubsessionCounter":%d},`+
		`"simpleMeasurements":{"totalTime":%d,"uptime":%d,"activeTicks":%d},`+
		`"histograms":{"GC_MS":{"range":[1,10000],"bucket_count":50,"histogram_type":0,"values":{"0":%d,"%d":%d,"10000":0},"sum":%d},`+
		`"CYCLE_COLLECTOR":{"range":[1,10000],"bucket_count":50,"histogram_type":0,"values":{"0":0,"9":%d,"11":%d,"14":0},"sum":%d}},`+
		`"processes":{"parent":{"scalars":{"browser.engagement.total_uri_count":%d,"browser.engagement.max_concurrent_tab_count":%d}}}}}`,
		doc, at.Format("2006-01-02T15:04:05.000Z"), build, version, channel, client,
		system[0], system[1], 2048<<(traits>>16%5), thinCountries[traits>>24%16],
		num(3, 86400), num(7, 20), num(9, 4000), num(5, 86400), num(6, 1440), num(11, 17000),
		1+num(13, 200), 5+num(15, 60), 1+num(17, 30), num(19, 9000), 1+num(21, 50), num(23, 20), num(25, 1500), num(27, 900), 1+num(29, 30))
	uri := "/submit/telemetry/" + doc + "/main/Firefox/" + version + ".0/" + channel + "/" + build + "?v=4"
	rec, err := ingest.NewRecord(uri, nil, "", at)
	if err != nil {
		return err
	}
	_, err = s.Submit(ctx, ping.EncodeHead(nil, rec), w.body)
	return err
}

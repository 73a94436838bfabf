package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/gzip"

	"github.com/telemdb/telemdb/ingest/gen"
)

// body is a ping ready to send.
type body struct {
	uri   string
	id    string
	gz    []byte
	plain int
}

// makeBodies generates n valid pings, gzipped as clients do.
func makeBodies(seed uint64, n int) ([]body, error) {
	g := gen.New(gen.Options{Seed: seed, Pings: -1, Clients: 5000, Start: time.Now().UTC().Truncate(24 * time.Hour), Days: 1})
	z := gzip.NewWriter(io.Discard)
	var out []body
	var p gen.Ping
	for len(out) < n && g.Next(&p) {
		var b bytes.Buffer
		z.Reset(&b)
		if _, err := z.Write(p.Body); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		out = append(out, body{p.URI, p.DocID, b.Bytes(), len(p.Body)})
	}
	return out, nil
}

func newClient(connections int) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = connections
	t.MaxConnsPerHost = connections
	return &http.Client{Transport: t, Timeout: time.Minute}
}

func post(c *http.Client, base string, b body) error {
	resp, err := c.Post(base+b.uri, "application/json", bytes.NewReader(b.gz))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %d", resp.StatusCode)
	}
	return nil
}

// sendBurst sends all bodies over the given number of connections and returns each one's latency.
func sendBurst(base string, bodies []body, connections int) ([]time.Duration, error) {
	client := newClient(connections)
	defer client.CloseIdleConnections()
	latencies := make([]time.Duration, len(bodies))
	var next atomic.Int64
	var firstErr atomic.Pointer[error]
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(bodies) || firstErr.Load() != nil {
					return
				}
				began := time.Now()
				if err := post(client, base, bodies[i]); err != nil {
					firstErr.CompareAndSwap(nil, &err)
					return
				}
				latencies[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	if err := firstErr.Load(); err != nil {
		return nil, *err
	}
	return latencies, nil
}

// measureSubmission measures durable acknowledgement at several numbers of connections, each on pings not seen before.
func measureSubmission(ctx context.Context, t *table, bin, dir string, burst int) error {
	s, err := start(bin, dir)
	if err != nil {
		return err
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	for i, connections := range []int{1, 16, 64} {
		bodies, err := makeBodies(uint64(100+i), burst)
		if err != nil {
			return err
		}
		if err := measureBurst(ctx, t, s, conn, bodies, connections); err != nil {
			return err
		}
	}
	if err := measureLag(ctx, t, s, conn); err != nil {
		return err
	}
	if err := conn.Close(ctx); err != nil {
		return err
	}
	return s.stop()
}

func measureBurst(ctx context.Context, t *table, s *server, conn *pgx.Conn, bodies []body, connections int) error {
	bytesGz := 0
	for _, b := range bodies {
		bytesGz += len(b.gz)
	}
	own, theirs, began := ownCPU(), s.cpu(), time.Now()
	latencies, err := sendBurst(s.http, bodies, connections)
	if err != nil {
		return err
	}
	took := time.Since(began)
	ownUsed := ownCPU() - own
	caught, err := waitCaughtUp(ctx, conn)
	if err != nil {
		return err
	}
	perPing := (s.cpu() - theirs) / time.Duration(len(bodies))
	n := float64(len(bodies)) / took.Seconds()
	t.add("submission", fmt.Sprintf("%d connections, durable", connections),
		fmt.Sprintf("%.0f pings/s, %.1f MB/s gzip; p50 %s, p99 %s; generator %.2f cores; all visible %s after the last 200; server CPU %s a ping with decoding",
			n, float64(bytesGz)/1e6/took.Seconds(), ms(quantile(latencies, .5)), ms(quantile(latencies, .99)),
			ownUsed.Seconds()/took.Seconds(), ms(caught), perPing.Round(10*time.Microsecond)))
	return nil
}

// waitCaughtUp waits until every acknowledged ping is visible and returns how long that took.
func waitCaughtUp(ctx context.Context, conn *pgx.Conn) (time.Duration, error) {
	began := time.Now()
	for {
		var done bool
		if err := conn.QueryRow(ctx, "SELECT lag_seconds = 0 FROM telemdb.wal_status").Scan(&done); err != nil {
			return 0, err
		}
		if done {
			return time.Since(began), nil
		}
		if time.Since(began) > 10*time.Minute {
			return 0, fmt.Errorf("decoding did not catch up within 10 minutes")
		}
	}
}

// measureLag sends single pings to an idle server and looks until each can be seen in SQL.
func measureLag(ctx context.Context, t *table, s *server, conn *pgx.Conn) error {
	bodies, err := makeBodies(999, 100)
	if err != nil {
		return err
	}
	client := newClient(1)
	var lags []time.Duration
	for _, b := range bodies {
		if err := post(client, s.http, b); err != nil {
			return err
		}
		acked := time.Now()
		if _, err := waitCaughtUp(ctx, conn); err != nil {
			return err
		}
		lags = append(lags, time.Since(acked))
	}
	t.add("lag", "from 200 to visible, one ping at a time, median (p99) of 100", fmt.Sprintf("%s (%s)", ms(quantile(lags, .5)), ms(quantile(lags, .99))))
	return nil
}

// Command telemdb is the peer of bench/telembench that runs telemdb, through the embedded API of the root package and what
// a server of one's own would use to feed COPY.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/telemdb/telemdb"
	"github.com/telemdb/telemdb/bench/peer"
	"github.com/telemdb/telemdb/sql/session"
)

func main() { peer.Serve(&engine{}) }

type engine struct{ db *telemdb.DB }

var background = context.Background()

// Formats are the ways of the embedded API to fetch rows.
func (e *engine) Formats() []string { return []string{"arrow", "rows"} }

// Open gives the cache half of the memory, as the other engines' buffers may take it too, and keeps no copies for replay:
// the rows are in no submission.
func (e *engine) Open(q *peer.Request) (version string, err error) {
	e.db, err = telemdb.Open(q.Dir, telemdb.Options{
		Workers: q.Threads, CacheBytes: q.Memory / 2, QueryMemory: q.QueryMemory, LandfillKeep: -1, ScrubInterval: -1,
	})
	v := telemdb.ReadVersion()
	return strings.TrimSpace(v.Version + " " + v.Commit + " " + v.Go), err
}

func (e *engine) Exec(sql string) error {
	_, err := e.db.Exec(background, sql)
	return err
}

func (e *engine) Load(table string, _ []peer.Column, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	conn, err := e.db.OpenSession(background, session.Options{User: "telemdb"})
	if err != nil {
		return err
	}
	defer conn.Close()
	err = copyFrom(conn, "COPY "+table+" FROM STDIN (FORMAT csv)", f)
	return errors.Join(err, conn.EndBatch(background, err != nil))
}

// copyFrom feeds a COPY statement in pieces as a client sends them.
func copyFrom(conn session.Conn, sql string, r io.Reader) error {
	stmts, err := conn.Split(sql)
	if err != nil {
		return err
	}
	p, err := conn.Prepare(background, stmts[0], nil)
	if err != nil {
		return err
	}
	res, err := p.Execute(background, nil)
	if err != nil {
		return err
	}
	in, piece := res.CopyIn(), make([]byte, 1<<20)
	for {
		n, err := r.Read(piece)
		if n > 0 {
			if err := in.Write(piece[:n]); err != nil {
				return errors.Join(err, res.Close())
			}
		}
		if err == io.EOF {
			break
		} else if err != nil {
			return errors.Join(err, in.Fail(err.Error()), res.Close())
		}
	}
	return errors.Join(in.Done(), res.Close())
}

func (e *engine) Seal() error { return e.db.Flush(background) }

// settleMax bounds the wait for merges.
const settleMax = 15 * time.Minute

// Settle brings the tables that have a sort key into its order, as OPTIMIZE FINAL does, and waits until no merge is worth it
// any more and none has run for a moment.
func (e *engine) Settle() error {
	if err := e.Exec("CLUSTER"); err != nil {
		return err
	}
	last, same := "", 0
	for began := time.Now(); same < 4; time.Sleep(250 * time.Millisecond) {
		if time.Since(began) > settleMax {
			return fmt.Errorf("merges are not done after %v: %s", settleMax, last)
		}
		_, rows, err := e.Verify("SELECT merge_debt_segments, segments FROM telemdb.status")
		if err != nil {
			return err
		}
		debt, now := *rows[0][0], *rows[0][1]
		if debt == "0" && now == last {
			same++
		} else {
			same = 0
		}
		last = now
	}
	return nil
}

func (e *engine) Query(sql, format string) (n int64, err error) {
	if format == "arrow" {
		return e.arrow(sql)
	}
	rows, err := e.db.Query(background, sql)
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		_ = rows.Values()
		n++
	}
	return n, rows.Close()
}

func (e *engine) arrow(sql string) (n int64, err error) {
	r, err := e.db.QueryArrow(background, sql)
	if err != nil {
		return 0, err
	}
	defer r.Release()
	for r.Next() {
		n += r.Record().NumRows()
	}
	return n, r.Err()
}

func (e *engine) Verify(sql string) (cols []peer.Column, data [][]*string, err error) {
	rows, err := e.db.Query(background, sql)
	if err != nil {
		return nil, nil, err
	}
	names := rows.Columns()
	for i, t := range rows.Types() {
		cols = append(cols, peer.Column{Name: names[i], Type: t, Kind: kindOf(t)})
	}
	for rows.Next() {
		row := make([]*string, len(cols))
		for i, v := range rows.Values() {
			if row[i], err = peer.Canonical(v, cols[i].Kind); err != nil {
				return nil, nil, errors.Join(err, rows.Close())
			}
		}
		data = append(data, row)
	}
	return cols, data, rows.Close()
}

func kindOf(t string) peer.Kind {
	name, _, _ := strings.Cut(t, "(")
	switch strings.TrimSpace(name) {
	case "smallint", "integer", "bigint", "boolean", "oid":
		return peer.Int
	case "real", "double precision", "numeric":
		return peer.Float
	case "date", "timestamp without time zone", "timestamp with time zone", "timestamp":
		return peer.Time
	}
	return peer.Text
}

// QueryMemory is what the last query held at most in hash tables, sorts and gathered rows.
func (e *engine) QueryMemory() int64 {
	if e.db == nil {
		return 0
	}
	return e.db.QueryMemoryPeak()
}

func (e *engine) Trim() {
	debug.FreeOSMemory() // a sync.Pool gives up what it has at the second collection after its last use
	debug.FreeOSMemory()
}

// Size counts the files that hold rows; the log, which is empty once everything is sealed, is a reservation.
func (e *engine) Size(tables []string) (int64, error) {
	_, rows, err := e.Verify("SELECT coalesce(sum(bytes), 0)::bigint FROM telemdb.segments WHERE table_name IN ('" +
		strings.Join(tables, "', '") + "')")
	if err != nil {
		return 0, err
	}
	var n int64
	_, err = fmt.Sscan(*rows[0][0], &n)
	return n, err
}

func (e *engine) Close() error {
	if e.db == nil {
		return nil
	}
	return e.db.Close()
}

package telemdb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage"
	"github.com/telemdb/telemdb/storage/types"
)

// Replay is telemdb.replay(): see storage.Store.Replay. Which records it is about is asked in SQL of the rows they have.
func (d *database) Replay(ctx context.Context, r session.Replay) (string, error) {
	lsns, err := d.recordsOf(ctx, r)
	if err != nil {
		return "", err
	}
	p, err := d.store.Replay(ctx, storage.ReplayOptions{
		Name: strings.Join([]string{r.From, r.To, r.Where}, "\x00"), Records: lsns, DryRun: r.DryRun,
	})
	switch {
	case errors.Is(err, storage.ErrReplayRuns):
		return "", sqlstate.Wrap(sqlstate.ObjectNotInState, err)
	case err != nil:
		return "", sqlErrorOrNil(err)
	}
	said := p.String()
	if r.DryRun {
		said = "dry run: " + said
	}
	return said, nil
}

// recordsOf asks for the records of a replay; nil is all.
func (d *database) recordsOf(ctx context.Context, r session.Replay) (*roaring64.Bitmap, error) {
	var conds []string
	if r.From != "" {
		conds = append(conds, "submission_timestamp >= "+literal(r.From)+"::timestamptz")
	}
	if r.To != "" {
		conds = append(conds, "submission_timestamp < "+literal(r.To)+"::timestamptz")
	}
	if r.Where != "" {
		conds = append(conds, "("+r.Where+"\n)")
	}
	if len(conds) == 0 {
		return nil, nil
	}
	inputs, err := d.replayInputs()
	if err != nil {
		return nil, err
	}
	lsns := roaring64.New()
	for _, input := range inputs {
		rows, err := d.DB.Query(ctx, "SELECT _lsn FROM ("+input+") AS records WHERE "+strings.Join(conds, " AND "))
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var lsn int64
			if err := rows.Scan(&lsn); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			lsns.Add(uint64(lsn))
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return lsns, nil
}

// replayInputs are the questions for the rows that records have, each with the columns that a condition may name.
func (d *database) replayInputs() ([]string, error) {
	sn, err := d.store.Snapshot()
	if err != nil {
		return nil, sqlErrorOrNil(err)
	}
	defer sn.Release()
	inputs := []string{"SELECT document_namespace AS namespace, document_type, document_id, submission_timestamp, error_type, error_message, _lsn" +
		" FROM telemdb.errors"}
	for _, t := range sn.Tables() {
		if t.Kind == types.TablePing {
			inputs = append(inputs, fmt.Sprintf("SELECT %s AS namespace, document_type, document_id, submission_timestamp,"+
				" NULL::text AS error_type, NULL::text AS error_message, _lsn FROM %s.%s", literal(t.Schema), quoted(t.Schema), quoted(t.Name)))
		}
	}
	return inputs, nil
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

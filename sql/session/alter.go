package session

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/storage/types"
)

// alterTable is ALTER TABLE … SET (…) and RESET (…). Only the retention can change.
func (c *conn) alterTable(ctx context.Context, st *ast.AlterTable) (string, error) {
	k, err := c.catalog()
	if err != nil {
		return "", err
	}
	r, ok := k.Relation(st.Table.Schema, st.Table.Name)
	switch {
	case !ok && st.IfExists:
		c.notice("NOTICE", "00000", fmt.Sprintf("relation \"%s\" does not exist, skipping", refName(st.Table)))
		return "ALTER TABLE", nil
	case !ok:
		return "", sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", refName(st.Table))
	case r.Table == nil:
		return "", sqlstate.New(sqlstate.WrongObjectType, "\"%s\" is not a stored table", r.Name.Name)
	}
	keep := r.Table.Retention
	for _, o := range st.Set {
		if o.Name == "partition_by" {
			return "", sqlstate.New(sqlstate.FeatureNotSupported, "the partition column of a table cannot be changed").At(o.Pos()).
				WithHint("CREATE TABLE … WITH (partition_by = …) AS SELECT … makes a table of the same rows.")
		}
		if o.Name == "sort_key" {
			return "", sqlstate.New(sqlstate.FeatureNotSupported, "the sort key of a table cannot be changed").At(o.Pos()).
				WithHint("CREATE TABLE … WITH (sort_key = …) AS SELECT … makes a table of the same rows.")
		}
		if o.Name == "encoding" {
			return "", sqlstate.New(sqlstate.FeatureNotSupported, "the encoding of a table cannot be changed").At(o.Pos()).
				WithHint("CREATE TABLE … WITH (encoding = …) AS SELECT … makes a table of the same rows.")
		}
		if err := tableOption(&keep, o); err != nil {
			return "", err
		}
	}
	for _, o := range st.Reset {
		switch o.Name {
		case "retention":
			keep.Days = 0
		case "retention_bytes":
			keep.Bytes = 0
		default:
			if err := tableOption(&keep, o); err != nil {
				return "", err
			}
		}
	}
	return "ALTER TABLE", c.ddl(ctx, "ALTER TABLE", func() error {
		if keep == r.Table.Retention {
			return nil
		}
		return c.cfg.DB.SetRetention(ctx, r.Table.FullName(), keep)
	})
}

// tableOption reads an option of WITH (…) and SET (…) that both may have.
func tableOption(keep *types.Retention, o ast.Option) (err error) {
	switch o.Name {
	case "retention":
		keep.Days, err = retentionDays(o)
	case "retention_bytes":
		keep.Bytes, err = retentionBytes(o)
	case "fillfactor", "autovacuum_enabled", "oids": // kept by nobody, needed by nobody
	default:
		return sqlstate.New(sqlstate.InvalidParameter, "unrecognized parameter \"%s\"", o.Name).At(o.Pos())
	}
	return err
}

// retentionDays reads an interval of whole days. A year is 365 of them, a month 30.
func retentionDays(o ast.Option) (int32, error) {
	if strings.EqualFold(o.Value, "none") {
		return 0, nil
	}
	bad := func(why string) (int32, error) {
		return 0, sqlstate.New(sqlstate.InvalidParameter, "invalid value for parameter \"retention\": \"%s\"", o.Value).At(o.Pos()).
			WithDetail("%s", why).WithHint("Retention is an interval such as '180 days' or '6 months', or 'none'.")
	}
	if _, err := strconv.ParseFloat(o.Value, 64); err == nil {
		return bad("It has no unit.")
	}
	i, err := datum.ParseInterval([]byte(o.Value), nil, -1)
	if err != nil {
		return bad("It is not an interval.")
	}
	const day = 24 * 60 * 60 * 1e6
	days := int64(i.Months/12)*365 + int64(i.Months%12)*30 + int64(i.Days) + i.Micros/day
	switch {
	case i.Micros%day != 0:
		return bad("It is not a number of whole days.")
	case days < 1 || days > math.MaxInt32:
		return bad("It must be a day or more.")
	}
	return int32(days), nil
}

var byteUnits = map[string]int64{"": 1, "b": 1, "kb": 1 << 10, "kib": 1 << 10, "mb": 1 << 20, "mib": 1 << 20, "gb": 1 << 30, "gib": 1 << 30,
	"tb": 1 << 40, "tib": 1 << 40}

// retentionBytes reads a size, with PostgreSQL's units of 1,024.
func retentionBytes(o ast.Option) (int64, error) {
	if strings.EqualFold(o.Value, "none") {
		return 0, nil
	}
	digits := strings.TrimRight(o.Value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit, ok := byteUnits[strings.ToLower(strings.TrimSpace(o.Value[len(digits):]))]
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	n *= float64(unit)
	if err != nil || !ok || !(n >= 1) || n >= 1<<62 {
		return 0, sqlstate.New(sqlstate.InvalidParameter, "invalid value for parameter \"retention_bytes\": \"%s\"", o.Value).At(o.Pos()).
			WithHint("The size is a number of bytes or one with a unit, such as '10 GB', or 'none'. Units are kB, MB, GB and TB.")
	}
	return int64(n), nil
}

// TableOptions is what WITH (…) would make a table's partitions and retention: pg_class.reloptions, "name=value" each.
func TableOptions(t *types.Table) []string {
	var out []string
	if t.PartitionBy != "" {
		out = append(out, "partition_by="+t.PartitionBy)
	}
	if len(t.SortKey) > 0 && t.Kind == types.TableUser {
		out = append(out, "sort_key="+strings.Join(t.SortKey, ", "))
	}
	if t.Encoding != "" {
		out = append(out, "encoding="+t.Encoding)
	}
	if t.Retention.Days > 0 {
		out = append(out, fmt.Sprintf("retention=%d days", t.Retention.Days))
	}
	if t.Retention.Bytes > 0 {
		out = append(out, fmt.Sprintf("retention_bytes=%d", t.Retention.Bytes))
	}
	return out
}

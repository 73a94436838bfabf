package session

import (
	"context"
	"fmt"
	"time"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/storage/types"
)

// ClusterDatabase is a Database that can write tables anew in the order of their sort keys.
type ClusterDatabase interface {
	// Cluster brings the rows that the table has into the order of its sort key, and publishes each partition when it is
	// done. progress is told how many row groups are written, and of how many; report of each partition.
	Cluster(ctx context.Context, name types.TableName, progress func(done, all int), report func(Clustered)) error
}

// Clustered is what CLUSTER did to one partition.
type Clustered struct {
	Partition     int64 // days since 1970-01-01
	HasPartition  bool
	Rows          int64
	Before, After int   // segments
	Left          int64 // segments that are damaged, and stay as they are
}

// cluster is CLUSTER.
func (c *conn) cluster(s *statementCtx, st *ast.Cluster) (string, error) {
	db, ok := c.cfg.DB.(ClusterDatabase)
	if !ok {
		return "", sqlstate.New(sqlstate.FeatureNotSupported, "this database cannot CLUSTER")
	}
	tables, err := c.toCluster(st)
	if err != nil {
		return "", err
	}
	return "CLUSTER", c.ddl(s, "CLUSTER", func() error {
		for _, t := range tables {
			began := time.Now()
			written := false
			report := func(p Clustered) {
				written = written || p.Before > 0
				c.reportCluster(t, p, st.Verbose, time.Since(began))
			}
			progress := func(done, all int) { s.progress.Tell(int64(done), int64(all)) }
			if err := db.Cluster(s, t, progress, report); err != nil {
				return err
			}
			if st.Verbose && !written {
				c.notice("INFO", "00000", fmt.Sprintf("table \"%s\": in order already, nothing was written", t))
			}
		}
		if st.Verbose && len(tables) == 0 {
			c.notice("INFO", "00000", "no table has a sort key")
		}
		return nil
	})
}

// toCluster returns the table that is named, or all that have a sort key.
func (c *conn) toCluster(st *ast.Cluster) (out []types.TableName, err error) {
	k, err := c.catalog()
	if err != nil {
		return nil, err
	}
	if st.Table == nil {
		for _, t := range k.snap.Tables() {
			if (t.Kind == types.TableUser || t.Kind == types.TablePing) && len(t.SortKey) > 0 {
				out = append(out, t.FullName())
			}
		}
		return out, nil
	}
	r, ok := k.Relation(st.Table.Schema, st.Table.Name)
	switch {
	case !ok:
		return nil, sqlstate.New(sqlstate.UndefinedTable, "relation \"%s\" does not exist", refName(*st.Table))
	case r.Table == nil:
		return nil, sqlstate.New(sqlstate.WrongObjectType, "\"%s\" is not a stored table", r.Name.Name)
	}
	return []types.TableName{r.Table.FullName()}, nil
}

func (c *conn) reportCluster(t types.TableName, p Clustered, verbose bool, took time.Duration) {
	where := fmt.Sprintf("table \"%s\"", t)
	if p.HasPartition {
		where += ", partition " + time.Unix(p.Partition*86400, 0).UTC().Format(time.DateOnly)
	}
	if verbose && p.Before > 0 {
		c.notice("INFO", "00000", fmt.Sprintf("%s: %d segments became %d of %d rows, after %.1f s", where, p.Before, p.After, p.Rows, took.Seconds()))
	}
	if p.Left > 0 {
		c.notice("WARNING", "01000", fmt.Sprintf("%s: %d damaged segments stay as they are; repair them and CLUSTER again", where, p.Left))
	}
}

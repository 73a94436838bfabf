package session

import (
	"context"
	"sync/atomic"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
)

// A transaction reads one snapshot, pinned at its first statement, and keeps what it writes to itself until COMMIT.
// Outside BEGIN … COMMIT the statements of a batch (a simple query, or those before a Sync) are one implicit transaction.

// tx is the state of the session's transaction, implicit or explicit.
type tx struct {
	explicit bool
	failed   bool
	readOnly bool
	started  int64 // microseconds; 0: not yet
	snap     *snapshotRef
	changes  []change
	bytes    int64
	saved    map[string]string // settings before BEGIN
	points   []savepoint
}

type savepoint struct {
	name     string
	changes  int
	bytes    int64
	settings map[string]string
}

// snapshotRef is a snapshot shared by the transaction and the results still open.
type snapshotRef struct {
	Snapshot
	refs atomic.Int32
}

func (s *snapshotRef) keep() *snapshotRef { s.refs.Add(1); return s }

func (s *snapshotRef) drop() {
	if s != nil && s.refs.Add(-1) == 0 {
		s.Release()
	}
}

// drop forgets everything the transaction holds.
func (t *tx) drop() {
	t.snap.drop()
	*t = tx{}
}

// snapshot returns the transaction's snapshot, pinning it at the first call.
func (c *conn) snapshot() (*snapshotRef, error) {
	if c.tx.snap == nil {
		s, err := c.cfg.DB.Snapshot()
		if err != nil {
			return nil, sqlstate.Wrap(sqlstate.Internal, err)
		}
		c.tx.snap = (&snapshotRef{Snapshot: s}).keep()
	}
	return c.tx.snap, nil
}

// renew lets go of the snapshot, so that the next statement sees what DDL or a commit changed.
func (c *conn) renew() {
	c.tx.snap.drop()
	c.tx.snap = nil
}

// now is the transaction's start.
func (c *conn) now() int64 {
	if c.tx.started == 0 {
		c.tx.started = c.cfg.Now()
	}
	return c.tx.started
}

func (c *conn) TxStatus() byte {
	switch {
	case !c.tx.explicit:
		return 'I'
	case c.tx.failed:
		return 'E'
	}
	return 'T'
}

func (c *conn) EndBatch(ctx context.Context, failed bool) error {
	c.mu.Lock()
	c.mu.running = nil
	c.mu.Unlock()
	if c.tx.explicit {
		if failed {
			c.fail()
		}
		return nil
	}
	if failed {
		c.set.endTransaction()
		c.tx.drop()
		return nil
	}
	err := c.publish(ctx)
	c.set.endTransaction()
	c.tx.drop()
	return err
}

// fail marks an explicit transaction as failed: what it wrote is gone, only its end is accepted.
func (c *conn) fail() {
	if !c.tx.explicit || c.tx.failed {
		return
	}
	c.tx.failed = true
}

// txStatement runs BEGIN and its kin.
func (c *conn) txStatement(ctx context.Context, t *ast.Tx) (string, error) {
	switch t.Kind {
	case ast.TxBegin, ast.TxStart:
		return c.beginTx(ctx, t)
	case ast.TxCommit:
		return c.commitTx(ctx, t)
	case ast.TxRollback:
		if !c.tx.explicit {
			c.notice("WARNING", sqlstate.NoActiveTransaction, "there is no transaction in progress")
			c.tx.changes, c.tx.bytes = nil, 0 // of the implicit one
			c.renew()
			return "ROLLBACK", nil
		}
		c.rollback()
		return "ROLLBACK", c.chain(ctx, t)
	}
	if !c.tx.explicit {
		return "", sqlstate.New(sqlstate.NoActiveTransaction, "%s can only be used in transaction blocks", savepointWord(t.Kind))
	}
	switch t.Kind {
	case ast.TxSavepoint:
		c.tx.points = append(c.tx.points, savepoint{name: t.Name, changes: len(c.tx.changes), bytes: c.tx.bytes, settings: c.set.clone()})
		return "SAVEPOINT", nil
	case ast.TxRelease:
		i, err := c.savepoint(t.Name)
		if err != nil {
			return "", err
		}
		c.tx.points = c.tx.points[:i]
		return "RELEASE", nil
	}
	i, err := c.savepoint(t.Name)
	if err != nil {
		return "", err
	}
	p := c.tx.points[i]
	c.tx.points = c.tx.points[:i+1]
	c.tx.changes, c.tx.bytes, c.tx.failed = c.tx.changes[:p.changes:p.changes], p.bytes, false
	c.set.restore(p.settings)
	return "ROLLBACK", nil
}

func savepointWord(k ast.TxKind) string {
	switch k {
	case ast.TxRelease:
		return "RELEASE SAVEPOINT"
	case ast.TxRollbackTo:
		return "ROLLBACK TO SAVEPOINT"
	}
	return "SAVEPOINT"
}

func (c *conn) savepoint(name string) (int, error) {
	for i := len(c.tx.points) - 1; i >= 0; i-- {
		if c.tx.points[i].name == name {
			return i, nil
		}
	}
	return 0, sqlstate.New("3B001", "savepoint \"%s\" does not exist", name)
}

func (c *conn) beginTx(ctx context.Context, t *ast.Tx) (string, error) {
	tag := "BEGIN"
	if t.Kind == ast.TxStart {
		tag = "START TRANSACTION"
	}
	if c.tx.explicit {
		c.notice("WARNING", sqlstate.ActiveTransaction, "there is already a transaction in progress")
		return tag, nil
	}
	// What the batch wrote before BEGIN belongs to the block from now on, as in PostgreSQL.
	c.tx.explicit, c.tx.saved = true, c.set.clone()
	c.tx.readOnly = c.set.value("default_transaction_read_only") == "on"
	if err := c.txOptions(t.Options); err != nil {
		c.rollback()
		return "", err
	}
	return tag, nil
}

// txOptions applies ISOLATION LEVEL, READ ONLY and DEFERRABLE.
func (c *conn) txOptions(os []ast.Option) error {
	for _, o := range os {
		value := o.Value
		switch o.Name {
		case "transaction_read_only":
			c.tx.readOnly = value == "1" || value == "true"
			value = map[bool]string{true: "on", false: "off"}[c.tx.readOnly]
		case "transaction_deferrable":
			value = map[bool]string{true: "on", false: "off"}[value == "1" || value == "true"]
		}
		if _, err := c.set.set(o.Name, value, true); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) commitTx(ctx context.Context, t *ast.Tx) (string, error) {
	if !c.tx.explicit {
		c.notice("WARNING", sqlstate.NoActiveTransaction, "there is no transaction in progress")
		err := c.publish(ctx)
		c.renew()
		return "COMMIT", err
	}
	if c.tx.failed {
		c.rollback()
		return "ROLLBACK", c.chain(ctx, t)
	}
	if err := c.publish(ctx); err != nil {
		c.rollback()
		return "", err
	}
	c.set.endTransaction()
	c.endCursors()
	c.tx.drop()
	return "COMMIT", c.chain(ctx, t)
}

// chain begins the next block of AND CHAIN.
func (c *conn) chain(ctx context.Context, t *ast.Tx) error {
	if !t.Chain {
		return nil
	}
	_, err := c.beginTx(ctx, &ast.Tx{Kind: ast.TxBegin})
	return err
}

// rollback drops the block.
func (c *conn) rollback() {
	if c.tx.saved != nil {
		c.set.restore(c.tx.saved)
	}
	c.endCursors()
	c.tx.drop()
}

// needWrite refuses a write where none is allowed.
func (c *conn) needWrite(what string) error {
	if db, ok := c.cfg.DB.(ReadOnlyDatabase); ok && db.ReadOnly() {
		return sqlstate.New(sqlstate.ReadOnlyTransaction, "cannot execute %s: the database is open for reading only", what)
	}
	if c.tx.readOnly || !c.tx.explicit && c.set.value("default_transaction_read_only") == "on" {
		return sqlstate.New(sqlstate.ReadOnlyTransaction, "cannot execute %s in a read-only transaction", what)
	}
	return nil
}

// needOutside refuses what cannot run inside BEGIN … COMMIT.
func (c *conn) needOutside(what string) error {
	if c.tx.explicit {
		return sqlstate.New(sqlstate.FeatureNotSupported, "%s inside a transaction block is not supported", what).
			WithHint("Schema changes take effect at once and cannot be undone: run them outside BEGIN … COMMIT.")
	}
	return nil
}

package pgcatalog

import (
	"sync"
	"time"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/session"
	"github.com/telemdb/telemdb/storage/types"
)

// Catalog implements session.CatalogProvider for one database. It is safe for concurrent use.
type Catalog struct {
	relations map[types.TableName]*relation
	tables    []session.SystemTable
	types     *typeTable
	procs     *procTable
	scalars   map[string][]*expr.Func
	sets      map[string][]*plan.TableFunc
	started   int64 // microseconds since 1970

	mu struct {
		sync.Mutex
		world *world // of the last snapshot asked for
	}
}

var _ session.CatalogProvider = (*Catalog)(nil)

// New makes the catalog of one database.
func New() *Catalog {
	c := &Catalog{relations: map[types.TableName]*relation{}, types: newTypeTable(), started: time.Now().UnixMicro()}
	for _, r := range parseRelations(relationText) {
		c.relations[r.name] = r
		c.tables = append(c.tables, r.table(c))
	}
	c.scalars, c.sets = c.functions()
	c.procs = newProcTable(c)
	return c
}

// Lookup returns a relation of a system schema.
func (c *Catalog) Lookup(schema, name string) (session.SystemTable, bool) {
	r, ok := c.relations[types.TableName{Schema: schema, Name: name}]
	if !ok {
		return session.SystemTable{}, false
	}
	return r.table(c), true
}

// Tables lists all relations.
func (c *Catalog) Tables() []session.SystemTable { return c.tables }

// Scalars returns the overloads of a catalog function.
func (c *Catalog) Scalars(name string) []*expr.Func { return c.scalars[name] }

// TableFuncs returns the overloads of a set-returning catalog function.
func (c *Catalog) TableFuncs(name string) []*plan.TableFunc { return c.sets[name] }

// env is what a fill function or a catalog function knows: the objects, and who asks.
type env struct {
	c    *Catalog
	w    *world
	info session.Info
	ctx  *expr.Ctx
	memo map[string]int64 // of one evaluation: bytes by table
}

// env gives a call its surroundings.
func (c *Catalog) env(ctx *expr.Ctx) (*env, error) {
	info, ok := ctx.Session.(session.Info)
	if !ok {
		return nil, sqlstate.New(sqlstate.Internal, "system catalogs need a session")
	}
	return &env{c: c, w: c.worldOf(info), info: info, ctx: ctx}, nil
}

func (c *Catalog) rowsOf(r *relation) func(*expr.Ctx, session.Snapshot, plan.VirtualScan) (plan.Rows, error) {
	return func(ctx *expr.Ctx, _ session.Snapshot, _ plan.VirtualScan) (plan.Rows, error) {
		if r.fill.rows == nil {
			return &rows{}, nil
		}
		e, err := c.env(ctx)
		if err != nil {
			return nil, err
		}
		return e.w.read(r, e)
	}
}

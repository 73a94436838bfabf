package storage

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/types"
)

// View is a stored query.
type View = meta.View

// catalog is the names of a store: schemas, tables, views, and which member of a document has which column. Ping tables
// and their columns appear while records are decoded; they become durable with the seal that publishes their first rows,
// and a crash before that only means that replay makes them again.
type catalog struct {
	tablesMax, columnsMax int

	mu      sync.RWMutex
	next    uint32 // next id of a table or view
	tables  map[types.TableName]*entry
	byID    map[uint32]*entry
	views   map[types.TableName]*View
	schemas map[string]bool
	pings   int    // tables of kind TablePing
	version uint64 // counts changes that a snapshot can see
	cached  *names // the state as of version, nil if not made yet
}

// entry is one table. All its fields belong to the catalog's lock.
type entry struct {
	table   *types.Table      // replaced, never changed
	members map[string]string // ping tables: document member -> column
	live    bool              // has had a row, or was created by a statement: it is seen
	stored  *types.Table      // as it is on disk, nil if it is not
	system  bool              // of Options.SystemTables or a roll-up
}

// names is the catalog at one moment, immutable.
type names struct {
	version uint64
	tables  []*types.Table // by schema, name
	byID    map[uint32]*types.Table
	views   []*View
	schemas []string
}

func newCatalog(s *meta.State, tablesMax, columnsMax int) *catalog {
	c := &catalog{
		tablesMax: tablesMax, columnsMax: columnsMax, next: s.NextTable, version: 1,
		tables: map[types.TableName]*entry{}, byID: map[uint32]*entry{},
		views: map[types.TableName]*View{}, schemas: map[string]bool{},
	}
	for _, n := range s.Schemas {
		c.schemas[n] = true
	}
	for _, t := range s.Tables {
		e := &entry{table: t, live: true, stored: t, members: membersOf(t)}
		c.addLocked(e)
	}
	for _, v := range s.Views {
		c.views[v.FullName()] = v
	}
	return c
}

func membersOf(t *types.Table) map[string]string {
	m := map[string]string{}
	for _, col := range t.Columns {
		if col.Source != "" {
			m[col.Source] = col.Name
		}
	}
	return m
}

func (c *catalog) addLocked(e *entry) {
	c.tables[e.table.FullName()] = e
	c.byID[e.table.ID] = e
	if e.table.Kind == types.TablePing {
		c.pings++
	}
}

func (c *catalog) removeLocked(e *entry) {
	delete(c.tables, e.table.FullName())
	delete(c.byID, e.table.ID)
	if e.table.Kind == types.TablePing {
		c.pings--
	}
	c.changedLocked()
}

func (c *catalog) changedLocked() {
	c.version++
	c.cached = nil
}

// newIDLocked gives out an id.
func (c *catalog) newIDLocked() uint32 {
	id := c.next
	c.next++
	return id
}

// newPingLocked makes a ping table that nobody sees yet.
func (c *catalog) newPingLocked(n types.TableName) *entry {
	e := &entry{
		table: &types.Table{
			ID: c.newIDLocked(), Schema: n.Schema, Name: n.Name, Kind: types.TablePing,
			Columns: slices.Clone(types.PingColumns), SortKey: types.PingSortKey, PartitionBy: "submission_date",
		},
		members: map[string]string{},
	}
	c.addLocked(e)
	return e
}

// columnFor is DecodeEnv.ColumnFor.
func (c *catalog) columnFor(n types.TableName, member, want string) bool {
	c.mu.RLock()
	e := c.tables[n]
	if e != nil {
		if col, ok := e.members[member]; ok {
			c.mu.RUnlock()
			return col == want
		}
		if e.table.Kind != types.TablePing || e.table.Col(want) >= 0 || len(e.table.Columns) >= c.columnsMax {
			c.mu.RUnlock()
			return false
		}
	}
	c.mu.RUnlock()
	return c.claim(n, member, want)
}

func (c *catalog) claim(n types.TableName, member, want string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.tables[n]
	if e == nil {
		if c.views[n] != nil {
			return false
		}
		e = c.newPingLocked(n)
	}
	if col, ok := e.members[member]; ok {
		return col == want
	}
	t := e.table
	if t.Kind != types.TablePing || t.Col(want) >= 0 || len(t.Columns) >= c.columnsMax {
		return false
	}
	grown := *t
	grown.Columns = append(slices.Clip(t.Columns), types.Column{Name: want, Type: types.Of(types.JSONB), Source: member})
	e.table = &grown
	e.members[member] = want
	if e.live {
		c.changedLocked()
	}
	return true
}

// admit is DecodeEnv.Admit: it tells why submissions cannot have a table of that name.
func (c *catalog) admit(n types.TableName) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e := c.tables[n]; e != nil {
		if e.table.Kind != types.TablePing {
			return fmt.Errorf("table %s %w and is not filled by submissions", n, ErrExists)
		}
		return nil
	}
	if c.views[n] != nil {
		return fmt.Errorf("view %s %w", n, ErrExists)
	}
	if c.pings >= c.tablesMax {
		return fmt.Errorf("schema.max_tables: there are %d tables of pings already", c.pings)
	}
	return nil
}

// takenSuffix ends the name of the table that takes the rows of a decoder which did not ask Admit.
const takenSuffix = "_pings"

// forPing returns the table that takes the rows of pings named n, making it and making it seen.
func (c *catalog) forPing(n types.TableName) *types.Table {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		e := c.tables[n]
		if e == nil && c.views[n] == nil {
			e = c.newPingLocked(n)
		}
		if e == nil || e.table.Kind != types.TablePing {
			n.Name += takenSuffix
			continue
		}
		if !e.live {
			e.live = true
			c.schemas[n.Schema] = true
			c.changedLocked()
		}
		return e.table
	}
}

// byName returns a live table.
func (c *catalog) byName(n types.TableName) (*types.Table, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e := c.tables[n]
	if e == nil || !e.live {
		return nil, false
	}
	return e.table, true
}

// byIDLive returns a live table.
func (c *catalog) byIDLive(id uint32) (*types.Table, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e := c.byID[id]
	if e == nil || !e.live {
		return nil, false
	}
	return e.table, true
}

// state returns the catalog as it stands.
func (c *catalog) state() *names {
	c.mu.RLock()
	n := c.cached
	c.mu.RUnlock()
	if n != nil {
		return n
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cached == nil {
		c.cached = c.namesLocked()
	}
	return c.cached
}

func (c *catalog) namesLocked() *names {
	n := &names{version: c.version, byID: map[uint32]*types.Table{}}
	for _, e := range c.tables {
		if e.live {
			n.tables = append(n.tables, e.table)
			n.byID[e.table.ID] = e.table
		}
	}
	for _, v := range c.views {
		n.views = append(n.views, v)
	}
	for s := range c.schemas {
		n.schemas = append(n.schemas, s)
	}
	slices.SortFunc(n.tables, func(a, b *types.Table) int { return compareNames(a.FullName(), b.FullName()) })
	slices.SortFunc(n.views, func(a, b *View) int { return compareNames(a.FullName(), b.FullName()) })
	slices.Sort(n.schemas)
	return n
}

func compareNames(a, b types.TableName) int {
	return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name))
}

// persist adds to b what is not on disk yet of the given tables, and returns what to call once b is committed.
func (c *catalog) persist(b *meta.Batch, ids []uint32) (committed func()) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	b.SetNextTable(c.next)
	put := map[*entry]*types.Table{}
	for _, id := range ids {
		e := c.byID[id]
		if e == nil || e.stored == e.table {
			continue
		}
		b.PutTable(e.table)
		b.PutSchema(e.table.Schema)
		put[e] = e.table
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for e, t := range put {
			e.stored = t
		}
	}
}

// ensure gives a table of the server its place in the catalog: the stored one's id if there is one, with the columns the
// program has now. It returns the table with its id.
func (c *catalog) ensure(t *types.Table) *types.Table {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := *t
	if !slices.ContainsFunc(own.Columns, func(col types.Column) bool { return col.Name == types.ColLSN }) && t.Kind != types.TableStates {
		own.Columns = append(slices.Clip(own.Columns), lsnColumn)
	}
	e := c.tables[t.FullName()]
	if e == nil {
		own.ID = c.newIDLocked()
		e = &entry{live: true}
	} else {
		own.ID, own.Retention, own.SourceLost = e.table.ID, e.table.Retention, e.table.SourceLost
		c.removeLocked(e)
	}
	e.system = true
	if e.table == nil || !sameTable(e.table, &own) {
		e.table = &own
	}
	c.addLocked(e)
	c.schemas[own.Schema] = true
	c.changedLocked()
	return e.table
}

// lsnColumn is the system column of every table.
var lsnColumn = types.Column{Name: types.ColLSN, Type: types.Of(types.Int64), Hidden: true}

func sameTable(a, b *types.Table) bool {
	return a.Kind == b.Kind && a.PartitionBy == b.PartitionBy && slices.Equal(a.Columns, b.Columns) && slices.Equal(a.SortKey, b.SortKey)
}

// isStored reports whether a table is on disk.
func (c *catalog) isStored(id uint32) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e := c.byID[id]
	return e != nil && e.stored != nil
}

// orphanStates names the tables of states whose roll-up nobody brought.
func (c *catalog) orphanStates() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []string
	for _, e := range c.tables {
		if e.table.Kind == types.TableStates && !e.system {
			out = append(out, e.table.FullName().String())
		}
	}
	slices.Sort(out)
	return out
}

func (c *catalog) hasSchema(name string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.schemas[name]
}

func (c *catalog) setSchema(name string, there bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.schemas, name); there {
		c.schemas[name] = true
	}
	c.changedLocked()
}

func (c *catalog) schemaUsed(name string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for n, e := range c.tables {
		if n.Schema == name && e.live {
			return true
		}
	}
	for n := range c.views {
		if n.Schema == name {
			return true
		}
	}
	return false
}

// newID gives out the id of a table that is reserved later.
func (c *catalog) newID() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newIDLocked()
}

// reserve gives t an id, if it has none, and takes its name; nobody sees it before reveal.
func (c *catalog) reserve(t *types.Table) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := t.FullName()
	if old := c.tables[n]; old != nil && old.live {
		return fmt.Errorf("table %s %w", n, ErrExists)
	} else if old != nil {
		// A submission has claimed columns of a ping table that never had a row. Its decoded records, if any are on
		// their way, go to the table that forPing will name.
		c.removeLocked(old)
	}
	if c.views[n] != nil {
		return fmt.Errorf("view %s %w", n, ErrExists)
	}
	if t.ID == 0 {
		t.ID = c.newIDLocked()
	}
	c.addLocked(&entry{table: t, members: map[string]string{}})
	return nil
}

func (c *catalog) reveal(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byID[id].live = true
	c.changedLocked()
}

func (c *catalog) unreserve(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byID[id]; e != nil && !e.live {
		c.removeLocked(e)
	}
}

// remove forgets a table. The columns that documents have claimed in a ping table are kept for the one that will follow:
// records that are decoded already rely on them.
func (c *catalog) remove(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byID[id]
	c.removeLocked(e)
	if e.table.Kind != types.TablePing {
		return
	}
	next := *e.table
	next.ID, next.Retention = c.newIDLocked(), types.Retention{}
	c.addLocked(&entry{table: &next, members: e.members})
}

// admitView gives v its id and says whether its name is free.
func (c *catalog) admitView(v *View, replace bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := v.FullName()
	if e := c.tables[n]; e != nil && e.live {
		return fmt.Errorf("table %s %w", n, ErrExists)
	} else if e != nil {
		c.removeLocked(e) // as in reserve
	}
	old := c.views[n]
	if old != nil && !replace {
		return fmt.Errorf("view %s %w", n, ErrExists)
	}
	if old != nil {
		v.ID = old.ID
	} else {
		v.ID = c.newIDLocked()
	}
	return nil
}

func (c *catalog) setView(v *View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.views[v.FullName()] = v
	c.changedLocked()
}

func (c *catalog) hasView(n types.TableName) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.views[n] != nil
}

func (c *catalog) dropView(n types.TableName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.views, n)
	c.changedLocked()
}

package storage

import (
	"context"
	"fmt"
	"slices"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/types"
)

// Changes of the catalog by statements. Each is durable when it returns, and seen by every later snapshot. They run one
// at a time, under sealMu, so that what they check still holds when they publish.

// CreateSchema makes a schema. ErrExists.
func (s *Store) CreateSchema(ctx context.Context, name string) error {
	return s.ddl(ctx, func() (publication, error) {
		if s.catalog.hasSchema(name) {
			return publication{}, fmt.Errorf("schema %q %w", name, ErrExists)
		}
		return publication{
			stage:   func(b *meta.Batch) { b.PutSchema(name) },
			install: func() { s.catalog.setSchema(name, true) },
		}, nil
	})
}

// DropSchema removes an empty schema. ErrNotFound, ErrNotEmpty.
func (s *Store) DropSchema(ctx context.Context, name string) error {
	return s.ddl(ctx, func() (publication, error) {
		if !s.catalog.hasSchema(name) {
			return publication{}, fmt.Errorf("schema %q %w", name, ErrNotFound)
		}
		if s.catalog.schemaUsed(name) {
			return publication{}, fmt.Errorf("schema %q %w", name, ErrNotEmpty)
		}
		return publication{
			stage:   func(b *meta.Batch) { b.DropSchema(name) },
			install: func() { s.catalog.setSchema(name, false) },
		}, nil
	})
}

// CreateTable makes an ordinary table and returns it with its ID and system column. ErrExists, ErrNotFound (schema).
func (s *Store) CreateTable(ctx context.Context, t *types.Table) (*types.Table, error) {
	made, err := ordinary(t)
	if err != nil {
		return nil, err
	}
	err = s.ddl(ctx, func() (publication, error) {
		if !s.catalog.hasSchema(made.Schema) {
			return publication{}, fmt.Errorf("schema %q %w", made.Schema, ErrNotFound)
		}
		if err := s.catalog.reserve(made); err != nil {
			return publication{}, err
		}
		return publication{tables: []uint32{made.ID}, install: func() { s.catalog.reveal(made.ID) }}, nil
	})
	if err != nil {
		s.catalog.unreserve(made.ID)
		return nil, err
	}
	return made, nil
}

// ordinary returns t as an ordinary table that has no ID yet.
func ordinary(t *types.Table) (*types.Table, error) {
	made := *t
	made.ID, made.Kind = 0, types.TableUser
	made.Columns = slices.Clone(t.Columns)
	if made.Col(types.ColLSN) < 0 {
		made.Columns = append(made.Columns, lsnColumn)
	}
	if made.PartitionBy != "" {
		if i := made.Col(made.PartitionBy); i < 0 || made.Columns[i].Type.Kind != types.Date {
			return nil, fmt.Errorf("partition column %q of table %s must be one of its date columns", made.PartitionBy, made.FullName())
		}
	}
	return &made, nil
}

// DropTable removes a table and its rows. Their files go when no snapshot needs them. ErrNotFound, ErrSystem. A table of
// pings comes back, empty, with the next submission for it; its documents stay known as duplicates.
func (s *Store) DropTable(ctx context.Context, n types.TableName) error {
	if err := s.writable(); err != nil {
		return err
	}
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	t, ok := s.catalog.byName(n)
	if !ok {
		return fmt.Errorf("table %s %w", n, ErrNotFound)
	}
	if t.Kind != types.TableUser && t.Kind != types.TablePing {
		return fmt.Errorf("table %s %w", n, ErrSystem)
	}
	if err := s.sealTable(ctx, t, s.sealLocked); err != nil {
		return mapError(err)
	}
	return mapError(s.dropTable(ctx, t))
}

// sealTable seals the lanes that hold rows of a table of pings: the errors and duplicates among them stay.
func (s *Store) sealTable(ctx context.Context, t *types.Table, seal func(context.Context, *lane) error) error {
	if t.Kind != types.TablePing {
		return nil
	}
	for _, l := range s.lanes() {
		if !l.holds(t.ID) {
			continue
		}
		if err := seal(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// dropTable publishes the end of t while nothing is applied. What has come since its lanes were sealed is sealed first.
func (s *Store) dropTable(ctx context.Context, t *types.Table) error {
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	if err := s.sealTable(ctx, t, s.sealApplyLocked); err != nil {
		return err
	}
	l := s.heads.byRoute[ownRoute(t.ID)]
	files := s.manifest.currentFiles(t.ID)
	lost := s.sourceLost(t, files)
	total := s.balanceOf(t.FullName())
	total.Removed += uint64(s.manifest.liveRows(files))
	return s.publish(publication{
		edit: edit{drop: files}, sealed: l,
		stage: func(b *meta.Batch) {
			b.DropTable(t.ID)
			lost.stage(b)
			if t.Kind == types.TablePing {
				b.PutBalance(t.FullName(), total)
			}
		},
		install: func() {
			s.catalog.remove(t.ID)
			lost.install()
			if t.Kind == types.TablePing {
				s.balance[t.FullName()] = total
			} else if l != nil {
				s.dropLaneLocked(l)
			}
		},
	})
}

// dropLaneLocked forgets the unsealed rows of a dropped ordinary table. applyMu and mu are held.
func (s *Store) dropLaneLocked(l *lane) {
	for _, rs := range []*rowset{l.frozen, l.active} {
		if rs != nil {
			s.shrinkHead(rs.bytes)
		}
	}
	l.frozen, l.active = nil, nil
	s.heads.removeEmpty()
}

// CreateView stores a view and gives it its ID. ErrExists if the name is taken, by a view only if replace is false.
// ErrNotFound (schema).
func (s *Store) CreateView(ctx context.Context, v View, replace bool) error {
	return s.ddl(ctx, func() (publication, error) {
		if !s.catalog.hasSchema(v.Schema) {
			return publication{}, fmt.Errorf("schema %q %w", v.Schema, ErrNotFound)
		}
		if err := s.catalog.admitView(&v, replace); err != nil {
			return publication{}, err
		}
		return publication{
			stage:   func(b *meta.Batch) { b.PutView(&v) },
			install: func() { s.catalog.setView(&v) },
		}, nil
	})
}

// DropView removes a view. ErrNotFound.
func (s *Store) DropView(ctx context.Context, n types.TableName) error {
	return s.ddl(ctx, func() (publication, error) {
		if !s.catalog.hasView(n) {
			return publication{}, fmt.Errorf("view %s %w", n, ErrNotFound)
		}
		return publication{
			stage:   func(b *meta.Batch) { b.DropView(n) },
			install: func() { s.catalog.dropView(n) },
		}, nil
	})
}

// ddl checks and publishes one change.
func (s *Store) ddl(ctx context.Context, change func() (publication, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.writable(); err != nil {
		return err
	}
	s.sealMu.Lock()
	defer s.sealMu.Unlock()
	p, err := change()
	if err != nil {
		return err
	}
	return mapError(s.publish(p))
}

package inspect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/telemdb/telemdb/storage/meta"
	"github.com/telemdb/telemdb/storage/vfs"
	"github.com/telemdb/telemdb/storage/wal"
)

// Data prints a summary of a data directory: what lies where and how large it is, and for each table its partitions.
func Data(w io.Writer, fsys vfs.FS, dir string, o Options) (err error) {
	catalog := path.Join(dir, "meta")
	db, err := openCatalog(fsys, catalog)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := db.Load()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	if err := printLayout(out, fsys, dir); err != nil {
		return err
	}
	if err := printLogFiles(out, fsys, path.Join(dir, "wal"), s.LogMark); err != nil {
		return err
	}
	printTables(out, s, o)
	return out.Flush()
}

func printLayout(out io.Writer, fsys vfs.FS, dir string) error {
	format, err := vfs.ReadFile(fsys, path.Join(dir, "FORMAT"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "data directory %s: %s\n", dir, strings.TrimSpace(string(format)))
	parts := []struct{ name, what string }{{"meta", "catalog"}, {"wal", "log"}, {"segments", "segments"}}
	known := []string{"LOCK", "FORMAT"}
	for _, d := range parts {
		known = append(known, d.name)
		files, bytes, err := sizeOf(fsys, path.Join(dir, d.name))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %-9s %s: %d files, %d bytes\n", d.name+"/", d.what, files, bytes)
	}
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if slices.Contains(known, n) {
			continue
		}
		info, err := fsys.Stat(path.Join(dir, n))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %-9s %d bytes\n", n, info.Size)
	}
	return nil
}

func sizeOf(fsys vfs.FS, dir string) (files int, bytes int64, err error) {
	names, err := fsys.List(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, n := range names {
		info, err := fsys.Stat(path.Join(dir, n))
		if err != nil {
			return 0, 0, err
		}
		if !info.Dir {
			files++
			bytes += info.Size
		}
	}
	return files, bytes, nil
}

func printLogFiles(out io.Writer, fsys vfs.FS, dir string, sealed uint64) error {
	files, damage, err := wal.Check(fsys, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the log is sealed up to %d\n", sealed)
	for _, f := range files {
		state := "has records that are not sealed"
		if f.Last <= sealed {
			state = "sealed, kept as landfill"
		}
		fmt.Fprintf(out, "  %s: LSN %d to %d, %d bytes, %s\n", f.Name, f.First, f.Last, f.Bytes, state)
	}
	for _, d := range damage {
		fmt.Fprintf(out, "  damage: %v\n", d)
	}
	return nil
}

// partition sums up the segments of one partition.
type partition struct {
	segments, groups  int
	rows, bytes, size int64
}

func (p *partition) add(e *meta.Segment) {
	p.segments++
	p.groups += len(e.Meta.GroupRows)
	p.rows += e.Meta.Rows
	p.bytes += e.Meta.Bytes
	p.size += e.Meta.ValueBytes
}

func (p *partition) String() string {
	return fmt.Sprintf("%d rows in %d segments with %d row groups, %d bytes for %d bytes of values", p.rows, p.segments, p.groups, p.bytes, p.size)
}

func printTables(out io.Writer, s *meta.State, o Options) {
	for _, t := range s.Tables {
		var all partition
		var order []string
		parts := map[string]*partition{}
		for _, e := range s.Segments { // by table and id: partitions in the order in which they first came
			if e.Table != t.ID {
				continue
			}
			name := "no partition"
			if e.Meta.HasPartition {
				name = date(e.Meta.Partition)
			}
			if parts[name] == nil {
				parts[name] = &partition{}
				order = append(order, name)
			}
			parts[name].add(e)
			all.add(e)
		}
		fmt.Fprintf(out, "table %s (%s, %d columns): %v\n", t.FullName(), kindName(t.Kind), len(t.Columns), &all)
		for i, name := range order {
			if o.Head > 0 && i == o.Head {
				fmt.Fprintf(out, "  and %d more partitions\n", len(order)-i)
				break
			}
			fmt.Fprintf(out, "  %s: %v\n", name, parts[name])
		}
	}
}

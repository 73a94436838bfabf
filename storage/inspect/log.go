package inspect

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/telemdb/telemdb/storage/vfs"
	"github.com/telemdb/telemdb/storage/wal"
)

// The kinds of log records, as storage numbers them (storage/FORMAT.md).
const (
	kindPing   = 1
	kindRows   = 2
	kindBulk   = 3
	kindTables = 4
)

// Log prints a file of the log: its header, its records, what of it is damaged, and how it ends. It verifies every
// checksum.
func Log(w io.Writer, fsys vfs.FS, name string, o Options) error {
	out := bufio.NewWriter(w)
	var lines []string
	records, bytes := 0, int64(0)
	info, damage, err := wal.Inspect(fsys, name, func(r wal.RecordInfo) {
		records++
		bytes += int64(len(r.Payload))
		if o.Head == 0 || records <= o.Head {
			lines = append(lines, fmt.Sprintf("  [%d, %d) record %d: %s; synced before it: up to %d",
				r.Offset, r.Offset+r.Size, r.LSN, describe(r, o), r.Synced))
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "log file %s, %d bytes\n", name, info.Bytes)
	if info.ID == 0 {
		fmt.Fprintln(out, "no header can be read, so no record can be verified")
	} else {
		fmt.Fprintf(out, "header: number %d, id %#016x, begun %s\n", info.Number, info.ID, info.Time.UTC().Format(time.RFC3339Nano))
	}
	for _, l := range lines {
		fmt.Fprintln(out, l)
	}
	if n := records - len(lines); n > 0 {
		fmt.Fprintf(out, "  and %d more records\n", n)
	}
	for _, d := range damage {
		fmt.Fprintf(out, "damage: %v\n", d)
	}
	fmt.Fprintf(out, "%d records, LSN %d to %d, %d bytes of payload\n", records, info.First, info.Last, bytes)
	return out.Flush()
}

func describe(r wal.RecordInfo, o Options) string {
	switch r.Kind {
	case kindPing:
		if o.Submission != nil {
			return "submission, " + o.Submission(r.Payload)
		}
		return fmt.Sprintf("submission, %d bytes", len(r.Payload))
	case kindRows:
		return fmt.Sprintf("rows of an INSERT, %d bytes", len(r.Payload))
	case kindTables:
		return fmt.Sprintf("rows of a transaction's INSERTs into several tables, %d bytes", len(r.Payload))
	case kindBulk:
		return fmt.Sprintf("rows written beside the log, %d bytes", len(r.Payload))
	}
	return fmt.Sprintf("unknown kind %d, %d bytes", r.Kind, len(r.Payload))
}

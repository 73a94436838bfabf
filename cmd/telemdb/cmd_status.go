package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/telemdb/telemdb/cmd/telemdb/shell"
)

func statusCommand() *cobra.Command {
	var data, url string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "What a database holds and how it is, on one screen",
		Long: "Print what a server, by default the one on this machine, or a data directory holds and how it is: version, disk, sizes, lag,\n" +
			"what waits to be sealed and merged, damage, and every table. A directory is opened for reading only, also beside a\n" +
			"running server.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if data != "" && url != "" {
				return errors.New("--data and --url: give one of them")
			}
			var args []string
			if where := data + url; where != "" {
				args = append(args, where)
			}
			target, err := openTarget(cmd.Context(), args, false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, target.Close()) }()
			return printStatus(cmd.Context(), cmd.OutOrStdout(), target, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "data directory, or a backup")
	f.StringVar(&url, "url", "", "server, postgres://…")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// record is a row by column name; NULL is absent.
type record map[string]any

// queryRecords returns the rows of a query, numbers as numbers.
func queryRecords(ctx context.Context, t shell.Target, query string) (out []record, err error) {
	err = t.Run(ctx, query, func(r shell.Result) error {
		for {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			rec := record{}
			for i, c := range r.Columns {
				switch {
				case row[i] == nil:
				case c.Right:
					rec[c.Name] = json.Number(row[i])
				case string(row[i]) == "t" || string(row[i]) == "f":
					rec[c.Name] = row[i][0] == 't'
				default:
					rec[c.Name] = string(row[i])
				}
			}
			out = append(out, rec)
		}
	})
	return out, err
}

const (
	statusQuery = "SELECT * FROM telemdb.status"
	tablesQuery = "SELECT * FROM telemdb.tables ORDER BY bytes DESC, schema_name, table_name"
	damageQuery = "SELECT file, \"offset\", what, found_by, seen FROM telemdb.damage WHERE state = 'open' ORDER BY seen DESC LIMIT 5"
)

func printStatus(ctx context.Context, w io.Writer, t shell.Target, asJSON bool) error {
	status, err1 := queryRecords(ctx, t, statusQuery)
	tables, err2 := queryRecords(ctx, t, tablesQuery)
	damage, err3 := queryRecords(ctx, t, damageQuery)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if len(status) != 1 {
		return fmt.Errorf("telemdb.status has %d rows, want one", len(status))
	}
	if asJSON {
		s := status[0]
		s["table_list"], s["open_damage"] = tables, damage
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	}
	statusText(w, status[0], damage)
	return tablesText(w, tables)
}

func statusText(w io.Writer, s record, damage []record) {
	who := fmt.Sprintf("pid %v, since %v", s["pid"], s["started"])
	if s["read_only"] == true {
		who = "opened for reading only"
		if by := s["opened_by"]; by != nil {
			who += fmt.Sprintf("; last written by %v", by)
		}
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("telemdb", "%v, %s", s["version"], who)
	line("directory", "%v", s["dir"])
	line("disk", "%s free of %s, %v", bytesText(s["disk_free_bytes"]), bytesText(s["disk_total_bytes"]), s["disk"])
	line("sizes", "segments %s, log %s, landfill %s, catalog %s", bytesText(s["segment_bytes"]), bytesText(s["log_bytes"]), bytesText(s["landfill_bytes"]),
		bytesText(s["catalog_bytes"]))
	line("rows", "%v in %v segments of %v tables, %v in the head (%s)", s["segment_rows"], s["segments"], s["tables"], s["head_rows"],
		bytesText(s["head_bytes"]))
	unsealed := "nothing waits to be sealed"
	if t := s["oldest_unsealed"]; t != nil {
		unsealed = fmt.Sprintf("%s of the log wait to be sealed, since %v", bytesText(s["unsealed_bytes"]), t)
	}
	line("debt", "lag %v s; %s; merges owe %s in %v segments", s["lag_seconds"], unsealed, bytesText(s["merge_debt_bytes"]), s["merge_debt_segments"])
	line("damage", "%v open", s["damage"])
	for _, d := range damage {
		line("", "%v offset %v, %v by %v: %v", d["file"], d["offset"], d["seen"], d["found_by"], d["what"])
	}
}

func tablesText(w io.Writer, tables []record) error {
	out := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "\ntable\trows\tunsealed\tdeleted\tsegments\tsize\tretention\tdamaged\t")
	for _, t := range tables {
		fmt.Fprintf(out, "%v.%v\t%v\t%v\t%v\t%v\t%s\t%s\t%v\t\n", t["schema_name"], t["table_name"], t["rows"], t["unsealed_rows"], t["deleted"],
			t["segments"], bytesText(t["bytes"]), retentionText(t), t["damaged_segments"])
	}
	return out.Flush()
}

func retentionText(t record) string {
	var parts []string
	if d := t["retention_days"]; d != nil {
		parts = append(parts, fmt.Sprintf("%v days", d))
	}
	if b := t["retention_bytes"]; b != nil {
		parts = append(parts, bytesText(b))
	}
	if len(parts) == 0 {
		return "for ever"
	}
	return strings.Join(parts, ", ")
}

// bytesText prints a number of bytes for people.
func bytesText(v any) string {
	n, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	if err != nil {
		return "unknown"
	}
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1024 {
			return fmt.Sprintf("%.4g %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.4g TiB", n)
}

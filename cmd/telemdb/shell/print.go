package shell

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// alignedRows is how many rows are looked at to find the column widths; a longer result is printed in parts of that
// many rows, so that it is never held whole.
const alignedRows = 10_000

func printAligned(out io.Writer, r Result) error {
	w := bufio.NewWriter(out)
	defer w.Flush()
	if r.Columns == nil {
		if _, err := drain(r); err != nil {
			return err
		}
		fmt.Fprintln(w, r.Tag())
		return nil
	}
	total := 0
	for first := true; ; first = false {
		rows, end, err := take(r, alignedRows)
		if err != nil {
			return err
		}
		if first || len(rows) > 0 {
			printBlock(w, r.Columns, rows, first)
		}
		total += len(rows)
		if end {
			break
		}
	}
	unit := "rows"
	if total == 1 {
		unit = "row"
	}
	fmt.Fprintf(w, "(%d %s)\n\n", total, unit)
	return nil
}

// take reads up to n rows; end says that there are no more. NULL is shown as nothing, as psql does.
func take(r Result, n int) (rows [][]string, end bool, err error) {
	for len(rows) < n {
		vals, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		row := make([]string, len(vals))
		for i, v := range vals {
			row[i] = string(v)
		}
		rows = append(rows, row)
	}
	return rows, false, nil
}

func drain(r Result) (int, error) {
	rows, end, err := 0, r.Next == nil, error(nil)
	for !end && err == nil {
		if _, err = r.Next(); errors.Is(err, io.EOF) {
			return rows, nil
		}
		rows++
	}
	return rows, err
}

func printBlock(w *bufio.Writer, cols []Column, rows [][]string, header bool) {
	width := make([]int, len(cols))
	for i, c := range cols {
		width[i] = utf8.RuneCountInString(c.Name)
		for _, row := range rows {
			for line := range strings.SplitSeq(row[i], "\n") {
				width[i] = max(width[i], utf8.RuneCountInString(line))
			}
		}
	}
	if header {
		for i, c := range cols {
			if i > 0 {
				w.WriteByte('|')
			}
			gap := width[i] - utf8.RuneCountInString(c.Name)
			pad(w, 1+gap/2)
			w.WriteString(c.Name)
			if i < len(cols)-1 {
				pad(w, 1+gap-gap/2)
			}
		}
		w.WriteByte('\n')
		for i := range cols {
			if i > 0 {
				w.WriteByte('+')
			}
			w.WriteString(strings.Repeat("-", width[i]+2))
		}
		w.WriteByte('\n')
	}
	for _, row := range rows {
		printRow(w, cols, width, row)
	}
}

// printRow prints one row, over several lines where a value has line breaks.
func printRow(w *bufio.Writer, cols []Column, width []int, row []string) {
	parts := make([][]string, len(row))
	height := 1
	for i, v := range row {
		parts[i] = strings.Split(v, "\n")
		height = max(height, len(parts[i]))
	}
	for line := range height {
		for i, c := range cols {
			if i > 0 {
				w.WriteByte('|')
			}
			text, more := "", line+1 < len(parts[i])
			if line < len(parts[i]) {
				text = parts[i][line]
			}
			gap := width[i] - utf8.RuneCountInString(text)
			w.WriteByte(' ')
			if c.Right {
				pad(w, gap)
			}
			w.WriteString(text)
			last := i == len(cols)-1
			if !c.Right && (!last || more) {
				pad(w, gap)
			}
			switch {
			case more:
				w.WriteByte('+')
			case !last:
				w.WriteByte(' ')
			}
		}
		w.WriteByte('\n')
	}
}

func pad(w *bufio.Writer, n int) {
	for range n {
		w.WriteByte(' ')
	}
}

// printCSV prints a result with a header line; NULL is an empty field.
func printCSV(out io.Writer, r Result) error {
	if r.Columns == nil {
		_, err := drain(r)
		return err
	}
	w := csv.NewWriter(out)
	row := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		row[i] = c.Name
	}
	for {
		if err := w.Write(row); err != nil {
			return err
		}
		vals, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for i, v := range vals {
			row[i] = string(v)
		}
	}
	w.Flush()
	return w.Error()
}

// Command parquet writes the rows of sealed segments as Parquet and prints how large that is: the other side of
// `go run ./bench/telembench -only size`, which runs it. It is a module of its own, because Parquet brings modules that
// telemdb does without.
//
//	go run . [-scratch DIR] FILE.seg …
//
// prints for each segment a line of JSON: {"file": …, "bytes": …, "columns": {"payload.x:int": bytes, …}}.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/vfs"
)

// result is the size of one segment's rows as Parquet. Columns are by path and leaf kind; "" is what is in no column.
type result struct {
	File    string           `json:"file"`
	Bytes   int64            `json:"bytes"`
	Columns map[string]int64 `json:"columns"`
}

func main() {
	scratch := flag.String("scratch", os.TempDir(), "where the Parquet file is written; it is removed again")
	flag.Parse()
	for _, name := range flag.Args() {
		if err := convert(name, *scratch); err != nil {
			fmt.Fprintf(os.Stderr, "parquet: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

func convert(name, scratch string) error {
	r, err := segment.OpenAny(vfs.OS(), name, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	out := result{File: name, Columns: map[string]int64{}}
	if out.Bytes, err = writeParquet(r, filepath.Join(scratch, "rows.parquet"), out.Columns); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/telemdb/telemdb/storage/segment"
	"github.com/telemdb/telemdb/storage/types"
)

// family says which part of a document a column belongs to.
func family(p segment.Part) string {
	if p.Path == "" {
		return "(" + p.Encoding + ")"
	}
	return familyOf(p.Path, p.Leaf)
}

func familyOf(path types.Path, leaf types.Leaf) string {
	keys := path.Keys()
	switch {
	case path == "":
		return "(directory)"
	case leaf == types.LeafHistogram:
		return "histograms"
	case leaf == types.LeafJSON:
		return "json"
	case len(keys) == 0:
		return "envelope"
	case path.Column() == "payload":
		return "payload." + keys[0]
	}
	return path.Column()
}

func printLargest(columns map[string]*sizeLine) {
	names := sorted(columns)
	for _, name := range names[:min(*sizeTop, len(names))] {
		l := columns[name]
		fmt.Fprintf(os.Stderr, "%10d %8d %s (%d)\n", l.ours, l.presence, name, l.columns)
	}
}

// buildParquet builds the writer of the other side. It is a module of its own, so that the modules that Parquet needs are
// not telemdb's.
func buildParquet(dir string) (bin string, err error) {
	bin = filepath.Join(dir, "parquet")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Dir, build.Stderr = filepath.Join("bench", "parquet"), os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("build bench/parquet: %w", err)
	}
	return bin, nil
}

// parquetSize writes the rows of a segment as Parquet and returns the size; share is told that of each leaf.
func parquetSize(bin, segment, scratch string, share func(path types.Path, leaf types.Leaf, bytes int64)) (int64, error) {
	run := exec.Command(bin, "-scratch", scratch, segment)
	run.Stderr = os.Stderr
	out, err := run.Output()
	if err != nil {
		return 0, err
	}
	var result struct {
		Bytes   int64
		Columns map[string]int64
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return 0, err
	}
	for name, bytes := range result.Columns {
		at := strings.LastIndex(name, ":")
		if at < 0 {
			share("", 0, bytes)
			continue
		}
		share(types.Path(name[:at]), leafOf(name[at+1:]), bytes)
	}
	return result.Bytes, nil
}

func leafOf(name string) types.Leaf {
	for l := types.LeafBool; l <= types.LeafJSON; l++ {
		if l.String() == name {
			return l
		}
	}
	return 0
}

package telemdb_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// The house order (ARCHITECTURE.md). A folder imports only from the levels before its own, or from itself. A change
// that does not fit is a reason to move code, not to loosen this table.
var levels = [][]string{
	{"storage"},
	{"ingest", "rollups"}, // side by side: neither imports the other
	{"engine"},
	{"sql"},
	{"wire"},
	{""}, // the root package, telemdb
	{"web", "bench"},
	{"cmd"},
}

// walls are imports that the order allows and the house does not: from a folder, to a folder, but for the exceptions.
var walls = []struct {
	from, to string
	except   []string
}{
	{"engine", "rollups", nil},
	{"engine", "ingest", []string{"ingest/shred"}},
	{"engine/kernel", "", []string{"storage/simd"}}, // leaf loops know nothing of ours but the leaf loops below
	{"storage/simd", "", nil},
}

// doors are third-party modules and the only folders that may import them.
var doors = []struct {
	module string
	in     []string
}{
	{"github.com/pganalyze/pg_query_go", []string{"sql/parse"}},
	{"github.com/jackc/pgproto3", []string{"wire"}},
	{"github.com/cockroachdb/pebble", []string{"storage/meta", "storage/vfs"}},
	{"github.com/apache/arrow", []string{"engine/arrowio", ""}},
}

const module = "github.com/telemdb/telemdb"

// folder returns the package's folder below the module's root, and whether it is ours at all.
func folder(pkg string) (string, bool) {
	if pkg == module {
		return "", true
	}
	return strings.CutPrefix(pkg, module+"/")
}

func top(folder string) string {
	first, _, _ := strings.Cut(folder, "/")
	return first
}

func level(folder string) int {
	for i, l := range levels {
		for _, f := range l {
			if f == top(folder) {
				return i
			}
		}
	}
	return -1
}

func within(folder, parent string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+"/")
}

func TestFoldersImportOnlyFromTheirLeft(t *testing.T) {
	for from, imports := range listImports(t) {
		if level(from) < 0 {
			t.Errorf("%s: not a folder of the house (see levels)", from)
			continue
		}
		for _, imp := range imports {
			to, ours := folder(imp)
			if !ours {
				checkDoor(t, from, imp)
				continue
			}
			if top(from) != top(to) && level(to) >= level(from) {
				t.Errorf("%s imports %s: not to its left", from, to)
			}
			checkWalls(t, from, to)
		}
	}
}

func checkWalls(t *testing.T, from, to string) {
	t.Helper()
	for _, w := range walls {
		if !within(from, w.from) || (w.to != "" && !within(to, w.to)) {
			continue
		}
		allowed := false
		for _, e := range w.except {
			allowed = allowed || within(to, e)
		}
		if !allowed {
			t.Errorf("%s imports %s: there is a wall", from, to)
		}
	}
}

func checkDoor(t *testing.T, from, imp string) {
	t.Helper()
	for _, d := range doors {
		if !within(imp, d.module) {
			continue
		}
		allowed := false
		for _, in := range d.in {
			allowed = allowed || from == in
		}
		if !allowed {
			t.Errorf("%s imports %s: only %v may", from, imp, d.in)
		}
	}
}

// listImports returns the imports of every package of the module, test files apart, by folder.
func listImports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Skipf("no go command to ask: %v", err)
	}
	imports := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return imports
		} else if err != nil {
			t.Fatal(err)
		}
		f, _ := folder(p.ImportPath)
		imports[f] = p.Imports
	}
}

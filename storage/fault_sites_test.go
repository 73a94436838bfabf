package storage

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/vfs"
)

// unsweptSites are the calls that no scene reaches, by file and function, and why.
var unsweptSites = map[string]string{
	"storage/lease.go close":     "removes the socket of a real file system; no fault file system has sockets",
	"storage/filepool.go drop":   "a list in memory, no file",
	"storage/filepool.go shrink": "a list in memory, no file",
	"storage/store.go publish":   "wal.Log.Sync, whose own calls are counted",
	"meta/gate.go Rename":        "Pebble renames nothing in what is done here",
	"wal/rotate.go fill":         "fills a file only behind one that took a second: the log's own tests",
	"meta/gate.go RemoveAll":     "Pebble removes directories only after a checkpoint that failed",
}

// lasting are the calls by which a change becomes visible or durable, or is taken back.
var lasting = map[string]bool{"Sync": true, "SyncData": true, "Rename": true, "Remove": true, "RemoveAll": true, "SyncDir": true, "Link": true}

// TestEveryCallThatMakesAChangeLastIsReachedByTheFaults plays all scenes with every call recorded, and compares with the
// calls that stand in the source.
func TestEveryCallThatMakesAChangeLastIsReachedByTheFaults(t *testing.T) {
	reached := map[string]bool{}
	for i := range faultScenes {
		sc := &faultScenes[i]
		base := vfs.NewCrash()
		p := sc.make(t, base)
		play := func(rules ...vfs.Rule) error {
			in := vfs.NewInjector(rules...)
			in.RecordSites()
			err := sc.play(vfs.Fault(base.CrashClone(rand.New(rand.NewPCG(1, 1)), 1), in), p.clone())
			for site := range in.Sites() {
				_, at, _ := strings.Cut(site, " ")
				reached[at] = true
			}
			return err
		}
		must(t, play())
		// And what is done to undo a change that failed.
		undone := map[string]string{"seal and merge": "/db/segments/*", "large records": "/db/wal/*", "ballast": "/db/ballast"}
		for _, op := range []vfs.Op{vfs.OpWriteAt, vfs.OpPreallocate, vfs.OpSync, vfs.OpRename} {
			for nth := int64(1); undone[sc.name] != "" && nth <= 6; nth++ {
				_ = play(vfs.Rule{Ops: vfs.Ops(op), Glob: undone[sc.name], Nth: nth, Err: errDisk}) // whatever it says: the sweeps look at that
			}
		}
	}
	sites := int64(0)
	for _, dir := range []string{".", "wal", "meta", "segment"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		must(t, err)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, c := range lastingCalls(t, name) {
				if reached[c.at] {
					sites++
				} else if unsweptSites[c.in] == "" {
					t.Errorf("%s, in %s: no scene reaches it", c.at, c.in)
				}
			}
		}
	}
	prove.Tally(t, "call sites of syncs, renames, links and removals reached", sites)
}

type lastingCall struct{ at, in string } // "wal/sync.go:90" and "wal/sync.go sync"

func lastingCalls(t *testing.T, name string) (out []lastingCall) {
	t.Helper()
	raw, err := os.ReadFile(name)
	must(t, err)
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, raw, 0)
	must(t, err)
	dir := filepath.Base(filepath.Dir(name))
	if dir == "." {
		dir = "storage"
	}
	short := path.Join(dir, filepath.Base(name))
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && lasting[sel.Sel.Name] {
				line := set.Position(call.Lparen).Line
				out = append(out, lastingCall{short + ":" + strconv.Itoa(line), short + " " + fn.Name.Name})
			}
			return true
		})
	}
	return slices.Compact(out)
}

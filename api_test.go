package telemdb_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/api.txt anew")

// TestTheExportedNamesAreTheListedOnes holds the embedded API: what is exported by accident cannot be taken back.
func TestTheExportedNamesAreTheListedOnes(t *testing.T) {
	got := exportedNames(t)
	const file = "testdata/api.txt"
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the exported names are\n%s\nnot those of %s (go test -run Exported -rewrite . writes it anew)", got, file)
	}
}

func exportedNames(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			names = append(names, declared(d)...)
		}
	}
	slices.Sort(names)
	return strings.Join(names, "\n") + "\n"
}

// declared lists the exported names of a declaration: functions, methods of exported types, types, variables.
func declared(d ast.Decl) (names []string) {
	add := func(kind, name string) {
		if ast.IsExported(name[strings.LastIndexByte(name, '.')+1:]) {
			names = append(names, kind+" "+name)
		}
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			add("func", d.Name.Name)
			break
		}
		recv := d.Recv.List[0].Type
		if star, ok := recv.(*ast.StarExpr); ok {
			recv = star.X
		}
		if id, ok := recv.(*ast.Ident); ok && id.IsExported() {
			add("method", id.Name+"."+d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				add("type", s.Name.Name)
			case *ast.ValueSpec:
				for _, n := range s.Names {
					add("var", n.Name)
				}
			}
		}
	}
	return names
}

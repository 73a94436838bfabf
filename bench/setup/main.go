// Command setup installs the engines that telemdb is measured beside, and says what it did. DuckDB needs nothing: the Go
// command fetches its driver with the library inside when bench/telembench builds bench/peers.
//
//	go run ./bench/setup          tells what it would do, and asks
//	go run ./bench/setup -yes     does it
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

var (
	yes    = flag.Bool("yes", false, "do not ask")
	venv   = flag.String("venv", filepath.Join("bench", "peers", ".venv"), "directory of the Python environment that gets chdb")
	python = flag.String("python", "python3", "Python that makes it")
	chdb   = flag.String("chdb", "chdb==4.4.0", "what pip installs")
)

// step is one thing that may be missing.
type step struct {
	name  string
	there func() (string, bool) // what is there already
	do    [][]string            // commands, in order
}

func main() {
	flag.Parse()
	failed := false
	for _, s := range steps() {
		if err := s.run(); err != nil {
			fmt.Printf("%s: %v\n", s.name, err)
			failed = true
		}
	}
	if failed {
		fmt.Println("What could not be installed is left out of the comparison; telembench names it.")
		os.Exit(1)
	}
}

func steps() []step {
	pythonIn := filepath.Join(*venv, "bin", "python")
	return []step{
		{
			name:  "ClickHouse (chdb, from PyPI)",
			there: func() (string, bool) { return output(pythonIn, "-c", "import chdb; print('chdb', chdb.__version__)") },
			do:    [][]string{{*python, "-m", "venv", *venv}, {pythonIn, "-m", "pip", "install", "--quiet", *chdb}},
		},
		{
			name:  "PostgreSQL 15 (from Debian)",
			there: func() (string, bool) { return output("/usr/lib/postgresql/15/bin/postgres", "--version") },
			do:    [][]string{{"apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql-15"}},
		},
		{
			name:  "DuckDB (built with its driver)",
			there: func() (string, bool) { return "", false },
			do:    [][]string{{"go", "-C", filepath.Join("bench", "peers"), "build", "-tags", "duckdb_arrow", "-o", os.DevNull, "./duckdb"}},
		},
	}
}

func output(name string, args ...string) (string, bool) {
	out, err := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(out)), err == nil
}

func (s *step) run() error {
	if what, ok := s.there(); ok {
		fmt.Printf("%s: there already: %s\n", s.name, what)
		return nil
	}
	fmt.Printf("%s: this will run\n", s.name)
	for _, c := range s.do {
		fmt.Printf("    %s\n", strings.Join(c, " "))
	}
	if !*yes && !confirmed() {
		fmt.Printf("%s: not installed\n", s.name)
		return nil
	}
	for _, c := range s.do {
		cmd := exec.Command(c[0], c[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(c, " "), err)
		}
	}
	what, _ := s.there()
	fmt.Printf("%s: done %s\n", s.name, what)
	return nil
}

var answers = bufio.NewReader(os.Stdin)

func confirmed() bool {
	fmt.Print("  go on? [y/N] ")
	line, _ := answers.ReadString('\n') // the end of input is a no
	return strings.EqualFold(strings.TrimSpace(line), "y")
}
